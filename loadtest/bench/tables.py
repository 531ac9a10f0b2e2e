"""The tables of a report as rows of text, for screen and Markdown alike. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from loadtest.bench.bars import ceiling
from loadtest.bench.compare import Comparison
from loadtest.bench.extrapolation import extrapolate
from loadtest.bench.growth_axes import AXES, DEVICES, GrowthAxis, points
from loadtest.bench.records import SIDES, Bar, BenchReport, Cost, GrowthPoint, Row

# Titles of columns; the first is text, the others are figures.
# "By CPU": what the busier side's CPU time would allow on a core of its own.
ROW_COLUMNS = ("sender → server", "per s", "spread", "server µs", "sender µs", "limit", "by CPU")
BAR_COLUMNS = ("bar", "wanted", "found", "by CPU", "")
COST_COLUMNS = ("devices", "per second", "server µs", "sender µs", "server MB", "sender MB")
ESTIMATES_TITLE = "Extrapolated to a billion devices:"
# Behind the axis' unit.
GROWTH_COLUMNS = ("per s", "spread", "server µs", "sender µs", "limit", "server MB", "sender MB")
CHANGE_COLUMNS = ("row", "before", "now", "change", "beside bare work", "server µs", "sender µs", "")
UNKNOWN = "?"
MARKS = {True: "pass", False: "MISS"}


class Table(NamedTuple):
    """`columns`: titles. `lines`: the cells of each row."""

    columns: tuple[str, ...]
    lines: list[tuple[str, ...]]


def heading(report: BenchReport) -> str:
    """Where and how it was measured, on one line."""
    load = "" if report.load_average is None else f", load {report.load_average:.1f} before"
    return (
        f"{report.machine}, {report.cores} cores{load}; Python {report.python}; {report.notifications:,} notifications, "
        f"{report.connections} connections, median of {report.repeats}; simulator with --limits off; "
        f"{report.started_at[:10]}"
    )


def rows_table(rows: Sequence[Row]) -> Table:
    """The rows with medians, spread, CPU time of a notification on both sides, the limit, what the CPU time allows."""
    return Table(
        ROW_COLUMNS,
        [
            (
                row.title,
                f"{row.rate_per_s:,.0f}",
                f"{row.spread:.0%}",
                *(_figure(row.cpu_us.get(side), ".2f") for side in SIDES),
                row.limit,
                _figure(row.bound_per_s, ",.0f"),
            )
            for row in rows
        ],
    )


def bars_table(bars: Sequence[Bar]) -> Table:
    """The bars that were measured, what was found, and whether they are held."""
    return Table(
        BAR_COLUMNS,
        [
            (
                bar.what,
                f"{'≥' if bar.kind == 'least' else '≤'} {bar.bar:g} {bar.unit}",
                _figure(bar.value, ",g", bar.unit),
                "" if bar.value_by_cpu is None else f"{bar.value_by_cpu:,g} {bar.unit}",
                MARKS[bar.met],
            )
            for bar in bars
            if bar.met is not None
        ],
    )


def costs_table(costs: Sequence[Cost]) -> Table:
    """Campaigns by size."""
    return Table(
        COST_COLUMNS,
        [
            (
                f"{cost.devices:,}",
                f"{cost.rate_per_s:,.0f}",
                *(_figure(cost.cpu_us.get(side), ".2f") for side in SIDES),
                *(_figure(cost.peak_rss_mb.get(side), ",.0f") for side in SIDES),
            )
            for cost in costs
        ],
    )


def growth_tables(report: BenchReport) -> list[tuple[str, Table]]:
    """What was measured along each axis, and its table. Devices are left out: the table of costs has them."""
    found = ((axis, points(report, axis.name)) for axis in AXES if axis.name != DEVICES)
    return [(axis.what, growth_table(axis, along)) for axis, along in found if along]


def growth_table(axis: GrowthAxis, points: Sequence[GrowthPoint]) -> Table:
    """The points along one axis."""
    return Table(
        (axis.unit, *GROWTH_COLUMNS),
        [
            (
                f"{point.at:,}",
                f"{point.row.rate_per_s:,.0f}",
                f"{point.row.spread:.0%}",
                *(_figure(point.row.cpu_us.get(side), ".2f") for side in SIDES),
                point.row.limit,
                *(_figure(point.row.peak_rss_mb.get(side), ",.0f") for side in SIDES),
            )
            for point in points
        ],
    )


def changes_table(comparison: Comparison) -> Table:
    """What changed, row by row."""
    return Table(
        CHANGE_COLUMNS,
        [
            (
                change.name,
                f"{change.old_per_s:,.0f}",
                f"{change.new_per_s:,.0f}",
                f"{change.rate_share:+.0%}",
                _figure(change.beside_yardstick, "+.0%"),
                *(_figure(change.cpu_share.get(side), "+.0%") for side in SIDES),
                change.verdict,
            )
            for change in comparison.changes
        ],
    )


def estimates(report: BenchReport) -> list[str]:
    """What a billion devices would take, a line each; nothing from a report without sizes to go by."""
    return [f"{each.what}: {each.value} ({each.how})" for each in extrapolate(report)]


def remarks(report: BenchReport) -> list[str]:
    """What the tables do not say: the ceiling, and what was left out."""
    said = []
    slowest = ceiling(report.rows)
    if slowest is not None:
        said.append(
            f"Published ceiling of the simulator, the slowest way to code header fields: {slowest.rate_per_s:,.0f}/s."
        )
    unmeasured = [bar.name for bar in report.bars if bar.met is None]
    if unmeasured:
        why = "since their rows were left out or limited by the other side"
        said.append(f"Not measured, {why}: the bars {', '.join(unmeasured)}.")
    said += [f"FAILED: {failed.name}: {failed.why}" for failed in report.failed]
    said += [f"Left out: {missing.name}, which needs {missing.needs}: {missing.install}" for missing in report.missing]
    return said


def comparison_remarks(comparison: Comparison) -> list[str]:
    """What stands in the way of the comparison."""
    said = []
    if comparison.other_machine:
        said.append("The machines, or their Python, differ: only the column beside bare work can be compared.")
    if comparison.only_old:
        said.append(f"Only in the older report: {', '.join(comparison.only_old)}.")
    if comparison.only_new:
        said.append(f"Only in the newer report: {', '.join(comparison.only_new)}.")
    return said


def _figure(value: float | None, form: str, unit: str = "") -> str:
    return UNKNOWN if value is None else f"{value:{form}} {unit}".rstrip()
