"""The phases of a scenario: by time from the first connection, by count, in each run anew."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.faults.scenario import Phase, Population, Scenario
from simulator.faults.scenario_play import Change, ScenarioPlay, Standing


def scenario(*phases: Phase, runs: int = 1) -> Scenario:
    return Scenario(
        name="test",
        title="t",
        what_happens="w",
        good_sender="g",
        providers=("apns",),
        population=Population(devices=1),
        phase=phases,
        runs=runs,
    )


def started(*phases: Phase, runs: int = 1) -> ScenarioPlay:
    """A play in its first run, whose first connection came at 1000 s."""
    play = ScenarioPlay(scenario(*phases, runs=runs))
    play.begin_run()
    play.came(1_000.0)
    return play


BEGINS, ENDS = Change(0, begins=True), Change(0, begins=False)


def test_a_phase_from_the_start_is_there_before_the_first_connection_and_lasts_from_it_on() -> None:
    play = ScenarioPlay(scenario(Phase(name="a", for_s=2.0)))
    assert play.begin_run() == [BEGINS]
    assert play.next_due_s(5.0) is None
    assert play.step(900.0, 0) == []
    play.came(1_000.0)
    assert play.next_due_s(1_000.5) == 1.5
    assert play.step(1_001.9, 0) == []
    assert play.step(1_002.0, 0) == [ENDS]
    assert play.next_due_s(1_002.0) is None


def test_time_counts_from_the_first_connection_and_from_no_later_one() -> None:
    play = started(Phase(name="a", from_s=3.0))
    play.came(1_002.0)
    assert play.next_due_s(1_001.0) == 2.0
    assert play.step(1_002.5, 0) == []
    assert play.step(1_003.0, 0) == [BEGINS]
    assert play.elapsed_s(1_003.0) == 3.0


def test_a_phase_by_count_begins_and_ends_by_count() -> None:
    play = started(Phase(name="a", from_notifications=10, for_notifications=5))
    assert play.next_due_s(1_000.0) is None
    assert play.step(2_000.0, 9) == []
    assert play.step(2_000.0, 12) == [BEGINS]
    assert play.step(9_000.0, 16) == []
    assert play.step(9_000.0, 17) == [ENDS]
    assert play.step(9_000.0, 99) == []


def test_a_phase_by_count_may_last_a_time() -> None:
    play = started(Phase(name="a", from_notifications=10, for_s=1.5))
    assert play.step(1_004.0, 10) == [BEGINS]
    assert play.next_due_s(1_004.5) == 1.0
    assert play.step(1_005.5, 10) == [ENDS]


def test_a_phase_by_count_may_wait_a_time() -> None:
    play = started(Phase(name="a", from_notifications=10, wait_s=0.5, for_s=1.5))
    assert play.step(1_003.0, 9) == []
    assert (play.next_due_s(1_003.0), play.counts) == (None, True)
    assert play.step(1_004.0, 10) == []
    assert (play.next_due_s(1_004.25), play.counts) == (0.25, False)
    assert play.step(1_004.4, 15) == []
    assert play.step(1_004.5, 15) == [BEGINS]
    assert play.next_due_s(1_004.5) == 1.5
    assert play.step(1_006.0, 15) == [ENDS]


def test_counts_matter_until_nothing_waits_for_them() -> None:
    assert not started(Phase(name="a", from_s=1.0, for_s=1.0)).counts
    play = started(Phase(name="a", for_notifications=5))
    assert play.counts
    assert play.step(1_001.0, 5) == [ENDS]
    assert not play.counts


def test_without_an_end_a_phase_lasts() -> None:
    play = started(Phase(name="a"))
    assert play.step(1e9, 10**9) == []
    assert play.standings() == [Standing.ACTIVE]


def test_ends_come_before_beginnings() -> None:
    play = started(Phase(name="a", for_s=1.0), Phase(name="b", from_s=1.0))
    assert play.step(1_001.0, 0) == [ENDS, Change(1, begins=True)]


def test_a_late_look_begins_a_phase_before_it_ends_it() -> None:
    play = started(Phase(name="a", from_s=1.0, for_s=1.0))
    assert play.step(1_500.0, 0) == [BEGINS]
    assert play.step(1_500.9, 0) == []
    assert play.step(1_501.0, 0) == [ENDS]


def test_each_run_begins_anew_and_ends_what_was_active() -> None:
    play = started(Phase(name="a"), Phase(name="b", run=2), Phase(name="c", run=1, from_s=5.0), runs=2)
    assert play.standings() == [Standing.ACTIVE, Standing.OVER, Standing.WAITING]
    assert play.begin_run() == [ENDS, BEGINS, Change(1, begins=True)]
    assert (play.run, play.began) == (2, False)
    assert play.standings() == [Standing.ACTIVE, Standing.ACTIVE, Standing.OVER]


PHASES = st.builds(
    lambda name, by_count, start, wait, lasts, length: Phase(
        name=name,
        from_s=None if by_count else float(start),
        from_notifications=start + 1 if by_count else None,
        wait_s=float(wait) if by_count else 0.0,
        for_s=float(length) if lasts == "s" else None,
        for_notifications=length if lasts == "n" else None,
    ),
    st.just("p"),
    st.booleans(),
    st.integers(0, 20),
    st.integers(0, 3),
    st.sampled_from(["s", "n", ""]),
    st.integers(1, 9),
)


@settings(deadline=None)
@given(st.lists(PHASES, max_size=5), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_whatever_comes_each_phase_begins_once_and_ends_at_most_once_after_it(
    phases: Sequence[Phase], steps: Sequence[tuple[int, int]]
) -> None:
    play = ScenarioPlay(scenario(*phases))
    changes = play.begin_run()
    play.came(0.0)
    now_s, notifications = 0.0, 0
    for seconds, more in steps:
        now_s, notifications = now_s + seconds, notifications + more
        due_s = play.next_due_s(now_s)
        assert due_s is None or due_s >= 0
        changes += play.step(now_s, notifications)
    for number in range(len(phases)):
        assert [each.begins for each in changes if each.phase == number] in ([], [True], [True, False])
    due_s = play.next_due_s(now_s)
    if due_s is not None:
        assert play.step(now_s + due_s, notifications), "something is due by then"
