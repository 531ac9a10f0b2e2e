"""Axes of charts: where ticks stand, what they say, and which place a value has. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Steps that people count in; the last one goes on by the day.
TIME_STEPS_S = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
)
DAY_S = 86_400
MARKS_INWARDS = 0.04  # as a share of the axis


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis. `share`: value -> place from 0 (start) to 1 (end), cut at both. `ticks`: (value, what it says)."""

    share: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]


def linear_axis(top: float, ticks_max: int = 6) -> Axis:
    """From 0 to a round number at or above `top`; to 1 where nothing is above 0."""
    top = top if top > 1e-9 else 1.0
    step = _round_step(top / ticks_max)
    count = max(1, math.ceil(top / step - 1e-9))
    end = count * step
    ticks = [(each * step, count_text(each * step)) for each in range(count + 1)]
    return Axis(lambda value: min(1.0, max(0.0, value / end)), ticks)


def latency_axis(values_ms: Sequence[float]) -> Axis:
    """Logarithmic, between marks of 1, 2 and 5 that take in all values; those of 0 stand at its start, below all others."""
    above = [value for value in values_ms if value > 0]
    low_ms, high_ms = min(above, default=1.0), max(above, default=10.0)
    marks = [base * 10.0**power for power in range(-3, 9) for base in (1, 2, 5)]
    low = min(max(low_ms, marks[1]), marks[-2])
    start = max(mark for mark in marks if mark < low * 0.999999)  # so that no line lies on the axis
    end = min((mark for mark in marks if mark >= max(high_ms, start * 2) * 0.999999), default=marks[-1])
    within = [mark for mark in marks if start * 0.999 <= mark <= end * 1.001]
    if len(within) > 9:  # more than three decades: their beginnings are enough
        within = [mark for mark in within if math.isclose(math.log10(mark), round(math.log10(mark)), abs_tol=1e-6)]
    span = math.log(end / start)
    return Axis(
        lambda value: min(1.0, max(0.0, math.log(max(value, start) / start) / span)),
        [(mark, latency_text(mark)) for mark in within],
    )


def time_axis(end_s: float, ticks_max: int = 9) -> Axis:
    """From 0 to `end_s`."""
    end = max(end_s, 0.001)
    step = next((each for each in TIME_STEPS_S if end / each <= ticks_max), None)
    if step is None:
        step = DAY_S * math.ceil(end / DAY_S / ticks_max)
    ticks = [(each * step, time_text(each * step)) for each in range(math.floor(end / step + 1e-9) + 1)]
    return Axis(lambda value: min(1.0, max(0.0, value / end)), ticks)


def marked_axis(marks: Sequence[float]) -> Axis:
    """Logarithmic, with a tick at each of the marks, in rising order and above 0; the outer ones stand a little inwards."""
    first, span = marks[0], math.log(marks[-1] / marks[0]) or 1.0
    inwards = MARKS_INWARDS if len(marks) > 1 else 0.5
    return Axis(
        lambda value: min(1.0, max(0.0, inwards + (1 - 2 * inwards) * math.log(max(value, first) / first) / span)),
        [(mark, short_count_text(mark)) for mark in marks],
    )


def tail_axis(count: int) -> Axis:
    """Shares of a distribution by their nines: 0, 90 %, 99 % and so on are equally far apart, up to one in `count`."""
    nines = min(7.0, max(2.0, math.log10(max(count, 1))))
    shares = [0.0, 0.5, *(1 - 10.0**-nine for nine in range(1, math.floor(nines + 1e-9) + 1))]
    return Axis(
        lambda share: min(1.0, -math.log10(max(1 - share, 10.0**-nines)) / nines),
        [(share, share_text(share)) for share in shares],
    )


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(base * power for base in (1, 2, 2.5, 5, 10) if base * power >= step * 0.999999)


def count_text(value: float) -> str:
    """A count or rate: whole from 10 on, else as many decimals as it needs."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.3g}"


def short_count_text(value: float) -> str:
    """A count in thousands or millions, where it is a round number of them."""
    for unit, word in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit and math.isclose(value * 10 / unit, round(value * 10 / unit)):
            return f"{value / unit:,g} {word}"
    return count_text(value)


def latency_text(value_ms: float) -> str:
    """A latency with its unit."""
    if value_ms >= 100_000:
        return f"{value_ms / 1_000:,.0f} s"
    if value_ms >= 1_000:
        return f"{value_ms / 1_000:.3g} s"
    return f"{value_ms:.3g} ms"


def time_text(value_s: float) -> str:
    """An instant or a length of time, in at most two units."""
    if value_s < 60:
        return f"{value_s:.3g} s"
    whole = round(value_s)
    for unit_s, unit, part_s, part in ((DAY_S, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit_s:
            rest = whole % unit_s // part_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {part}" if rest else "")
    raise AssertionError("a minute is a minute")


def share_text(share: float) -> str:
    """A share in per cent, with all of its nines."""
    return f"{share * 100:.10g} %"
