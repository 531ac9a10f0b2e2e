"""Faults over HTTP/1.1: answers damaged and late in their order; those of streams and frames do nothing."""

import random

import pytest

from simulator.apns.answer import RandomIds
from simulator.faults.dribbled_body import DribbledBodyFault
from simulator.faults.fault import RequestFault
from simulator.faults.html_page import HtmlPageFault
from simulator.faults.latency import LatencyFault
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from simulator.faults.reset_stream import ResetStreamFault
from simulator.faults.silent_stream import SilentStreamFault
from simulator.faults.truncated_answer import TruncatedAnswerFault
from simulator.host_owner import HostOwner
from simulator.http1_session import HELD_BYTES_MAX, Http1Session
from simulator.limits import Limits
from simulator.session import SessionParts
from tests.faults.faulted_pair import SEND, planned
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import Bench, Send


class Line:
    """One connection over HTTP/1.1."""

    def __init__(self, *faults: tuple[RequestFault, Match]) -> None:
        self.bench = Bench()
        self.monotonic_s = 1_000.0
        rig, limits = self.bench.rig, Limits()
        ids = RandomIds(random.Random(7).randbytes)
        parts = SessionParts(rig, limits, limits.of_wire(), ids, self.bench.service, lambda: self.monotonic_s)
        self.session = Http1Session(parts, HostOwner.GOOGLE, 1, self.monotonic_s, lambda: NOW_S, secure=True)
        for fault, match in faults:
            rig.faults.add(planned(fault, match), NOW_S)

    def send(self, *sent: Send) -> bytes:
        """Send these in one write."""
        self.session.receive(b"".join(as_http1(each) for each in sent))
        return self.session.data_to_send()

    def pass_time(self, for_s: float) -> bytes:
        self.monotonic_s += for_s
        self.session.wake(self.monotonic_s)
        return self.session.data_to_send()


def as_http1(sent: Send) -> bytes:
    request = sent.request()
    fields = [(name, value) for name, value in request.head.fields if not name.startswith(b":")]
    lines = [
        b"POST %b HTTP/1.1" % (request.varying[0] or b""),
        b"host: fcm.googleapis.com",
        *(b"%b: %b" % field for field in fields),
        b"content-length: %d" % len(request.body),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.body


def statuses(written: bytes) -> list[bytes]:
    return [part[:3] for part in written.split(b"HTTP/1.1 ")[1:]]


def test_a_refusal_is_not_processed() -> None:
    line = Line((ReasonFault(reason="UNAVAILABLE", retry_after_s=3), Match()))
    written = line.send(SEND)
    assert statuses(written) == [b"503"]
    assert b"\r\nretry-after: 3\r\n" in written
    assert line.bench.mark(1) == (0, True)
    assert line.bench.rig.counters.notifications == 1


def test_a_damaged_answer_stays_accepted_and_the_connection_goes_on() -> None:
    line = Line((TruncatedAnswerFault(bytes_kept=9), Match(to_request=1)))
    written = line.send(SEND, SEND)
    assert statuses(written) == [b"200", b"200"]
    assert b"content-length: 9\r\n" in written
    assert line.bench.mark(1) == (2, False)


def test_a_late_answer_holds_up_those_behind_it() -> None:
    line = Line(
        (LatencyFault(median_ms=100), Match(to_request=1)), (HtmlPageFault(), Match(from_request=2, to_request=2))
    )
    assert line.send(SEND, SEND) == b""
    assert line.session.next_due_s == pytest.approx(1_000.1)
    assert line.pass_time(0.05) == b""
    assert line.send(SEND) == b""
    assert statuses(line.pass_time(0.06)) == [b"200", b"502", b"200"]
    assert line.session.next_due_s is None
    assert line.bench.rig.counters.notifications == 3


def test_after_a_request_that_is_never_answered_the_connection_is_silent() -> None:
    line = Line((SilentStreamFault(), Match(to_request=1)))
    assert line.send(SEND) == b""
    assert line.send(SEND) == b""
    assert line.session.next_due_s is None
    assert line.pass_time(1e6) == b""


def test_a_client_that_sends_on_and_on_meanwhile_is_let_go() -> None:
    line = Line((SilentStreamFault(), Match()))
    line.send(SEND)
    line.session.receive(b"x" * HELD_BYTES_MAX)
    assert not line.session.closing
    line.session.receive(b"x")
    assert line.session.closing


@pytest.mark.parametrize("fault", [ResetStreamFault(), DribbledBodyFault(gap_ms=50)])
def test_faults_of_streams_and_frames_do_nothing(fault: RequestFault) -> None:
    line = Line((fault, Match()))
    assert statuses(line.send(SEND)) == [b"200"]
    assert not line.bench.rig.faults.played
