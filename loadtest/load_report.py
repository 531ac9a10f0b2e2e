"""The figures of one load test: what Locust counted, beside what the simulator's ledger says of every device."""

import msgspec

from loadtest.control_client import LedgerView, PopulationLedger
from loadtest.load_outcome import LoadOutcome, unexpected_rejections
from loadtest.process_figures import ProcessFigures
from simulator.devices.draws import FateShares

# A side that computes for so much of the time is what the others wait for.
BUSY_SHARE = 0.85


class LedgerFigures(msgspec.Struct, frozen=True):
    """Every device of the population is exactly one of these."""

    accepted_once: int
    accepted_more: int
    rejected: int
    never: int

    @property
    def answered(self) -> int:
        """Devices that the simulator gave any answer for."""
        return self.accepted_once + self.accepted_more + self.rejected


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """`locust_requests`: the total in Locust's own statistics. `sent`: transmissions, so repeats too.

    `rejected`: notifications by reason. `given_up`: not answered for good after all retries. `unfinished`: devices without
    a final result, those given up included. `elapsed_s`, `rate_per_s`: from the first batch to the last result.
    `latency_ms`: from sending to the answer. `ledger`: None where the control plane was not asked. `cpu_s`: of the load
    generator while it sent, and of a simulator of our own. `bottleneck`: `simulator`, `load generator`, `rate` (the
    one asked for), or `neither` (windows, network, or other programs on the machine). `limits`: the providers' rates in a
    simulator of our own, None in another. `failures`: what did not come out as it must; empty when all is accounted for.
    """

    devices: int
    seed: int
    endpoint: str
    users: int
    batches: int
    locust_requests: int
    locust_failures: int
    sent: int
    accepted: int
    rejected: dict[str, int]
    given_up: dict[str, int]
    retried: int
    unfinished: int
    elapsed_s: float
    rate_per_s: float
    latency_ms: dict[str, int]
    ledger: LedgerFigures | None
    cpu_s: dict[str, float | None]
    bottleneck: str
    peak_rss_mb: dict[str, float | None]
    limits: str | None
    failures: list[str]


def figures_of_ledger(view: LedgerView, seed: int) -> PopulationLedger | None:
    """The population of `seed`, None when the ledger does not know it."""
    return next((population for population in view.populations if population.seed == seed), None)


def bottleneck(elapsed_s: float, load_cpu_s: float, simulator_cpu_s: float | None, *, paced: bool) -> str:
    """Which side the others waited for, by its share of the time that a core could give it."""
    if elapsed_s <= 0:
        return "neither"
    busy, side = max((load_cpu_s / elapsed_s, "load generator"), ((simulator_cpu_s or 0.0) / elapsed_s, "simulator"))
    if busy >= BUSY_SHARE:
        return side
    return "rate" if paced else "neither"


def make_report(
    outcome: LoadOutcome,
    *,
    seed: int,
    endpoint: str,
    users: int,
    fates: FateShares,
    outside_ledger: int,
    limits: str | None,
    paced: bool,
    ledger: PopulationLedger | None,
    simulator: ProcessFigures,
    simulator_cpu_s: float | None,
    load: ProcessFigures,
) -> LoadReport:
    """Put the figures together, and find what does not add up.

    `outside_ledger`: devices whose tokens no ledger can know. `limits`: those of a simulator of our own.
    """
    tally = outcome.tally
    figures = None
    if ledger is not None:
        figures = LedgerFigures(ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never or 0)
    return LoadReport(
        devices=outcome.devices,
        seed=seed,
        endpoint=endpoint,
        users=users,
        batches=tally.batches,
        locust_requests=outcome.locust_requests,
        locust_failures=outcome.locust_failures,
        sent=tally.sent,
        accepted=tally.accepted,
        rejected=dict(sorted(tally.rejected.items(), key=lambda item: -item[1])),
        given_up=tally.given_up,
        retried=tally.retried,
        unfinished=outcome.devices - tally.settled,
        elapsed_s=round(tally.elapsed_s, 3),
        rate_per_s=round((tally.settled / tally.elapsed_s) if tally.elapsed_s else 0.0, 1),
        latency_ms=tally.percentiles_ms,
        ledger=figures,
        cpu_s={
            "load_generator": round(tally.cpu_s, 2),
            "simulator": None if simulator_cpu_s is None else round(simulator_cpu_s, 2),
        },
        bottleneck=bottleneck(tally.elapsed_s, tally.cpu_s, simulator_cpu_s, paced=paced),
        peak_rss_mb={"load_generator": load.peak_rss_mb, "simulator": simulator.peak_rss_mb},
        failures=_failures(outcome, figures, fates, outside_ledger),
        limits=limits,
    )


def _failures(outcome: LoadOutcome, ledger: LedgerFigures | None, fates: FateShares, outside_ledger: int) -> list[str]:
    tally = outcome.tally
    found = []
    if outcome.stopped is not None:
        found.append(f"stopped early: {outcome.stopped}")
    if tally.settled != outcome.devices:
        found.append(f"{outcome.devices - tally.settled:,} of {outcome.devices:,} devices have no final answer")
    for reason, count in unexpected_rejections(tally, fates).items():
        found.append(f"{count:,} rejections with {reason}, which no fate of the population explains")
    if ledger is not None:
        answered, rejected = ledger.answered + outside_ledger, ledger.rejected + outside_ledger
        if outcome.locust_requests != answered:
            found.append(f"Locust counted {outcome.locust_requests:,} requests, the ledger {answered:,} devices")
        if (tally.accepted, sum(tally.rejected.values())) != (ledger.accepted_once + ledger.accepted_more, rejected):
            found.append("accepted and rejected notifications are not those of the ledger")
    return found
