"""A series thinned for a chart: no count is lost, no peak of latency hidden, however long the run was."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.moments import MOMENTS_MAX, moments_of
from loadtest.report.run_record import INTERVALS_MAX, Interval, Series


def interval(at: int, accepted: int = 10, **more: object) -> Interval:
    row = {"at_s": float(at), "scheduled": 12, "sent": 11, "accepted": accepted, "planned_per_s": 12.0, **more}
    return Interval(**row)  # type: ignore[arg-type]


def test_counts_become_rates() -> None:
    rows = [interval(at * 2, rejected={"Unregistered": 4}, given_up={"timeout": 2}) for at in range(3)]
    first = moments_of(Series(interval_s=2.0, rows=rows), 6.0).moments[0]
    assert (first.scheduled, first.sent, first.accepted) == (6.0, 5.5, 5.0)
    assert (first.rejected, first.given_up, first.answered) == ({"Unregistered": 2.0}, {"timeout": 1.0}, 7.0)
    assert (first.planned, first.middle_s) == (12.0, 1.0)


def test_a_last_interval_that_was_cut_short_counts_for_its_length_or_goes_with_the_one_before() -> None:
    series = Series(interval_s=1.0, rows=[interval(0), interval(1), interval(2, 8)])
    assert [each.accepted for each in moments_of(series, 2.8).moments] == [10.0, 10.0, 8 / 0.7999999999999998]
    merged = moments_of(series, 2.25).moments
    assert [(each.at_s, each.duration_s, each.accepted) for each in merged] == [(0.0, 1.0, 10.0), (1.0, 1.25, 14.4)]
    assert moments_of(Series(interval_s=1.0, rows=[interval(0)]), 0.0).moments[0].duration_s == 0.01
    assert moments_of(Series(interval_s=1.0, rows=[]), 0.0).moments == []


def test_a_longer_series_has_several_intervals_in_each_point_with_the_highest_of_each_percentile() -> None:
    rows = [
        interval(at, latency_ms={"p99": float(at % 8), "max": 9.0}, behind_ms=float(at % 3))
        for at in range(INTERVALS_MAX)
    ]
    thinned = moments_of(Series(interval_s=1.0, rows=rows), float(INTERVALS_MAX))
    assert thinned.intervals_each == 8
    assert len(thinned.moments) == INTERVALS_MAX // 8 <= MOMENTS_MAX
    assert {tuple(each.latency_ms.items()) for each in thinned.moments} == {(("p99", 7.0), ("max", 9.0))}
    assert {each.behind_ms for each in thinned.moments} == {2.0}


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 9)), max_size=1_500), st.floats(0, 2_000))
def test_no_count_is_lost(counts: list[tuple[int, int]], elapsed_s: float) -> None:
    rows = [interval(at, accepted, rejected={f"r{reason}": 3}) for at, (accepted, reason) in enumerate(counts)]
    moments = moments_of(Series(interval_s=1.0, rows=rows), elapsed_s).moments
    assert len(moments) <= MOMENTS_MAX
    assert round(sum(each.accepted * each.duration_s for each in moments), 3) == sum(each.accepted for each in rows)
    rejected: Counter[str] = Counter()
    for each in moments:
        rejected.update({reason: round(rate * each.duration_s) for reason, rate in each.rejected.items()})
    assert rejected == Counter(f"r{reason}" for _, reason in counts for _ in range(3))
