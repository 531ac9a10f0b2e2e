"""The report card on a terminal. Whatever came from a scenario or the network is plain text to rich."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.replay.card import ReportCard, ScenarioReport
from loadtest.replay.plain_text import plain
from loadtest.replay.rows import BROKEN, HELD, NOT_GRADED, Row

MARKS = {HELD: ("✓", "green"), BROKEN: ("✗", "bold red"), NOT_GRADED: ("–", "dim")}
INDENT = 2


def show_scenario(report: ScenarioReport, console: Console, *, every_row: bool) -> None:
    """One scenario: its rows, or (not `every_row`) those that are broken; their evidence below them."""
    mark, style = MARKS[report.grade]
    head = Text.assemble((mark, style), " ", (plain(report.scenario), "bold"), f" ({report.provider})  ")
    head.append(_summed_up(report), "dim")
    console.print(head, soft_wrap=True)
    if report.failed is not None:
        console.print(Text(" " * INDENT + plain(report.failed), "red"), soft_wrap=True)
    rows = [row for row in report.rows if every_row or row.grade == BROKEN]
    for row in rows:
        console.print(_line(row), soft_wrap=True)
        for line in row.evidence:
            console.print(Text(f"{' ' * INDENT * 3}{plain(line)}", "dim"), soft_wrap=True)


def show_total(card: ReportCard, console: Console) -> None:
    """A table of all scenarios, and the sum."""
    table = Table(box=None, pad_edge=False)
    table.add_column("scenario")
    table.add_column("provider")
    for name in (HELD, BROKEN, NOT_GRADED):
        table.add_column(name, justify="right")
    table.add_column("took", justify="right")
    for report in card.scenarios:
        mark, style = MARKS[report.grade]
        counts = _counts(report.rows)
        table.add_row(
            Text.assemble((mark, style), " ", plain(report.scenario)),
            report.provider,
            *(str(counts[name]) for name in (HELD, BROKEN, NOT_GRADED)),
            f"{sum(run.duration_s for run in report.runs):.1f} s",
        )
    console.print()
    console.print(table)
    held = sum(report.grade == HELD for report in card.scenarios)
    total = f"{held} of {len(card.scenarios)} scenarios held; "
    total += ", ".join(f"{count} {name}" for name, count in card.counts.items())
    console.print(Text(f"\n{total}", "bold green" if card.held else "bold red"))


def _summed_up(report: ScenarioReport) -> str:
    counts = _counts(report.rows)
    said = [f"{counts[name]} {name}" for name in (HELD, BROKEN, NOT_GRADED) if counts[name]]
    if report.runs:
        accepted, connections = (sum(getattr(run, name) for run in report.runs) for name in ("accepted", "connections"))
        said.append(f"{accepted:,} accepted over {connections:,} connections")
        said.append(f"{sum(run.duration_s for run in report.runs):.1f} s")
    return ", ".join(said)


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    return {name: sum(row.grade == name for row in rows) for name in (HELD, BROKEN, NOT_GRADED)}


def _line(row: Row) -> Text:
    mark, style = MARKS[row.grade]
    line = Text.assemble(" " * INDENT, (mark, style), " ", plain(row.expected), ": ")
    line.append(plain(row.found), "" if row.grade != NOT_GRADED else "dim")
    return line
