"""The results of one load test as records: the run, its figures over time, its latencies as histograms."""

from loadtest.histograms import histogram_of
from loadtest.load_report import LoadReport
from loadtest.profiles import Profile
from loadtest.recording import IntervalCounts, Recording, Since, percentile
from loadtest.report.run_record import FaultBand, Histogram, Interval, Limit, PartRecord, RunRecord, Series
from loadtest.run_origin import Origin

INTERVAL_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
MS_US = 1_000


def run_record(report: LoadReport, origin: Origin, *, limits: list[Limit], faults: list[FaultBand]) -> RunRecord:
    """The run as a whole."""
    return RunRecord(
        **origin._asdict(),
        provider=report.provider,
        endpoint=report.endpoint,
        seed=report.seed,
        devices=report.devices,
        users=report.users,
        batch_size=report.batch_size,
        connections=report.connections,
        profile=report.profile,
        arrivals=report.arrivals,
        scheduled=report.scheduled,
        sent=report.sent,
        accepted=report.accepted,
        rejected=report.rejected,
        given_up=report.given_up,
        retried=report.retried,
        unfinished=report.unfinished,
        elapsed_s=report.elapsed_s,
        rate_per_s=report.rate_per_s,
        latency_ms={name: float(value) for name, value in report.latency_ms.items()},
        latency_from_sent_ms={name: float(value) for name, value in report.latency_from_sent_ms.items()},
        bottleneck=report.bottleneck,
        scheduled_per_s=report.scheduled_per_s,
        reached_per_s=report.reached_per_s,
        reached_share=report.reached_share,
        ledger=None if report.ledger is None else report.ledger.record(),
        ceiling_per_s=report.ceiling_per_s,
        ceiling_from=report.ceiling_from,
        behind=report.behind,
        behind_ms_max=report.behind_ms_max,
        cpu_s=report.cpu_s,
        peak_rss_mb=report.peak_rss_mb,
        limits=limits,
        faults=faults,
        failures=report.failures,
        workloads=list(report.workloads),
        parts={
            name: PartRecord(
                notifications=part.notifications,
                sent=part.sent,
                accepted=part.accepted,
                rejected=part.rejected,
                given_up=part.given_up,
                retried=part.retried,
                rate_per_s=part.rate_per_s,
                latency_ms={each: float(value) for each, value in part.latency_ms.items()},
            )
            for name, part in report.parts.items()
        },
        further_accepted=report.further_accepted,
        further_rejected=report.further_rejected,
    )


def series_of(recording: Recording, profile: Profile | None) -> Series:
    """The run over time, without gaps. `profile`: None for a closed loop."""
    interval_s = recording.interval_s
    last = max(recording.intervals, default=-1)
    nothing = IntervalCounts()
    rows = []
    for number in range(last + 1):
        counts, at_s = recording.intervals.get(number, nothing), float(number * interval_s)
        planned = None if profile is None else profile.total(at_s + interval_s) - profile.total(at_s)
        latency_ms = {}
        if counts.latency_ms:
            latency_ms = {
                name: float(percentile(counts.latency_ms, share)) for name, share in INTERVAL_PERCENTILES.items()
            }
        rows.append(
            Interval(
                at_s=at_s,
                scheduled=counts.scheduled,
                sent=counts.sent,
                accepted=counts.accepted,
                rejected=counts.rejected,
                given_up=counts.given_up,
                planned_per_s=None if planned is None else round(planned / interval_s, 3),
                latency_ms=latency_ms,
                behind_ms=float(counts.late_ms),
            )
        )
    return Series(interval_s=float(interval_s), rows=rows)


def histograms_of(recording: Recording) -> list[Histogram]:
    """From the scheduled instant, from sending, and of batches; of each provider too when both took part."""
    found = []
    for since in Since:
        providers = [name.partition(" ")[2] for name in recording.latency_ms if name.startswith(f"{since} ")]
        if providers:
            found.append(histogram_of(since.value, recording.latencies(since), MS_US))
        if len(providers) > 1:
            found += [
                histogram_of(f"{since} {each}", recording.latencies(since, each), MS_US) for each in sorted(providers)
            ]
    return [histogram for histogram in found if histogram.count]
