"""How one user sends its part of a campaign, over connections of its own."""

from collections.abc import Callable
from functools import partial

import gevent

from loadtest.arrival_source import OpenBatch
from loadtest.leases import Piece, marked_unsure, runs, without
from loadtest.load_campaign import BatchResult, LoadCampaign, incomplete
from loadtest.load_side import Counted, Side
from loadtest.open_loop import PENDING_MAX
from loadtest.source import PopulationSource
from loadtest.workloads.manner import DEFAULT_MANNER, Manner
from sender.delivery import Delivery
from sender.gevent_shell import GeventRun
from sender.pool import PoolOptions
from simulator.devices.fates import Provider

READY_S = 2.0  # then the schedule starts without
DRAIN_S = 2.0  # for the answers that are under way when a user is stopped


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
        return BatchResult(self._campaign.now() - started_at_s, stopped or incomplete(missing), stopped)

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
