"""Rows and reports of the bench with plausible figures, for tests that spoil one of them."""

import msgspec

from loadtest.bench.growth_axes import STREAMS, WORKERS, name_of
from loadtest.bench.records import BenchReport, Cost, GrowthPoint, Minting, Row, Run, TokenFile


def run(notifications: int = 1_000, elapsed_s: float = 1.0, server_s: float | None = 0.5, sender_s: float = 0.2) -> Run:
    return Run(notifications, elapsed_s, {"server": server_s, "sender": sender_s}, {"server": 70.0, "sender": 60.0})


def row(name: str, rate_per_s: float = 100_000.0, *, server_us: float | None = 5.0, spread: float = 0.01) -> Row:
    bound = None if server_us is None else 1e6 / max(server_us, 2.0)
    return Row(
        name=name,
        title=f"{name} → server",
        notifications=1_000,
        rate_per_s=rate_per_s,
        rates_per_s=[rate_per_s],
        spread=spread,
        cpu_us={"server": server_us, "sender": 2.0},
        bound_per_s=bound,
        limit="server",
        peak_rss_mb={"server": 70.0, "sender": 60.0},
    )


def report(*rows: Row, **changed: object) -> BenchReport:
    whole = BenchReport(
        pushrig="0.1.0",
        python="3.11.7",
        machine="a processor",
        cores=2,
        load_average=0.5,
        started_at="2026-01-01T00:00:00+00:00",
        notifications=1_000,
        connections=4,
        repeats=1,
        start_s=[0.3],
        rows=list(rows),
        missing=[],
        bars=[],
    )
    return msgspec.structs.replace(whole, **changed)


def cost(devices: int, server_us: float | None = 7.0, peak_mb: float = 80.0) -> Cost:
    return Cost(
        devices=devices,
        repeats=1,
        rate_per_s=60_000,
        cpu_us={"server": server_us, "sender": 10.0},
        fixed_cpu_s={"server": 0.0, "sender": 0.0},
        peak_rss_mb={"server": peak_mb, "sender": 60.0},
        fill_s=devices * 10e-6,
        store_mb=devices * 260e-6,
    )


def point(axis: str, at: int, rate_per_s: float = 100_000.0) -> GrowthPoint:
    return GrowthPoint(axis, at, row(name_of(axis, at), rate_per_s))


def grown_report() -> BenchReport:
    return report(
        row("ruler"),
        costs=[cost(10_000), cost(1_000_000, 7.4, 81.0)],
        growth=[point(STREAMS, 1, 5_000), point(STREAMS, 10), point(WORKERS, 1, 40_000), point(WORKERS, 2, 72_000)],
        minting=Minting(100_000, 2.0, [TokenFile(".csv", 5.0, 150.0), TokenFile(".jsonl", 4.0, 280.0)]),
    )
