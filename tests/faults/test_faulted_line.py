"""What faults do to whole connections, without sockets: times, bounds, both providers, HTTP/1.1."""

import random

import pytest

from simulator.apns.answer import RandomIds
from simulator.devices.fates import Provider
from simulator.faulted_line import LATER_MAX, FaultedLine, Timeline, without_answers
from simulator.faults.disconnect import DisconnectFault
from simulator.faults.engine import Planned
from simulator.faults.expired_token import ExpiredTokenFault
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.goaway import GoawayFault
from simulator.faults.idle_close import IdleCloseFault
from simulator.faults.latency import LatencyFault
from simulator.faults.line import AnswerPings, End, Ending, Goaway, IdleClose, LastStream, Later, Stall
from simulator.faults.maintenance import MaintenanceFault
from simulator.faults.match import Match
from simulator.faults.outage import OutageFault
from simulator.faults.outcome import Outcome
from simulator.faults.ping import PingFault
from simulator.faults.stall import StallFault
from simulator.host_owner import HostOwner
from simulator.http1_session import Http1Session
from simulator.limits import Limits
from simulator.session import SessionParts
from tests.faults.faulted_pair import APPLE, FCM, PUSH, SEND, FaultedPair, status_of
from tests.faults.test_http1_faults import as_http1, statuses
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import Bench, Send
from wire import frames
from wire.events import Event, GoawayReceived, PingAcknowledged
from wire.server import ServerConnection

PINGS_AGAIN = AnswerPings(True)


# Time


def done(time: Timeline, now_s: float) -> list[object]:
    return [act for act, _ in time.due(now_s)]


def test_what_is_due_comes_in_the_order_of_time_and_of_asking() -> None:
    time = Timeline()
    for delay_s, act in ((3, AnswerPings(False)), (1, PINGS_AGAIN), (3, End(Ending.CLOSE))):
        assert time.take(Later(delay_s, act), 0, 10.0)
    assert time.next_due_s == 11.0
    assert done(time, 10.9) == []
    assert done(time, 11.0) == [PINGS_AGAIN]
    assert done(time, 99.0) == [AnswerPings(False), End(Ending.CLOSE)]
    assert time.next_due_s is None


def test_acts_that_find_no_room_are_done_at_once() -> None:
    time = Timeline()
    for _ in range(LATER_MAX):
        assert time.take(Later(5, Stall(1)), 0, 0.0)
    assert not time.stalled
    assert time.take(Later(5, Stall(1)), 0, 0.0)
    assert time.stalled
    line = FaultedLine(ServerConnection(), Bench().rig.counters, lambda streams: None, lambda: None, lambda how: None)
    line.act([Later(5, PINGS_AGAIN)] * LATER_MAX + [Later(5, Goaway(3, "max", b""))], 0, 0.0)
    assert line._wire.goaway_sent == 2**31 - 1


def test_an_end_makes_all_else_void() -> None:
    time = Timeline()
    time.close_when_idle(IdleClose(5, Ending.RESET), 0.0)
    for act in (Later(1, PINGS_AGAIN), Stall(3), End(Ending.HALF_CLOSE)):
        time.take(act, 0, 0.0)
    assert (time.ending, time.stalled, time.mute, time.next_due_s) == (Ending.HALF_CLOSE, False, True, None)
    assert done(time, 99.0) == []


def test_a_connection_is_idle_from_one_look_to_the_next() -> None:
    time = Timeline()
    time.close_when_idle(IdleClose(5, Ending.RESET), 0.0)
    assert time.next_due_s == 5.0
    time.heard = True
    assert done(time, 5.0) == []
    assert time.next_due_s == 10.0
    assert done(time, 10.0) == [End(Ending.RESET)]


def test_a_stall_is_no_idling() -> None:
    time = Timeline()
    time.close_when_idle(IdleClose(5, Ending.RESET), 0.0)
    time.take(Stall(7), 0, 0.0)
    assert done(time, 5.0) == []
    assert done(time, 10.0) == []
    assert not time.stalled
    assert done(time, 15.0) == [End(Ending.RESET)]


def test_answers_are_taken_out_of_what_is_queued_and_nothing_else() -> None:
    kept = [frames.SETTINGS_ACK, frames.rst_stream_frame(1, 8), frames.window_update_frame(0, 5)]
    block = list(frames.headers_frames(3, b"x" * 40, end_stream=False, frame_bytes_max=16))
    data = b"".join([kept[0], *block, kept[1], frames.frame(frames.DATA, 1, 3, b"x"), kept[2]])
    assert without_answers(data) == b"".join(kept)
    assert without_answers(b"") == b""


# Both providers over HTTP/2


@pytest.mark.parametrize(("host", "message"), [(APPLE, PUSH), (FCM, SEND)])
def test_goaway_mid_burst_with_answers_on_their_way(host: str, message: Send) -> None:
    """Those at or below the last stream id are answered behind the GOAWAY; the others are not processed."""
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200  # the limit of streams is raised
    pair.add(LatencyFault(median_ms=100))
    pair.add(GoawayFault(last_stream="before"), Match(from_request=4))
    assert pair.send(*[message] * 5) == []
    [goaway] = [each for each in pair.events if isinstance(each, GoawayReceived)]
    assert (goaway.last_stream_id, goaway.unprocessed) == (5, (7, 9, 11))
    answered = pair.pass_time(0.1)
    assert [each.stream_id for each in answered] == [3, 5]
    assert pair.bench.rig.counters.accepted == 3
    assert not pair.session.closing


@pytest.mark.parametrize(("host", "message"), [(APPLE, PUSH), (FCM, SEND)])
def test_goaway_abrupt_loses_answers_that_wait(host: str, message: Send) -> None:
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200
    pair.add(LatencyFault(median_ms=100))
    fault = GoawayFault(last_stream="all", answers_lost=True, then="close")
    pair.add(fault, Match(from_request=4), Stage.AFTER_VERDICT)
    assert pair.send(*[message] * 3) == []
    assert pair.session.closing
    assert pair.session.ending is Ending.CLOSE
    assert pair.pass_time(1) == []
    assert pair.bench.rig.counters.accepted == 4


@pytest.mark.parametrize(("host", "message"), [(APPLE, PUSH), (FCM, SEND)])
def test_the_simulator_sends_pings_each_of_its_own_and_they_are_answered(
    host: str, message: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, heard = FaultedPair(host), list[object]()
    pair.add(PingFault(), Match(every_request=2))
    take_events = pair.session._wire.take_events

    def taken() -> list[Event]:
        events = take_events()
        heard.extend(events)
        return events

    monkeypatch.setattr(pair.session._wire, "take_events", taken)
    assert [status_of(each) for _ in range(3) for each in pair.send(message)] == [200] * 3
    first, second = (number.to_bytes(8) for number in (1, 2))
    assert [each for each in heard if isinstance(each, PingAcknowledged)] == [
        PingAcknowledged(first),
        PingAcknowledged(second),
    ]


@pytest.mark.parametrize(
    ("last_stream", "named"), [("this", 7), ("before", 5), ("all", 11), ("none", 0), ("max", 2**31 - 1)]
)
def test_the_last_stream_of_a_goaway(last_stream: LastStream, named: int) -> None:
    """Of five requests in one read the third is met; the first request of all is answered before."""
    pair = FaultedPair(FCM)
    pair.send(SEND)
    pair.add(GoawayFault(last_stream=last_stream), Match(from_request=4, to_request=4))
    pair.send(*[SEND] * 5)
    [goaway] = [each for each in pair.events if isinstance(each, GoawayReceived)]
    assert goaway.last_stream_id == named
    processed = {"this": 4, "before": 3, "all": 6, "none": 3, "max": 6}
    assert pair.bench.rig.counters.accepted == processed[last_stream]


def test_an_answer_that_waits_above_the_last_stream_is_not_sent() -> None:
    pair = FaultedPair(FCM)
    pair.send(SEND)
    pair.add(LatencyFault(median_ms=100))
    pair.send(SEND, SEND)
    pair.add(GoawayFault(last_stream="none"), Match(from_request=4))
    pair.send(SEND)
    pair.monotonic_s += 1
    pair.session.wake(pair.monotonic_s)
    assert pair.session.data_to_send() == b""


def test_a_goaway_that_says_nothing_new_is_not_sent_again() -> None:
    pair = FaultedPair(APPLE)
    pair.send(PUSH)
    pair.add(GoawayFault(last_stream="max"))
    assert len(pair.send(*[PUSH] * 3)) == 3
    assert pair.bench.rig.counters.goaways_sent == 1


def test_expired_tokens_of_google_are_told_by_401() -> None:
    pair = FaultedPair(FCM)
    pair.add(ExpiredTokenFault(after_requests=1, resets=0))
    assert [status_of(each) for each in pair.send(SEND, SEND)] == [200, 401]
    assert pair.bench.rig.counters.rejected_by_reason.total() == 1


def test_requests_behind_the_end_in_one_read_are_not_looked_at() -> None:
    pair = FaultedPair(FCM)
    pair.add(DisconnectFault(answers_lost=False), Match(from_request=2))
    pair.send(*[SEND] * 4)
    assert pair.bench.rig.counters.accepted == 2
    assert pair.session.ending is Ending.RESET


def test_requests_on_a_half_closed_connection_are_not_looked_at() -> None:
    pair = FaultedPair(FCM)
    pair.add(DisconnectFault(how="half-close"), Match(to_request=1))
    pair.send(SEND)
    pair.send(SEND)
    assert pair.session.ending is Ending.HALF_CLOSE
    assert pair.bench.rig.counters.streams == 1


def test_a_stalled_connection_knows_no_deadlines() -> None:
    pair = FaultedPair(FCM)
    pair.add(StallFault(for_s=1e4, then="go-on"))
    pair.send(SEND)
    for _ in range(20):
        pair.monotonic_s += 499
        assert pair.session.tick(pair.monotonic_s, None)
        assert not pair.session.closing
    assert pair.session.data_to_send() == b""


# HTTP/1.1


class Http1Line:
    """One connection over HTTP/1.1, opened when faults are at work already."""

    def __init__(self, *faults: Fault, match: Match | None = None) -> None:
        self.bench = Bench()
        self.monotonic_s = 1_000.0
        rig, limits = self.bench.rig, Limits()
        for fault in faults:
            stage = fault.stages[0] if isinstance(fault, RequestFault) else Stage.BEFORE_JUDGE
            rig.faults.add(Planned(fault, match or Match(), stage), NOW_S)
        ids = RandomIds(random.Random(7).randbytes)
        parts = SessionParts(rig, limits, limits.of_wire(), ids, self.bench.service, lambda: self.monotonic_s)
        self.session = Http1Session(parts, HostOwner.GOOGLE, 1, self.monotonic_s, lambda: NOW_S, secure=True)

    def send(self, *sent: Send) -> list[bytes]:
        """The statuses that come at once."""
        self.session.receive(b"".join(as_http1(each) for each in sent))
        return statuses(self.session.data_to_send())

    def pass_time(self, for_s: float) -> list[bytes]:
        self.monotonic_s += for_s
        self.session.wake(self.monotonic_s)
        return statuses(self.session.data_to_send())


def test_http1_idle_close() -> None:
    line = Http1Line(IdleCloseFault(idle_s=5))
    assert line.send(SEND) == [b"200"]
    assert line.session.next_due_s == 1_005.0
    line.pass_time(5)
    assert not line.session.closing
    line.pass_time(5)
    assert line.session.ending is Ending.CLOSE


def test_http1_disconnect_loses_the_answer() -> None:
    line = Http1Line(DisconnectFault(), match=Match(from_request=2))
    assert line.send(SEND, SEND, SEND) == []
    assert line.session.ending is Ending.RESET
    assert line.bench.rig.counters.accepted == 1


def test_http1_stall_goes_on_or_ends() -> None:
    line = Http1Line(StallFault(for_s=9, then="go-on"), match=Match(to_request=1))
    assert line.send(SEND) == []
    assert line.session.stalled
    assert line.session.tick(line.monotonic_s + 8_000, None)
    assert not line.session.closing
    assert line.pass_time(9) == [b"200"]
    assert line.send(SEND) == [b"200"]
    line = Http1Line(StallFault(when="opening", for_s=9))
    assert line.session.stalled
    assert line.pass_time(9) == []
    assert line.session.ending is Ending.RESET


def test_http1_states_of_the_provider() -> None:
    for fault, status in ((OutageFault(kind="bad-gateway"), b"502"), (MaintenanceFault(), b"503")):
        line = Http1Line(fault)
        assert line.send(SEND) == [status]
        assert line.session.closing is isinstance(fault, MaintenanceFault)
    line = Http1Line(ExpiredTokenFault(after_requests=1))
    assert line.send(SEND, SEND, SEND) == [b"200", b"401", b"401"]


def test_http1_goaway_does_nothing() -> None:
    line = Http1Line(GoawayFault(when="opening", then="close"), GoawayFault(then="close"))
    assert line.send(SEND) == [b"200"]
    assert not line.session.closing
    assert line.bench.rig.faults.played == {}


def test_an_outcome_without_acts_costs_a_connection_nothing() -> None:
    pair = FaultedPair(FCM)
    pair.add(OutageFault())
    pair.send(SEND)
    assert Outcome().acts == ()
    assert pair.session._line is None
    assert HostOwner.GOOGLE.provider is Provider.FCM
