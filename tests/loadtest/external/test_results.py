"""A run of external senders as records: its course in even intervals, its times as histograms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.external.results import series_of
from loadtest.external.seconds_seen import Second
from loadtest.report.run_record import Series


def rows(*lengths_s: float, count: int = 100) -> list[Second]:
    made, at_s = [], 0.0
    for length_s in lengths_s:
        at_s = round(at_s + length_s, 3)
        made.append(Second(at_s, length_s, count, 2, count - 10, {"Unregistered": 10}))
    return made


def test_looks_that_drift_become_even_intervals_and_the_last_ends_with_the_run() -> None:
    series = series_of(rows(1.0, 1.25, 1.0), 2.5)
    assert series.interval_s == 1.0
    assert [row.at_s for row in series.rows] == [0.0, 1.0, 2.0]
    assert [row.sent for row in series.rows] == [100, 80, 120]
    assert [row.rejected for row in series.rows] == [{"Unregistered": 10}, {"Unregistered": 8}, {"Unregistered": 12}]
    assert {row.connections for row in series.rows} == {2}


def test_longer_looks_make_longer_intervals_and_none_none() -> None:
    assert series_of(rows(4.02, 4.01, 4.0), 12.0).interval_s == 4.0
    assert series_of([], 0.0) == Series(interval_s=1.0, rows=[])
    assert [row.sent for row in series_of(rows(0.4), 0.3).rows] == [100]


@given(
    st.lists(
        st.tuples(st.floats(0.001, 3).map(lambda value: round(value, 3)), st.integers(0, 10**6)),
        min_size=1,
        max_size=30,
    ),
    st.floats(0, 1),
)
def test_nothing_is_lost_and_nothing_comes_after_the_end(looks: list[tuple[float, int]], share: float) -> None:
    made, at_s = [], 0.0
    for length_s, count in looks:
        at_s = round(at_s + length_s, 3)
        made.append(Second(at_s, length_s, count, 1, count // 2, {"A": count - count // 2}))
    elapsed_s = round(at_s * share, 3)
    series = series_of(made, elapsed_s)
    assert sum(row.sent for row in series.rows) == sum(count for _, count in looks)
    assert sum(row.accepted + sum(row.rejected.values()) for row in series.rows) == sum(count for _, count in looks)
    assert all(row.sent >= 0 and row.accepted >= 0 for row in series.rows)
    assert series.rows[-1].at_s <= elapsed_s
    assert series.rows[-1].at_s + series.interval_s == pytest.approx(
        max(elapsed_s, series.interval_s), abs=series.interval_s
    )
