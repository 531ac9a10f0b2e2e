"""What the demo shows on a terminal: progress while it works, tables at the end, and what to try next."""

from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtest.demo import DemoReport, ProviderFigures, Stage
from loadtest.rig_process import RunningRig
from sender.summary import PROVIDER_TITLES

NEXT = """What to try next:

  pushrig serve                       run the simulator, then `pushrig env`
  pushrig tokens --count 1000000 \\
      --out devices.db                mint a device store of your own
  pushrig send --help                 send a campaign from it
  pushrig load --devices 100000       the same load from Locust
  pushrig bench                       how fast each part is on this machine
"""


class DemoScreen(Stage):
    """Progress on stderr for the length of a `with` block, tables on stdout; silent when not `shown`."""

    def __init__(self, *, shown: bool) -> None:
        self._out = Console(highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:<36}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task: TaskID | None = None

    def begin(self, title: str, total: int) -> None:
        self._finish()
        self._task = self._progress.add_task(title, total=total)

    def advance(self, done: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done)

    def show_rig(self, rig: RunningRig) -> None:
        """Where the simulator is, and how it runs."""
        self._progress.console.print(
            f"simulator: {rig.url}, control plane {rig.control_url}, without the providers' rates (--limits off)",
            markup=False,
        )

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._task]
            self._progress.update(self._task, total=task.completed or task.total)
            self._progress.stop_task(self._task)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._finish()
        self._progress.stop()

    def show_report(self, report: DemoReport) -> None:
        """The tables."""
        self._out.print(_campaign_table(report))
        self._out.print(_ledger_table(report))
        self._out.print(_machine_table(report))
        if not report.failures:
            self._out.print(
                "Every active device got each notification once, every dead token was pruned, none wrongly.\n"
            )
            self._out.print(NEXT, markup=False)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_header=False, title_style="bold")
    table.add_column(min_width=34)
    table.add_column(justify="right", min_width=12)
    return table


def _campaign_table(report: DemoReport) -> Table:
    table = Table(title="First campaign", title_justify="left", box=box.SIMPLE, title_style="bold")
    table.add_column("", min_width=34)
    sides: list[ProviderFigures | DemoReport] = [*report.providers.values(), report]
    for name in (*(PROVIDER_TITLES[name] for name in report.providers), "in all"):
        table.add_column(name, justify="right", min_width=9)
    table.add_row("sent", *(f"{side.sent:,}" for side in sides))
    table.add_row("accepted", *(f"{side.accepted:,}" for side in sides))
    for reason in report.rejected:
        counts = [side.rejected.get(reason) for side in sides]
        table.add_row(f"rejected: {reason}", *("" if count is None else f"{count:,}" for count in counts))
    for name in report.latency_ms:
        times = [side.latency_ms.get(name) for side in sides]
        table.add_row(f"answer time {name}", *("" if value is None else f"{value:,.0f} ms" for value in times))
    blank = [""] * len(report.providers)
    table.add_row("tokens invalidated", *blank, f"{report.invalidated:,}")
    table.add_row("seconds, store and feedback included", *blank, f"{report.elapsed_s:,.2f}")
    table.add_row("notifications per second", *blank, f"{report.rate_per_s:,.0f}")
    return table


def _ledger_table(report: DemoReport) -> Table:
    table = Table(
        title="What the simulator's ledger says of the devices",
        title_justify="left",
        box=box.SIMPLE,
        title_style="bold",
    )
    for name in ("", "accepted once", "more than once", "rejected", "never"):
        table.add_column(name, justify="left" if not name else "right")
    for name, ledger in (("first campaign", report.ledger), ("second campaign", report.second_campaign.ledger)):
        figures = (ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never)
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    return table


def _machine_table(report: DemoReport) -> Table:
    table = _table("Where the time went")
    for name, spent in report.cpu_s.items():
        table.add_row(f"CPU of the {name}", "unknown" if spent is None else f"{spent:,.2f} s")
    table.add_row("the limit was", report.bottleneck)
    for name, megabytes in report.peak_rss_mb_by_process.items():
        table.add_row(f"peak memory of the {name}", "unknown" if megabytes is None else f"{megabytes:,.0f} MB")
    return table
