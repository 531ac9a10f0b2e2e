"""The table of `pushrig bench`."""

from rich import box
from rich.table import Table

from loadtest.bench import BenchReport


def bench_table(report: BenchReport) -> Table:
    """One line a row: medians, spread, CPU of both sides, ratio to the last row."""
    table = Table(
        title=f"{report.connections} connections, medians of {report.repeats} runs, {report.cores} cores, "
        f"Python {report.python}",
        title_justify="left",
        box=box.SIMPLE,
    )
    table.add_column("CPU in µs a notification", no_wrap=True)
    for name in ("per second", "spread", "server", "sender", "limit", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.rows:
        cpu = ["?" if row.cpu_us[side] is None else f"{row.cpu_us[side]:,.1f}" for side in ("server", "sender")]
        table.add_row(
            row.name,
            f"{row.rate_per_s:,.0f}",
            f"{row.spread:.0%}",
            *cpu,
            row.bottleneck,
            "1" if row.ratio is None else f"{row.ratio:,.0f} ×",
        )
    return table
