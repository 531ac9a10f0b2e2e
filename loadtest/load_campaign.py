"""One process's part of a campaign, and how one user sends it over connections of its own.

In a closed loop a user takes a batch when it has no other; in an open loop batches come to it when they are scheduled.
"""

import random
import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import gevent

from loadtest.arrival_source import OpenBatch
from loadtest.arrivals import arrivals
from loadtest.batch_log import BatchLog, batch_log
from loadtest.index_pool import IndexPool
from loadtest.index_range import IndexRange
from loadtest.leases import Piece, devices_in, marked_unsure, runs, without
from loadtest.load_settings import LoadSettings
from loadtest.load_side import Counted, Side, sides_of
from loadtest.open_loop import PENDING_MAX, OpenLoop
from loadtest.recording import Recording
from loadtest.source import PopulationSource
from loadtest.tally import Tally
from loadtest.timetable import Timetable
from loadtest.workloads.manner import DEFAULT_MANNER, Manner
from sender.client_tls import client_tls
from sender.delivery import Delivery
from sender.gevent_shell import GeventRun
from sender.pool import PoolOptions
from sender.run import Pacer
from sender.token_fetch import fetcher
from simulator.devices.fates import Provider

READY_S = 2.0  # then the schedule starts without
DRAIN_S = 2.0  # for the answers that are under way when a user is stopped


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
        on_batch: Callable[["BatchResult"], None] = lambda batch: None,
        on_user: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.settings = settings
        self.now = now
        self.on_user = on_user
        self.senders: list[BatchSender] = []
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
            self._timetable = timetable or timetable_of(settings)
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
        self._on_batch(BatchResult(latency_ms / 1000, _incomplete(batch.without_answer), None))

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


def timetable_of(settings: LoadSettings) -> Timetable:
    """The whole schedule of a campaign that has a profile."""
    assert settings.profile is not None
    chance = random.Random(f"{settings.population.seed} arrivals") if settings.poisson else None
    indices = IndexRange(settings.start_index, settings.population.count)
    return Timetable(arrivals(settings.profile, indices, settings.batch_size, chance))


class BatchResult(NamedTuple):
    """`elapsed_s`: to its last result, from its scheduled instant or its first sending. `stopped`: see `end_batch`.

    `incomplete`: why not all of the batch got a final result, None when they did.
    """

    elapsed_s: float
    incomplete: str | None
    stopped: str | None


def _incomplete(missing: int) -> str | None:
    return f"{missing} notifications not sent" if missing else None


class BatchSender:
    """One user's connections to each provider, kept from batch to batch: `sides`.

    `on_counts`: takes what was counted over a provider since it was called last, a few times a second and at the end of each
    batch. `manner`: how it sends.
    """

    def __init__(
        self,
        campaign: LoadCampaign,
        on_counts: Callable[[Provider, Counted], None],
        manner: Manner = DEFAULT_MANNER,
    ) -> None:
        self._campaign = campaign
        self._on_counts = on_counts
        settled = None if campaign.open_loop is None else campaign.open_loop.settled
        self.sides = [
            Side(campaign.settings, side, campaign.key, self._make_run, settled, manner) for side in campaign.sides
        ]
        self._sending = False
        self._given_up = False  # nothing is counted any more
        self._own = True  # what is being sent is ours alone, and nobody else is to be given it
        self.pending_max = PENDING_MAX * len(self.sides)

    def _make_run(
        self, delivery: Delivery, source: PopulationSource, pool: PoolOptions, draw: Callable[[], float]
    ) -> GeventRun:
        campaign = self._campaign
        return GeventRun(
            delivery,
            source,
            campaign.settings.endpoint,
            campaign.tls,
            pool,
            draw=draw,
            now=campaign.now,
            pacer=campaign.pacer,
            fetch=campaign.fetch,
            on_progress=self._report,
        )

    def open(self) -> None:
        """Ready the connections; in an open loop they are opened now."""
        for side in self.sides:
            side.run.open(ahead=self._campaign.open_loop is not None)
        self._campaign.senders.append(self)
        self._campaign.on_user()

    def reopen(self) -> None:
        """New connections, between one batch and the next."""
        for side in self.sides:
            side.run.close()
            side.run.open()

    def send(self, indices: range) -> BatchResult:
        """Send one batch, over all providers at once, and wait until each of its notifications has a final result."""
        started_at_s = self._campaign.now()
        lost_before = [side.source.unsent for side in self.sides]
        for side in self.sides:
            side.source.take_on(indices.start, indices.stop)
        self._own = not self._campaign.sends(indices)
        self._sending = True
        try:
            _all_at_once([side.run.send for side in self.sides])
        finally:
            self._report()
        self._sending, self._own = False, True
        stopped = next((side.delivery.stopped for side in self.sides if side.delivery.stopped is not None), None)
        missing = sum(
            side.source.unclaimed + side.source.unsent - before
            for side, before in zip(self.sides, lost_before, strict=True)
        )
        return BatchResult(self._campaign.now() - started_at_s, stopped or _incomplete(missing), stopped)

    # In an open loop.

    def attend(self) -> None:
        """Send what is scheduled, until no more comes and each has a final result, or the campaign is stopped."""
        open_loop = self._campaign.open_loop
        assert open_loop is not None
        for side in self.sides:
            side.run.await_connections(READY_S)  # so that the first batches do not wait for handshakes
        self._campaign.begin()
        open_loop.join(self)
        self._sending, self._own = True, False
        try:
            _all_at_once([partial(self._attend_over, side) for side in self.sides])
        finally:
            self._report()
            open_loop.leave(self)
        self._sending, self._own = False, True

    def _attend_over(self, side: Side) -> None:
        side.run.send()
        # Told at once: the schedule ends, and with it the other side.
        self._campaign.stopped = self._campaign.stopped or side.delivery.stopped

    @property
    def pending(self) -> int:
        """Devices taken on that have no final result yet."""
        return sum(side.arrivals.pending for side in self.sides if side.arrivals is not None)

    def take(self, batch: OpenBatch) -> None:
        """A batch is due; `wake` follows, after others perhaps."""
        for side in self.sides:
            assert side.arrivals is not None
            side.arrivals.arrive(batch)

    def wake(self) -> None:
        """Send what was taken, now."""
        for side in self.sides:
            side.run.wake()

    def no_more(self) -> None:
        """No batch will come any more."""
        for side in self.sides:
            assert side.arrivals is not None
            side.arrivals.end()
            side.run.wake()

    def interrupt(self) -> None:
        """Stop claiming; what is in flight is waited for."""
        for side in self.sides:
            side.run.interrupt()

    @property
    def open_pieces(self) -> list[Piece]:
        """What is being sent and has no final result, for others to send if this user leaves."""
        if self._own:
            return []
        batches: dict[int, tuple[OpenBatch | None, list[int]]] = {}
        for side in self.sides:
            for index, batch in side.open.items():
                batches.setdefault(id(batch), (batch, []))[1].append(index)
        return [
            Piece(run.start, run.stop)
            if batch is None
            else Piece(run.start, run.stop, batch.scheduled_at_s - self._schedule_started_at_s, recorded=True)
            for batch, indices in batches.values()
            for run in runs(indices)
        ]

    @property
    def _schedule_started_at_s(self) -> float:
        open_loop = self._campaign.open_loop
        return 0.0 if open_loop is None else open_loop.started_at_s

    def settle(self) -> None:
        """All results that are here are counted."""
        if not self._given_up:
            for side in self.sides:
                side.run.wake()
            self._report()

    def close(self) -> None:
        """End: others send what was not, and the answers that are under way get a moment."""
        campaign = self._campaign
        try:
            if self._sending:
                self._give_back()
        finally:
            self._report()
            in_flight = {due.device_id for side in self.sides for due in side.run.in_flight}
            left = marked_unsure(self.open_pieces, in_flight)
            self._given_up, self._own = True, True
            if self in campaign.senders:
                campaign.senders.remove(self)
            campaign.add(left)
            for side in self.sides:
                side.run.close()

    def _give_back(self) -> None:
        sent = set[int]().union(*(side.sent for side in self.sides))
        unsent = without(self.open_pieces, sent)
        for side in self.sides:
            side.withdraw()
        self._campaign.add(unsent)
        for side in self.sides:
            side.run.wait(DRAIN_S)

    def _report(self) -> None:
        if self._given_up:
            return
        for side in self.sides:
            counted = side.take_counts()
            if counted is not None:
                self._on_counts(side.provider, counted)


def _all_at_once(works: list[Callable[[], None]]) -> None:
    """Do all and wait for their ends; errors are raised."""
    *others, last = works
    greenlets = [gevent.spawn(work) for work in others]
    try:
        last()
        gevent.joinall(greenlets, raise_error=True)
    finally:
        gevent.killall(greenlets)
