"""A report on the terminal."""

from rich import box
from rich.console import Console
from rich.table import Table as ScreenTable

from loadtest.bench.compare import Comparison
from loadtest.bench.records import BenchReport
from loadtest.bench.tables import (
    ESTIMATES_TITLE,
    Table,
    bars_table,
    changes_table,
    comparison_remarks,
    costs_table,
    estimates,
    growth_tables,
    heading,
    remarks,
    rows_table,
)

FIRST_COLUMN_WIDTH_MIN = 20  # of an 80-column terminal; the figures take the rest


def show_report(report: BenchReport) -> None:
    """Tables on stdout."""
    console = Console()
    console.print(heading(report), highlight=False)
    for table in (rows_table(report.rows), bars_table(report.bars), costs_table(report.costs)):
        if table.lines:
            console.print(_screen(table))
    for what, table in growth_tables(report):
        console.print(what, highlight=False)
        console.print(_screen(table))
    said = estimates(report)
    for line in [ESTIMATES_TITLE, *said] if said else []:
        console.print(line, highlight=False, markup=False)
    for remark in remarks(report):
        console.print(remark, highlight=False, markup=False)


def show_table(table: Table) -> None:
    """One table on stdout."""
    Console().print(_screen(table))


def show_comparison(comparison: Comparison) -> None:
    """What changed, on stdout."""
    console = Console()
    console.print(_screen(changes_table(comparison)))
    for remark in comparison_remarks(comparison):
        console.print(remark, highlight=False)


def _screen(table: Table) -> ScreenTable:
    screen = ScreenTable(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for number, title in enumerate(table.columns):
        if number:
            screen.add_column(title, justify="right", no_wrap=True)
        else:
            screen.add_column(title, min_width=FIRST_COLUMN_WIDTH_MIN)
    for line in table.lines:
        style = "red" if line[-1] == "MISS" else "green" if line[-1] == "pass" else None
        screen.add_row(*line[:-1], f"[{style}]{line[-1]}[/]" if style else line[-1])
    return screen
