"""The report card as one HTML page that needs nothing else: no script, no font, no image. Everything on it is escaped."""

import shlex
from html import escape
from string import Template

from loadtest.replay.card import ReportCard, ScenarioReport
from loadtest.replay.plain_text import plain
from loadtest.replay.rows import BROKEN, HELD, NOT_GRADED, Row

MARKS = {HELD: ("✓", "held"), BROKEN: ("✗", "broken"), NOT_GRADED: ("–", "none")}

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --held: #1a7f37; --broken: #cf222e; --line: #8884; --soft: #888; }
@media (prefers-color-scheme: dark) { :root { --held: #3fb950; --broken: #f85149; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 0; font-size: 1.15rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre, code { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { margin: .3rem 0; } .wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.held { color: var(--held); } .broken { color: var(--broken); font-weight: 600; } .none, .soft { color: var(--soft); }
summary { cursor: pointer; }
.rows { table-layout: fixed; } .rows td:nth-child(1) { width: 1.2rem; } .rows td:nth-child(2) { width: 30%; }
.rows td:nth-child(4) { width: 14rem; padding-right: 0; } tr.begun td { border-bottom: 0; }
tr.begun + tr { border-bottom: 1px solid var(--line); }
@media (max-width: 50rem) { .rows td:nth-child(4) { display: none; } }
</style>
</head>
<body>
<h1>$title</h1>
<p class="soft">$about</p>
<p class="$grade">$total</p>
<div class="wide"><table>
<thead><tr><th></th><th>scenario</th><th>provider</th><th class="number">held</th><th class="number">broken</th>
<th class="number">not graded</th><th class="number">accepted</th><th class="number">connections</th>
<th class="number">took</th></tr></thead>
<tbody>
$overview
</tbody>
</table></div>
$scenarios
</body>
</html>
""")


def html_page(card: ReportCard) -> bytes:
    """The page, UTF-8."""
    held = sum(report.grade == HELD for report in card.scenarios)
    counted = ", ".join(f"{count} {name}" for name, count in card.counts.items())
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    return _PAGE.substitute(
        title=_text(f"Report card of {shlex.join(card.command)}"),
        about=_text(f"{card.began_at}; {versions}"),
        grade="held" if card.held else "broken",
        total=_text(f"{held} of {len(card.scenarios)} scenarios held; {counted}"),
        overview="\n".join(_overview(number, report) for number, report in enumerate(card.scenarios)),
        scenarios="\n".join(_scenario(number, report) for number, report in enumerate(card.scenarios)),
    ).encode()


def _text(value: str) -> str:
    return escape(plain(value, 2_000))


def _mark(grade: str) -> str:
    mark, name = MARKS[grade]
    return f'<span class="{name}" title="{grade}">{mark}</span>'


def _overview(number: int, report: ScenarioReport) -> str:
    grades = [row.grade for row in report.rows]
    figures = (
        *(str(grades.count(name)) for name in (HELD, BROKEN, NOT_GRADED)),
        f"{sum(run.accepted for run in report.runs):,}",
        f"{sum(run.connections for run in report.runs):,}",
        f"{sum(run.duration_s for run in report.runs):.1f} s",
    )
    cells = "".join(f'<td class="number">{each}</td>' for each in figures)
    return (
        f'<tr><td>{_mark(report.grade)}</td><td><a href="#scenario-{number}">{_text(report.scenario)}</a></td>'
        f"<td>{_text(report.provider)}</td>{cells}</tr>"
    )


def _scenario(number: int, report: ScenarioReport) -> str:
    parts = [
        f'<h2 id="scenario-{number}">{_mark(report.grade)} {_text(report.scenario)} ({_text(report.provider)})</h2>',
        f"<p>{_text(report.title)}.<br>"
        f'<span class="soft">A good sender: {_text(" ".join(report.good_sender.split()))}</span></p>',
    ]
    if report.failed is not None:
        parts.append(f'<p class="broken">{_text(report.failed)}</p>')
    if report.rows:
        parts.append('<table class="rows">\n<tbody>\n' + "\n".join(map(_row, report.rows)) + "\n</tbody>\n</table>")
    parts += [_run(run_number, report) for run_number in range(len(report.runs))]
    sources = ", ".join(report.sources)
    faults = ", ".join(f"{name} {_times(count)}" for name, count in report.faults.items())
    said = [f"seed {report.seed}", f"faults: {faults or 'none'}", *([f"seen in: {sources}"] if sources else [])]
    parts.append(f'<p class="soft">{_text("; ".join(said))}</p>')
    return "\n".join(parts)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _row(row: Row) -> str:
    begun = ' class="begun"' if row.evidence else ""
    shown = (
        f"<tr{begun}><td>{_mark(row.grade)}</td><td>{_text(row.expected)}</td><td>{_text(row.found)}</td>"
        f'<td class="soft"><code>{_text(row.expectation)}</code></td></tr>'
    )
    if row.evidence:
        lines = "\n".join(_text(line) for line in row.evidence)
        details = f"<details><summary>what happened</summary><pre>{lines}</pre></details>"
        shown += f'\n<tr><td></td><td colspan="2">{details}</td></tr>'
    return shown


def _run(number: int, report: ScenarioReport) -> str:
    run = report.runs[number]
    said = "\n".join(_text(line) for line in run.said)
    summary = (
        f"run {number + 1}: exit code {run.exit_code} after {run.duration_s:.1f} s; {run.requests:,} requests for "
        f"{run.devices:,} devices, {run.accepted:,} accepted, {run.connections:,} connections, {run.credentials:,} credentials"
    )
    counts = _text(", ".join(f"{name} {count:,}" for name, count in run.counts.items()))
    came = f"{run.handshakes:,} handshakes begun, {run.bytes_in:,} bytes and {run.frames_in:,} frames came"
    if run.accepted:
        each = f"{run.bytes_in / run.accepted:,.0f} bytes and {run.frames_in / run.accepted:,.1f} frames"
        came = f"{came}: {each} for each accepted"
    output = f"{counts}\n{_text(came)}\n\n{said or 'It said nothing.'}"
    return f"<details><summary>{_text(summary)}</summary><pre>{output}</pre></details>"
