"""From runs to rows: medians, spread, and which side was the limit. Pure."""

import statistics
from collections.abc import Mapping, Sequence

from loadtest.bench.records import ONE_EACH, SIDES, Row, Run

# A side that computes for so much of the time is what the others wait for.
BUSY_SHARE = 0.85


def row_of(name: str, title: str, runs: Sequence[Run]) -> Row:
    """The row of one or more runs."""
    rates = [run.notifications / run.elapsed_s for run in runs]
    middle = statistics.median(rates)
    cpu_us = {side: median_known([_per_notification_us(run, side) for run in runs]) for side in SIDES}
    # Of an even number of repeats the slower one of the two in the middle.
    typical = sorted(runs, key=lambda run: run.elapsed_s / run.notifications)[len(runs) // 2]
    return Row(
        name=name,
        title=title,
        notifications=typical.notifications,
        rate_per_s=round(middle, 1),
        rates_per_s=[round(rate, 1) for rate in rates],
        spread=spread_of(rates),
        cpu_us={side: None if value is None else round(value, 2) for side, value in cpu_us.items()},
        bound_per_s=bound_per_s(cpu_us, typical.processes),
        limit=limit_of(typical.cpu_s, typical.elapsed_s, typical.processes),
        peak_rss_mb={side: largest_known([run.peak_rss_mb.get(side) for run in runs]) for side in SIDES},
        processes=typical.processes,
    )


def spread_of(rates: Sequence[float]) -> float:
    """How far repeats lie apart, as a share of their median."""
    return round((max(rates) - min(rates)) / statistics.median(rates), 3)


def _per_notification_us(run: Run, side: str) -> float | None:
    spent = run.cpu_s.get(side)
    return None if spent is None else spent / run.notifications * 1e6


def median_known(values: Sequence[float | None]) -> float | None:
    """The median of the values that are known, None when none is."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def mean_known(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are known, None when none is."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def largest_known(values: Sequence[float | None]) -> float | None:
    """The largest of the values that are known, None when none is."""
    return max((value for value in values if value is not None), default=None)


def total_known(values: Sequence[float | None]) -> float | None:
    """The sum of the values, None unless all are known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def bound_per_s(cpu_us: Mapping[str, float | None], processes: Mapping[str, int] = ONE_EACH) -> float | None:
    """How many notifications a second the busier side's CPU time allows; None unless both sides are known."""
    known = [value / processes[side] for side, value in cpu_us.items() if value]
    return round(1e6 / max(known), 1) if len(known) == len(SIDES) else None


def limit_of(cpu_s: Mapping[str, float | None], elapsed_s: float, processes: Mapping[str, int] = ONE_EACH) -> str:
    """The side whose processes had no time to spare; `neither` when both had, `unknown` when that cannot be told."""
    shares = {
        side: spent / elapsed_s / processes[side]
        for side, spent in cpu_s.items()
        if spent is not None and elapsed_s > 0
    }
    if not shares:
        return "unknown"
    busiest = max(shares, key=lambda side: shares[side])
    return busiest if shares[busiest] >= BUSY_SHARE else "neither"
