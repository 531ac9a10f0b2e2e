"""The simulator's clock shows real, frozen or shifted time."""

import pytest

from simulator.clock import INSTANT_MS_MAX, Clock, ClockMode


class RealTime:
    """A real time that the test moves. Seconds since the Unix epoch."""

    def __init__(self) -> None:
        self.now_s = 1_000.5

    def __call__(self) -> float:
        return self.now_s


def test_a_new_clock_shows_real_time() -> None:
    real = RealTime()
    clock = Clock(real)
    real.now_s = 2_000.25
    assert (clock.mode, clock.now_s(), clock.now_ms(), clock.offset_s) == (ClockMode.REAL, 2_000.25, 2_000_250, 0.0)


def test_a_frozen_clock_stands_still_while_real_time_passes() -> None:
    real = RealTime()
    clock = Clock(real)
    clock.freeze()
    real.now_s += 60
    assert (clock.mode, clock.now_ms(), clock.offset_s) == (ClockMode.FROZEN, 1_000_500, -60.0)


def test_a_clock_freezes_at_an_instant_of_the_past_to_the_millisecond() -> None:
    clock = Clock(RealTime())
    clock.freeze(123_457)
    assert (clock.now_ms(), clock.now_s()) == (123_457, 123.457)


def test_an_advanced_clock_runs_ahead_of_real_time() -> None:
    real = RealTime()
    clock = Clock(real)
    clock.advance(5_000)
    clock.advance(250)
    real.now_s += 1
    assert (clock.mode, clock.now_ms(), clock.offset_s) == (ClockMode.SHIFTED, 1_006_750, 5.25)


def test_a_frozen_clock_that_is_advanced_stays_frozen() -> None:
    clock = Clock(RealTime())
    clock.freeze(1_000)
    clock.advance(500)
    assert (clock.mode, clock.now_ms()) == (ClockMode.FROZEN, 1_500)


def test_a_resumed_clock_has_neither_instant_nor_shift() -> None:
    clock = Clock(RealTime())
    clock.advance(500)
    clock.freeze()
    clock.resume()
    assert (clock.mode, clock.now_ms(), clock.offset_s) == (ClockMode.REAL, 1_000_500, 0.0)


@pytest.mark.parametrize("at_ms", [-1, INSTANT_MS_MAX + 1])
def test_an_instant_out_of_range_is_refused_and_changes_nothing(at_ms: int) -> None:
    clock = Clock(RealTime())
    with pytest.raises(ValueError, match=f"{at_ms} ms"):
        clock.freeze(at_ms)
    assert clock.mode is ClockMode.REAL


@pytest.mark.parametrize("delta_ms", [-1, INSTANT_MS_MAX])
def test_a_step_back_or_past_the_last_instant_is_refused(delta_ms: int) -> None:
    clock = Clock(RealTime())
    with pytest.raises(ValueError, match=r"freeze it|9999"):
        clock.advance(delta_ms)
    assert clock.now_ms() == 1_000_500
