"""What one run of a campaign did, over each provider and in all: plain records, for JSON and tables."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from sender.delivery import Delivery
from sender.store.device_store import DeviceStore
from sender.store.records import Campaign, State

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


class ProviderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did over one provider, and how the campaign stands there after it. Times of answers in ms, from sending.

    `sent`: transmissions of this run, repeats included. `accepted`, `rejected`, `retried`, `given_up`: notifications of this
    run; `all_runs`: of all runs so far, by state. `uncertain`: found in flight when the run began, so they may arrive twice.
    `remaining`: still due. `stopped`: why the run ended early, or None.
    """

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
    latency_ms: dict[str, float]


class CampaignReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did in all: the fields of `ProviderReport` added up, `run` of the provider that had the most.

    `providers`: the same by provider, those that took part in this run. `rate_per_s`: of transmissions.
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
    providers: dict[str, ProviderReport]


def percentiles(latency_ms: Counter[int]) -> dict[str, float]:
    """p50, p90, p99 and p999 of whole milliseconds; empty without answers."""
    total = latency_ms.total()
    found: dict[str, float] = {}
    seen = 0
    for value, count in sorted(latency_ms.items()):
        seen += count
        for name, share in PERCENTILES.items():
            if name not in found and seen >= share * total:
                found[name] = float(value)
    return found


def report_of_provider(
    store: DeviceStore, campaign: Campaign, delivery: Delivery, *, finished: bool, invalidated_before: int
) -> ProviderReport:
    """What a run did over the provider of its delivery. `invalidated_before`: tokens, by the campaign's earlier runs."""
    counts = delivery.counts
    standing = store.standing(campaign)
    return ProviderReport(
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
        latency_ms=percentiles(counts.latency_ms),
    )


def _all_runs(store: DeviceStore, campaign: Campaign, delivery: Delivery) -> dict[str, int]:
    """Notifications by state. The first run has counted them itself; after it, the store counts."""
    counts = delivery.counts
    if campaign.run == 1:
        return {"accepted": counts.accepted, "rejected": counts.rejected.total(), "given_up": counts.given_up}
    states = store.summary(campaign).states
    return {state.name.lower(): states[state] for state in (State.ACCEPTED, State.REJECTED, State.GIVEN_UP)}


def report_of_campaign(
    name: str, providers: dict[str, ProviderReport], deliveries: Sequence[Delivery], elapsed_s: float
) -> CampaignReport:
    """All providers together."""
    reports = providers.values()
    rejected: Counter[str] = Counter()
    all_runs: Counter[str] = Counter()
    latency_ms: Counter[int] = Counter()
    for report in reports:
        rejected.update(report.rejected)
        all_runs.update(report.all_runs)
    for delivery in deliveries:
        latency_ms.update(delivery.counts.latency_ms)
    sent = sum(report.sent for report in reports)
    return CampaignReport(
        campaign=name,
        run=max(report.run for report in reports),
        sent=sent,
        accepted=sum(report.accepted for report in reports),
        rejected=dict(rejected.most_common()),
        retried=sum(report.retried for report in reports),
        given_up=sum(report.given_up for report in reports),
        unprocessed=sum(report.unprocessed for report in reports),
        uncertain=sum(report.uncertain for report in reports),
        invalidated=sum(report.invalidated for report in reports),
        remaining=sum(report.remaining for report in reports),
        finished=all(report.finished for report in reports),
        stopped=_stopped(providers),
        all_runs=dict(all_runs),
        elapsed_s=round(elapsed_s, 3),
        rate_per_s=round(sent / elapsed_s, 1) if elapsed_s else 0.0,
        latency_ms=percentiles(latency_ms),
        providers=providers,
    )


def _stopped(providers: dict[str, ProviderReport]) -> str | None:
    """Why the run ended early; where several providers took part and the reasons differ, each behind the provider's name."""
    reasons = {name: report.stopped for name, report in providers.items() if report.stopped is not None}
    if not reasons:
        return None
    if len(providers) == 1 or (len(reasons) == len(providers) and len(set(reasons.values())) == 1):
        return next(iter(reasons.values()))
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())
