"""A report in Markdown: the tables of docs/performance.md come from here. Pure."""

from loadtest.bench.compare import Comparison
from loadtest.bench.records import BenchReport
from loadtest.bench.tables import (
    Table,
    bars_table,
    changes_table,
    comparison_remarks,
    costs_table,
    heading,
    remarks,
    rows_table,
)


def in_markdown(report: BenchReport) -> str:
    """The whole report."""
    parts = [
        heading(report) + ".",
        table_in_markdown(rows_table(report.rows)),
        table_in_markdown(bars_table(report.bars)),
    ]
    if report.costs:
        parts.append(table_in_markdown(costs_table(report.costs)))
    said = remarks(report)
    if said:
        parts.append("\n".join(f"- {remark}" for remark in said))
    return "\n\n".join(parts) + "\n"


def comparison_in_markdown(comparison: Comparison) -> str:
    """What changed."""
    parts = [
        table_in_markdown(changes_table(comparison)),
        "\n".join(f"- {said}" for said in comparison_remarks(comparison)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table_in_markdown(table: Table) -> str:
    """One table."""
    lines = [table.columns, ("---", *("---:" for _ in table.columns[1:])), *table.lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
