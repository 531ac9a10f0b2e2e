"""A campaign over Locust's master and workers: the master gives each worker a range of its own, and adds up their tallies.

A worker that joins later gets no range and sends nothing. What a worker had not sent when it died stays unsent, and the
master says so.
"""

import logging
from collections.abc import Callable

import msgspec
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner

from loadtest.index_range import IndexRange, shares
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_settings import LoadSettings
from loadtest.locust_events import listen
from loadtest.recording import Recording
from loadtest.tally import Tally

SHARE_MESSAGE = "pushrig_share"
REPORT_KEY = "pushrig"

logger = logging.getLogger(__name__)


class Share(msgspec.Struct):
    """What a worker sends: indices from `start` to before `stop`, `rate_share` of the profile. `number`: the worker's own."""

    start: int
    stop: int
    rate_share: float
    number: int


class WorkerReport(msgspec.Struct):
    """Where a worker stands; sent with each of Locust's reports.

    `tally`: always from the start of the campaign. `recording`: since the report before.
    """

    tally: Tally
    recording: Recording
    finished: bool
    stopped: str | None


class Master:
    """The master's side. `on_end`: called once, when every worker with a share has finished, was stopped, or is gone."""

    def __init__(self, runner: MasterRunner, on_end: Callable[[], None]) -> None:
        self._runner = runner
        self._on_end = on_end
        self._expected: set[str] = set()
        self._reports: dict[str, WorkerReport] = {}
        self.recording = Recording()
        listen(runner.environment.events.worker_report, self._on_report)

    def begin(self, settings: LoadSettings) -> str | None:
        """Divide the campaign among the workers that are ready. Returns why it cannot be, or None."""
        workers = [node.id for node in self._runner.clients.ready]
        if self._runner.target_user_count < len(workers):
            return f"{len(workers)} workers need at least as many users: start with --users {len(workers)} or more"
        self._expected, self._reports = set(workers), {}
        self.recording = Recording()
        ranges = shares(settings.start_index, settings.devices, len(workers))
        for number, (worker, indices) in enumerate(zip(workers, ranges, strict=True)):
            share = Share(indices.start, indices.stop, len(indices) / settings.devices, number)
            self._runner.send_message(SHARE_MESSAGE, msgspec.to_builtins(share), worker)
        return None

    @property
    def tally(self) -> Tally:
        """Of all workers together."""
        total = Tally()
        for report in self._reports.values():
            total.add(report.tally)
        return total

    @property
    def stopped(self) -> str | None:
        """Why a worker stopped, or None."""
        return next((report.stopped for report in self._reports.values() if report.stopped), None)

    def _on_report(self, client_id: str, data: dict[str, object], **_: object) -> None:
        encoded = data.get(REPORT_KEY)
        if client_id not in self._expected or not isinstance(encoded, bytes):
            return
        self._reports[client_id] = report = msgspec.json.decode(encoded, type=WorkerReport)
        self.recording.add(report.recording)
        here = {node.id for node in [*self._runner.clients.ready, *self._runner.clients.spawning]}
        here |= {node.id for node in self._runner.clients.running}
        if all(worker not in here or self._is_done(worker) for worker in self._expected):
            self._expected = set()
            self._on_end()

    def _is_done(self, worker: str) -> bool:
        report = self._reports.get(worker)
        return report is not None and report.finished


class Worker:
    """The worker's side: keeps the share that the master sent until the test starts, and reports.

    `on_batch`: see `LoadCampaign`.
    """

    def __init__(self, runner: WorkerRunner, on_batch: Callable[[BatchResult], None]) -> None:
        self._on_batch = on_batch
        self._share: Share | None = None
        self._campaign: LoadCampaign | None = None
        runner.register_message(SHARE_MESSAGE, self._on_share)
        listen(runner.environment.events.report_to_master, self._on_report)

    def begin(self, settings: LoadSettings) -> LoadCampaign | None:
        """The campaign over this worker's share; None without one."""
        share, self._share = self._share, None
        self._campaign = None
        if share is None:
            logger.warning("this worker joined after the start: it has no devices to send to in this test")
            return None
        indices = IndexRange(share.start, share.stop)
        self._campaign = LoadCampaign(
            settings, indices, share=share.rate_share, number=share.number, on_batch=self._on_batch
        )
        return self._campaign

    def _on_share(self, environment: Environment, msg: Message, **_: object) -> None:
        self._share = msgspec.convert(msg.data, Share)

    def _on_report(self, client_id: str, data: dict[str, object], **_: object) -> None:
        campaign = self._campaign
        if campaign is not None:
            report = WorkerReport(campaign.tally, campaign.recording.take(), campaign.finished, campaign.stopped)
            data[REPORT_KEY] = msgspec.json.encode(report)
