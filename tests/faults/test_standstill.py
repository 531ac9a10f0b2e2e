"""What lets scenarios come out alike each time: blows that fall when the streams are full, phases at their very count."""

from collections.abc import Callable

import pytest

from simulator.faults.expired_token import ExpiredTokenFault
from simulator.faults.fault import Stage
from simulator.faults.goaway import GoawayFault
from simulator.faults.latency import LatencyFault
from simulator.faults.line import LINE_DELAY_S_MAX, Ending
from simulator.faults.match import Match
from simulator.faults.outage import OutageFault
from simulator.faults.scenario_file import read_scenario
from simulator.faults.stall import StallFault
from simulator.scenario_player import ScenarioPlayer, Timer
from tests.faults.faulted_pair import APPLE, FCM, PUSH, SEND, FaultedPair, status_of
from tests.faults.test_http1_faults import Line, statuses
from tests.fcm.valid_send import Send
from wire.events import GoawayReceived, StreamReset

BOTH = pytest.mark.parametrize(("host", "message"), [(APPLE, PUSH), (FCM, SEND)])

SCENARIO = """\
name = "mine"
title = "t"
what_happens = "w"
good_sender = "g"
providers = ["apns", "fcm"]
[population]
devices = 10
[[phase]]
name = "late"
from_notifications = 3
for_notifications = 2
faults = ["reset-stream stage=after_verdict"]
"""


def no_timer(wait_s: float, call: Callable[[], None]) -> Timer:
    raise AssertionError(f"no phase has a time, and yet something waits {wait_s} s for {call}")


def goaways(pair: FaultedPair) -> list[GoawayReceived]:
    return [each for each in pair.events if isinstance(each, GoawayReceived)]


@BOTH
def test_a_goaway_may_wait_while_nothing_is_looked_at(host: str, message: Send) -> None:
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200
    pair.add(LatencyFault(median_ms=100))
    pair.add(GoawayFault(last_stream="before", after_s=0.5), Match(from_request=3, to_request=3))
    assert pair.send(*[message] * 3) == []
    assert [each.stream_id for each in pair.pass_time(0.1)] == [3]
    assert pair.send(message) == []
    assert goaways(pair) == []
    assert pair.pass_time(0.4) == []
    (goaway,) = goaways(pair)
    assert (goaway.last_stream_id, goaway.unprocessed) == (3, (5, 7, 9))
    assert pair.bench.rig.counters.accepted == 2


@BOTH
def test_a_goaway_may_wait_while_all_is_processed(host: str, message: Send) -> None:
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200
    fault = GoawayFault(last_stream="all", answers_lost=True, after_s=0.5, then="reset")
    pair.add(fault, Match(from_request=2, to_request=2), Stage.AFTER_VERDICT)
    assert pair.send(message, message) == []
    pair.bench.rig.faults.clear()
    assert pair.send(message) == []  # nor is any answered when the fault is gone
    assert not pair.session.closing
    assert pair.pass_time(0.5) == []
    assert (goaways(pair)[0].last_stream_id, pair.session.ending) == (7, Ending.RESET)
    assert pair.bench.rig.counters.accepted == 4


@BOTH
def test_a_stall_may_begin_when_more_has_come(host: str, message: Send) -> None:
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200
    pair.add(StallFault(after_s=0.5, for_s=5), Match(from_request=2, to_request=2))
    assert pair.send(message, message) == []
    assert not pair.session.stalled
    pair.pass_time(0.5)
    assert pair.session.stalled
    pair.pass_time(5)
    assert pair.session.ending is Ending.RESET
    assert pair.bench.rig.counters.accepted == 1


@BOTH
def test_expired_tokens_may_be_told_later_with_the_limit_ahead(host: str, message: Send) -> None:
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200
    full = pair.client.streams_free
    pair.add(ExpiredTokenFault(after_requests=1, resets=1, delay_s=0.5))
    assert [status_of(each) for each in pair.send(*[message] * 4)] == [200]
    assert pair.client.streams_free == full - 3
    assert {status_of(each) for each in pair.pass_time(0.5)} == {403 if host == APPLE else 401}
    assert [each.stream_id for each in pair.events if isinstance(each, StreamReset)] == [7]
    assert pair.client.streams_free == 1


@BOTH
def test_the_stage_says_whether_what_comes_meanwhile_is_processed(host: str, message: Send) -> None:
    second = Match(from_request=2, to_request=2)
    for stage, accepted in ((Stage.BEFORE_JUDGE, 1), (Stage.AFTER_VERDICT, 3)):
        pair = FaultedPair(host)
        assert status_of(pair.send(message)[0]) == 200
        pair.add(OutageFault(), second)
        pair.add(GoawayFault(last_stream="none", after_s=0.5), second, stage)
        assert pair.send(message) == []
        assert pair.send(message, message) == []
        assert pair.bench.rig.counters.accepted == accepted


@BOTH
@pytest.mark.parametrize("stage", Stage)
def test_a_connection_whose_answers_are_withheld_keeps_nothing_however_long(
    host: str, message: Send, stage: Stage
) -> None:
    pair = FaultedPair(host)
    assert status_of(pair.send(message)[0]) == 200
    pair.add(GoawayFault(last_stream="before", after_s=LINE_DELAY_S_MAX), Match(from_request=2, to_request=2), stage)
    pair.add(LatencyFault(median_ms=60_000))
    room = pair.client.streams_free
    for _ in range(3):
        streams = [pair.queue(message) for _ in range(room)]
        pair.turn()
        assert pair.client.streams_free == 0
        for stream in streams:
            pair.client.reset(stream)
        pair.turn()
    assert pair.session.next_due_s == pair.monotonic_s + LINE_DELAY_S_MAX  # the GOAWAY alone
    assert not pair.session.closing
    assert pair.bench.rig.counters.accepted == (1 if stage is Stage.BEFORE_JUDGE else 1 + 3 * room)


@pytest.mark.parametrize(
    "fault",
    [
        lambda: GoawayFault(after_s=1),
        lambda: GoawayFault(after_s=1, last_stream="all"),
        lambda: GoawayFault(after_s=1, last_stream="none", when="opening"),
        lambda: StallFault(after_s=1, then="go-on"),
        lambda: StallFault(after_s=1, when="opening"),
    ],
    ids=["this", "all", "goaway-opening", "goes-on", "stall-opening"],
)
def test_where_answers_may_still_come_nothing_can_wait(fault: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="after_s goes with when=request"):
        fault()


@BOTH
def test_a_phase_begins_and_ends_with_the_very_notification_within_a_read(host: str, message: Send) -> None:
    pair = FaultedPair(host)
    rig = pair.bench.rig
    assert status_of(pair.send(message)[0]) == 200
    read = read_scenario(SCENARIO, "mine.toml")
    player = rig.scenario = ScenarioPlayer(rig, read, lambda: pair.monotonic_s, no_timer)
    player.begin_run()
    player.connection_came()
    assert player.counts
    answered = pair.send(*[message] * 8)
    assert [each.stream_id for each in answered] == [3, 5, 7, 13, 15, 17]
    assert not player.counts


def test_over_http1_too() -> None:
    line = Line()
    rig = line.bench.rig
    read = read_scenario(SCENARIO.replace("reset-stream stage=after_verdict", "empty-answer status=299"), "mine.toml")
    rig.scenario = ScenarioPlayer(rig, read, lambda: 0.0, no_timer)
    rig.scenario.begin_run()
    assert statuses(line.send(*[SEND] * 7)) == [b"200"] * 3 + [b"299"] * 2 + [b"200"] * 2
