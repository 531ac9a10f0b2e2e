"""Fan-outs under way: how many at a time, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rates.fanouts import Fanouts
from simulator.rates.rates import FanoutRate

NOW_S = 1_790_000_000.5


def _begun(concurrent: int, *deliveries: int) -> Fanouts:
    fanouts = Fanouts(FanoutRate(concurrent=concurrent, deliveries_per_s=100))
    for each in deliveries:
        assert fanouts.wait_s(NOW_S) == 0.0
        fanouts.begin(each, NOW_S)
    return fanouts


def test_one_too_many_waits_until_the_first_ends() -> None:
    fanouts = _begun(1, 500)
    assert fanouts.wait_s(NOW_S) == pytest.approx(5, abs=1e-5)
    assert fanouts.wait_s(NOW_S + 2) == pytest.approx(3, abs=1e-5)
    assert fanouts.wait_s(NOW_S + 5) == 0.0


def test_those_under_way_share_the_rate_evenly() -> None:
    fanouts = _begun(2, 300, 100)
    # 100 of each in 2 s; the 200 that are left have the rate for themselves.
    assert fanouts.wait_s(NOW_S) == pytest.approx(2, abs=1e-5)
    fanouts.begin(1_000, NOW_S + 2)
    assert fanouts.wait_s(NOW_S + 2) == pytest.approx(4, abs=1e-5)
    # 200 more of each in 4 s: 800 are left of the one, all of the next.
    assert fanouts.wait_s(NOW_S + 6) == 0.0
    fanouts.begin(2_000, NOW_S + 6)
    assert fanouts.wait_s(NOW_S + 6) == pytest.approx(16, abs=1e-5)


def test_asking_takes_no_place() -> None:
    fanouts = _begun(1)
    assert [fanouts.wait_s(NOW_S) for _ in range(5)] == [0.0] * 5


def test_a_topic_without_subscribers_takes_no_place() -> None:
    assert _begun(1, 0, 0).wait_s(NOW_S) == 0.0


def test_a_clock_that_went_back_stands_still_for_those_under_way() -> None:
    fanouts = _begun(1, 500)
    assert fanouts.wait_s(NOW_S - 1_000) == pytest.approx(5, abs=1e-5)
    assert fanouts.wait_s(NOW_S - 995) == 0.0


def test_cleared_none_is_under_way() -> None:
    fanouts = _begun(1, 500)
    fanouts.clear()
    assert fanouts.wait_s(NOW_S) == 0.0


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.floats(0, 3) | st.just(0.0), st.integers(1, 500)), max_size=40),
)
def test_after_the_wait_there_is_a_place_and_no_time_is_lost(concurrent: int, steps: list[tuple[float, int]]) -> None:
    fanouts, now_s, deliveries = _begun(concurrent), NOW_S, 0
    for pause_s, each in steps:
        now_s += pause_s
        wait_s = fanouts.wait_s(now_s)
        if wait_s:
            now_s += wait_s
            assert fanouts.wait_s(now_s) == 0.0
        fanouts.begin(each, now_s)
        deliveries += each
    # Once there was time for all deliveries, none is under way: no time was lost.
    idle_s = now_s + deliveries / 100 + 1e-3
    for _ in range(concurrent):
        assert fanouts.wait_s(idle_s) == 0.0
        fanouts.begin(1, idle_s)
