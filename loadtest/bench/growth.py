"""Measures how cost grows: with connections, streams and workers here; with devices in `cost`."""

import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from loadtest.bench import servers
from loadtest.bench.figures import row_of
from loadtest.bench.growth_axes import AXES, CONNECTIONS, STREAMS, WORKERS, name_of, notifications_at
from loadtest.bench.records import Failed, GrowthPoint, Run
from loadtest.bench.senders import Bench, check_ledger, declare, run_module, run_modules
from loadtest.bench.servers import Server
from loadtest.errors import LoadTestError

# The way to code header fields that costs a simulator most: it, and not the senders, must be the limit.
WORKERS_ENCODING = "nghttp2"

_UNITS = {axis.name: axis.unit for axis in AXES}


def measure_growth(
    seed: int,
    marks: Mapping[str, Sequence[int]],
    notifications: int,
    repeats: int,
    connections: int,
    on_step: Callable[[str], None],
) -> tuple[list[GrowthPoint], list[Failed]]:
    """All marks in turns, so that a slow minute hits all alike; each run with a simulator of its own, whose memory is its own.

    `marks`: by axis. `connections`: of each sender, where the axis is another. A mark that fails is left out, and said to
    have failed.
    """
    wanted = [(axis, at) for axis, each in marks.items() for at in each]
    found: dict[tuple[str, int], list[Run]] = {}
    failed: dict[tuple[str, int], Failed] = {}
    for repeat in range(repeats):
        for point in wanted:
            if point in failed:
                continue
            axis, at = point
            on_step(f"{_title(axis, at)}, run {repeat + 1} of {repeats}")
            try:
                found.setdefault(point, []).append(_run(seed, axis, at, notifications, connections))
            except LoadTestError as error:
                failed[point] = Failed(name_of(axis, at), str(error))
                del found[point]
    rows = {(axis, at): row_of(name_of(axis, at), _title(axis, at), runs) for (axis, at), runs in found.items()}
    return [GrowthPoint(axis, at, rows[axis, at]) for axis, at in wanted if (axis, at) in rows], list(failed.values())


def _title(axis: str, at: int) -> str:
    return f"{_UNITS[axis]}: {at:,}"


def _run(seed: int, axis: str, at: int, notifications: int, connections: int) -> Run:
    count = notifications_at(axis, at, notifications)
    title = _title(axis, at)
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pushrig-bench-")))
        rig, simulator, _ = held.enter_context(servers.simulator(at if axis == WORKERS else 1))
        over = {CONNECTIONS: at, STREAMS: 1}.get(axis, connections)
        bench = Bench(rig, folder, folder / "devices.db", seed, over)
        declare(bench, simulator, count)
        run = _SENDERS[axis](bench, simulator, count, at, title)
        check_ledger(bench, simulator, count, title)
        return run


def _over_connections(bench: Bench, server: Server, count: int, at: int, title: str) -> Run:
    return run_module("reference_sender", bench.task(server, count), server, title)


def _over_streams(bench: Bench, server: Server, count: int, at: int, title: str) -> Run:
    task = msgspec.structs.replace(bench.task(server, count), streams_max=at)
    return run_module("reference_sender", task, server, title)


def _to_workers(bench: Bench, server: Server, count: int, at: int, title: str) -> Run:
    task = bench.task(server, count, WORKERS_ENCODING)
    bounds = [count * part // at for part in range(at + 1)]
    tasks = [msgspec.structs.replace(task, start=first, count=behind - first) for first, behind in pairwise(bounds)]
    return run_modules("ruler_sender", tasks, server, title)


_SENDERS: dict[str, Callable[[Bench, Server, int, int, str], Run]] = {
    CONNECTIONS: _over_connections,
    STREAMS: _over_streams,
    WORKERS: _to_workers,
}
