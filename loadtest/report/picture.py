"""Charts side by side as one SVG file, for documents: it loads nothing, and follows light and dark. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from loadtest.report.charts import Chart, drawing, text
from loadtest.report.page_style import CHART_RULES, COLOURS

GAP, LEGEND_HEIGHT, KEY_WIDTH, ENTRY_GAP = 12, 30, 22, 22
CHARACTER_PX = 6.6  # of the legend's words, rather too wide than too narrow


class Key(NamedTuple):
    """One entry of the legend. `colour`, `style`: as of the lines that it stands for."""

    label: str
    colour: str
    style: str = ""


def picture(says: str, keys: Sequence[Key], charts: Sequence[Chart]) -> str:
    """The file. `says`: what is shown, for those who do not see it. `keys`: the legend, above all charts."""
    width = sum(chart.width for chart in charts) + GAP * (len(charts) - 1)
    height = LEGEND_HEIGHT + max(chart.height for chart in charts)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{text(says)}</title>",
        f"<style>\n{COLOURS}\n{CHART_RULES}\n</style>",
        f'<rect width="{width}" height="{height}" style="fill: var(--page)"/>',
        *_legend(keys),
    ]
    left = 0
    for chart in charts:
        parts.append(f'<g transform="translate({left} {LEGEND_HEIGHT})" aria-label="{text(chart.says)}">')
        parts += [drawing(chart), "</g>"]
        left += chart.width + GAP
    return "\n".join([*parts, "</svg>", ""])


def _legend(keys: Sequence[Key]) -> list[str]:
    parts = []
    left, middle = float(ENTRY_GAP), LEGEND_HEIGHT / 2
    for key in keys:
        style = f"line {key.colour} {key.style}".rstrip()
        parts.append(f'<path class="{style}" d="M{left:g} {middle:g}h{KEY_WIDTH}"/>')
        left += KEY_WIDTH + 6
        parts.append(f'<text class="strong" x="{left:g}" y="{middle + 4:g}">{text(key.label)}</text>')
        left += round(CHARACTER_PX * len(key.label)) + ENTRY_GAP
    return parts
