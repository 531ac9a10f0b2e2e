"""What a notification costs in campaigns of thousands and of millions of devices, and how much memory each process takes."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loadtest.bench import servers
from loadtest.bench.figures import largest_known, mean_known, median_known
from loadtest.bench.records import SIDES, Cost, Run
from loadtest.bench.senders import Bench, campaign_of, fill_store

# A campaign over so few devices costs what every campaign costs at its start and end.
HANDFUL = 100
HANDFUL_REPEATS = 10
# Small campaigns are over before a clock can tell much: they are repeated until so many notifications are sent.
NOTIFICATIONS_PER_SIZE = 200_000
REPEATS_MAX = 20
SLOWEST_PER_S = 2_000.0


def measure_costs(
    seed: int, sizes: Sequence[int], repeats: int, connections: int, on_step: Callable[[str], None]
) -> list[Cost]:
    """A campaign from the store for each size, with a simulator of its own, so that its memory is its own as well."""
    fixed = _runs(seed, HANDFUL, HANDFUL_REPEATS, connections, on_step)
    fixed_cpu_s = {side: mean_known([run.cpu_s[side] for run in fixed]) for side in SIDES}
    return [
        cost_of(size, _runs(seed, size, repeats_of(size, repeats), connections, on_step), fixed_cpu_s) for size in sizes
    ]


def repeats_of(size: int, repeats: int) -> int:
    """How often a campaign of this size is run."""
    return min(REPEATS_MAX, max(repeats, NOTIFICATIONS_PER_SIZE // size))


def cost_of(size: int, runs: Sequence[Run], fixed_cpu_s: Mapping[str, float | None]) -> Cost:
    """Mean CPU time of the runs of one size, without what a campaign of a handful costs, and their median rate. Pure.

    The mean, since the system tells CPU time in ticks, of which a short run has but a few.
    """
    cpu_us: dict[str, float | None] = {}
    for side in SIDES:
        spent, fixed = mean_known([run.cpu_s[side] for run in runs]), fixed_cpu_s.get(side)
        per_notification_s = None if spent is None or fixed is None else (spent - fixed) / (size - HANDFUL)
        cpu_us[side] = None if per_notification_s is None else round(per_notification_s * 1e6, 2)
    rate = median_known([run.notifications / run.elapsed_s for run in runs])
    return Cost(
        devices=size,
        repeats=len(runs),
        rate_per_s=round(rate or 0.0, 1),
        cpu_us=cpu_us,
        fixed_cpu_s={side: None if value is None else round(value, 4) for side, value in fixed_cpu_s.items()},
        peak_rss_mb={side: largest_known([run.peak_rss_mb[side] for run in runs]) for side in SIDES},
    )


def _runs(seed: int, size: int, repeats: int, connections: int, on_step: Callable[[str], None]) -> list[Run]:
    title = f"campaign to {size:,} devices"
    with tempfile.TemporaryDirectory(prefix="pushrig-bench-") as name, servers.simulator() as (rig, simulator, _):
        folder = Path(name)
        store_file = folder / "devices.db"
        on_step(f"storing {size:,} devices")
        fill_store(store_file, seed, size, rig.topic)
        bench = Bench(rig, folder, store_file, seed, connections)
        runs = []
        for repeat in range(repeats):
            on_step(f"{title}, run {repeat + 1} of {repeats}")
            assert simulator.control is not None
            simulator.control.reset()
            simulator.control.declare(seed, size)
            timeout_s = 60 + size / SLOWEST_PER_S
            runs.append(campaign_of(bench, simulator, size, store_file, title, timeout_s))
        return runs
