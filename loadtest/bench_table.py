"""The table of `pushrig bench`."""

from rich import box
from rich.table import Table

from loadtest.bench import BenchReport


def bench_table(report: BenchReport) -> Table:
    """One line a row: medians, spread, CPU of both sides, ratio to the last row."""
    table = Table(
        title=f"{report.connections} connections, median of {report.repeats}, {report.cores} cores, "
        f"Python {report.python}; CPU: µs a notification",
        title_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("the reference sender to", no_wrap=True, min_width=24)
    columns = (("per second", 8), ("spread", 6), ("server CPU", 6), ("sender CPU", 6), ("limit", 9), ("ratio", 5))
    for name, width in columns:
        table.add_column(name, justify="right", min_width=width)
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
