"""Charts as inline SVG, without script: lines, stacked areas, bands, and what a pointer over them is told. Pure.

Colours are classes of the page's style (`s1` to `s8`, `soft`, `bound`), so that they follow light and dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from loadtest.replay.plain_text import plain
from loadtest.report.axis import Axis

WIDTH, LEFT, RIGHT, BOTTOM = 960, 78, 14, 34
CHARACTER_PX = 7.2
BAND_LABEL_PX = 16
BAND_ROWS_MAX = 3
"""Numbers of bands that begin close to each other stand in rows; beyond these they are left out, the table has them all."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points (x, y); where y is None it is interrupted. `style`: `dashed`, `dotted`, or none.

    `dots`: each point is marked, since it was measured and what lies between was not.
    """

    label: str
    colour: str
    points: Sequence[tuple[float, float | None]]
    style: str = ""
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """One layer of a stack: for each column of the chart its height."""

    label: str
    colour: str
    heights: Sequence[float]


@dataclass(frozen=True, slots=True)
class Level:
    """A value that something holds to, across the chart. `style`: as of lines."""

    label: str
    value: float
    style: str


@dataclass(frozen=True, slots=True)
class Band:
    """From here to there something was different."""

    number: int
    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn. `columns`: (start, end, what a pointer there is told). Layers of `areas` have a height for each column.

    `says`: for those who do not see the picture.
    """

    says: str
    x: Axis
    y: Axis
    y_name: str
    lines: Sequence[Line] = ()
    areas: Sequence[Area] = ()
    levels: Sequence[Level] = ()
    bands: Sequence[Band] = ()
    columns: Sequence[tuple[float, float, str]] = field(default=())
    height: int = 280
    width: int = WIDTH


def text(value: str) -> str:
    """Anybody's words, safe within HTML."""
    return escape(plain(value, 2_000))


def draw(chart: Chart) -> str:
    """The chart with its legend."""
    box = f'viewBox="0 0 {chart.width} {chart.height}" role="img" aria-label="{text(chart.says)}"'
    return f'{_legend(chart)}\n<div class="chart"><svg {box}>\n{drawing(chart)}\n</svg></div>'


def drawing(chart: Chart) -> str:
    """What stands in the chart's SVG element, `width` by `height` large."""
    frame = _Frame(chart)
    parts = [
        *frame.bands(),
        *frame.grid(),
        *frame.areas(),
        *frame.levels(),
        *(frame.line(line) for line in chart.lines),
        *frame.columns(),
    ]
    return "\n".join(parts)


def _legend(chart: Chart) -> str:
    entries = [(f"key {layer.colour}", layer.label) for layer in chart.areas]
    entries += [(f"key line {line.colour} {line.style}".rstrip(), line.label) for line in chart.lines]
    entries += [(f"key line bound {level.style}", level.label) for level in chart.levels]
    items = "".join(f'<li><span class="{colour}"></span>{text(label)}</li>' for colour, label in entries)
    return f'<ul class="legend">{items}</ul>'


class _Frame:
    """Places within the picture."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._rows = _rows_of(chart)
        used = max((row for row in self._rows if row is not None), default=-1) + 1
        self._top = 22 + used * BAND_LABEL_PX
        self._height = chart.height - BOTTOM - self._top

    def _x(self, value: float) -> float:
        return round(LEFT + self._chart.x.share(value) * (self._chart.width - LEFT - RIGHT), 1)

    def _at(self, share: float) -> float:
        return round(self._top + (1 - share) * self._height, 1)

    def _y(self, value: float) -> float:
        return self._at(self._chart.y.share(value))

    def grid(self) -> list[str]:
        """Ticks of both axes with their words."""
        chart, bottom, right = self._chart, self._at(0), self._chart.width - RIGHT
        parts = [f'<text class="name" x="{LEFT - 8}" y="13" text-anchor="start" dx="-62">{text(chart.y_name)}</text>']
        for value, says in chart.y.ticks:
            y = self._y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{text(says)}</text>')
        for value, says in chart.x.ticks:
            x = self._x(value)
            parts.append(f'<line class="tick" x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 5}"/>')
            anchor = "end" if x + CHARACTER_PX * len(says) / 2 > chart.width else "middle"
            parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="{anchor}">{text(says)}</text>')
        parts.append(f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
        return parts

    def bands(self) -> list[str]:
        """Shades behind everything, their numbers above."""
        parts = []
        for band, row in zip(self._chart.bands, self._rows, strict=True):
            start, end = self._x(band.start), self._x(band.end)
            width = max(1.5, end - start)
            top, bottom = self._at(1), self._at(0)
            shade = f'<rect class="band" x="{start}" y="{top}" width="{width:.1f}" height="{bottom - top:.1f}">'
            parts.append(f"{shade}<title>{text(band.label)}</title></rect>")
            if row is not None:
                y = self._top - 6 - row * BAND_LABEL_PX
                number = f'<text class="number" x="{start}" y="{y}">{band.number}'
                parts.append(f"{number}<title>{text(band.label)}</title></text>")
        return parts

    def areas(self) -> list[str]:
        """Each layer as steps upon those below."""
        columns = [(self._x(start), self._x(end)) for start, end, _ in self._chart.columns]
        below = [0.0] * len(columns)
        parts = []
        for layer in self._chart.areas:
            above = [low + more for low, more in zip(below, layer.heights, strict=True)]
            if any(layer.heights):
                edge = [f"{x},{self._y(high)}" for (a, b), high in zip(columns, above, strict=True) for x in (a, b)]
                base = [f"{x},{self._y(low)}" for (a, b), low in zip(columns, below, strict=True) for x in (a, b)]
                parts.append(f'<polygon class="area {layer.colour}" points="{" ".join([*edge, *reversed(base)])}"/>')
            below = above
        return parts

    def levels(self) -> list[str]:
        """Straight across."""
        right = self._chart.width - RIGHT
        at = [(level, self._y(level.value)) for level in self._chart.levels]
        return [
            f'<line class="line bound {level.style}" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}">'
            f"<title>{text(level.label)}</title></line>"
            for level, y in at
        ]

    def line(self, line: Line) -> str:
        """Its unbroken stretches; one that has a single point is a dot."""
        stretches: list[list[str]] = [[]]
        for x, y in line.points:
            if y is None:
                stretches.append([])
            else:
                stretches[-1].append(f"{self._x(x)},{self._y(y)}")
        parts = []
        for stretch in filter(None, stretches):
            if len(stretch) > 1:
                style = f"line {line.colour} {line.style}".rstrip()
                parts.append(f'<polyline class="{style}" points="{" ".join(stretch)}"/>')
            for point in stretch if line.dots or len(stretch) == 1 else ():
                across, down = point.split(",")
                parts.append(f'<circle class="dot {line.colour}" cx="{across}" cy="{down}" r="3"/>')
        return "\n".join(parts)

    def columns(self) -> list[str]:
        """Where a pointer is told the figures."""
        top, height = self._at(1), self._at(0) - self._at(1)
        parts = []
        for start, end, says in self._chart.columns:
            if says:
                x = self._x(start)
                place = f'x="{x}" y="{top}" width="{max(0.5, self._x(end) - x):.1f}" height="{height:.1f}"'
                lines = "\n".join(text(line) for line in says.splitlines())
                parts.append(f'<rect class="column" {place}><title>{lines}</title></rect>')
        return parts


def _rows_of(chart: Chart) -> list[int | None]:
    """For each band the row that its number stands in, None when there is no room."""
    free_from = [0.0] * BAND_ROWS_MAX
    rows: list[int | None] = []
    for band in chart.bands:
        x = LEFT + chart.x.share(band.start) * (chart.width - LEFT - RIGHT)
        row = next((each for each in range(BAND_ROWS_MAX) if free_from[each] <= x), None)
        if row is not None:
            free_from[row] = x + 8 * len(str(band.number)) + 6
        rows.append(row)
    return rows
