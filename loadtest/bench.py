"""How fast sender and simulator are on this machine, beside what one would build first. Ratios of one run count, not seconds.

Every row is the reference sender with per-notification results against some server: our simulator with every check,
ledger and journal on; the same with the device store in the loop; Hypercorn with Starlette, which looks at nothing. Each
process's CPU time is read, so that a row says which side was the limit.
"""

import asyncio
import gc
import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from loadtest.demo import bottleneck
from loadtest.errors import RigStartError
from loadtest.population import rows
from loadtest.process_figures import figures_of
from loadtest.rig_process import RigProcess, RunningRig
from sender.apns.messages import ApnsOptions
from sender.apns.provider_token import ProviderTokenSource
from sender.asyncio_shell import AsyncioRun
from sender.campaign import CampaignOptions, client_tls, run_campaign
from sender.delivery import Delivery
from sender.pool import Endpoint, PoolOptions
from sender.store.device_store import DeviceStore
from sender.store.records import Due, Exchange, Outcome
from simulator.devices.token_space import Environment, Population

SEED = 20_261_123
BASELINE_START_TIMEOUT_S = 30.0
PAYLOAD = (
    b'{"aps":{"alert":{"title":"Sale starts now","body":"Hello {{name|friend}}, 20% off until Friday"},'
    b'"sound":"default","badge":3},"campaign":"black-friday"}'
)


class Row(msgspec.Struct, frozen=True):
    """One line of the table: medians over the repeats.

    `rates_per_s`: of each repeat. `spread`: (largest - smallest) / median. `cpu_us`: CPU time for one notification by side, in
    microseconds. `ratio`: to the baseline row, None for that row itself.
    """

    name: str
    notifications: int
    rate_per_s: float
    rates_per_s: list[float]
    spread: float
    cpu_us: dict[str, float | None]
    bottleneck: str
    ratio: float | None = None


class BenchReport(msgspec.Struct, frozen=True):
    """What one `pushrig bench` found. `repeats`: runs of each row."""

    python: str
    cores: int | None
    connections: int
    repeats: int
    rows: list[Row]


class Minted:
    """A source of notifications in memory: tokens minted before the clock starts, results looked at and counted."""

    def __init__(self, due: Sequence[Due]) -> None:
        self._due, self._at = due, 0
        self.outcomes = 0

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Hand out the next `want`."""
        self.outcomes += len(outcomes)
        batch = list(self._due[self._at : self._at + want])
        self._at += len(batch)
        return Exchange(batch, None, self._at >= len(self._due))


def run_bench(
    notifications: int,
    baseline_notifications: int,
    repeats: int,
    connections: int,
    on_row: Callable[[str], None] = lambda name: None,
) -> BenchReport:
    """Measure all rows, interleaved so that a slow minute of the machine hits all alike."""
    population = Population(SEED, notifications, "com.example.app", Environment.PRODUCTION, ())
    due = [Due(index + 1, minted.token, 0, 0, b"{}") for index, minted in enumerate(population.mint_range())]
    found: dict[str, list[tuple[float, dict[str, float | None]]]] = {}
    with RigProcess() as rig, _baseline(rig.running) as baseline, tempfile.TemporaryDirectory() as folder:
        store_file = Path(folder) / "devices.db"
        with DeviceStore.open(store_file, create=True) as store:
            store.import_rows(rows(population))
        measured: tuple[tuple[str, Callable[[int], int], Callable[[], float | None]], ...] = (
            (
                "simulator",
                lambda run: _send(rig.running, rig.running.url, due, connections),
                lambda: rig.figures.cpu_s,
            ),
            (
                "simulator, from the store",
                lambda run: _campaign(rig.running, store_file, f"bench-{run}", connections),
                lambda: rig.figures.cpu_s,
            ),
            (
                "Hypercorn + Starlette",
                lambda run: _send(rig.running, baseline.url, due[:baseline_notifications], connections),
                lambda: figures_of(baseline.pid).cpu_s,
            ),
        )
        counts: dict[str, int] = {}
        for run in range(repeats):
            for name, work, server_cpu in measured:
                on_row(f"{name}, run {run + 1} of {repeats}")
                before = (server_cpu(), figures_of(os.getpid()).cpu_s)
                started_at_s = time.perf_counter()
                counts[name] = work(run)
                elapsed_s = time.perf_counter() - started_at_s
                after = (server_cpu(), figures_of(os.getpid()).cpu_s)
                cpu_s = {
                    side: None if then is None or now is None else now - then
                    for side, then, now in zip(("server", "sender"), before, after, strict=True)
                }
                found.setdefault(name, []).append((elapsed_s, cpu_s))
    table = [_row(name, counts[name], runs) for name, runs in found.items()]
    slowest = table[-1].rate_per_s
    table = [
        *(msgspec.structs.replace(row, ratio=round(row.rate_per_s / slowest, 1)) for row in table[:-1]),
        table[-1],
    ]
    return BenchReport(sys.version.split()[0], os.cpu_count(), connections, repeats, table)


def _row(name: str, count: int, runs: Sequence[tuple[float, dict[str, float | None]]]) -> Row:
    rates = [count / elapsed_s for elapsed_s, _ in runs]
    middle = statistics.median(rates)
    cpu_us: dict[str, float | None] = {}
    for side in ("server", "sender"):
        spent = [cpu[side] for _, cpu in runs]
        known = [value for value in spent if value is not None]
        cpu_us[side] = round(statistics.median(known) / count * 1e6, 2) if known else None
    elapsed_s, cpu_s = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
    return Row(
        name,
        count,
        round(middle, 1),
        [round(rate, 1) for rate in rates],
        round((max(rates) - min(rates)) / middle, 3),
        cpu_us,
        bottleneck(cpu_s, elapsed_s),
    )


def _send(rig: RunningRig, url: str, due: Sequence[Due], connections: int) -> int:
    """Send from memory; returns how many were answered. Payloads differ from one to the next."""
    endpoint = Endpoint.parse(url)
    provider_token = ProviderTokenSource.from_file(Path(rig.key_file), rig.key_id, rig.team_id)
    before, after = PAYLOAD.split(b"{{name|friend}}")
    count = 0

    def render(attributes: bytes) -> bytes:
        nonlocal count
        count += 1
        return b"%b%d%b" % (before, count, after)

    draw = random.Random(SEED).random
    delivery = Delivery(
        ApnsOptions("com.example.app", endpoint.authority),
        campaign_key=SEED,
        render=render,
        authorization=provider_token.text,
        renew=provider_token.renew,
        draw=draw,
    )
    source = Minted(due)
    run = AsyncioRun(
        delivery, source, endpoint, client_tls(endpoint, Path(rig.ca_file)), PoolOptions(connections), draw=draw
    )
    gc.collect()
    asyncio.run(run.run())
    if delivery.stopped is not None:
        raise RigStartError(1, f"{url}: {delivery.stopped}")
    return source.outcomes


def _campaign(rig: RunningRig, store_file: Path, name: str, connections: int) -> int:
    endpoint = Endpoint.parse(rig.url)
    report = run_campaign(
        CampaignOptions(
            store=store_file,
            name=name,
            payload=PAYLOAD,
            apns=ApnsOptions("com.example.app", endpoint.authority),
            endpoint=endpoint,
            key_file=Path(rig.key_file),
            key_id=rig.key_id,
            team_id=rig.team_id,
            ca_file=Path(rig.ca_file),
            pool=PoolOptions(connections),
        )
    )
    return report.accepted


class Baseline(msgspec.Struct, frozen=True):
    """The other server: where it is, and its process."""

    url: str
    pid: int


@contextmanager
def _baseline(rig: RunningRig) -> Iterator[Baseline]:
    """Hypercorn and Starlette with the rig's certificate, for the length of a `with` block. Raises RigStartError."""
    folder = Path(rig.state_dir)
    command = [sys.executable, "-m", "loadtest.baseline_server", str(folder / "server.pem"), str(folder / "server.key")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  # our own program
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.isdigit():
            raise RigStartError(process.wait(BASELINE_START_TIMEOUT_S), "Hypercorn with Starlette did not start")
        url = f"https://localhost:{int(line)}"
        _wait_for_tls(url, rig)
        yield Baseline(url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(BASELINE_START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_for_tls(url: str, rig: RunningRig) -> None:
    """One handshake: the port is open before Hypercorn serves it, so this waits in the backlog until it does."""
    import socket

    endpoint = Endpoint.parse(url)
    context = ssl.create_default_context(cafile=rig.ca_file)
    with (
        socket.create_connection((endpoint.host, endpoint.port), BASELINE_START_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host),
    ):
        pass
