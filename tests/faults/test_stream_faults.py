"""Answers that are damaged, late, lost or out of order: what a client sees, and what the ledger keeps."""

import json
from dataclasses import replace
from typing import Final

import pytest

from simulator import faulted_streams
from simulator.faults.answered_twice import AnsweredTwiceFault
from simulator.faults.dribbled_body import DribbledBodyFault
from simulator.faults.empty_answer import EmptyAnswerFault
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.html_page import HtmlPageFault
from simulator.faults.latency import LatencyFault
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from simulator.faults.reset_stream import ResetStreamFault
from simulator.faults.silent_stream import SilentStreamFault
from simulator.faults.truncated_answer import TruncatedAnswerFault
from simulator.faults.unended_answer import UnendedAnswerFault
from simulator.faults.wrong_content_type import WrongContentTypeFault
from tests.faults.faulted_pair import APPLE, FCM, LOCALHOST, PUSH, SEND, FaultedPair, status_of
from wire.errors import ErrorCode
from wire.events import ConnectionFailed, StreamReset
from wire.server import NO_TABLE

HTML: Final = b"text/html; charset=UTF-8"


@pytest.mark.parametrize(("host", "sent"), [(APPLE, PUSH), (FCM, SEND)])
def test_a_front_end_answers_with_html(host: str, sent: object) -> None:
    pair = FaultedPair(host)
    pair.add(HtmlPageFault(status=503, retry_after_s=1))
    (response,) = pair.send(sent)  # type: ignore[arg-type]  # either kind
    assert (status_of(response), response.head.value(b"content-type")) == (503, HTML)
    assert response.head.value(b"retry-after") == b"1"
    assert response.body.startswith(b"<!DOCTYPE html>")
    assert pair.bench.rig.counters.rejected_by_reason == {"html-page": 1}


def test_an_empty_answer_keeps_its_status_and_the_acceptance() -> None:
    pair = FaultedPair(FCM)
    pair.add(EmptyAnswerFault())
    (response,) = pair.send(SEND)
    assert (status_of(response), response.body) == (200, b"")
    assert pair.bench.mark(1) == (1, False)


def test_an_empty_answer_may_have_another_status() -> None:
    pair = FaultedPair(APPLE)
    pair.add(EmptyAnswerFault(status=500))
    (response,) = pair.send(PUSH)
    assert (status_of(response), response.body) == (500, b"")


@pytest.mark.parametrize("kept", [None, 5, 10_000])
def test_a_truncated_answer_is_no_json_and_the_beginning_of_one(kept: int | None) -> None:
    whole = FaultedPair(FCM).send(SEND)[0].body
    pair = FaultedPair(FCM)
    pair.add(TruncatedAnswerFault(bytes_kept=kept))
    (response,) = pair.send(SEND)
    assert len(response.body) == (5 if kept == 5 else len(whole) // 2)
    assert response.body[:5] == whole[:5]
    with pytest.raises(ValueError):
        json.loads(response.body)


def test_a_wrong_content_type_is_the_only_one() -> None:
    pair = FaultedPair(FCM)
    pair.add(WrongContentTypeFault(content_type="image/png"))
    (response,) = pair.send(SEND)
    assert [value for name, value in response.head.fields if name == b"content-type"] == [b"image/png"]
    assert json.loads(response.body)["name"]


def test_a_late_answer_comes_when_it_is_due_and_holds_up_no_other() -> None:
    pair = FaultedPair(FCM)
    pair.add(LatencyFault(median_ms=250), Match(to_request=1))
    assert [status_of(each) for each in pair.send(SEND, SEND)] == [200]
    assert pair.session.next_due_s == 1_000.25
    assert pair.pass_time(0.2) == []
    assert [each.stream_id for each in pair.pass_time(0.05)] == [1]
    assert pair.session.next_due_s is None
    assert pair.bench.mark(1) == (2, False)


def test_late_answers_come_in_the_order_of_their_times() -> None:
    pair = FaultedPair(FCM)
    pair.add(LatencyFault(median_ms=300), Match(to_request=1))
    pair.add(LatencyFault(median_ms=100), Match(from_request=2))
    assert pair.send(SEND, SEND) == []
    assert pair.session.next_due_s == 1_000.1
    assert [each.stream_id for each in pair.pass_time(1.0)] == [3, 1]


def test_latencies_add_up_and_refusals_are_late_too() -> None:
    pair = FaultedPair(APPLE)
    pair.add(LatencyFault(median_ms=100))
    pair.add(ReasonFault(reason="InternalServerError"))
    pair.add(LatencyFault(median_ms=50))
    pair.send(PUSH)
    assert pair.session.next_due_s == pytest.approx(1_000.15)
    assert [status_of(each) for each in pair.pass_time(0.2)] == [500]


def test_a_late_answer_to_a_stream_that_was_reset_is_dropped() -> None:
    pair = FaultedPair(FCM)
    pair.add(LatencyFault(median_ms=10))
    stream_id = pair.queue(SEND)
    pair.turn()
    pair.client.reset(stream_id, ErrorCode.CANCEL)
    pair.turn()
    assert pair.pass_time(1.0) == []
    assert not [event for event in pair.events if isinstance(event, ConnectionFailed)]


def test_what_waits_still_comes_when_the_fault_is_removed() -> None:
    pair = FaultedPair(FCM)
    fault = pair.add(LatencyFault(median_ms=10))
    pair.send(SEND)
    pair.bench.rig.faults.remove(fault.number)
    assert [status_of(each) for each in pair.send(SEND)] == [200]
    assert [status_of(each) for each in pair.pass_time(0.01)] == [200]


def test_an_answer_that_finds_no_room_to_wait_goes_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulted_streams, "WAITING_MAX", 2)
    pair = FaultedPair(FCM)
    pair.add(LatencyFault(median_ms=10))
    assert [each.stream_id for each in pair.send(SEND, SEND, SEND)] == [5]
    assert [each.stream_id for each in pair.pass_time(0.01)] == [1, 3]


@pytest.mark.parametrize("stage", list(Stage))
def test_a_reset_stream_is_processed_or_not_as_its_stage_says(stage: Stage) -> None:
    pair = FaultedPair(FCM)
    pair.add(ResetStreamFault(code=7), stage=stage)
    assert pair.send(SEND) == []
    (reset,) = [event for event in pair.events if isinstance(event, StreamReset)]
    assert (reset.stream_id, reset.code) == (1, 7)
    counters = pair.bench.rig.counters
    assert pair.bench.mark(1) == ((0, False) if stage is Stage.BEFORE_JUDGE else (1, False))
    assert (counters.resets_sent, counters.rejected, counters.streams) == (1, 0, 1)


def test_a_silent_stream_leaves_the_others_alone() -> None:
    pair = FaultedPair(FCM)
    pair.add(SilentStreamFault(), Match(to_request=1))
    assert [each.stream_id for each in pair.send(SEND, SEND)] == [3]
    assert pair.pass_time(1_000.0) == []
    assert pair.client.open_streams == 1
    assert pair.bench.mark(1) == (1, False)  # the second alone


def test_an_answer_that_comes_twice_breaks_the_protocol_behind_the_first() -> None:
    pair = FaultedPair(FCM)
    pair.add(AnsweredTwiceFault())
    assert [status_of(each) for each in pair.send(SEND)] == [200]
    (failed,) = [event for event in pair.events if isinstance(event, ConnectionFailed)]
    assert failed.error.code == ErrorCode.STREAM_CLOSED
    assert pair.bench.mark(1) == (1, False)


@pytest.mark.parametrize("with_body", [False, True])
def test_an_unended_answer_keeps_its_stream_open(with_body: bool) -> None:
    pair = FaultedPair(FCM)
    pair.add(UnendedAnswerFault(with_body=with_body))
    pair.queue(SEND)
    pair.session.receive(pair.client.data_to_send())
    written = pair.session.data_to_send()
    assert (b"projects/" in written) is with_body
    assert pair.client.receive_data(written) == []
    assert pair.client.open_streams == 1


def test_a_dribbled_body_is_whole_in_the_end() -> None:
    whole = FaultedPair(FCM)
    pair = FaultedPair(FCM)
    pair.add(DribbledBodyFault())
    (response,) = pair.send(SEND)
    assert len(response.body) == len(whole.send(SEND)[0].body)
    assert json.loads(response.body)["name"]
    assert pair.session.next_due_s is None


def test_a_dribbled_body_takes_its_gaps() -> None:
    pair = FaultedPair(FCM)
    pair.add(DribbledBodyFault(piece_bytes=50, gap_ms=10))
    assert pair.send(SEND) == []
    turns = 0
    while not (responses := pair.pass_time(0.01)):
        turns += 1
    assert turns == (len(responses[0].body) - 1) // 50 - 1
    assert pair.session.next_due_s is None
    assert json.loads(responses[0].body)["name"]


def test_a_dribbled_body_waits_for_windows() -> None:
    pair = FaultedPair(FCM)
    pair.add(DribbledBodyFault())
    pair.queue(SEND)
    pair.session._wire.outbound_window = 3
    assert pair.turn() == []
    assert pair.pass_time(0.05) == []
    pair.session._wire.outbound_window = 65_535
    assert len(pair.pass_time(0.05)) == 1


def test_an_accepted_push_has_no_body_to_dribble() -> None:
    pair = FaultedPair(APPLE)
    pair.add(DribbledBodyFault(gap_ms=10))
    assert [status_of(each) for each in pair.send(PUSH)] == [200]


@pytest.mark.parametrize(
    "fault", [AnsweredTwiceFault(), UnendedAnswerFault(), EmptyAnswerFault(), TruncatedAnswerFault()]
)
def test_what_was_never_answered_has_nothing_to_damage(fault: RequestFault) -> None:
    pair = FaultedPair(FCM)
    pair.add(ResetStreamFault())
    pair.add(fault)
    assert pair.send(SEND) == []
    assert [event.code for event in pair.events if isinstance(event, StreamReset)] == [ErrorCode.REFUSED_STREAM]


def test_answers_that_no_fault_meets_are_the_same_bytes() -> None:
    plain, watched = FaultedPair(LOCALHOST), FaultedPair(LOCALHOST)
    watched.add(ReasonFault(reason="UNAVAILABLE"), Match(path="/nowhere"))
    watched.add(LatencyFault(median_ms=0))
    for sent in (PUSH, SEND, PUSH):
        for pair in (plain, watched):
            pair.queue(sent)
            pair.session.receive(pair.client.data_to_send())
        written = [pair.session.data_to_send() for pair in (plain, watched)]
        assert written[0] == written[1]
        plain.client.receive_data(written[0])
        watched.client.receive_data(written[1])
    assert plain.bench.rig.counters == watched.bench.rig.counters


def test_other_calls_of_google_are_met_by_their_path_and_count_as_no_notifications() -> None:
    pair = FaultedPair(FCM)
    pair.add(HtmlPageFault(), Match(path="/token"))
    assert [status_of(each) for each in pair.send(replace(SEND, path="/token"), SEND)] == [502, 200]
    counters = pair.bench.rig.counters
    assert (counters.notifications, counters.rejected, counters.streams) == (1, 0, 2)
    assert len(pair.bench.rows()) == 1


def test_on_a_host_of_googles_a_path_of_apples_stays_googles() -> None:
    pair = FaultedPair(FCM)
    pair.add(LatencyFault(median_ms=0), Match(path="/"))
    (response,) = pair.send(replace(SEND, path="/3/device/" + "ab" * 32))
    assert (status_of(response), response.head.value(b"content-type")) == (404, HTML)


def test_requests_are_numbered_as_their_connection_sends_them() -> None:
    pair = FaultedPair(FCM)
    pair.add(HtmlPageFault(), Match(from_request=2, to_request=2))
    assert [status_of(each) for each in pair.send(SEND, SEND, SEND)] == [200, 502, 200]


def test_a_head_request_gets_no_body_from_a_fault_either() -> None:
    pair = FaultedPair(FCM)
    pair.add(HtmlPageFault(), Match(path="/"))
    (response,) = pair.send(replace(SEND, method="HEAD"))
    assert (status_of(response), response.body) == (502, b"")


def test_a_begun_answer_confirms_a_smaller_header_table_first() -> None:
    pair = FaultedPair(FCM)
    pair.add(DribbledBodyFault())
    pair.session._wire._table_limited(0)
    pair.queue(SEND)
    pair.session.receive(pair.client.data_to_send())
    written = pair.session.data_to_send()
    assert written[9:10] == NO_TABLE


def test_a_dribbled_answer_frees_its_stream() -> None:
    pair = FaultedPair(FCM)
    pair.add(DribbledBodyFault())
    pair.send(SEND)
    assert pair.session._wire.open_streams == pair.client.open_streams == 0
