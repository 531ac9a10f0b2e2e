"""A run of a minute as its results directory has it, for tests to spoil."""

import msgspec

from loadtest.report.ledger_record import Ledger
from loadtest.report.results_directory import Results
from loadtest.report.run_record import FaultBand, Histogram, Interval, Limit, Machine, RunRecord, Series
from loadtest.report.sender_record import (
    ConnectionFigures,
    SenderRecord,
    SenderSeen,
    SendersRecord,
)

SECONDS = 60


def run_record(**changed: object) -> RunRecord:
    """60,000 devices of APNs at a steady 1,000 a second, 600 of them unregistered."""
    run = RunRecord(
        name="steady",
        command=["pushrig", "load", "--profile", "steady:rate=1000"],
        began_at="2026-03-01T12:00:00Z",
        versions={"pushrig": "0.1.0", "locust": "2.32.0"},
        machine=Machine(system="Linux x86_64", cores=2, python="3.11.2", memory_mb=7_900),
        provider="apns",
        endpoint="https://localhost:8443",
        seed=7,
        devices=60_000,
        users=4,
        batch_size=100,
        connections=4,
        profile="steady:rate=1000",
        arrivals="poisson",
        scheduled=60_000,
        sent=60_010,
        accepted=59_400,
        rejected={"Unregistered": 600},
        given_up={},
        retried=10,
        unfinished=0,
        elapsed_s=60.0,
        rate_per_s=1_000.0,
        latency_ms={"p50": 2.5, "p90": 6.0, "p99": 14.0, "p999": 41.0, "max": 63.0},
        latency_from_sent_ms={"p50": 2.0, "p90": 5.0, "p99": 11.0, "p999": 30.0, "max": 50.0},
        bottleneck="rate",
        scheduled_per_s=1_000.0,
        reached_per_s=999.0,
        reached_share=0.999,
        ledger=Ledger(accepted_once=59_400, accepted_more=0, rejected=600, never=0),
        ceiling_per_s=21_000.0,
        ceiling_from="measured for 2 s before the run",
        cpu_s={"load_generator": 21.5, "simulator": 9.1},
        peak_rss_mb={"load_generator": 96.0, "simulator": 80.0},
        limits=[Limit(name="simulator", value="off"), Limit(name="streams of a connection", value="1000")],
        faults=[FaultBand(fault="latency", from_s=20.0, to_s=25.0), FaultBand(fault="goaway", from_s=50.0)],
    )
    return msgspec.structs.replace(run, **changed)


def series() -> Series:
    """One row a second."""
    return Series(
        interval_s=1.0,
        rows=[
            Interval(
                at_s=float(at),
                scheduled=1_000,
                sent=1_000,
                accepted=990,
                rejected={"Unregistered": 10},
                planned_per_s=1_000.0,
                latency_ms={"p50": 2.5, "p90": 6.0, "p99": 14.0 + at % 7, "max": 40.0},
            )
            for at in range(SECONDS)
        ],
    )


def histograms() -> list[Histogram]:
    """Of both instants."""
    return [
        Histogram(
            name=name,
            count=60_000,
            mean_ms=3.1,
            max_ms=last_ms,
            points=[
                (0.0, 0.9),
                (0.5, 2.5 * by),
                (0.9, 6.0 * by),
                (0.99, 14.0 * by),
                (0.999, 41.0 * by),
                (1.0, last_ms),
            ],
        )
        for name, by, last_ms in (("scheduled", 1.0, 63.0), ("sent", 0.8, 50.0))
    ]


def results(**changed: object) -> Results:
    """All of it. `changed`: fields of the run."""
    return Results(run_record(**changed), series(), histograms())


def connection_figures() -> ConnectionFigures:
    """Of two connections."""
    return ConnectionFigures(
        opened=2,
        handshakes_failed=0,
        most_open=2,
        streams_most=7,
        spoken={"HTTP/2": 2},
        requests={"min": 10, "p50": 500, "max": 990},
        ended={"client: end": 2},
        resets_by_client=3,
        unanswered=1,
    )


def sender_record(**changed: object) -> SenderRecord:
    """A sender of 1,000 devices, of which 5 are unregistered, and 1 was notified twice."""
    seen = SenderSeen(
        notifications=1_001,
        accepted=996,
        rejected={"Unregistered": 5},
        elapsed_s=2.0,
        rate_per_s=500.5,
        gap_ms={"p50": 1.5, "p99": 20.0},
        answer_ms={"p50": 0.2, "p99": 0.9},
        connections=connection_figures(),
    )
    sender = SenderRecord(
        command="python send.py {tokens}",
        devices=1_000,
        exit_code=0,
        duration_s=2.5,
        overdue=False,
        said="done",
        ledger=Ledger(accepted_once=994, accepted_more=1, rejected=5, never=0),
        seen=seen,
    )
    return msgspec.structs.replace(sender, **changed)


def senders_run(*senders: SenderRecord, **changed: object) -> RunRecord:
    """A run of external senders."""
    run = run_record(
        name="senders",
        profile="sender",
        arrivals="closed",
        users=0,
        batch_size=0,
        scheduled=0,
        scheduled_per_s=None,
        reached_per_s=None,
        reached_share=None,
        latency_ms={},
        latency_from_sent_ms={},
        bottleneck="neither",
        cpu_s={"senders": 3.0, "simulator": 9.1},
        peak_rss_mb={"simulator": 80.0},
        faults=[],
        senders=SendersRecord(
            senders=list(senders) or [sender_record()],
            seen="every request",
            busiest_per_s=700.0,
            gap_ms={"p50": 1.5, "p90": 3.0, "p99": 20.0, "p999": 41.0, "max": 50.0},
            answer_ms={"p50": 0.2, "p90": 0.4, "p99": 0.9, "p999": 2.0, "max": 2.5},
            handshakes_failed=0,
            protocol_errors=0,
            limits_reached={"streams": 2},
            connections=connection_figures(),
        ),
    )
    return msgspec.structs.replace(run, **changed)
