"""The course of a run."""

from loadtest.external.seconds_seen import Second, SecondsSeen


def test_each_row_has_what_came_since_the_one_before() -> None:
    seen = SecondsSeen()
    seen.sample(1.0, 100, 2)
    seen.sample(3.0, 500, 4)
    assert seen.rows == [Second(1.0, 1.0, 100, 2), Second(3.0, 2.0, 400, 4)]
    assert [row.per_s for row in seen.rows] == [100.0, 200.0]


def test_the_busiest_second_is_none_of_the_short_ones() -> None:
    seen = SecondsSeen()
    seen.sample(1.0, 100, 2)
    seen.sample(1.1, 200, 2)
    assert seen.busiest_per_s(1.0) == 100.0
    assert SecondsSeen().busiest_per_s(1.0) == 0.0


def test_at_the_bound_intervals_grow_and_nothing_is_lost() -> None:
    seen = SecondsSeen(intervals_max=4)
    for second in range(1, 6):
        seen.sample(float(second), second * 10, second)
    assert seen.rows == [Second(2.0, 2.0, 20, 2), Second(4.0, 2.0, 20, 4), Second(5.0, 1.0, 10, 5)]
    for second in range(6, 1_000):
        seen.sample(float(second), second * 10, 1)
    assert len(seen.rows) <= 4
    assert sum(row.notifications for row in seen.rows) == 9_990
    assert sum(row.length_s for row in seen.rows) == 999.0
