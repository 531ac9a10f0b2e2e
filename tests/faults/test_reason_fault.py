"""The providers' own refusals, without cause: as on the wire, counted as the stage says."""

import json
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from simulator.faults.fault import Stage
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from tests.faults.faulted_pair import APPLE, FCM, LOCALHOST, PUSH, SEND, FaultedPair, status_of
from tests.fcm.service_account import NOW_S


def test_apns_refuses_with_the_reason_and_does_not_process() -> None:
    pair = FaultedPair(APPLE)
    pair.add(ReasonFault(reason="TooManyRequests", retry_after_s=7))
    (response,) = pair.send(PUSH)
    assert (status_of(response), response.body) == (429, b'{"reason":"TooManyRequests"}')
    assert response.head.value(b"retry-after") == b"7"
    assert response.varying[0] or response.head.value(b"apns-id")
    counters = pair.bench.rig.counters
    assert (counters.notifications, counters.accepted, counters.streams) == (1, 0, 1)
    assert counters.rejected_by_reason == {"TooManyRequests": 1}
    (row,) = pair.bench.rows()
    assert (row.status, row.reason, row.provider) == (429, "TooManyRequests", "apns")


def test_fcm_refuses_with_the_cause_and_does_not_process() -> None:
    pair = FaultedPair(FCM)
    pair.add(ReasonFault(reason="UNAVAILABLE", retry_after_s=120, retry_after_form="date"))
    (response,) = pair.send(SEND)
    assert status_of(response) == 503
    assert json.loads(response.body)["error"]["status"] == "UNAVAILABLE"
    told = (response.head.value(b"retry-after") or b"").decode()
    assert told.endswith(" GMT")
    assert parsedate_to_datetime(told).timestamp() == int(NOW_S) + 120
    assert pair.bench.mark(1) == (0, True)
    assert pair.bench.rig.counters.rejected_by_reason == {"UNAVAILABLE": 1}


def test_after_the_verdict_the_acceptance_stands() -> None:
    pair = FaultedPair(FCM)
    pair.add(ReasonFault(reason="INTERNAL"), stage=Stage.AFTER_VERDICT)
    (response,) = pair.send(SEND)
    assert status_of(response) == 500
    assert pair.bench.mark(1) == (1, False)
    assert pair.bench.rig.counters.accepted == 1


def test_a_reason_of_one_provider_leaves_the_other_alone() -> None:
    pair = FaultedPair(LOCALHOST)
    fault = pair.add(ReasonFault(reason="ServiceUnavailable"))
    statuses = [status_of(response) for response in pair.send(SEND)]
    statuses += [status_of(response) for response in pair.send(PUSH)]
    assert statuses == [200, 503]
    assert fault.matcher.played == 1


def test_nothing_is_left_of_a_fault_that_is_removed() -> None:
    pair = FaultedPair(APPLE)
    fault = pair.add(ReasonFault(reason="InternalServerError"), Match(to_answer=1))
    assert [status_of(each) for each in pair.send(PUSH)] == [500]
    assert [status_of(each) for each in pair.send(PUSH)] == [200]
    assert pair.bench.rig.faults.remove(fault.number)
    assert not pair.bench.rig.faults.on_requests
    assert [status_of(each) for each in pair.send(PUSH)] == [200]


def test_a_reason_of_nobody_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'Tooth' is none of APNs or FCM; there are: BadCollapseId, .*UNREGISTERED"):
        ReasonFault(reason="Tooth")


def test_a_410_of_apns_says_when_the_device_went() -> None:
    pair = FaultedPair(APPLE)
    pair.add(ReasonFault(reason="Unregistered"))
    (response,) = pair.send(PUSH)
    assert (status_of(response), json.loads(response.body)) == (
        410,
        {"reason": "Unregistered", "timestamp": int(NOW_S * 1000)},
    )


@pytest.mark.parametrize("reason", ["permission-denied", "project-quota", "device-quota", "service-disabled"])
def test_causes_that_name_what_was_asked_for_are_answered_on_any_path(reason: str) -> None:
    pair = FaultedPair(FCM)
    pair.add(ReasonFault(reason=reason), Match(path="/"))
    for path in (SEND.path, "/token", "/"):
        (response,) = pair.send(replace(SEND, path=path))
        assert status_of(response) in (403, 429)
        assert json.loads(response.body)["error"]["message"]
