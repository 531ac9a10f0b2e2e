"""A count in windows of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rates.rates import WindowRate
from simulator.rates.window import Window

NOW_S = 1_790_000_000.25
THREE_A_MINUTE = WindowRate(count=3, per_s=60)


def _used_up(now_s: float = NOW_S) -> Window:
    window = Window(THREE_A_MINUTE)
    assert [window.take(now_s) for _ in range(3)] == [0.0] * 3
    return window


def test_one_more_than_the_count_waits_for_the_end_of_the_window() -> None:
    window = _used_up()
    assert window.take(NOW_S + 20) == 40.0
    assert window.take(NOW_S + 59.5) == 0.5
    assert window.take(NOW_S + 60) == 0.0


def test_what_is_refused_does_not_count() -> None:
    window = _used_up()
    for _ in range(10):
        assert window.take(NOW_S + 1) > 0
    assert [window.take(NOW_S + 60) > 0 for _ in range(4)] == [False, False, False, True]


def test_a_window_begins_with_its_first_request() -> None:
    window = _used_up()
    assert window.take(NOW_S + 90) == 0.0
    window.take_many(2, NOW_S + 91)
    assert window.take(NOW_S + 149) == 1.0


def test_many_get_what_is_left() -> None:
    window = Window(THREE_A_MINUTE)
    assert [window.take_many(2, NOW_S) for _ in range(3)] == [2, 1, 0]
    assert window.left == 0


@pytest.mark.parametrize("used", [1, 3])
@pytest.mark.parametrize("elsewhere_s", [-1, 60])
def test_before_and_after_its_time_a_window_gives_way_to_another(used: int, elsewhere_s: float) -> None:
    """Before it, where the clock went back."""
    window = Window(THREE_A_MINUTE)
    for _ in range(used):
        assert window.take(NOW_S) == 0.0
    assert window.take(NOW_S + elsewhere_s) == 0.0
    assert (window.left, window.ends_s) == (2, NOW_S + elsewhere_s + 60)


def test_cleared_it_takes_its_count_again() -> None:
    window = _used_up()
    window.clear()
    assert window.take_many(5, NOW_S) == 3


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 4)), max_size=60),
    st.integers(1, 5),
    st.sampled_from([0.1, 1.0, 60.0]),
)
def test_no_window_takes_more_than_its_count(steps: list[tuple[float, int]], count: int, per_s: float) -> None:
    window, now_s = Window(WindowRate(count=count, per_s=per_s)), NOW_S
    taken: dict[float, int] = {}
    for pause_s, wanted in steps:
        now_s += pause_s
        room = count - taken.get(window.begins_s, 0) if now_s < window.ends_s else count
        got = window.take_many(wanted, now_s)
        assert got == min(wanted, room)
        taken[window.begins_s] = taken.get(window.begins_s, 0) + got
        assert window.begins_s <= now_s < window.ends_s


@pytest.mark.parametrize("wanted", [1, 2])
def test_one_by_one_is_as_many_at_once(wanted: int) -> None:
    single, many = Window(THREE_A_MINUTE), Window(THREE_A_MINUTE)
    for step in range(40):
        now_s = NOW_S + step * 7
        taken = sum(single.take(now_s) == 0.0 for _ in range(wanted))
        assert many.take_many(wanted, now_s) == taken
        assert (single.left, single.ends_s) == (many.left, many.ends_s)
