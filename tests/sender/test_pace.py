"""Pacing is arithmetic: no waiting here."""

from hypothesis import given
from hypothesis import strategies as st

from sender.pace import BURST_S, catch_up, pace


def test_no_rate_is_no_limit() -> None:
    allowance, wait_s = pace(0.0, 10**9, 0.0)
    assert allowance > 10**6 and wait_s == 0.0


@given(st.floats(1, 100_000), st.floats(0.001, 0.05), st.integers(1, 200))
def test_a_steady_rate_is_kept(rate_per_s: float, tick_s: float, ticks: int) -> None:
    sent = 0
    for tick in range(ticks):
        sent += pace(tick * tick_s, sent, rate_per_s)[0]
    elapsed_s = (ticks - 1) * tick_s
    assert sent <= elapsed_s * rate_per_s + 1
    assert sent >= min(elapsed_s, elapsed_s - tick_s) * rate_per_s - rate_per_s * BURST_S - ticks


@given(st.floats(1, 10_000), st.integers(0, 10**6))
def test_the_wait_leads_to_the_moment_when_one_more_is_due(rate_per_s: float, sent: int) -> None:
    elapsed_s = (sent - 0.5) / rate_per_s if sent else 0.0
    allowance, wait_s = pace(elapsed_s, sent, rate_per_s)
    if not allowance:
        assert pace(elapsed_s + wait_s + 1e-6, sent, rate_per_s)[0] >= 1


def test_a_long_pause_is_not_made_good_by_a_burst() -> None:
    sent = catch_up(60.0, 0, 1_000.0)
    assert pace(60.0, sent, 1_000.0)[0] <= 1_000 * BURST_S + 1
