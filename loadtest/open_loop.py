"""The open loop: hands out each batch when it is scheduled, and keeps when it was scheduled, sent and answered.

One greenlet for each process hands batches to its users in turn, all that are due at once. A user takes on more while it waits
for answers, up to what it may have in flight; when no user has room, or the process is too busy, batches are handed out late.
That is recorded, and latency counts from the schedule all the same.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import gevent

from loadtest.arrival_source import OpenBatch, Settled
from loadtest.arrivals import Arrival
from loadtest.recording import LATE_MS, Recording
from loadtest.timetable import Timetable
from sender.run import UNCOMMITTED_MAX
from simulator.devices.fates import Provider

PENDING_MAX = UNCOMMITTED_MAX
"""Devices that one user has taken on over one provider and not settled, beyond which it gets no further batch."""
WAKE_STEP_S = 0.002
"""The least wait for an instant: batches that come closer together leave together, at most so late. Waking costs more than a
small batch."""
AT_ONCE_MAX = 64
"""Batches handed out before answers are read: of a process that is behind, many may be due."""
ROOM_POLL_S = 0.01
STOP_POLL_S = 0.25
WARN_EVERY_S = 5.0

logger = logging.getLogger(__name__)


class Taker(Protocol):
    """A user that takes batches on. `pending`: devices in flight or waiting; `pending_max`: when it takes no more."""

    pending_max: int

    @property
    def pending(self) -> int: ...

    def take(self, batch: OpenBatch) -> None:
        """A batch is due; `wake` follows, after others perhaps."""

    def wake(self) -> None:
        """Send what was taken, now."""

    def no_more(self) -> None:
        """No batch will come any more."""

    def interrupt(self) -> None:
        """Stop: what is not on its way is given up."""


class OpenLoop:
    """The schedule of one process. `timetable`: its batches. `now`: seconds since the epoch.

    `on_batch`: called at the end of each batch with its milliseconds since the scheduled instant, and how many of its
    devices got no final answer. `stopped`: whether the campaign has ended early. `started_at_s`: what instants count from; the
    first user starts the clock, unless it was set before. `repeated`: devices handed out after somebody who left may have sent
    them.
    """

    def __init__(
        self,
        timetable: Timetable,
        recording: Recording,
        *,
        now: Callable[[], float],
        stopped: Callable[[], bool],
        on_batch: Callable[[OpenBatch, int], None],
    ) -> None:
        self.started_at_s = 0.0
        self.exhausted = False
        self.repeated = 0
        self._timetable = timetable
        self._recording = recording
        self._now, self._stopped, self._on_batch = now, stopped, on_batch
        self._takers: list[Taker] = []
        self._turn = 0
        self._warn_at_s = 0.0
        self._waited_for_room: Arrival | None = None
        self._greenlet: gevent.Greenlet | None = None

    @property
    def finished(self) -> bool:
        """No batch will come any more, and nobody waits for answers."""
        return self.exhausted and not self._takers

    def join(self, taker: Taker) -> None:
        """One more user takes batches on."""
        if self.exhausted:
            taker.no_more()
            return
        self._takers.append(taker)
        if self._greenlet is None:
            self.started_at_s = self.started_at_s or self._now()
            self._greenlet = gevent.spawn(self._run)

    def leave(self, taker: Taker) -> None:
        """A user takes no more; after the last one the rest is not sent, unless the timetable has an open end."""
        if taker in self._takers:
            self._takers.remove(taker)
        if not self._takers and self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def settled(self, provider: Provider, settled: Settled) -> int:
        """Devices of a batch came to their end; returns how many milliseconds after their instant."""
        batch = settled.batch
        latency_ms = max(0, settled.at_ms - int(batch.scheduled_at_s * 1000))
        if settled.answered:
            at_s = batch.scheduled_at_s - self.started_at_s
            self._recording.answered(at_s, provider.value, latency_ms, settled.devices)
        else:
            batch.without_answer += settled.devices
        batch.left -= settled.devices
        if not batch.left:
            self._on_batch(batch, latency_ms)
        return latency_ms

    def _run(self) -> None:
        try:
            while not self._stopped() and not self._timetable.exhausted:
                # Looked at anew after each wait: an earlier batch may have been added.
                batch = self._timetable.head
                wait_s = STOP_POLL_S if batch is None else self.started_at_s + batch.at_s - self._now()
                if wait_s > 0:
                    gevent.sleep(min(max(wait_s, WAKE_STEP_S), STOP_POLL_S))
                elif self._hand_out_due():
                    gevent.sleep(0)  # so that a process that is behind still reads answers between batches
                else:
                    gevent.sleep(ROOM_POLL_S)
        finally:
            self.exhausted = self._stopped() or not self._timetable.open_end
            for taker in list(self._takers):
                if self._stopped():
                    taker.interrupt()
                taker.no_more()

    def _hand_out_due(self) -> bool:
        """Hand out what is due, and wake each user once for all that it got. False when none has room."""
        woken: dict[int, Taker] = {}
        for _ in range(AT_ONCE_MAX):
            batch = self._timetable.head
            if batch is None or self.started_at_s + batch.at_s > self._now() or self._stopped():
                break
            taker = self._next_taker(len(batch.indices))
            if taker is None:
                self._waited_for_room = batch
                break
            self._timetable.pop()
            self._hand_out(batch, taker)
            woken[id(taker)] = taker
        for taker in woken.values():
            taker.wake()
        return bool(woken)

    def _hand_out(self, batch: Arrival, taker: Taker) -> None:
        """A batch is due."""
        scheduled_at_s, count = self.started_at_s + batch.at_s, len(batch.indices)
        now_s = self._now()
        late_s, no_room = max(0.0, now_s - scheduled_at_s), batch is self._waited_for_room
        if not batch.recorded:
            self._recording.arrived(batch.at_s, count, late_s, no_room=no_room)
        if late_s * 1000 > LATE_MS and now_s >= self._warn_at_s:
            self._warn_at_s = now_s + WARN_EVERY_S
            logger.warning(f"behind schedule by {late_s:.2f} s{': the users have all they may in flight' * no_room}")
        self.repeated += count if batch.unsure else 0
        taker.take(OpenBatch(batch.indices, scheduled_at_s, now_s, count))

    def _next_taker(self, count: int) -> Taker | None:
        """The next in turn that has room, or nothing to do at all."""
        for _ in range(len(self._takers)):
            self._turn = (self._turn + 1) % len(self._takers)
            taker = self._takers[self._turn]
            pending = taker.pending
            if not pending or pending + count <= taker.pending_max:
                return taker
        return None
