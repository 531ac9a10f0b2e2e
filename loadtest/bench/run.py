"""Measures the rows: all servers up for the whole run, the repeats of all rows in turns."""

import contextlib
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from loadtest.bench import servers
from loadtest.bench.bars import bars_of
from loadtest.bench.cost import measure_costs
from loadtest.bench.figures import row_of
from loadtest.bench.growth import measure_growth
from loadtest.bench.minting import measure_minting
from loadtest.bench.records import BenchReport, Cost, Failed, Missing, Run
from loadtest.bench.rows import RowSpec, count_of
from loadtest.bench.senders import Bench, fill_store, measure
from loadtest.bench.servers import Server
from loadtest.errors import LoadTestError
from loadtest.rig_process import RunningRig

SEED = 20_261_123


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure. `cost_devices`: sizes of the campaigns whose cost is measured, none for no such measurement.

    `growth`: marks by axis, see `growth_axes`.
    """

    rows: tuple[RowSpec, ...]
    notifications: int
    repeats: int
    connections: int
    cost_devices: tuple[int, ...] = ()
    growth: Mapping[str, Sequence[int]] = field(default_factory=dict)


def run_bench(options: BenchOptions, on_step: Callable[[str], None] = lambda what: None) -> BenchReport:
    """Measure. A row that fails is left out, and said to have failed.

    Raises LoadTestError or SenderError when the simulator or a server does not start.
    """
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    ready = [row for row in options.rows if row.needs is None or row.needs.present]
    missing = [
        Missing(row.name, row.needs.name, row.needs.install)
        for row in options.rows
        if row.needs is not None and row not in ready
    ]
    start_s, found, failed = _measure_rows(options, ready, on_step)
    table = [row_of(row.name, row.title, found[row.name]) for row in ready if row.name in found]
    costs: list[Cost] = []
    if options.cost_devices:
        costs = measure_costs(SEED, options.cost_devices, options.repeats, options.connections, on_step)
    growth, failed_growth = measure_growth(
        SEED, options.growth, options.notifications, options.repeats, options.connections, on_step
    )
    return BenchReport(
        pushrig=version("pushrig"),
        python=platform.python_version(),
        machine=machine(),
        cores=os.cpu_count(),
        load_average=None if load_average is None else round(load_average, 2),
        started_at=started_at,
        notifications=options.notifications,
        connections=options.connections,
        repeats=options.repeats,
        start_s=[round(each, 3) for each in start_s],
        rows=table,
        missing=missing,
        bars=bars_of(table, start_s, costs, [point.row for point in growth]),
        costs=costs,
        failed=[*failed, *failed_growth],
        growth=growth,
        minting=measure_minting(SEED) if costs else None,
    )


def _measure_rows(
    options: BenchOptions, rows: Sequence[RowSpec], on_step: Callable[[str], None]
) -> tuple[list[float], dict[str, list[Run]], list[Failed]]:
    start_s: list[float] = []
    found: dict[str, list[Run]] = {}
    failed: dict[str, Failed] = {}
    servers.write_bytecode()
    for _ in range(options.repeats - 1):
        on_step("starting the simulator")
        with servers.simulator() as (_, _, seconds):
            start_s.append(seconds)
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pushrig-bench-")))
        on_step("starting the servers")
        rig, simulator, seconds = held.enter_context(servers.simulator())
        start_s.append(seconds)
        running = {servers.SIMULATOR: simulator}
        for name in dict.fromkeys(row.server for row in rows):
            if name not in running:
                running[name] = held.enter_context(_server(name, rig, folder))
        store_file = folder / "devices.db"
        devices = max((count_of(row, options.notifications) for row in rows if row.sender == "campaign"), default=0)
        if devices:
            on_step(f"storing {devices:,} devices")
            fill_store(store_file, SEED, devices, rig.topic)
        bench = Bench(rig, folder, store_file, SEED, options.connections)
        for repeat in range(options.repeats):
            for row in rows:
                if row.name in failed:
                    continue
                on_step(f"{row.title}, run {repeat + 1} of {options.repeats}")
                count = count_of(row, options.notifications)
                try:
                    found.setdefault(row.name, []).append(measure(bench, row, running[row.server], count))
                except LoadTestError as error:
                    failed[row.name] = Failed(row.name, str(error))
                    del found[row.name]
    return start_s, found, list(failed.values())


def _server(name: str, rig: RunningRig, folder: Path) -> contextlib.AbstractContextManager[Server]:
    if name == servers.NGHTTPD:
        empty = folder / "empty"
        empty.mkdir()
        return servers.nghttpd(rig, empty)
    return servers.module_server(name, rig)


def machine() -> str:
    """What the processor calls itself."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
