"""A worker's side of a campaign over Locust's workers: what it was leased, and the account that it gives of it."""

import logging
import time
from collections.abc import Callable, Iterable

import gevent.event
import msgspec
from locust.env import Environment
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadtest.index_pool import IndexPool
from loadtest.lease_messages import ASK, LEASE, LOST, REPORT, Asked, Leased, Lost, WorkerReport
from loadtest.leases import Holding, Lease, Piece
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_settings import LoadSettings
from loadtest.locust_events import fire
from loadtest.timetable import Timetable

CLOCK_DIFFERENCE_MAX_S = 1.0
LEFT_BEHIND = "others have taken over what this worker was to send: the master has not heard of it for too long"

logger = logging.getLogger(__name__)


class LeasedPool(IndexPool):
    """Waits for more when it is empty, and asks for it in time. `ask`: for another lease."""

    def __init__(self, ask: Callable[[], None]) -> None:
        super().__init__()
        self._ask = ask
        self._low = 0  # ask when no more remain
        self._came = gevent.event.Event()

    def add(self, pieces: Iterable[Piece]) -> None:
        super().add(pieces)
        self._low = max(self._low, self.remaining // 2)
        self._came.set()

    def take(self, count: int) -> range:
        while True:
            self._came.clear()
            taken = super().take(count)
            if self.remaining <= self._low:
                self._low = 0
                self._ask()
            if taken:
                return taken
            self._came.wait()


class Worker:
    """Locust's worker with the campaign of its present test. `on_batch`: see `LoadCampaign`."""

    def __init__(self, runner: WorkerRunner, on_batch: Callable[[BatchResult], None]) -> None:
        self._runner = runner
        self._on_batch = on_batch
        self._campaign: LoadCampaign | None = None
        self._run: int | None = None
        self._holding = Holding()
        self._asked = self._leaving = False
        runner.register_message(LEASE, self._on_lease)
        runner.register_message(LOST, self._on_lost)

    def begin(self, settings: LoadSettings) -> LoadCampaign:
        """A campaign begins: its users ask for what they are to send."""
        self._run, self._asked, self._holding = None, False, Holding()
        self._campaign = LoadCampaign(
            settings,
            LeasedPool(self.ask),
            timetable=Timetable(open_end=True),
            number=self._runner.worker_index,
            on_batch=self._on_batch,
            on_user=self.ask,
        )
        return self._campaign

    def refuse(self, why: str) -> None:
        """This worker cannot take part."""
        self._runner.send_message(ASK, msgspec.to_builtins(Asked(why)))

    def leave(self, **_: object) -> None:
        """This process ends, in good order: its users stop, and the master hears what is left for others."""
        self._runner.stop()
        self._leaving = True
        data: dict[str, object] = {}
        fire(self._runner.environment.events.report_to_master, client_id=self._runner.client_id, data=data)
        self._runner.send_message("stats", data)

    def ask(self) -> None:
        """Ask for more, unless that was done and not answered yet."""
        if not self._asked:
            self._asked = True
            self._runner.send_message(ASK, msgspec.to_builtins(Asked()))

    def report(self, data: dict[str, object]) -> None:
        """Add to the figures that are about to be sent. Comes before Locust adds its own."""
        campaign = self._campaign
        if campaign is None or self._run is None:
            return
        idle = not campaign.senders
        if self._asked and not idle and campaign.stopped is None:  # in case the question, or its answer, was lost
            self._runner.send_message(ASK, msgspec.to_builtins(Asked()))
        open_, given_back = campaign.standing()
        report = WorkerReport(
            run=self._run,
            standing=self._holding.standing(open_, given_back),
            tally=campaign.tally,
            recording=campaign.recording.take(),
            repeated=campaign.repeated,
            idle=idle,
            stopped=campaign.stopped,
            leaving=self._leaving,
        )
        if self._leaving:
            self._campaign = None  # no lease is taken any more
        data[REPORT] = msgspec.msgpack.encode(report)

    def _on_lease(self, environment: Environment, msg: Message, **_: object) -> None:
        lease = msgspec.convert(msg.data, Leased)
        campaign = self._campaign
        if campaign is None or campaign.stopped is not None or self._run not in (None, lease.run):
            return  # of a test that is over here
        if self._run is None:
            self._run = lease.run
            campaign.start_at(lease.started_at_s)
            apart_s = time.time() - lease.sent_at_s
            if abs(apart_s) > CLOCK_DIFFERENCE_MAX_S:
                logger.warning(
                    f"the clocks of the master and of this worker are {apart_s:.1f} s apart: its figures over time, and "
                    "latencies from the schedule, are off by that"
                )
        if not self._holding.take(Lease(lease.number, lease.pieces)):
            return  # the master takes all back
        self._asked = False
        campaign.add(lease.pieces)

    def _on_lost(self, environment: Environment, msg: Message, **_: object) -> None:
        if self._campaign is not None and msgspec.convert(msg.data, Lost).run == self._run:
            self._run = None
            logger.error(LEFT_BEHIND)
            self._campaign.stop(LEFT_BEHIND)
