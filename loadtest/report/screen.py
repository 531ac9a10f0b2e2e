"""Runs and their comparison on the terminal. Everything shown is plain text to rich."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.replay.plain_text import plain
from loadtest.report.axis import count_text
from loadtest.report.compare import Change, Comparison
from loadtest.report.figures import FIGURES, REASON_PREFIX, unknown_of
from loadtest.report.run_record import RunRecord
from loadtest.report.sender_record import SendersRecord
from loadtest.report.statements import (
    arrivals_statement,
    began_text,
    behind_statement,
    ceiling_statement,
    limit_statement,
)

FAILURES_MAX = 20
REASONS_MAX = 20
SENDERS_MAX = 64
STYLES = {"better": "green", "worse": "red", "other": "yellow", "same": "dim", "unsure": "yellow"}


def show_run(run: RunRecord, console: Console) -> None:
    """One run: what it was, its figures, which side was the limit."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(justify="left", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for figure in FIGURES:
        value = figure.value(run)
        if value is not None:
            table.add_row(figure.name, _number(value), figure.says)
    for reason, count in sorted(run.rejected.items(), key=lambda item: -item[1])[:REASONS_MAX]:
        table.add_row(Text(f"{REASON_PREFIX}{plain(reason, 60)}"), _number(count), "rejections with that reason")
    _say(console, f"{run.name}: {run.provider} at {run.endpoint}, seed {run.seed}, {began_text(run)}")
    console.print(table)
    unknown = unknown_of(run)
    if unknown:
        _say(console, f"Not known of this run: {', '.join(unknown)}.", "dim")
    if run.senders is not None:
        _show_senders(run.senders, console)
    _say(console, limit_statement(run))
    _say(console, ceiling_statement(run))
    _say(console, arrivals_statement(run))
    for line in (behind_statement(run), *run.failures[:FAILURES_MAX]):
        if line is not None:
            _say(console, line, "bold red")


def _show_senders(record: SendersRecord, console: Console) -> None:
    table = Table(box=box.SIMPLE)
    table.add_column("sender", no_wrap=True, max_width=40)
    for title in ("devices", "accepted once", "more", "rejected", "never", "a second", "connections"):
        table.add_column(title, justify="right", no_wrap=True)
    for number, sender in enumerate(record.senders[:SENDERS_MAX], 1):
        ledger, seen = sender.ledger, sender.seen
        counts = (sender.devices, ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never)
        figures = ("unknown", "unknown") if seen is None else (seen.rate_per_s, seen.connections.opened)
        table.add_row(
            Text(f"{number}: {plain(sender.command, 60)}"),
            *(count_text(count) for count in counts),
            *(each if isinstance(each, str) else _number(each) for each in figures),
        )
    console.print(table)


def show_comparison(comparison: Comparison, console: Console) -> None:
    """What changed."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("figure", no_wrap=True)
    for title in ("before", "now", "change", f"{comparison.confidence * 100:.4g} % between"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=max(map(len, STYLES)))
    unchanged = []
    for change in comparison.changes:
        if not (change.change or change.low or change.high):
            unchanged.append(change.name)
            continue
        style = STYLES[change.verdict]
        bounds = ""
        if change.low is not None and change.high is not None:
            bounds = f"{_change(change, change.low)} and {_change(change, change.high)}"
        figures = (_number(change.old), _number(change.new), _change(change, change.change), bounds)
        table.add_row(change.name, *figures, f"[{style}]{change.verdict}[/]")
    _say(console, f"{comparison.old_runs} runs before, {comparison.new_runs} now")
    if table.row_count:
        console.print(table)
    if comparison.unknown:
        _say(console, f"Not known on both sides: {', '.join(comparison.unknown)}.")
    if unchanged:
        _say(console, f"Exactly as before: {', '.join(unchanged)}.")
    for remark in comparison.remarks:
        _say(console, remark)


def _say(console: Console, words: str, style: str | None = None) -> None:
    console.print(plain(words, 2_000), style=style, highlight=False, markup=False)


def _number(value: float) -> str:
    return count_text(value) if value >= 1_000 else f"{value:.4g}"


def _change(change: Change, value: float) -> str:
    if abs(value) < 1e-12:
        return "0" if change.by == "units" else "0 %"
    if change.by == "units":
        return f"{'+' if value > 0 else '-'}{_number(abs(value))}"
    return f"{value * 100:+,.3g} %" if value < 10 else f"×{min(1 + value, 1e6):,.3g}"
