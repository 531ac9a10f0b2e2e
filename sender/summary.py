"""What the sender's user sees: a progress bar while it runs, a table at its end. Everything shown is plain text to rich."""

from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sender.campaign import CampaignReport
from sender.campaign import Progress as CampaignProgress

REASONS_SHOWN_MAX = 20


def plain(text: str) -> Text:
    """Text that comes from a file or the network: no markup is read in it, and control characters are shown, not obeyed."""
    return Text("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


class ProgressBar:
    """A bar on stderr, for the length of a `with` block; nothing when not `shown`."""

    def __init__(self, title: str, *, shown: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._progress.add_task(plain(title).plain, total=None, rate="")

    def update(self, progress: CampaignProgress) -> None:
        """Show how far the campaign is."""
        task = self._progress.tasks[0]
        rate = f"{progress.sent / task.elapsed:,.0f}/s" if task.elapsed else ""
        self._progress.update(self._task, total=progress.total, completed=progress.done, rate=rate)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()


def report_table(report: CampaignReport) -> Table:
    """The summary of one run."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row("campaign", plain(report.campaign))
    rows = [
        ("sent", report.sent),
        ("accepted", report.accepted),
        *((f"rejected: {reason}", count) for reason, count in list(report.rejected.items())[:REASONS_SHOWN_MAX]),
        ("tokens invalidated", report.invalidated),
        ("retried", report.retried),
        ("may have been sent twice", report.uncertain),
        ("still due", report.remaining),
    ]
    if report.run > 1:
        rows += [
            (f"{state.replace('_', ' ')}, in all {report.run} runs", count) for state, count in report.all_runs.items()
        ]
    for name, count in rows:
        table.add_row(plain(name), f"{count:,}")
    table.add_row("seconds", f"{report.elapsed_s:,.2f}")
    table.add_row("notifications per second", f"{report.rate_per_s:,.0f}")
    for name, value in report.latency_ms.items():
        table.add_row(f"answer time {name}", f"{value:,.0f} ms")
    return table


def print_report(report: CampaignReport) -> None:
    """The table on stdout."""
    Console().print(report_table(report))
