"""What the sender's user sees: a progress bar while it runs, a table at its end. Everything shown is plain text to rich."""

from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sender.campaign import Progress as CampaignProgress
from sender.campaign_report import CampaignReport, ProviderReport
from sender.store.registration import APNS, FCM

REASONS_SHOWN_MAX = 20
PROVIDER_TITLES = {APNS: "APNs", FCM: "FCM"}


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
    """The summary of one run: a column for each provider that took part, and one for all where there are several."""
    columns: list[ProviderReport | CampaignReport] = list(report.providers.values())
    titles = [PROVIDER_TITLES.get(name, name) for name in report.providers]
    if len(columns) > 1:
        columns.append(report)
        titles.append("in all")
    table = Table(box=box.SIMPLE, title=plain(f"campaign {report.campaign}"), title_justify="left")
    table.add_column("")
    for title in titles:
        table.add_column(title, justify="right")

    def add(name: str, counts: list[int | None]) -> None:
        table.add_row(plain(name), *("" if count is None else f"{count:,}" for count in counts))

    add("sent", [each.sent for each in columns])
    add("accepted", [each.accepted for each in columns])
    for reason in list(report.rejected)[:REASONS_SHOWN_MAX]:
        add(f"rejected: {reason}", [each.rejected.get(reason) for each in columns])
    add("tokens invalidated", [each.invalidated for each in columns])
    add("retried", [each.retried for each in columns])
    add("may have been sent twice", [each.uncertain for each in columns])
    add("still due", [each.remaining for each in columns])
    if report.run > 1:
        for state in report.all_runs:
            add(f"{state.replace('_', ' ')}, in all runs", [each.all_runs[state] for each in columns])
    for name in report.latency_ms:
        cells = [each.latency_ms.get(name) for each in columns]
        table.add_row(f"answer time {name}", *("" if each is None else f"{each:,.0f} ms" for each in cells))
    blank = [""] * (len(columns) - 1)
    table.add_row("seconds", *blank, f"{report.elapsed_s:,.2f}")
    table.add_row("notifications per second", *blank, f"{report.rate_per_s:,.0f}")
    return table


def print_report(report: CampaignReport) -> None:
    """The table on stdout."""
    Console().print(report_table(report))
