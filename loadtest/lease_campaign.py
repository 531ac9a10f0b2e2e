"""A campaign over Locust's workers as its master sees it: leases, one account, what becomes of lost workers. No I/O."""

import logging
import time
from collections.abc import Callable

import msgspec

from loadtest.lease_messages import LEASE, LOST, Asked, Leased, Lost, WorkerReport
from loadtest.lease_plan import AHEAD_S, ClosedPlan, OpenPlan
from loadtest.leases import Lease, Leases
from loadtest.load_settings import LoadSettings
from loadtest.recording import Recording
from loadtest.tally import Tally
from loadtest.timetable import timetable_of

START_AFTER_S = 0.5
"""An open loop begins so long after the first worker asked, so that the others take part from the first batch on."""

logger = logging.getLogger(__name__)


class MasterCampaign:
    """One campaign. `send`: a message to a worker, by its name. `present`: the names of the workers that are there now.

    `now`: seconds since the epoch. `run`: its number.
    """

    def __init__(
        self,
        settings: LoadSettings,
        run: int,
        *,
        send: Callable[[str, str, msgspec.Struct], None],
        present: Callable[[], set[str]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.run = run
        self.leases = Leases(settings.devices)
        self.recording = Recording()
        self.started_at_s: float | None = None
        self._send, self._present, self._now = send, present, now
        self._reports: dict[str, WorkerReport] = {}
        self._waiting: dict[str, None] = {}  # those that have asked; in an open loop for good
        self._refused: dict[str, str] = {}
        self._lost: set[str] = set()
        self._closed = ClosedPlan(settings.start_index, settings.population.count, settings.batch_size)
        profile = settings.profile
        self._open = None if profile is None else OpenPlan(timetable_of(settings, profile))

    @property
    def tally(self) -> Tally:
        """Of all workers together, lost ones as far as they told."""
        total = Tally()
        for report in self._reports.values():
            total.add(report.tally)
        return total

    @property
    def stopped(self) -> str | None:
        """Why a worker stopped, or could not take part; None when all is well."""
        found = (report.stopped for report in self._reports.values())
        return next((why for why in (*found, *self._refused.values()) if why), None)

    @property
    def repeated(self) -> int:
        """Devices that were given out again after they may have been sent."""
        return self.leases.repeated + sum(report.repeated for report in self._reports.values())

    @property
    def unknown(self) -> int:
        """Devices that lost workers may have sent, and that nobody else was given."""
        return self.leases.unsure

    @property
    def over(self) -> bool:
        """Every device has come to its end, or nobody is left to send."""
        if self.leases.finished:
            return True
        able = self._present() - self._lost - set(self._refused)
        return not any(worker not in self._reports or not self._reports[worker].stopped for worker in able)

    def is_lost(self, worker: str) -> bool:
        """Others have what it held: it does not count any more."""
        return worker in self._lost

    def asked(self, worker: str, asked: Asked) -> None:
        """A worker wants something to send, or cannot take part."""
        if asked.refused is not None:
            self._refused[worker] = asked.refused
        elif worker not in self._lost:
            if self.started_at_s is None:
                self.started_at_s = self._now() + (0.0 if self._open is None else START_AFTER_S)
            self.leases.join(worker)
            self._waiting[worker] = None
            self._serve()

    def heard(self, worker: str, report: WorkerReport) -> bool:
        """Take a report. False when it must not be counted, nor Locust's figures beside it."""
        if report.run != self.run:
            return True  # of an earlier run: no matter of ours
        if worker in self._lost or not self.leases.hear(worker, report.standing):
            self._lose(worker, "a report of it is missing")
            self._send(worker, LOST, Lost(self.run))
            return False
        self._reports[worker] = report
        self.recording.add(report.recording)
        if report.leaving:
            self.leases.leave(worker)
        if report.stopped is not None or report.idle:
            self._waiting.pop(worker, None)
        self._serve()
        return True

    def watch(self) -> None:
        """The clock has moved on."""
        present = self._present()
        for worker in self.leases.workers:
            if worker not in present:
                self._lose(worker, "it is gone")
        self._serve()

    def _lose(self, worker: str, why: str) -> None:
        self._lost.add(worker)
        self._waiting.pop(worker, None)
        held = self.leases.lose(worker)
        if held:
            logger.warning(
                f"worker {worker} is lost ({why}): the {held:,} devices that it held are for others to send to"
            )

    def _serve(self) -> None:
        waiting = [worker for worker in self.leases.workers if worker in self._waiting]
        if self._open is not None:
            assert self.started_at_s is not None or not waiting
            elapsed_s = self._now() - (self.started_at_s or 0.0)
            # All that come within the first moment shall have their part of the first batches.
            if waiting and elapsed_s >= -START_AFTER_S / 2:
                for worker, lease in self._open.deal(waiting, self.leases, elapsed_s + AHEAD_S).items():
                    self._give(worker, lease)
            return
        for worker in waiting:
            more = self._closed.lease_to(worker, self.leases)
            if more is not None:
                del self._waiting[worker]
                self._give(worker, more)

    def _give(self, worker: str, lease: Lease) -> None:
        assert self.started_at_s is not None
        self._send(worker, LEASE, Leased(self.run, lease.number, lease.pieces, self.started_at_s, self._now()))
