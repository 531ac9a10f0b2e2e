"""Google's side of a simulator as a whole: what each request is answered, and what is counted and written down of it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_fields

from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform
from simulator.fcm.fan_out import FanOuts
from simulator.fcm.service import BODY_BYTES_KEPT_MAX, BODY_LIMIT
from simulator.fcm.state import ApnsCredential, FcmCondition
from simulator.http_answer import HTML, JSON
from simulator.journal import BODY_BYTES_KEPT_MAX as JOURNAL_BODY_BYTES_MAX
from simulator.journal import Row
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import OFF, BucketRate, WindowRate
from tests.fcm.fcm_state import PROJECT_NUMBER
from tests.fcm.service_account import NOW_S, PROJECT_ID
from tests.fcm.valid_send import CONNECTION_ID, SEED, STREAM_ID, Bench, Send, token_of
from tests.spec.fcm_transcript import FCM_ENVELOPES

# The ledger


@pytest.mark.parametrize("fate", [Fate.ACTIVE, Fate.UNREGISTERED])
def test_a_dry_run_leaves_no_mark_whatever_comes_of_it(fate: Fate) -> None:
    bench = Bench()
    send = Send().to("token", token_of(1, fate))
    bench.send(send.dry)
    bench.send(replace(send.dry, authorization=None))
    assert bench.mark(1) == (0, False)
    bench.send(send)
    assert bench.mark(1) != (0, False)


# Sizes


def test_a_body_that_was_not_kept_whole_is_answered_413_on_a_path_known_or_not() -> None:
    bench, large = Bench(), Send(body=b" " * BODY_BYTES_KEPT_MAX)
    head = Send().head()
    answers = [bench.send(large, head), bench.send(Send(), head), bench.send(large, head)]
    assert [answer.status for answer in answers] == [413, 200, 413]
    counters = bench.rig.counters
    assert (counters.limits_reached, counters.notifications) == ({BODY_LIMIT: 2}, 1)


# Routes


@pytest.mark.parametrize(
    ("send", "service"),
    [
        (Send(path="/token"), "token"),
        (Send(path="/iid/info/x", method="GET"), "instance-id"),
        (Send(path="/v1/projects/x/registrations/y/topicSubscriptions", method="GET"), "topic-subscriptions"),
        (Send(path="/token", method="GET"), "unknown"),
        (Send(method="GET"), "unknown"),
        (Send(path=Send().path + "/"), "unknown"),
        (Send(path="/batch"), "unknown"),
        (Send(path="/fcm/send"), "unknown"),
        (Send(path="/v1/projects//messages:send"), "unknown"),
    ],
)
def test_requests_find_the_service_that_they_are_for_and_are_counted_by_it(send: Send, service: str) -> None:
    bench = Bench()
    answer = bench.send(send)
    assert bench.rig.counters.google_calls == {service: 1}
    assert bench.rig.counters.notifications == 0
    if service == "unknown":
        assert (answer.status, answer.fields) == (404, (HTML,))
        assert send.path.encode() in answer.body


def test_a_project_may_be_percent_encoded() -> None:
    assert Bench().send(Send(path=Send().path.replace("-", "%2D"))).status == 200


# What goes over the wire


def _set(name: str, value: object) -> Callable[[Bench], None]:
    return lambda bench: setattr(bench.fcm, name, value)


def _nothing(bench: Bench) -> None:
    pass


def _quota(bench: Bench) -> None:
    bench.fcm.rates = RateLimits.of(replace_fields(OFF, fcm_project=WindowRate(count=1, per_s=60)))
    bench.send(Send())


def _device_rate(bench: Bench) -> None:
    once = BucketRate(count=1, per_s=60)
    bench.fcm.rates = RateLimits.of(replace_fields(OFF, fcm_android_device_minute=once, fcm_topic=once))
    for send in (Send(), Send().to("topic", "news")):
        bench.send(send)


def _fan_outs_full(bench: Bench) -> None:
    bench.fcm.fan_outs = FanOuts(waiting_max=0)


TO_IOS = Send().to("token", token_of(1, platform=Platform.IOS))
ENVELOPES: dict[str, tuple[Callable[[Bench], None], Send]] = {
    "No target": (_nothing, Send(target=None)),
    "Malformed token": (_nothing, Send().to("token", "x")),
    "Bad topic": (_nothing, Send().to("topic", "/topics/news")),
    "Bad condition": (_nothing, Send().to("condition", "news")),
    "Too large": (_nothing, Send().having(data={"x": "x" * 4_096})),
    "Reserved data key": (_nothing, Send().having(data={"from": "x"})),
    "Webpush TTL": (_nothing, Send().having(webpush={"headers": {"TTL": "-1"}})),
    "Unknown JSON field": (_nothing, Send().having(x=1)),
    "Wrong JSON type": (_nothing, Send().having(data={"a": 12})),
    "Two targets": (_nothing, Send().having(topic="news")),
    "Several JSON faults": (_nothing, Send(message={"x": 1, "data": {"a": 12}})),
    "Unregistered": (_nothing, Send().to("token", token_of(1, Fate.UNREGISTERED))),
    "Unregistered on iOS": (_nothing, Send().to("token", token_of(1, Fate.UNREGISTERED, Platform.IOS))),
    "Other project's token": (_nothing, Send().to("token", token_of(1, Fate.OTHER_SENDER))),
    "APNs credential bad": (_set("apns_credential", ApnsCredential.INVALID), TO_IOS),
    "Topic rate": (_device_rate, Send().to("topic", "news")),
    "Device rate": (_device_rate, Send()),
    "Message rate": (_fan_outs_full, Send().to("topic", "news")),
    "Project quota": (_quota, Send()),
    "Internal": (_set("condition", FcmCondition.INTERNAL_ERROR), Send()),
    "Unavailable": (_set("condition", FcmCondition.UNAVAILABLE), Send()),
    "No credential": (_nothing, Send(authorization=None)),
    "Bad access token": (_nothing, Send(authorization="Bearer x")),
    "Expired access token": (lambda bench: setattr(bench, "now_s", NOW_S + 3_600), Send()),
    "No permission, unknown project": (_nothing, Send(path="/v1/projects/shop-1/messages:send")),
    "API not enabled": (_set("api_enabled", False), Send()),
}


def _described(detail: dict[str, Any]) -> str:
    """A detail in the words of the transcript."""
    kind = detail["@type"].removeprefix("type.googleapis.com/").rpartition(".")[2]
    told = [str(detail[name]) for name in ("errorCode", "statusCode", "reason") if name in detail]
    told += [violation["field"] for violation in detail.get("fieldViolations", ())]
    return " ".join([kind, *told])


@pytest.mark.parametrize("row", FCM_ENVELOPES, ids=lambda row: row[0])
def test_each_captured_envelope_is_what_a_sender_gets(row: tuple[str, int, str, str, tuple[str, ...]]) -> None:
    name, status, rpc_status, message, details = row
    bench = Bench()
    set_up, send = ENVELOPES[name]
    set_up(bench)
    answer = bench.send(send)
    error = json.loads(answer.body)["error"]
    # The transcript's project has the number 42.
    assert error["message"].replace(PROJECT_NUMBER, "42") == message
    assert (answer.status, error["code"], error["status"]) == (status, status, rpc_status)
    assert tuple(_described(detail) for detail in error.get("details", ())) == details
    assert answer.fields[0] == JSON
    assert (b"retry-after" in dict(answer.fields)) is (name == "Project quota")
    # Counted and written down under the name that reports give it.
    reason = next((detail["errorCode"] for detail in error.get("details", ()) if "errorCode" in detail), rpc_status)
    assert bench.rig.counters.rejected_by_reason == {reason: 1}
    last = bench.rows()[-1]
    assert (last.status, last.reason, last.message_id) == (status, reason, b"")


def test_every_captured_envelope_is_here() -> None:
    assert set(ENVELOPES) == {row[0] for row in FCM_ENVELOPES}


@pytest.mark.parametrize("row", FCM_ENVELOPES, ids=lambda row: row[0])
def test_the_ledger_knows_which_device_got_no_whenever_the_message_could_be_read(
    row: tuple[str, *tuple[Any, ...]],
) -> None:
    set_up, send = ENVELOPES[row[0]]
    bench = Bench()
    set_up(bench)
    before = bench.mark(1)
    bench.send(send)
    unread = row[0] in ("Unknown JSON field", "Wrong JSON type", "Two targets", "Several JSON faults")
    names_none = row[0] in ("No target", "Malformed token", "Bad topic", "Bad condition", "Topic rate", "Message rate")
    assert bench.mark(1) == (before[0], not unread and not names_none)


@pytest.mark.parametrize("kind", ["token", "fid"])
def test_that_goes_for_both_names_of_a_registration_even_where_nothing_was_read(kind: str) -> None:
    bench = Bench()
    bench.send(replace(Send().to(kind, token_of(1) if kind == "token" else token_of(1)[:22]), authorization=None))
    assert bench.mark(1) == (0, True)


def test_a_failure_of_the_front_end_is_a_page() -> None:
    bench = Bench()
    bench.fcm.condition = FcmCondition.BAD_GATEWAY
    answer = bench.send(Send())
    assert (answer.status, answer.fields) == (502, (HTML,))
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert (bench.rows()[0].status, bench.mark(1)) == (502, (0, True))


@pytest.mark.parametrize("send", [Send(), Send().to("token", "x")], ids=["accepted", "refused"])
def test_answers_are_indented_unless_asked_otherwise(send: Send) -> None:
    bench = Bench()
    for query, indented in (("", True), ("alt=json", True), ("prettyPrint=true", True), ("prettyPrint=false", False)):
        body = bench.send(replace(send, query=query)).body
        assert (b'{\n  "' in body) is (body.endswith(b"}\n")) is indented
        assert (b": " in body.replace(b"message", b"")) is indented or not indented
        json.loads(body)


@pytest.mark.parametrize(
    ("send", "form"),
    [
        (Send(), rb"0:1750000000000000%[0-9a-f]{16}"),
        (Send().to("fid", token_of(1)[:22]), rb"0:1750000000000000%[0-9a-f]{16}"),
        (Send().to("token", token_of(1, platform=Platform.WEB)), rb"0:1750000000000000%[0-9a-f]{16}"),
        (TO_IOS, rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        (Send().to("topic", "news"), rb"[0-9]+"),
        (Send().to("condition", "'news' in topics"), rb"[0-9]+"),
        (Send().dry, rb"fake_message_id"),
        (TO_IOS.dry, rb"fake_message_id"),
        (Send().to("topic", "news").dry, rb"fake_message_id"),
    ],
)
def test_the_name_of_a_message_is_of_the_form_that_its_target_has(send: Send, form: bytes) -> None:
    bench = Bench()
    names = {bench.send(send).body for _ in range(2)}
    assert len(names) == (1 if b"fake" in form else 2)
    for body in names:
        assert re.fullmatch(b'\\{\n  "name": "projects/%b/messages/%b"\n\\}\n' % (PROJECT_ID.encode(), form), body)
    assert [row.message_id in body for row, body in zip(bench.rows(), sorted(names), strict=False)]


# What is written down


def test_accepted_sends_are_in_ledger_journal_and_counters() -> None:
    bench = Bench()
    bench.rig.ledger.declare(SEED, 10)
    for send in (Send(), Send().to("fid", token_of(2)[:22]), Send().to("token", "x" * 120)):
        assert bench.send(send).status == 200
    (view,) = bench.rig.ledger.view().populations
    assert (view.accepted_once, view.never) == (2, 8)
    first, second, third = bench.rows()
    assert [row.token.decode() for row in (first, second, third)] == [token_of(1), token_of(2)[:22], "x" * 120]
    assert (first.provider, first.environment, first.status, first.reason) == ("fcm", None, 200, None)
    assert (first.at_ms, first.connection_id, first.stream_id) == (int(NOW_S * 1_000), CONNECTION_ID, STREAM_ID)
    assert (first.path, first.body) == (Send().path.encode(), Send().request().body)
    assert (bench.rig.counters.notifications, bench.rig.counters.accepted, bench.rig.counters.rejected) == (3, 3, 0)


def test_of_a_long_body_the_journal_keeps_the_beginning() -> None:
    bench = Bench()
    for send in (Send().having(name="x" * 20_000), Send(body=b" " * 20_000)):
        bench.send(send)
    assert [len(row.body) for row in bench.rows()] == [JOURNAL_BODY_BYTES_MAX] * 2
    assert [row.status for row in bench.rows()] == [200, 400]


@given(st.binary(max_size=80), st.sampled_from(("POST", "GET", "PUT")), st.binary(max_size=80))
def test_whatever_path_and_body_hold_there_is_an_answer(path: bytes, method: str, body: bytes) -> None:
    bench = Bench()
    for prefix in (b"/", b"/v1/projects/", b"/iid/", Send().path.encode() + b"?", b""):
        request = Send(method=method, body=body).request()
        request.varying = (prefix + path, None)
        assert 200 <= bench.service.answer(request, 1, NOW_S).status < 600
    bench.service.settle()
    assert bench.rig.counters.notifications == len(bench.rows())


def test_whoever_watches_the_journal_sees_every_send_on_either_way() -> None:
    bench, head = Bench(), Send().head()
    seen: list[Row] = []
    bench.send(Send(), head)
    bench.rig.journal.watch(seen.append)
    for send in (Send(), Send().dry, Send().to("token", token_of(2, Fate.UNREGISTERED)), Send()):
        bench.send(send, head)
    assert [row[3] for row in seen] == [200, 200, 404, 200]
