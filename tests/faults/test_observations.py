"""The record of what the rig saw: asked for, bounded, and numbered."""

from simulator.apns.state import ApnsState
from simulator.clock import Clock
from simulator.counters import Counters
from simulator.faults.engine import Planned
from simulator.faults.fault import Stage
from simulator.faults.reason import ReasonFault
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.observation_records import Accepted, FaultPlayed, Verdict
from simulator.observations import Observations
from simulator.registry import Registry
from simulator.rig import Rig
from tests.control.control_server import row
from tests.faults.faulted_pair import APPLE, PUSH, FaultedPair
from tests.fcm.fcm_state import fcm_state


def accepted(at_s: float = 0.0) -> Accepted:
    return Accepted(at_s=at_s, peer="127.0.0.1:1")


def new_rig() -> Rig:
    clock, registry = Clock(lambda: 1_800_000_000.0), Registry()
    apns = ApnsState(registry, lambda: clock.offset_s)
    observations = Observations(lambda: 5.0)
    return Rig(clock, registry, Ledger(), Journal(1), Counters(), apns, fcm_state(apns), observations=observations)


def test_nothing_is_kept_unless_asked_for() -> None:
    observations = Observations(lambda: 0.0)
    observations.record(accepted())
    assert (observations.on, observations.kept, observations.missed) == (False, 0, 0)


def test_time_counts_from_the_beginning() -> None:
    now_s = 50.0
    observations = Observations(lambda: now_s)
    observations.begin()
    now_s = 52.5
    assert observations.now_s() == 2.5


def test_at_the_bound_the_newest_are_counted_and_not_kept() -> None:
    observations = Observations(lambda: 0.0, observations_max=2)
    observations.begin()
    for at_s in (1.0, 2.0, 3.0):
        observations.record(accepted(at_s))
    assert [each.at_s for each in observations.page(0, 10)] == [1.0, 2.0]
    assert (observations.kept, observations.missed) == (2, 1)
    observations.begin()
    assert (observations.kept, observations.missed) == (0, 0)


def test_pages_follow_one_another() -> None:
    observations = Observations(lambda: 0.0)
    observations.begin()
    for number in range(1, 6):
        observations.record(accepted(number))
    assert [each.at_s for each in observations.page(0, 2)] == [1, 2]
    assert [each.at_s for each in observations.page(2, 2)] == [3, 4]
    assert [each.at_s for each in observations.page(4, 2)] == [5]
    assert observations.page(5, 2) == []


def test_what_was_kept_stays_after_the_end_and_goes_with_a_new_beginning() -> None:
    observations = Observations(lambda: 0.0)
    observations.begin()
    observations.record(accepted())
    observations.end()
    observations.record(accepted())
    assert observations.kept == 1
    observations.begin()
    assert observations.kept == 0


def test_verdicts_are_those_of_the_journal_whatever_it_holds() -> None:
    rig = new_rig()
    rig.journal.append(row())
    rig.observe()
    rig.journal.append(row(status=410, reason="Unregistered", token=b"cd"))
    rig.journal.append(row())
    rig.stop_observing()
    rig.journal.append(row())
    assert rig.observations.kept == 2
    assert rig.observations.page(0, 1) == [
        Verdict(
            at_s=0.0,
            connection=1,
            stream=3,
            provider="apns",
            token="cd",
            status=410,
            reason="Unregistered",
            message_id="D917CA4B",
        )
    ]


def test_effects_of_faults_are_told_with_their_place() -> None:
    pair = FaultedPair(APPLE, connection=4)
    rig = pair.bench.rig
    rig.observe()
    added = rig.faults.add(Planned(ReasonFault(reason="TooManyRequests"), stage=Stage.BEFORE_JUDGE), 0.0)
    rig.faults.add(Planned(ReasonFault(reason="UNAVAILABLE")), 0.0)  # FCM's: no effect here
    pair.send(PUSH)
    played = [each for each in rig.observations.page(0, 10) if isinstance(each, FaultPlayed)]
    assert played == [
        FaultPlayed(at_s=0.0, connection=4, stream=1, fault=added.number, name="reason", stage="before_judge")
    ]
    rig.stop_observing()
    pair.send(PUSH)
    assert rig.observations.kept == len(rig.observations.page(0, 10)) == 2
