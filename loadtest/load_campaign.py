"""One process's part of a campaign: what is left to send, the schedule, the account of what was sent.

In a closed loop a user takes a batch when it has no other; in an open loop batches come to it when they are scheduled.
"""

import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from loadtest.arrival_source import OpenBatch
from loadtest.batch_log import BatchLog, batch_log
from loadtest.index_pool import IndexPool
from loadtest.leases import Piece, devices_in
from loadtest.load_settings import LoadSettings
from loadtest.load_side import Counted, sides_of
from loadtest.open_loop import OpenLoop
from loadtest.recording import Recording
from loadtest.tally import Tally
from loadtest.timetable import Timetable, timetable_of
from sender.client_tls import client_tls
from sender.run import Pacer
from sender.token_fetch import fetcher
from simulator.devices.fates import Provider


class BatchResult(NamedTuple):
    """`elapsed_s`: to its last result, from its scheduled instant or its first sending. `stopped`: see `end_batch`.

    `incomplete`: why not all of the batch got a final result, None when they did.
    """

    elapsed_s: float
    incomplete: str | None
    stopped: str | None


def incomplete(missing: int) -> str | None:
    """What to say of so many of a batch without a final result; None for none."""
    return f"{missing} notifications not sent" if missing else None


class CampaignSender(Protocol):
    """What one user sends, as its campaign sees it."""

    @property
    def open_pieces(self) -> list[Piece]:
        """What is being sent and has no final result, for others to send if this user leaves."""

    def settle(self) -> None:
        """All results that are here are counted."""

    def interrupt(self) -> None:
        """Stop claiming; what is in flight is waited for."""


class LoadCampaign:
    """What the users of this process share: devices that each is sent to once, the schedule, the tally.

    `pool`: the devices in a closed loop. `timetable`: in an open one, None for the profile over the devices of `pool`.
    `number`: of this process among those that share the campaign. `on_batch`: told of each batch of an open loop that ended.
    `on_user`: called when a user is ready. `now`: seconds since the epoch; `cpu`: seconds of CPU time of this process.
    `senders`: of the users that are here.
    """

    def __init__(
        self,
        settings: LoadSettings,
        pool: IndexPool,
        *,
        timetable: Timetable | None = None,
        number: int = 0,
        on_batch: Callable[[BatchResult], None] = lambda batch: None,
        on_user: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.settings = settings
        self.now = now
        self.on_user = on_user
        self.senders: list[CampaignSender] = []
        self.tally = Tally()
        self.recording = Recording()
        self.stopped: str | None = None
        self.tls: ssl.SSLContext | None = client_tls(settings.endpoint, settings.ca_file)
        self.sides = sides_of(settings)
        self.fetch = fetcher(settings.ca_file)
        self.pacer = Pacer(0.0, now())  # the pace is that of the schedule
        self.key = secrets.randbits(64)
        self._cpu = cpu
        self._cpu_at_start_s = 0.0
        self._batches_open = 0
        self._begun: dict[int, range] = {}  # batches taken that nobody has begun to send, by their first index
        self._pool = pool
        self._timetable = Timetable()
        self._started_at_s: float | None = None
        self._on_batch = on_batch
        self.open_loop: OpenLoop | None = None
        self._batch_log: BatchLog | None = None
        if settings.profile is not None:
            if settings.batches_file is not None:
                self._batch_log = batch_log(settings.batches_file, number)
            self._timetable = timetable or timetable_of(settings, settings.profile)
            self.open_loop = OpenLoop(
                self._timetable,
                self.recording,
                now=now,
                stopped=lambda: self.stopped is not None,
                on_batch=self._batch_of_open_loop_ended,
            )

    @property
    def method(self) -> str:
        """What Locust shows of a batch in its column of methods."""
        return "+".join(side.provider.name for side in self.sides)

    @property
    def finished(self) -> bool:
        """Nothing is left to be sent, or the campaign was stopped."""
        if self.open_loop is not None:
            return self.stopped is not None or self.open_loop.finished
        return self.stopped is not None or (not self._pool.remaining and not self._batches_open)

    def begin_batch(self) -> range:
        """The indices of the next batch; empty when all were given out. Each batch that was not empty ends in `end_batch`."""
        taken = self._pool.take(self.settings.batch_size) if self.stopped is None else range(0)
        if taken and self.stopped is not None:  # while it waited for them
            self._pool.add([Piece(taken.start, taken.stop)])
            return range(0)
        if taken:
            self._batches_open += 1
            self._begun[taken.start] = taken
            self.begin()
        return taken

    def hold(self) -> None:
        """A user has more to do when all has been sent: the campaign is not finished before `release`."""
        self._batches_open += 1

    def release(self) -> None:
        """It has done that."""
        self._batches_open -= 1

    def begin(self) -> None:
        """Something is about to be sent; counts only once."""
        if not self.tally.started_at_s:
            self.tally.started_at_s = self.now()
            self._cpu_at_start_s = self._cpu()

    def sends(self, indices: range) -> bool:
        """A sender takes a batch on; False when it was sent before, and nobody else is to be given it."""
        return self._begun.pop(indices.start, None) is not None

    def end_batch(self, indices: range, stopped: str | None) -> None:
        """A batch is over. `stopped`: why the sender wants no further ones, None when all is well."""
        self._batches_open -= 1
        if self.sends(indices):  # it never came to that
            self._pool.add([Piece(indices.start, indices.stop)])
        self._batch_ended()
        self.stopped = self.stopped or stopped

    def _batch_ended(self) -> None:
        self.tally.batches += 1
        self.tally.ended_at_s = self.now()
        self.tally.cpu_s = self._cpu() - self._cpu_at_start_s

    def _batch_of_open_loop_ended(self, batch: OpenBatch, latency_ms: int) -> None:
        self._batch_ended()
        self.recording.batch_ended(self.method, latency_ms)
        if self._batch_log is not None and self.open_loop is not None:
            answered_at_s = batch.scheduled_at_s + latency_ms / 1000
            self._batch_log.ended(batch, answered_at_s, self.open_loop.started_at_s)
        self._on_batch(BatchResult(latency_ms / 1000, incomplete(batch.without_answer), None))

    # What this process has to send.

    def start_at(self, started_at_s: float) -> None:
        """When the campaign started elsewhere, since the epoch: what its figures over time count from."""
        self._started_at_s = started_at_s
        if self.open_loop is not None:
            self.open_loop.started_at_s = self.tally.started_at_s = started_at_s

    def add(self, pieces: Iterable[Piece]) -> None:
        """More to send, or again."""
        if self.open_loop is None:
            self._pool.add(pieces)
        else:
            self._timetable.add(piece.batch() for piece in pieces)

    def standing(self) -> tuple[list[Piece], list[Piece]]:
        """What has not come to its end: first what stays here, then what is given back since nobody here will send it.

        All that was counted until now is in the tally, the recording, and Locust's statistics.
        """
        for sender in self.senders:
            sender.settle()
        taken = [Piece(batch.start, batch.stop) for batch in self._begun.values()]
        taken += [piece for sender in self.senders for piece in sender.open_pieces]
        if self.senders and self.stopped is None:
            return [*self._pool.pieces, *map(Piece.of, self._timetable.added), *taken], []
        return taken, [*self._pool.take_all(), *map(Piece.of, self._timetable.take_added())]

    @property
    def repeated(self) -> int:
        """Devices taken on after somebody who left may have sent to them."""
        return self._pool.repeated + (0 if self.open_loop is None else self.open_loop.repeated)

    @property
    def unknown(self) -> int:
        """Devices that somebody who left may have sent, and that nobody took on again."""
        waiting = [*self._pool.pieces, *map(Piece.of, self._timetable.added)]
        return devices_in(piece for piece in waiting if piece.unsure)

    def stop(self, why: str) -> None:
        """Send nothing more."""
        self.stopped = self.stopped or why
        for sender in self.senders:
            sender.interrupt()

    def close(self) -> None:
        """Nothing will be counted any more."""
        if self._batch_log is not None:
            self._batch_log.close()

    def begin_part(self, part: str) -> None:
        """A part of the campaign (see `loadtest.workloads`) is about to be sent; counts only once."""
        tally = self.tally.part(part)
        tally.started_at_s = tally.started_at_s or self.now()

    def count(self, provider: Provider, counted: Counted, part: str, *, further: bool = False) -> None:
        """Add what a user has counted of its part. `further`: of devices that had a notification before."""
        counts, given_up, latency_ms = counted
        now_s = self.now()
        self.tally.count(counts, given_up, latency_ms)
        of_part = self.tally.part(part)
        of_part.count(counts, given_up, latency_ms)
        of_part.ended_at_s = now_s
        if further:
            self.tally.further_accepted += counts.accepted
            self.tally.further_rejected += counts.rejected.total()
            self.tally.ended_at_s, self.tally.cpu_s = now_s, self._cpu() - self._cpu_at_start_s
        at_s = now_s - (self._started_at_s or self.tally.started_at_s)
        self.recording.counted(at_s, provider.value, counts, given_up, scheduled=self.open_loop is not None)
