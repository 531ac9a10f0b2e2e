"""One process's part of a campaign, and how one user sends it batch by batch over connections of its own."""

import random
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from loadtest.index_range import IndexRange
from loadtest.load_settings import LoadSettings
from loadtest.source import PopulationSource
from loadtest.tally import Tally
from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.client_tls import client_tls
from sender.delivery import Counts, Delivery
from sender.gevent_shell import GeventRun
from sender.pool import PoolOptions
from sender.run import Pacer
from sender.store.records import Due
from sender.template import Refusal

STALL_TIMEOUT_S = 30.0
DRAIN_S = 2.0  # for the answers that are under way when a user is stopped

_PAYLOAD_START = (
    b'{"aps":{"alert":{"title":"Sale starts now","body":"20% off until Friday"},"sound":"default"},"device":'
)


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
        self.provider_token = settings.provider_token()
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
    """One user's connections, kept from batch to batch.

    `on_counts`: takes what was counted since it was called last, a few times a second and at the end of each batch, with
    what was given up by reason.
    """

    def __init__(self, campaign: LoadCampaign, on_counts: Callable[[Counts, Counter[str]], None]) -> None:
        settings = campaign.settings
        self._campaign = campaign
        self._on_counts = on_counts
        template = settings.template
        draw = random.Random(campaign.key).random
        provider = ApnsProvider(
            ApnsOptions(settings.population.topic, settings.endpoint.authority),
            campaign.key,
            _own_payload if template is None else template.payload_of,
        )
        self._delivery = Delivery(provider, campaign.provider_token, draw=draw)
        self._source = PopulationSource(
            settings.population,
            stop=0,
            attributes=_index_as_attributes if template is None else _attributes_of_people(settings.population.seed),
        )
        self._run = GeventRun(
            self._delivery,
            self._source,
            settings.endpoint,
            campaign.tls,
            PoolOptions(connections=settings.connections_per_user, stall_timeout_s=STALL_TIMEOUT_S),
            draw=draw,
            now=campaign.now,
            pacer=campaign.pacer,
            on_progress=self._report,
        )
        self._sending = False

    def open(self) -> None:
        """Ready the connections."""
        self._run.open()

    def send(self, indices: range) -> BatchResult:
        """Send one batch, and wait until each of its notifications has a final result."""
        started_at_s = self._campaign.now()
        self._source.take_on(indices.start, indices.stop)
        lost_before = self._source.unsent
        self._sending = True
        try:
            self._run.send()
        finally:
            self._report()
        self._sending = False
        stopped = self._delivery.stopped
        missing = self._source.unclaimed + self._source.unsent - lost_before
        incomplete = stopped or (f"{missing} notifications not sent" if missing else None)
        return BatchResult(self._campaign.now() - started_at_s, incomplete, stopped)

    def close(self) -> None:
        """End; a batch that is interrupted gets a moment for the answers that are under way."""
        if self._sending:
            self._run.interrupt()
            self._run.wait(DRAIN_S)
            self._report()
        self._run.close()

    def _report(self) -> None:
        counts, given_up = self._delivery.counts, self._source.given_up
        if counts != Counts() or given_up:
            self._delivery.counts, self._source.given_up = Counts(), Counter()
            self._on_counts(counts, given_up)


def _index_as_attributes(index: int, person: int) -> bytes:
    return b"%d" % index


def _own_payload(due: Due) -> bytes | Refusal:
    return _PAYLOAD_START + due[4] + b"}"


def _attributes_of_people(seed: int) -> Callable[[int, int], bytes]:
    from loadtest.population import people_of

    encoded = people_of(seed).encoded
    return lambda index, person: encoded[person % len(encoded)]
