"""What the charts of a run show: rates, latencies and outcomes over time, the distribution of latencies. Pure."""

from collections import Counter
from collections.abc import Sequence

from loadtest.report.axis import (
    count_text,
    latency_axis,
    latency_text,
    linear_axis,
    share_text,
    tail_axis,
    time_axis,
    time_text,
)
from loadtest.report.charts import Area, Band, Chart, Level, Line
from loadtest.report.moments import Moment, Moments
from loadtest.report.run_record import FaultBand, Histogram, RunRecord

OUTCOMES_MAX = 6
"""Reasons with a colour of their own; the rest is shown together."""
OTHER = "other reasons"
OUTCOME_COLOURS = ("s2", "s3", "s4", "s6", "s7", "s5")
DISTRIBUTIONS_MAX = 6
LEVEL_SHOWN_TIMES = 2.5
"""A ceiling or limit more than so many times above all else would press the rates flat: it is told, not drawn."""
DISTRIBUTION_WORDS = {"scheduled": "from the scheduled instant", "sent": "from sending", "batch": "whole batches"} | {
    "gap": "between requests of a connection",
    "answer": "from request to answer, in the simulator",
}
DISTRIBUTION_STYLES = {"scheduled": "", "sent": "dashed", "batch": "dotted", "gap": "dashed"}
HEADROOM = 1.05
TAIL_SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999, 0.999999)


def bands_of(run: RunRecord, end_s: float) -> list[Band]:
    """Faults, numbered from 1."""
    bands = []
    for number, fault in enumerate(run.faults, 1):
        end = end_s if fault.to_s is None else fault.to_s
        bands.append(Band(number, f"{fault.fault}, {' to '.join(fault_times(fault))}", fault.from_s, end))
    return bands


def fault_times(fault: FaultBand) -> tuple[str, str]:
    """From when to when, in words."""
    return time_text(max(0.0, fault.from_s)), "the end" if fault.to_s is None else time_text(fault.to_s)


def end_of(run: RunRecord, moments: Moments) -> float:
    """Where the time axis of a run ends."""
    last = moments.moments[-1] if moments.moments else None
    return max(run.elapsed_s, 0.0 if last is None else last.at_s + last.duration_s)


def levels_of(run: RunRecord, peak: float) -> tuple[list[Level], list[str]]:
    """The ceiling and the limits on the rate: those to draw over rates up to `peak`, and words on those far above."""
    known = [(limit.name, limit.per_s, "dotted") for limit in run.limits]
    known.append(("the simulator's ceiling", run.ceiling_per_s, "dashed"))
    shown, told = [], []
    for name, per_s, style in known:
        if per_s is not None and per_s > 0:
            label = f"{name}, {count_text(per_s)}/s"
            if per_s <= peak * LEVEL_SHOWN_TIMES:
                shown.append(Level(label, per_s, style))
            else:
                told.append(label)
    return shown, told


def rate_chart(run: RunRecord, moments: Moments) -> tuple[Chart, list[str]]:
    """Arrivals and answers over time, and what is too far above to be drawn."""
    rows = moments.moments
    lines = [Line("final answers", "s1", [(row.middle_s, row.answered) for row in rows])]
    if run.open_loop:
        lines.insert(0, Line("came due", "s8", [(row.middle_s, row.scheduled) for row in rows], "dashed"))
        if any(row.planned is not None for row in rows):
            lines.insert(
                0, Line("planned by the profile", "s3", [(row.middle_s, row.planned) for row in rows], "dotted")
            )
    peak = max((y for line in lines for _, y in line.points if y is not None), default=0.0)
    levels, told = levels_of(run, peak)
    end_s = end_of(run, moments)
    chart = Chart(
        says="Notifications a second over time",
        x=time_axis(end_s),
        y=linear_axis(max([peak, *(level.value for level in levels)]) * HEADROOM),
        y_name="a second",
        lines=lines,
        levels=levels,
        bands=bands_of(run, end_s),
        columns=[(row.at_s, row.at_s + row.duration_s, _rate_words(row, run.open_loop)) for row in rows],
    )
    return chart, told


def latency_chart(run: RunRecord, moments: Moments) -> Chart:
    """Percentiles over time."""
    rows = moments.moments
    named = (
        ("50 %", "p50", "l1", ""),
        ("90 %", "p90", "l2", ""),
        ("99 %", "p99", "l3", ""),
        ("slowest", "max", "s8", "dotted"),
    )
    lines = [
        Line(label, colour, [(row.middle_s, row.latency_ms.get(name)) for row in rows], style)
        for label, name, colour, style in named
        if any(name in row.latency_ms for row in rows)
    ]
    values = [y for line in lines for _, y in line.points if y is not None]
    end_s = end_of(run, moments)
    return Chart(
        says="Latency over time",
        x=time_axis(end_s),
        y=latency_axis(values),
        y_name="latency",
        lines=lines,
        bands=bands_of(run, end_s),
        columns=[(row.at_s, row.at_s + row.duration_s, _latency_words(row)) for row in rows],
    )


def outcome_chart(run: RunRecord, moments: Moments) -> Chart:
    """What became of notifications over time, one layer for each outcome."""
    rows = moments.moments
    outcomes = outcomes_of(run)
    layers = [Area("accepted", "s1", [row.accepted for row in rows])]
    for label, colour in outcomes:
        layers.append(Area(label, colour, [_outcome_rate(row, label, outcomes) for row in rows]))
    totals = [sum(heights) for heights in zip(*(layer.heights for layer in layers), strict=True)]
    end_s = end_of(run, moments)
    return Chart(
        says="Outcomes a second over time",
        x=time_axis(end_s),
        y=linear_axis(max(totals, default=0.0) * HEADROOM),
        y_name="a second",
        areas=layers,
        bands=bands_of(run, end_s),
        columns=[
            (row.at_s, row.at_s + row.duration_s, _outcome_words(row, layers, column))
            for column, row in enumerate(rows)
        ],
    )


def outcomes_of(run: RunRecord) -> list[tuple[str, str]]:
    """(outcome, colour) of what was not accepted: rejections by reason, `given up: ` and reason; the most frequent first."""
    counts = Counter(run.rejected)
    counts.update({f"given up: {reason}": count for reason, count in run.given_up.items()})
    frequent = [reason for reason, count in counts.most_common() if count]
    named = frequent if len(frequent) <= OUTCOMES_MAX else frequent[: OUTCOMES_MAX - 1]
    outcomes = list(zip(named, OUTCOME_COLOURS, strict=False))
    return outcomes if len(named) == len(frequent) else [*outcomes, (OTHER, "s8")]


def tail_chart(histograms: Sequence[Histogram]) -> Chart:
    """Latency by the share of notifications that were at least so fast, with room for the tail."""
    shown = [each for each in histograms if each.points][:DISTRIBUTIONS_MAX]
    colours = ("s1", "s8", "s5", "s4", "s6", "s3")
    count = max((each.count for each in shown), default=100)
    x = tail_axis(count)
    values = [latency for each in shown for share, latency in each.points if share > 0]
    return Chart(
        says="Latency by share of notifications",
        x=x,
        y=latency_axis(values),
        y_name="latency",
        lines=[
            Line(distribution_name(each.name), colour, each.points, _style(each.name))
            for each, colour in zip(shown, colours, strict=False)
        ],
        columns=_tail_columns(shown),
    )


def _style(name: str) -> str:
    return DISTRIBUTION_STYLES.get(name.partition(" ")[0], "")


def distribution_name(name: str) -> str:
    """In words."""
    instant, _, provider = name.partition(" ")
    words = DISTRIBUTION_WORDS.get(instant, instant)
    return f"{words}, {provider}" if provider else words


def latency_at(histogram: Histogram, share: float) -> float | None:
    """The latency that `share` of the notifications had at most: of the first point that has so many."""
    return next((latency for at, latency in histogram.points if at >= share - 1e-12), None)


def _tail_columns(shown: Sequence[Histogram]) -> list[tuple[float, float, str]]:
    shares = [share for share in TAIL_SHARES if any(1 - share >= 1 / max(each.count, 1) for each in shown)]
    columns = []
    for start, end in zip(shares, [*shares[1:], 1.0], strict=False):
        words = [f"at {share_text(end)}" if end < 1 else "the slowest"]
        for each in shown:
            latency = each.max_ms if end == 1 else latency_at(each, end)
            if latency is not None:
                words.append(f"{distribution_name(each.name)}: {latency_text(latency)}")
        columns.append((start, end, "\n".join(words)))
    return columns


def _outcome_rate(row: Moment, label: str, outcomes: Sequence[tuple[str, str]]) -> float:
    rates = {**row.rejected, **{f"given up: {reason}": rate for reason, rate in row.given_up.items()}}
    if label != OTHER:
        return rates.get(label, 0.0)
    named = {name for name, _ in outcomes}
    return sum(rate for name, rate in rates.items() if name not in named)


def _when(row: Moment) -> str:
    return f"{time_text(row.at_s)} to {time_text(row.at_s + row.duration_s)}"


def _rate_words(row: Moment, open_loop: bool) -> str:
    words = [_when(row), f"final answers: {count_text(row.answered)}/s", f"sent: {count_text(row.sent)}/s"]
    if open_loop:
        words.append(f"came due: {count_text(row.scheduled)}/s")
    if row.planned is not None:
        words.append(f"planned: {count_text(row.planned)}/s")
    if row.behind_ms:
        words.append(f"behind the schedule: {latency_text(row.behind_ms)}")
    return "\n".join(words)


def _latency_words(row: Moment) -> str:
    words = [f"{name}: {latency_text(value)}" for name, value in row.latency_ms.items()]
    return "\n".join([_when(row), *(words or ["nothing was answered"])])


def _outcome_words(row: Moment, layers: Sequence[Area], column: int) -> str:
    words = [f"{layer.label}: {count_text(layer.heights[column])}/s" for layer in layers if layer.heights[column]]
    return "\n".join([_when(row), *words])
