"""What the user of `pushrig load` sees: a progress bar on stderr, a table on stdout. Everything shown is plain text to rich."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtest.load_plan import CLOSED_LOOP
from loadtest.load_report import LoadReport
from sender.summary import plain

REASONS_SHOWN_MAX = 20


@contextlib.contextmanager
def progress_bar(title: str, total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar while a `with` block runs; yields what tells it how many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not (shown and sys.stderr.isatty())
    ) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def show_report(report: LoadReport) -> None:
    """The table on stdout."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    counts = [
        ("devices", report.devices),
        ("requests in Locust", report.locust_requests),
        ("sent", report.sent),
        ("accepted", report.accepted),
        *((f"rejected: {reason}", count) for reason, count in list(report.rejected.items())[:REASONS_SHOWN_MAX]),
        ("sent again", report.retried),
        ("without a final answer", report.unfinished),
    ]
    if report.ledger is not None:
        counts += [
            ("ledger: accepted once", report.ledger.accepted_once),
            ("ledger: accepted more than once", report.ledger.accepted_more),
            ("ledger: rejected", report.ledger.rejected),
            ("ledger: never answered", report.ledger.never),
        ]
    for name, count in counts:
        table.add_row(plain(name), f"{count:,}")
    for name, part in report.parts.items():
        table.add_row(
            plain(name), f"{part.notifications:,}, {part.rejected_share:.1%} rejected, {part.rate_per_s:,.0f}/s"
        )
    table.add_row("seconds", f"{report.elapsed_s:,.2f}")
    table.add_row("notifications per second", f"{report.rate_per_s:,.0f}")
    since = "sending" if report.arrivals == CLOSED_LOOP else "the schedule"
    for name, value in report.latency_ms.items():
        table.add_row(f"answer time {name}, from {since}", f"{value:,} ms")
    for side, seconds in report.cpu_s.items():
        table.add_row(f"CPU, {side.replace('_', ' ')}", "unknown" if seconds is None else f"{seconds:,.2f} s")
    for side, megabytes in report.peak_rss_mb.items():
        table.add_row(f"memory, {side.replace('_', ' ')}", "unknown" if megabytes is None else f"{megabytes:,.0f} MB")
    if report.scheduled_per_s is not None and report.reached_share is not None:
        table.add_row("scheduled per second", f"{report.scheduled_per_s:,.0f}")
        table.add_row("handed out, of that rate", f"{report.reached_share:.2%}")
    table.add_row("schedule", f"{plain(report.profile)}, {report.arrivals}")
    if report.behind is not None:
        table.add_row("BEHIND SCHEDULE, at worst", f"{report.behind_ms_max:,} ms")
    table.add_row("bottleneck", report.bottleneck)
    if report.ceiling_per_s is not None:
        share = report.rate_per_s / report.ceiling_per_s
        table.add_row("ceiling of the simulator", f"{report.ceiling_per_s:,.0f} a second")
        table.add_row("this run, of that ceiling", f"{share:.0%}")
    if report.limits is not None:
        table.add_row("rates of the providers (--limits)", report.limits)
    Console().print(table)
