"""The results of one load test as records: the run, its figures over time, its latencies as histograms."""

from collections.abc import Mapping
from itertools import accumulate

from loadtest.load_report import LoadReport
from loadtest.profiles import Profile
from loadtest.recording import IntervalCounts, Recording, Since, percentile
from loadtest.report.run_record import (
    POINTS_MAX,
    FaultBand,
    Histogram,
    Interval,
    Ledger,
    Limit,
    Machine,
    RunRecord,
    Series,
)

INTERVAL_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
HDR_MAX_US = 24 * 3_600 * 1_000_000
HDR_DIGITS = 3


def run_record(
    report: LoadReport,
    *,
    name: str,
    command: list[str],
    began_at: str,
    versions: dict[str, str],
    machine: Machine,
    limits: list[Limit],
    faults: list[FaultBand],
) -> RunRecord:
    """The run as a whole. `began_at`: ISO 8601."""
    ledger = report.ledger
    return RunRecord(
        name=name,
        command=command,
        began_at=began_at,
        versions=versions,
        machine=machine,
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
        ledger=None
        if ledger is None
        else Ledger(
            accepted_once=ledger.accepted_once,
            accepted_more=ledger.accepted_more,
            rejected=ledger.rejected,
            never=ledger.never,
        ),
        ceiling_per_s=report.ceiling_per_s,
        ceiling_from=report.ceiling_from,
        behind=report.behind,
        behind_ms_max=report.behind_ms_max,
        cpu_s=report.cpu_s,
        peak_rss_mb=report.peak_rss_mb,
        limits=limits,
        faults=faults,
        failures=report.failures,
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
            found.append(_histogram(since.value, recording.latencies(since)))
        if len(providers) > 1:
            found += [_histogram(f"{since} {each}", recording.latencies(since, each)) for each in sorted(providers)]
    return [histogram for histogram in found if histogram.count]


def _histogram(name: str, latency_ms: Mapping[int, int]) -> Histogram:
    total = sum(latency_ms.values())
    points = [
        (seen / total, float(latency))
        for latency, seen in zip(latency_ms, accumulate(latency_ms.values()), strict=True)
    ]
    if len(points) > POINTS_MAX:
        # Evenly thinned; the last one stays, it is the maximum.
        points = [points[len(points) * (number + 1) // POINTS_MAX - 1] for number in range(POINTS_MAX)]
    return Histogram(
        name=name,
        count=total,
        mean_ms=round(sum(latency * count for latency, count in latency_ms.items()) / total, 3) if total else 0.0,
        max_ms=float(max(latency_ms, default=0)),
        points=points,
        hdr=_hdr(latency_ms),
    )


def _hdr(latency_ms: Mapping[int, int]) -> str:
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, HDR_MAX_US, HDR_DIGITS)
    for latency, count in latency_ms.items():
        histogram.record_value(min(latency * 1_000, HDR_MAX_US), count)
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")
