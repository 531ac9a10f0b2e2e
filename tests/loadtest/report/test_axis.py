"""Axes: ticks are round and few, places run from 0 to 1, words are short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.axis import (
    count_text,
    latency_axis,
    latency_text,
    linear_axis,
    marked_axis,
    share_text,
    short_count_text,
    tail_axis,
    time_axis,
    time_text,
)


def says(ticks: object) -> list[str]:
    assert isinstance(ticks, list)
    return [text for _, text in ticks]


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (1_000, ["0", "200", "400", "600", "800", "1,000"]),
        (1_001, ["0", "200", "400", "600", "800", "1,000", "1,200"]),
        (7, ["0", "2", "4", "6", "8"]),
        (0.9, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_ticks_of_a_linear_axis(top: float, expected: list[str]) -> None:
    assert says(linear_axis(top).ticks) == expected


def test_a_marked_axis_has_its_marks_at_even_steps_where_they_grow_by_one_factor() -> None:
    axis = marked_axis([10_000, 100_000, 1_000_000])
    assert says(axis.ticks) == ["10 k", "100 k", "1 M"]
    low, middle, high = (axis.share(mark) for mark, _ in axis.ticks)
    assert 0 < low < 0.1 and middle == pytest.approx(0.5) and high == pytest.approx(1 - low)
    assert axis.share(0) == low and axis.share(10**12) == 1.0
    assert marked_axis([5]).share(5) == 0.5


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, "1"), (999, "999"), (1_000, "1 k"), (2_500, "2.5 k"), (1_234, "1,234"), (10_000_000, "10 M")],
)
def test_counts_are_short_where_they_are_round(value: float, expected: str) -> None:
    assert short_count_text(value) == expected


def test_ticks_of_a_latency_axis_are_1_2_5_and_decades_where_those_would_be_many() -> None:
    assert says(latency_axis([40, 2.5, 8]).ticks) == ["2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]
    assert says(latency_axis([0.4, 30_000]).ticks) == ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]
    assert latency_axis([3, 200]).share(20) == pytest.approx(0.5)
    assert latency_axis([]).ticks


def test_latencies_of_0_stand_at_the_start_below_all_others() -> None:
    axis = latency_axis([0, 1, 20])
    assert says(axis.ticks) == ["0.5 ms", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms"]
    assert axis.share(0) == 0 < axis.share(1)


def test_ticks_of_a_time_axis_are_those_that_people_count_in() -> None:
    assert says(time_axis(60).ticks) == ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "1 min"]
    assert says(time_axis(5_400).ticks) == [
        *("0 s", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h", "1 h 10 min", "1 h 20 min", "1 h 30 min")
    ]
    assert says(time_axis(86_400).ticks)[-1] == "1 d"
    assert says(time_axis(30 * 86_400).ticks) == ["0 s", "4 d", "8 d", "12 d", "16 d", "20 d", "24 d", "28 d"]


def test_each_nine_has_the_same_room() -> None:
    axis = tail_axis(10_000)
    assert says(axis.ticks) == ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]
    assert [axis.share(share) for share in (0, 0.9, 0.99, 0.999, 1.0)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_any_values_have_ascending_places_within_the_axis(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for axis in (linear_axis(high), latency_axis([low, high]), time_axis(high), tail_axis(int(high))):
        assert 1 <= len(axis.ticks) <= 13
        places = [axis.share(value) for value, _ in axis.ticks]
        assert places == sorted(places)
        assert 0 <= axis.share(low) <= axis.share(high) <= 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (time_text(0.25), "0.25 s"),
        (time_text(59.94), "59.9 s"),
        (time_text(60), "1 min"),
        (time_text(61.2), "1 min 1 s"),
        (time_text(3_600), "1 h"),
        (time_text(90_061), "1 d 1 h"),
        (latency_text(0.42), "0.42 ms"),
        (latency_text(1_234), "1.23 s"),
        (latency_text(123_456), "123 s"),
        (share_text(0.999), "99.9 %"),
        (count_text(12_345.6), "12,346"),
        (count_text(0.1234), "0.123"),
    ],
)
def test_words(said: str, expected: str) -> None:
    assert said == expected
