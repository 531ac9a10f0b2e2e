"""Pictures of how rate, CPU time and memory grow along each axis. Pure."""

from collections.abc import Sequence

from loadtest.bench.growth_axes import AXES, WORKERS, GrowthAxis, points
from loadtest.bench.records import SIDES, BenchReport, GrowthPoint
from loadtest.report.axis import linear_axis, marked_axis
from loadtest.report.charts import Chart, Line
from loadtest.report.picture import Key, picture

WIDTH, HEIGHT = 312, 240
RATE_COLOUR, RANGE_COLOUR = "s4", "s8"
COLOURS = dict(zip(SIDES, ("s1", "s6"), strict=True))
IDEAL = "dashed"


def plots(report: BenchReport) -> dict[str, str]:
    """SVG files by name, one for each axis along which two or more points were measured."""
    found = ((axis, points(report, axis.name)) for axis in AXES)
    return {f"{axis.name}.svg": plot(axis, along) for axis, along in found if len(along) > 1}


def plot(axis: GrowthAxis, along: Sequence[GrowthPoint]) -> str:
    """One picture: rate, CPU time and memory of both sides over the marks of the axis."""
    keys = [Key("notifications a second", RATE_COLOUR)]
    if any(len(point.row.rates_per_s) > 1 for point in along):
        keys.append(Key("from the slowest to the fastest repeat", RANGE_COLOUR))
    if axis.name == WORKERS:
        keys.append(Key("as many times the first", RATE_COLOUR, IDEAL))
    keys += [Key(side, COLOURS[side]) for side in SIDES]
    return picture(
        f"{axis.what}: rate, CPU time and peak memory by {axis.unit}",
        keys,
        [
            _chart(axis, along, "notifications a second", _rates(axis, along)),
            _chart(axis, along, "CPU µs a notification", [_side(along, side, "cpu_us") for side in SIDES]),
            _chart(axis, along, "peak memory, MB", [_side(along, side, "peak_rss_mb") for side in SIDES]),
        ],
    )


def _chart(axis: GrowthAxis, along: Sequence[GrowthPoint], title: str, lines: Sequence[Line]) -> Chart:
    top = max((y for line in lines for _, y in line.points if y is not None), default=1.0)
    return Chart(
        says=f"{title} by {axis.unit}",
        x=marked_axis([point.at for point in along]),
        y=linear_axis(top, ticks_max=5),
        y_name=f"{title}, by {axis.unit}",
        lines=lines,
        height=HEIGHT,
        width=WIDTH,
    )


def _rates(axis: GrowthAxis, along: Sequence[GrowthPoint]) -> list[Line]:
    ranges: list[tuple[float, float | None]] = []
    for point in along:
        rates = point.row.rates_per_s
        ranges += [(point.at, min(rates)), (point.at, max(rates)), (point.at, None)]
    lines = [Line("range", RANGE_COLOUR, ranges)]
    if axis.name == WORKERS:
        first = along[0]
        ideal = [(point.at, first.row.rate_per_s * point.at / first.at) for point in along]
        lines.append(Line("as many times the first", RATE_COLOUR, ideal, IDEAL))
    return [*lines, Line("rate", RATE_COLOUR, [(point.at, point.row.rate_per_s) for point in along], dots=True)]


def _side(along: Sequence[GrowthPoint], side: str, figure: str) -> Line:
    return Line(side, COLOURS[side], [(point.at, getattr(point.row, figure).get(side)) for point in along], dots=True)
