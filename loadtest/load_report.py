"""The figures of one load test: what Locust counted, beside what the simulator's ledger says of every device."""

import msgspec

from loadtest.ceiling import Ceiling
from loadtest.control_client import LedgerView, PopulationLedger
from loadtest.load_outcome import LoadOutcome, possibly_twice, unexplained, without_answer
from loadtest.load_plan import LoadPlan
from loadtest.process_figures import ProcessFigures
from loadtest.recording import LATE_MS, Recording, Since, percentile
from loadtest.report.ledger_record import Ledger
from loadtest.tally import Tally
from loadtest.workloads.part_lines import shown
from simulator.devices.draws import FateShares

# A side that computes for so much of the time is what the others wait for.
BUSY_SHARE = 0.85
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
# A run is marked when more of its notifications than that were handed out late.
LATE_SHARE_MAX = 0.01


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

    @classmethod
    def of(cls, view: PopulationLedger) -> "LedgerFigures":
        """Of a population that was declared."""
        return cls(view.accepted_once, view.accepted_more, view.rejected, view.never or 0)

    def record(self) -> Ledger:
        """The same for a results directory."""
        return Ledger(**msgspec.structs.asdict(self))


class PartFigures(msgspec.Struct, frozen=True):
    """What one workload, or one campaign or step of it, has sent; as in `LoadReport`. `rejected_share`: of `notifications`."""

    notifications: int
    sent: int
    accepted: int
    rejected: dict[str, int]
    rejected_share: float
    given_up: dict[str, int]
    retried: int
    rate_per_s: float
    latency_ms: dict[str, int]


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """`locust_requests`: the total in Locust's own statistics. `sent`: transmissions, so repeats too.

    `rejected`: notifications by reason. `given_up`: not answered for good after all retries. `unfinished`: devices without
    a final result, those given up included. `repeated`: devices that may have been sent twice, since a worker died.
    `elapsed_s`, `rate_per_s`: from the start of the schedule, or the first batch, to the last result. `scheduled`:
    notifications whose instant came. `scheduled_per_s`, `reached_per_s`: their rate by the schedule, and as they were handed to
    connections; `reached_share`: the latter as a share of the former; None in a closed loop. `latency_ms`: from the scheduled
    instant to the answer, in a closed loop from sending, as `latency_from_sent_ms` always. `ledger`: None where the control
    plane was not asked.

    `cpu_s`: of the load generator while it sent, and of a simulator of our own. `bottleneck`: `simulator`, `load generator`,
    `rate` (the one asked for), or `neither` (windows, network, or other programs on the machine). `ceiling_per_s`: what the
    simulator could have answered, and `ceiling_from` how that is known; None for unknown. `behind`: what to say of a load
    generator that could not keep the schedule, None when it did. `limits`: the providers' rates in a simulator of our own,
    None in another. `workloads`: their names, none for the ordinary load; `parts`: what each of them did.
    `further_accepted`, `further_rejected`: of the notifications, those to devices that had one before. `failures`: what did not
    come out as it must; empty when all is accounted for.
    """

    provider: str
    devices: int
    seed: int
    endpoint: str
    users: int
    connections: int
    batch_size: int
    profile: str
    arrivals: str
    batches: int
    scheduled: int
    locust_requests: int
    locust_failures: int
    sent: int
    accepted: int
    rejected: dict[str, int]
    given_up: dict[str, int]
    retried: int
    unfinished: int
    repeated: int = 0
    elapsed_s: float
    rate_per_s: float
    latency_ms: dict[str, int]
    latency_from_sent_ms: dict[str, int]
    ledger: LedgerFigures | None
    cpu_s: dict[str, float | None]
    bottleneck: str
    ceiling_per_s: float | None
    ceiling_from: str
    behind: str | None
    behind_ms_max: int
    peak_rss_mb: dict[str, float | None]
    scheduled_per_s: float | None
    reached_per_s: float | None
    reached_share: float | None
    limits: str | None
    failures: list[str]
    workloads: tuple[str, ...] = ()
    parts: dict[str, PartFigures] = {}
    further_accepted: int = 0
    further_rejected: int = 0


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
    plan: LoadPlan,
    fates: FateShares,
    outside_ledger: int,
    limits: str | None,
    ceiling: Ceiling,
    ledger: PopulationLedger | None,
    simulator: ProcessFigures,
    simulator_cpu_s: float | None,
    load: ProcessFigures,
) -> LoadReport:
    """Put the figures together, and find what does not add up.

    `outside_ledger`: devices whose tokens no ledger can know. `limits`: those of a simulator of our own.
    """
    tally, recording = outcome.tally, outcome.recording
    behind = behind_schedule(recording)
    from_sent = recording.latencies(Since.SENT)
    load_cpu_s = tally.cpu_s / plan.processes
    figures = None if ledger is None else LedgerFigures.of(ledger)
    return LoadReport(
        provider=plan.provider,
        devices=outcome.devices,
        seed=plan.seed,
        endpoint=plan.endpoint,
        users=plan.users,
        connections=plan.connections,
        batch_size=plan.batch_size,
        profile=plan.profile,
        arrivals=plan.arrivals,
        scheduled=recording.scheduled if plan.scheduled else tally.settled,
        batches=tally.batches,
        locust_requests=outcome.locust_requests,
        locust_failures=outcome.locust_failures,
        sent=tally.sent,
        accepted=tally.accepted,
        rejected=dict(sorted(tally.rejected.items(), key=lambda item: -item[1])),
        given_up=tally.given_up,
        retried=tally.retried,
        repeated=outcome.repeated,
        unfinished=outcome.devices - tally.devices,
        elapsed_s=round(tally.elapsed_s, 3),
        rate_per_s=round((tally.settled / tally.elapsed_s) if tally.elapsed_s else 0.0, 1),
        latency_ms=_percentiles(tally.latency_ms),
        latency_from_sent_ms=_percentiles(from_sent),
        ledger=figures,
        cpu_s={
            "load_generator": round(tally.cpu_s, 2),
            "simulator": None if simulator_cpu_s is None else round(simulator_cpu_s, 2),
        },
        bottleneck=bottleneck(tally.elapsed_s, load_cpu_s, simulator_cpu_s, paced=plan.scheduled and not behind),
        ceiling_per_s=ceiling.per_s,
        ceiling_from=ceiling.how,
        behind=behind,
        behind_ms_max=recording.late_ms_max,
        peak_rss_mb={"load_generator": load.peak_rss_mb, "simulator": simulator.peak_rss_mb},
        scheduled_per_s=_rounded(recording.scheduled_per_s, 1),
        reached_per_s=_rounded(recording.reached_per_s, 1),
        reached_share=_reached_share(recording),
        failures=_failures(outcome, figures, fates, outside_ledger),
        limits=limits,
        workloads=plan.workloads,
        parts={name: _part(part) for name, part in shown(tally.parts).items()},
        further_accepted=tally.further_accepted,
        further_rejected=tally.further_rejected,
    )


def _part(part: Tally) -> PartFigures:
    rejected = sum(part.rejected.values())
    return PartFigures(
        notifications=part.settled,
        sent=part.sent,
        accepted=part.accepted,
        rejected=part.rejected,
        rejected_share=round(rejected / part.settled, 5) if part.settled else 0.0,
        given_up=part.given_up,
        retried=part.retried,
        rate_per_s=round(part.settled / part.elapsed_s if part.elapsed_s else 0.0, 1),
        latency_ms=_percentiles(part.latency_ms),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _reached_share(recording: Recording) -> float | None:
    scheduled_per_s, reached_per_s = recording.scheduled_per_s, recording.reached_per_s
    return None if scheduled_per_s is None or reached_per_s is None else round(reached_per_s / scheduled_per_s, 5)


def behind_schedule(recording: Recording) -> str | None:
    """What to say of a load generator that handed out too much too late, None of one that kept its schedule."""
    if recording.late <= LATE_SHARE_MAX * recording.scheduled:
        return None
    why = "the load generator, or its machine, was too busy; give it one of its own, or divide the load among workers"
    if recording.late_for_room > recording.late / 2:
        why = "the users had all they may have in flight; give it more of them (--users)"
    return (
        f"{recording.late:,} of {recording.scheduled:,} notifications were handed out over {LATE_MS} ms after their instant: "
        f"{why}"
    )


def _percentiles(latency_ms: dict[int, int]) -> dict[str, int]:
    """Percentiles and the maximum, in whole milliseconds; empty without answers."""
    if not latency_ms:
        return {}
    return {name: percentile(latency_ms, share) for name, share in PERCENTILES.items()} | {"max": max(latency_ms)}


def _failures(outcome: LoadOutcome, ledger: LedgerFigures | None, fates: FateShares, outside_ledger: int) -> list[str]:
    tally = outcome.tally
    found = []
    if outcome.stopped is not None:
        found.append(f"stopped early: {outcome.stopped}")
    if tally.devices != outcome.devices:
        found.append(without_answer(outcome.devices - tally.devices, outcome.devices, outcome.unknown))
    if outcome.repeated:
        found.append(possibly_twice(outcome.repeated))
    for reason, count in unexplained(tally.rejected, fates, outcome.explained).items():
        found.append(f"{count:,} rejections with {reason}, which no fate of the population explains")
    if ledger is not None:
        outside_ledger += tally.outside_ledger
        # Of devices that are sent to again, the first time counts.
        further = tally.further_accepted + tally.further_rejected
        requests = outcome.locust_requests - further
        answered, rejected = ledger.answered + outside_ledger, ledger.rejected + outside_ledger
        if requests != answered:
            again = f", and {further:,} to devices that had one before" if further else ""
            found.append(f"Locust counted {requests:,} requests{again}, the ledger {answered:,} devices")
        counted = tally.accepted - tally.further_accepted, sum(tally.rejected.values()) - tally.further_rejected
        if counted != (ledger.accepted_once + ledger.accepted_more, rejected):
            found.append("accepted and rejected notifications are not those of the ledger")
    return found
