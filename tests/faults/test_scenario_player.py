"""A scenario on a rig: faults come and go, the clock moves, and onlookers and the ledger are told."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from simulator.faults.engine import FAULTS_MAX, Planned
from simulator.faults.outage import OutageFault
from simulator.faults.scenario_file import read_scenario
from simulator.observation_records import PhaseBegan, PhaseEnded, RunBegan
from simulator.observations import Observations
from simulator.rig import Rig
from simulator.scenario_player import NoRunLeftError, ScenarioPlayer
from tests.control.control_server import new_rig

HEAD = """\
name = "mine"
title = "t"
what_happens = "w"
good_sender = "g"
seed = 7
providers = ["apns"]
runs = {runs}
[population]
devices = 10
"""
PHASE = '[[phase]]\nname = "{name}"\nfaults = ["outage", "latency median_ms=1"]\n'


@dataclass
class Timer:
    wait_s: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Stage:
    """A rig with a scenario, and a clock that stands until told."""

    text: str
    rig: Rig = field(default_factory=new_rig)
    now_s: float = 100.0
    timers: list[Timer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rig.observations = Observations(lambda: self.now_s)
        self.rig.observe()
        self.player = ScenarioPlayer(self.rig, read_scenario(self.text, "mine"), lambda: self.now_s, self.call_later)
        self.player.begin_run()

    def call_later(self, wait_s: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(wait_s, call))
        return self.timers[-1]

    def pass_time(self, for_s: float) -> None:
        """Let time pass, and the timer that is due be called."""
        self.now_s += for_s
        (timer,) = self.waiting
        assert timer.wait_s <= for_s
        timer.cancelled = True
        timer.call()

    @property
    def waiting(self) -> list[Timer]:
        return [each for each in self.timers if not each.cancelled]

    @property
    def faults(self) -> list[str]:
        return [each.planned.fault.name for each in self.rig.faults]

    @property
    def told(self) -> list[tuple[str, object]]:
        told: list[tuple[str, object]] = []
        for each in self.rig.observations.page(0, 100):
            if isinstance(each, RunBegan):
                told.append(("run", each.run))
            elif isinstance(each, PhaseBegan | PhaseEnded):
                told.append(("begins" if isinstance(each, PhaseBegan) else "ends", each.name))
        return told


def stage(*phases: str, runs: int = 1) -> Stage:
    return Stage(HEAD.format(runs=runs) + "".join(phases))


def phase(name: str, more: str = "") -> str:
    return PHASE.format(name=name) + more + "\n"


def test_the_devices_are_declared_to_the_ledger() -> None:
    (declared,) = stage().rig.ledger.populations()
    assert (declared.seed, declared.count) == (7, 10)


def test_faults_come_with_their_phase_and_go_with_it() -> None:
    on = stage(phase("first", "for_s = 2"))
    assert on.faults == ["outage", "latency"]
    assert on.waiting == []
    on.player.connection_came()
    assert on.told == [("begins", "first"), ("run", 1)]
    on.pass_time(2.0)
    assert on.faults == []
    assert on.told[-1] == ("ends", "first")
    assert on.waiting == []


def test_faults_of_others_stay() -> None:
    on = stage(phase("first", "for_s = 2"))
    on.rig.faults.add(Planned(OutageFault()), 0.0)
    on.player.connection_came()
    on.pass_time(2.0)
    assert on.faults == ["outage"]


def test_a_count_that_is_reached_sets_the_timer_of_what_waits_behind_it() -> None:
    on = stage(phase("late", "from_notifications = 5\nwait_s = 0.5"), phase("later", "from_s = 9"))
    on.player.connection_came()
    assert [each.wait_s for each in on.waiting] == [9.0]
    on.rig.counters.notifications += 5
    on.player.go_on()
    on.player.go_on()
    assert [each.wait_s for each in on.waiting] == [0.5]
    on.pass_time(0.5)
    assert on.told[-1] == ("begins", "late")
    assert [each.wait_s for each in on.waiting] == [8.5]


def test_a_phase_by_count_counts_the_answers_of_its_run() -> None:
    on = stage(phase("late", "from_notifications = 5"), runs=2)
    on.player.connection_came()
    on.rig.counters.notifications += 4
    on.player.go_on()
    assert on.faults == []
    on.rig.counters.notifications += 1
    on.player.go_on()
    assert on.faults == ["outage", "latency"]
    on.player.begin_run()
    assert (on.faults, on.player.notifications) == ([], 0)
    on.rig.counters.notifications += 5
    on.player.go_on()
    assert on.faults == ["outage", "latency"]


def test_counters_that_are_reset_meanwhile_count_from_there() -> None:
    on = stage(phase("late", "from_notifications = 5"), runs=2)
    on.rig.counters.notifications = 100
    on.player.begin_run()
    on.rig.counters.reset()
    on.rig.counters.notifications = 5
    on.player.go_on()
    assert on.faults == ["outage", "latency"]


def test_one_timer_waits_at_a_time() -> None:
    on = stage(phase("a", "for_s = 2"), phase("b", "from_s = 1\nfor_s = 5"))
    on.player.connection_came()
    assert [each.wait_s for each in on.waiting] == [1.0]
    on.player.go_on()
    on.player.go_on()
    assert [each.wait_s for each in on.waiting] == [1.0]
    on.pass_time(1.0)
    assert [each.wait_s for each in on.waiting] == [1.0]
    on.pass_time(1.0)
    assert [each.wait_s for each in on.waiting] == [4.0]
    on.player.stop()
    assert on.waiting == []


def test_a_timer_that_comes_too_early_waits_again() -> None:
    on = stage(phase("a", "for_s = 2"))
    on.player.connection_came()
    (timer,) = on.waiting
    timer.cancelled = True
    on.now_s += 1.5
    timer.call()
    assert [each.wait_s for each in on.waiting] == [0.5]
    on.pass_time(0.5)
    assert on.faults == []


def test_a_change_by_count_takes_the_place_of_the_timer_that_waits() -> None:
    on = stage(phase("a", "for_s = 9"), phase("b", "from_notifications = 1\nfor_s = 3"))
    on.player.connection_came()
    on.rig.counters.notifications += 1
    on.player.go_on()
    assert [each.wait_s for each in on.waiting] == [3.0]


def test_a_clock_that_somebody_else_moved_stays_moved() -> None:
    on = stage('[[phase]]\nname = "hour"\nrun = 1\nadvance_s = 3600\n', runs=3)
    on.player.begin_run()
    on.rig.clock.advance(5_000)
    moved_ms = on.rig.clock.now_ms()
    on.player.begin_run()
    assert on.rig.clock.now_ms() == moved_ms


def test_the_clock_goes_forward_with_a_phase_and_back_with_the_next_run() -> None:
    on = stage('[[phase]]\nname = "hour"\nrun = 1\nfrom_notifications = 1\nadvance_s = 3600\n', runs=2)
    before_ms = on.rig.clock.now_ms()
    on.rig.counters.notifications += 1
    on.player.go_on()
    assert on.rig.clock.now_ms() - before_ms == 3_600_000
    on.player.begin_run()
    assert on.rig.clock.now_ms() == before_ms


def test_each_run_has_a_round_of_the_ledger_and_its_own_first_connection() -> None:
    on = stage(phase("a"), runs=2)
    on.player.connection_came()
    on.player.connection_came()
    assert on.player.begin_run() == 2
    assert on.rig.ledger.round == 2
    assert on.player.elapsed_s() is None
    on.player.connection_came()
    assert on.told == [("begins", "a"), ("run", 1), ("ends", "a"), ("begins", "a"), ("run", 2)]
    assert on.faults == ["outage", "latency"]


def test_there_are_no_more_runs_than_the_file_says() -> None:
    on = stage(runs=2)
    on.player.begin_run()
    with pytest.raises(NoRunLeftError, match="the scenario mine has 2 runs, and all have begun"):
        on.player.begin_run()


def test_where_no_fault_can_be_added_that_is_told() -> None:
    on = stage(phase("late", "from_notifications = 1"))
    for _ in range(FAULTS_MAX - 1):
        on.rig.faults.add(Planned(OutageFault()), 0.0)
    on.rig.counters.notifications += 1
    on.player.go_on()
    assert len(on.faults) == FAULTS_MAX
    assert on.player.problem is not None
    assert on.player.problem.startswith("phase late: FAULTS_MAX is reached")
