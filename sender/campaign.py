"""One run of a campaign, from the device store to its summary: puts store, providers, credentials and pools together."""

import asyncio
import gc
import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sender.asyncio_shell import AsyncioRun, new_store_thread, run_all_until_done
from sender.campaign_parts import ApnsPart, FcmPart, PreparedPart, prepare
from sender.campaign_report import CampaignReport, ProviderReport, report_of_campaign, report_of_provider
from sender.client_tls import client_tls
from sender.delivery import Delivery
from sender.errors import SenderConfigurationError
from sender.pool import PoolOptions
from sender.reaction import RetryPolicy
from sender.run import Pacer
from sender.segment import Segment
from sender.segment import parse as parse_segment
from sender.store.device_store import DeviceStore
from sender.store.errors import CampaignFinishedError
from sender.store.records import Campaign, Exchange, Outcome
from sender.token_fetch import fetcher

# Objects of the hot path live for a moment; looking for cycles among them at Python's usual pace finds none.
GC_YOUNG_OBJECTS = 50_000


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """What to send to whom.

    `parts`: one for each provider that takes part; those run side by side. `name`: a campaign that was interrupted is resumed
    under its name. `topic`: the app whose devices are meant. `ca_file`: trusted instead of the system's roots, None for
    those. `rate_per_s`: of all parts together. `pool`: of each part.
    """

    store: Path
    name: str
    topic: str
    parts: tuple[ApnsPart | FcmPart, ...]
    segment: str = ""
    ca_file: Path | None = None
    rate_per_s: float = 0.0
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    pool: PoolOptions = field(default_factory=PoolOptions)

    def __post_init__(self) -> None:
        if not self.parts or len({type(part) for part in self.parts}) != len(self.parts):
            raise SenderConfigurationError("a campaign needs a part for one provider, or one for each of several")


@dataclass(slots=True)
class Progress:
    """What a progress bar shows: `total` notifications of this run, `done` of them answered for good."""

    total: int
    done: int = 0
    sent: int = 0
    rejected: int = 0


def default_name(contents: Sequence[tuple[Path, bytes]], topic: str, segment: str) -> str:
    """The name a campaign gets when its user gives none: the same command resumes the same campaign, never a new one.

    `contents`: the files that are sent, with what is in them.
    """
    hashed = b"\0".join((*(content for _, content in contents), topic.encode(), segment.encode()))
    digest = hashlib.blake2b(hashed, digest_size=4).hexdigest()
    return f"{contents[0][0].stem}-{digest}"


class StoreSource:
    """A campaign of a device store as the source of a run."""

    def __init__(self, store: DeviceStore, campaign: Campaign) -> None:
        self._store, self._campaign = store, campaign

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        return self._store.exchange(self._campaign, outcomes, want, now_ms)


@dataclass(frozen=True, slots=True)
class _Begun:
    """The campaign over one provider, begun in the store. `due`: notifications, when it was."""

    part: PreparedPart
    campaign: Campaign
    delivery: Delivery
    draw: Callable[[], float]
    due: int
    invalidated_before: int


def run_campaign(
    options: CampaignOptions, on_progress: Callable[[Progress], None] = lambda progress: None
) -> CampaignReport:
    """Send what is due of a campaign and store every result.

    A provider over which the campaign is finished takes no part any more. Raises SenderConfigurationError or StoreError
    before anything is sent; StoreError also when the store fails on the way (what was in flight is then uncertain, and
    due again).
    """
    parts = [prepare(part) for part in options.parts]
    segment = parse_segment(options.segment)
    contexts = [client_tls(part.endpoint, options.ca_file, part.certificate) for part in parts]
    tls_by_provider = {part.provider_name: tls for part, tls in zip(parts, contexts, strict=True)}
    fetch = fetcher(options.ca_file)
    with DeviceStore.open(options.store) as store:
        begun = _begin(store, options, parts, segment)
        progress = Progress(total=sum(each.due for each in begun))

        def show() -> None:
            counts = [each.delivery.counts for each in begun]
            progress.rejected = sum(each.rejected.total() for each in counts)
            progress.done = sum(each.accepted + each.given_up for each in counts) + progress.rejected
            progress.sent = sum(each.sent for each in counts)
            on_progress(progress)

        pacer = Pacer(options.rate_per_s, time.time())
        with new_store_thread() as store_thread:
            runs = [
                AsyncioRun(
                    each.delivery,
                    StoreSource(store, each.campaign),
                    each.part.endpoint,
                    tls_by_provider[each.part.provider_name],
                    options.pool,
                    draw=each.draw,
                    pacer=pacer,
                    fetch=fetch if each.part.fetches else None,
                    store_thread=store_thread,
                    on_progress=show,
                )
                for each in begun
            ]
            elapsed_s = _run_timed(runs)
        show()
        reports: dict[str, ProviderReport] = {}
        for each in begun:
            finished = store.finish_campaign(each.campaign, int(time.time() * 1000))
            reports[each.part.provider_name] = report_of_provider(
                store, each.campaign, each.delivery, finished=finished, invalidated_before=each.invalidated_before
            )
        return report_of_campaign(options.name, reports, [each.delivery for each in begun], elapsed_s)


def _begin(
    store: DeviceStore, options: CampaignOptions, parts: Sequence[PreparedPart], segment: Segment
) -> list[_Begun]:
    """Begin or resume the campaign over each provider. Raises CampaignFinishedError when it is finished over all."""
    begun: list[_Begun] = []
    over: CampaignFinishedError | None = None
    for part in parts:
        try:
            campaign = store.begin_campaign(
                options.name,
                options.topic,
                part.digest,
                segment,
                int(time.time() * 1000),
                key=random.SystemRandom().getrandbits(64),
                provider=part.provider_name,
                with_attributes=part.personalised,
            )
        except CampaignFinishedError as error:
            over = error
            continue
        draw = random.Random(campaign.key).random
        delivery = Delivery(part.provider(campaign.key), part.credential, draw=draw, policy=options.policy)
        invalidated = store.standing(campaign).invalidated if campaign.run > 1 else 0
        begun.append(_Begun(part, campaign, delivery, draw, store.remaining(campaign), invalidated))
    if over is not None and not begun:
        raise over
    return begun


def _run_timed(runs: Sequence[AsyncioRun]) -> float:
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)
    started_at_s = time.perf_counter()
    try:
        asyncio.run(run_all_until_done(runs))
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
    return time.perf_counter() - started_at_s
