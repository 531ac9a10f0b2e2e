"""One run of a campaign, from the device store to its summary: puts store, template, credentials and pool together."""

import asyncio
import gc
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.apns.provider_token import ProviderTokenSource
from sender.asyncio_shell import AsyncioRun, run_all_until_done
from sender.client_tls import CertificateFiles, client_tls
from sender.credential import Credential, ShownInTls
from sender.delivery import Delivery
from sender.errors import SenderConfigurationError
from sender.pool import Endpoint, PoolOptions
from sender.reaction import RetryPolicy
from sender.run import Pacer
from sender.segment import parse as parse_segment
from sender.store.device_store import DeviceStore
from sender.store.records import Campaign, Exchange, Outcome, State
from sender.template import Template, payload_bytes_max
from sender.template import compile as compile_template

# Objects of the hot path live for a moment; looking for cycles among them at Python's usual pace finds none.
GC_YOUNG_OBJECTS = 50_000


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """What to send to whom.

    `payload`: JSON of the notification, maybe with placeholders. `name`: a campaign that was interrupted is resumed under its
    name. `key_file`: the provider token's private key; it and its ids stay out where there is a `certificate`. `ca_file`:
    trusted instead of the system's roots, None for those.

    Raises SenderConfigurationError for none or two of key and certificate, and a certificate without TLS.
    """

    store: Path
    name: str
    payload: bytes
    apns: ApnsOptions
    endpoint: Endpoint
    key_file: Path | None = None
    key_id: str = ""
    team_id: str = ""
    certificate: CertificateFiles | None = None
    segment: str = ""
    ca_file: Path | None = None
    rate_per_s: float = 0.0
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    pool: PoolOptions = field(default_factory=PoolOptions)

    def __post_init__(self) -> None:
        if (self.key_file is None) is (self.certificate is None):
            raise SenderConfigurationError("a campaign needs either a provider token's key or a client certificate")
        if self.certificate is not None and not self.endpoint.tls:
            raise SenderConfigurationError("a client certificate is shown in TLS: the endpoint must be https://")


class CampaignReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did, and how the campaign stands after it. Times of answers in ms, from the moment of sending.

    `sent`: transmissions of this run, repeats included. `accepted`, `rejected`, `retried`, `given_up`: notifications of this
    run; `all_runs`: of all runs so far, by state. `uncertain`: found in flight when the run began, so they may arrive twice.
    `remaining`: still due. `stopped`: why the run ended early, or None.
    """

    campaign: str
    run: int
    sent: int
    accepted: int
    rejected: dict[str, int]
    retried: int
    given_up: int
    unprocessed: int
    uncertain: int
    invalidated: int
    remaining: int
    finished: bool
    stopped: str | None
    all_runs: dict[str, int]
    elapsed_s: float
    rate_per_s: float
    latency_ms: dict[str, float]


@dataclass(slots=True)
class Progress:
    """What a progress bar shows: `total` notifications of this run, `done` of them answered for good."""

    total: int
    done: int = 0
    sent: int = 0
    rejected: int = 0


def default_name(payload_file: Path, payload: bytes, topic: str, segment: str) -> str:
    """The name a campaign gets when its user gives none: the same command resumes the same campaign, never a new one."""
    digest = hashlib.blake2b(b"\0".join((payload, topic.encode(), segment.encode())), digest_size=4).hexdigest()
    return f"{payload_file.stem}-{digest}"


def percentiles(latency_ms: Counter[int]) -> dict[str, float]:
    """p50, p90, p99 and p999 of whole milliseconds; empty without answers."""
    total = latency_ms.total()
    if not total:
        return {}
    wanted = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    found: dict[str, float] = {}
    seen = 0
    for value, count in sorted(latency_ms.items()):
        seen += count
        for name, share in wanted.items():
            if name not in found and seen >= share * total:
                found[name] = float(value)
    return found


class StoreSource:
    """A campaign of a device store as the source of a run."""

    def __init__(self, store: DeviceStore, campaign: Campaign) -> None:
        self._store, self._campaign = store, campaign

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        return self._store.exchange(self._campaign, outcomes, want, now_ms)


def run_campaign(
    options: CampaignOptions, on_progress: Callable[[Progress], None] = lambda progress: None
) -> CampaignReport:
    """Send what is due of a campaign and store every result.

    Raises SenderConfigurationError or StoreError before anything is sent; StoreError also when the store fails on the way
    (what was in flight is then uncertain, and due again).
    """
    template = compile_template(options.payload)
    _check_size(template, options.apns)
    segment = parse_segment(options.segment)
    credential: Credential = ShownInTls()
    if options.key_file is not None:
        credential = ProviderTokenSource.from_file(options.key_file, options.key_id, options.team_id)
    tls = client_tls(options.endpoint, options.ca_file, options.certificate)
    with DeviceStore.open(options.store) as store:
        campaign = store.begin_campaign(
            options.name,
            options.apns.topic,
            hashlib.blake2b(options.payload, digest_size=16).digest(),
            segment,
            int(time.time() * 1000),
            key=random.SystemRandom().getrandbits(64),
            with_attributes=bool(template.names),
        )
        draw = random.Random(campaign.key).random
        provider = ApnsProvider(options.apns, campaign.key, template.payload_of)
        delivery = Delivery(provider, credential, draw=draw, policy=options.policy)
        progress = Progress(total=store.remaining(campaign))

        def show() -> None:
            counts = delivery.counts
            progress.rejected = counts.rejected.total()
            progress.done = counts.accepted + progress.rejected + counts.given_up
            progress.sent = counts.sent
            on_progress(progress)

        run = AsyncioRun(
            delivery,
            StoreSource(store, campaign),
            options.endpoint,
            tls,
            options.pool,
            draw=draw,
            pacer=Pacer(options.rate_per_s, time.time()),
            on_progress=show,
        )
        invalidated_before = store.standing(campaign).invalidated if campaign.run > 1 else 0
        elapsed_s = _run_timed(run)
        show()
        finished = store.finish_campaign(campaign, int(time.time() * 1000))
        return _report(store, campaign, delivery, elapsed_s, finished, invalidated_before)


def _check_size(template: Template, apns: ApnsOptions) -> None:
    """Refuse a payload that is too large for every device; one that is too large for some is refused for those."""
    if template.names:
        return
    payload = template.render(b"{}")
    limit = payload_bytes_max(apns.push_type, apns.topic)
    if isinstance(payload, bytes) and len(payload) > limit:
        raise SenderConfigurationError(f"the payload has {len(payload):,} bytes; APNs takes {limit:,} at most")


def _run_timed(run: AsyncioRun) -> float:
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)
    started_at_s = time.perf_counter()
    try:
        asyncio.run(run_all_until_done([run]))
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
    return time.perf_counter() - started_at_s


def _report(
    store: DeviceStore,
    campaign: Campaign,
    delivery: Delivery,
    elapsed_s: float,
    finished: bool,
    invalidated_before: int,
) -> CampaignReport:
    counts = delivery.counts
    standing = store.standing(campaign)
    return CampaignReport(
        campaign=campaign.name,
        run=campaign.run,
        sent=counts.sent,
        accepted=counts.accepted,
        rejected=dict(counts.rejected.most_common()),
        retried=counts.retried,
        given_up=counts.given_up,
        unprocessed=counts.unprocessed,
        uncertain=campaign.uncertain,
        invalidated=standing.invalidated - invalidated_before,
        remaining=0 if finished else store.remaining(campaign) + standing.in_flight,
        finished=finished,
        stopped=delivery.stopped,
        all_runs=_all_runs(store, campaign, delivery),
        elapsed_s=round(elapsed_s, 3),
        rate_per_s=round(counts.sent / elapsed_s, 1) if elapsed_s else 0.0,
        latency_ms=percentiles(counts.latency_ms),
    )


def _all_runs(store: DeviceStore, campaign: Campaign, delivery: Delivery) -> dict[str, int]:
    """Notifications by state. The first run has counted them itself; after it, the store counts."""
    counts = delivery.counts
    if campaign.run == 1:
        return {"accepted": counts.accepted, "rejected": counts.rejected.total(), "given_up": counts.given_up}
    states = store.summary(campaign).states
    return {state.name.lower(): states[state] for state in (State.ACCEPTED, State.REJECTED, State.GIVEN_UP)}
