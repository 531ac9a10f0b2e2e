"""What the sections of a run's page are made of: headings, tables, bars. Pure; everything in them is escaped."""

from collections.abc import Iterable, Sequence

from loadtest.report.charts import text


def section(title: str, shown: Sequence[object], body: str, notes: Iterable[str]) -> str:
    """A heading, what it is about, notes below; says so when there is nothing to show."""
    if not shown:
        return f'<h2>{text(title)}</h2>\n<p class="soft">Nothing was recorded.</p>'
    words = " ".join(filter(None, notes))
    return f"<h2>{text(title)}</h2>\n{body}" + (f'\n<p class="note">{text(words)}</p>' if words else "")


def share_of(part: float | None, whole: float) -> str:
    """In per cent; "" where either is not known."""
    return "" if part is None or whole <= 0 else f"{part / whole * 100:.3g} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """`head`: names of the columns; those of figures end in `#`. A head of blanks is left out."""
    classes = [' class="number"' if len(name) > 1 and name.endswith("#") else "" for name in head]
    names = [name[:-1] if mark else name for name, mark in zip(head, classes, strict=True)]
    top = "".join(f"<th{mark}>{text(name)}</th>" for name, mark in zip(names, classes, strict=True))
    lines = [
        "<tr>" + "".join(f"<td{mark}>{text(cell)}</td>" for cell, mark in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    ]
    header = f"<thead><tr>{top}</tr></thead>\n" if any(names) else ""
    return f'<div class="wide"><table>\n{header}<tbody>\n' + "\n".join(lines) + "\n</tbody>\n</table></div>"


def bars_of(says: str, bars: Sequence[tuple[str, float, str, str]]) -> str:
    """Horizontal bars: (name, value, what stands at its end, colour)."""
    left, width, step, top = 190, 560, 30, max((value for _, value, _, _ in bars), default=0.0) or 1.0
    parts = []
    for row, (name, value, words, colour) in enumerate(bars):
        y, length = row * step + 4, round(max(0.0, value) / top * width, 1)
        parts.append(f'<text class="strong" x="{left - 10}" y="{y + 15}" text-anchor="end">{text(name)}</text>')
        parts.append(f'<rect class="track" x="{left}" y="{y}" width="{width}" height="22" rx="2"/>')
        parts.append(f'<rect class="bar {colour}" x="{left}" y="{y}" width="{length}" height="22" rx="2"/>')
        parts.append(f'<text class="strong" x="{left + width + 10}" y="{y + 15}">{text(words)}</text>')
    box = f'viewBox="0 0 960 {len(bars) * step + 4}" role="img" aria-label="{text(says)}"'
    return f'<div class="chart"><svg {box}>\n' + "\n".join(parts) + "\n</svg></div>"
