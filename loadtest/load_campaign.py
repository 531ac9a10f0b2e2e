"""One process's part of a campaign, and how one user sends it batch by batch over connections of its own."""

import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import gevent

from loadtest.index_range import IndexRange
from loadtest.load_settings import LoadSettings
from loadtest.load_side import Side, sides_of
from loadtest.source import PopulationSource
from loadtest.tally import Tally
from sender.client_tls import client_tls
from sender.delivery import Counts, Delivery
from sender.gevent_shell import GeventRun
from sender.pool import PoolOptions
from sender.run import Pacer
from sender.token_fetch import fetcher
from simulator.devices.fates import Provider

DRAIN_S = 2.0  # for the answers that are under way when a user is stopped


class LoadCampaign:
    """What the users of this process share: `indices` that each is sent once, the pace, the tally.

    `now`: seconds since the epoch; `cpu`: seconds of CPU time of this process.
    """

    def __init__(
        self,
        settings: LoadSettings,
        indices: IndexRange,
        rate_per_s: float,
        *,
        now: Callable[[], float] = time.time,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.settings = settings
        self.indices = indices
        self.now = now
        self.tally = Tally()
        self.stopped: str | None = None
        self.tls: ssl.SSLContext | None = client_tls(settings.endpoint, settings.ca_file)
        self.sides = sides_of(settings)
        self.fetch = fetcher(settings.ca_file)
        self.pacer = Pacer(rate_per_s, now())
        self.key = secrets.randbits(64)
        self._cpu = cpu
        self._cpu_at_start_s = 0.0
        self._batches_open = 0

    @property
    def finished(self) -> bool:
        """Nothing is left to be sent, or the campaign was stopped."""
        return self.stopped is not None or (not self.indices.remaining and not self._batches_open)

    def begin_batch(self) -> range:
        """The indices of the next batch; empty when all were given out. Each batch that was not empty ends in `end_batch`."""
        taken = self.indices.take(self.settings.batch_size) if self.stopped is None else range(0)
        if taken:
            self._batches_open += 1
            if not self.tally.started_at_s:
                self.tally.started_at_s = self.now()
                self._cpu_at_start_s = self._cpu()
        return taken

    def end_batch(self, stopped: str | None) -> None:
        """A batch is over. `stopped`: why the sender wants no further ones, None when all is well."""
        self._batches_open -= 1
        self.tally.batches += 1
        self.tally.ended_at_s = self.now()
        self.tally.cpu_s = self._cpu() - self._cpu_at_start_s
        self.stopped = self.stopped or stopped


class BatchResult(NamedTuple):
    """`incomplete`: why not all of the batch got a final result, None when they did. `stopped`: see `end_batch`."""

    elapsed_s: float
    incomplete: str | None
    stopped: str | None


class BatchSender:
    """One user's connections to each provider, kept from batch to batch.

    `on_counts`: takes what was counted over a provider since it was called last, a few times a second and at the end of each
    batch, with what was given up by reason.
    """

    def __init__(self, campaign: LoadCampaign, on_counts: Callable[[Provider, Counts, Counter[str]], None]) -> None:
        self._campaign = campaign
        self._on_counts = on_counts
        self._sides = [Side(campaign.settings, side, campaign.key, self._make_run) for side in campaign.sides]
        self._sending = False

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
        """Ready the connections."""
        for side in self._sides:
            side.run.open()

    def send(self, indices: range) -> BatchResult:
        """Send one batch, over all providers at once, and wait until each of its notifications has a final result."""
        started_at_s = self._campaign.now()
        lost_before = [side.source.unsent for side in self._sides]
        for side in self._sides:
            side.source.take_on(indices.start, indices.stop)
        self._sending = True
        try:
            _all_at_once([side.run.send for side in self._sides])
        finally:
            self._report()
        self._sending = False
        stopped = next((side.delivery.stopped for side in self._sides if side.delivery.stopped is not None), None)
        missing = sum(
            side.source.unclaimed + side.source.unsent - before
            for side, before in zip(self._sides, lost_before, strict=True)
        )
        incomplete = stopped or (f"{missing} notifications not sent" if missing else None)
        return BatchResult(self._campaign.now() - started_at_s, incomplete, stopped)

    def close(self) -> None:
        """End; a batch that is interrupted gets a moment for the answers that are under way."""
        if self._sending:
            for side in self._sides:
                side.run.interrupt()
            for side in self._sides:
                side.run.wait(DRAIN_S)
            self._report()
        for side in self._sides:
            side.run.close()

    def _report(self) -> None:
        for side in self._sides:
            counted = side.take_counts()
            if counted is not None:
                self._on_counts(side.provider, *counted)


def _all_at_once(works: list[Callable[[], None]]) -> None:
    """Do all and wait for their ends; errors are raised."""
    *others, last = works
    greenlets = [gevent.spawn(work) for work in others]
    try:
        last()
        gevent.joinall(greenlets, raise_error=True)
    finally:
        gevent.killall(greenlets)
