"""A report in Markdown: the tables of docs/performance.md come from here. Pure."""

from collections.abc import Sequence

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


def in_markdown(report: BenchReport) -> str:
    """The whole report."""
    parts = [heading(report) + "."]
    tables = (rows_table(report.rows), bars_table(report.bars), costs_table(report.costs))
    parts += [table_in_markdown(table) for table in tables if table.lines]
    for what, table in growth_tables(report):
        parts += [f"{what}:", table_in_markdown(table)]
    said = estimates(report)
    if said:
        parts += [ESTIMATES_TITLE, _listed(said)]
    said = remarks(report)
    if said:
        parts.append(_listed(said))
    return "\n\n".join(parts) + "\n"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def comparison_in_markdown(comparison: Comparison) -> str:
    """What changed."""
    parts = [
        table_in_markdown(changes_table(comparison)),
        _listed(comparison_remarks(comparison)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table_in_markdown(table: Table) -> str:
    """One table."""
    lines = [table.columns, ("---", *("---:" for _ in table.columns[1:])), *table.lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
