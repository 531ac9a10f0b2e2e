"""What a notification costs in campaigns of thousands and of millions of devices, and how much memory each process takes."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from loadtest.bench import servers
from loadtest.bench.figures import largest_known, mean_known
from loadtest.bench.records import SIDES, Cost, Run
from loadtest.bench.senders import Bench, campaign_of, check_ledger, declare, fill_store

# A campaign over so few devices costs what every campaign costs at its start and end.
HANDFUL = 100
HANDFUL_REPEATS = 10
# Small campaigns are over before a clock can tell much: they are repeated until so many notifications are sent.
NOTIFICATIONS_PER_SIZE = 200_000
REPEATS_MAX = 20
# Large ones take minutes: no more of them than this allows, but one.
NOTIFICATIONS_PER_SIZE_MAX = 5_000_000
SLOWEST_PER_S = 2_000.0


class Campaigns(NamedTuple):
    """The runs over one store. `fill_s`: minting its devices and storing them."""

    runs: list[Run]
    fill_s: float


def measure_costs(
    seed: int, sizes: Sequence[int], repeats: int, connections: int, on_step: Callable[[str], None]
) -> list[Cost]:
    """A campaign from the store for each size, with a simulator of its own, so that its memory is its own as well."""
    fixed = _campaigns(seed, HANDFUL, HANDFUL_REPEATS, connections, on_step).runs
    fixed_cpu_s = {side: mean_known([run.cpu_s[side] for run in fixed]) for side in SIDES}
    return [
        cost_of(size, _campaigns(seed, size, repeats_of(size, repeats), connections, on_step), fixed_cpu_s)
        for size in sizes
    ]


def repeats_of(size: int, repeats: int) -> int:
    """How often a campaign of this size is run."""
    most = max(1, min(REPEATS_MAX, NOTIFICATIONS_PER_SIZE_MAX // size))
    return min(most, max(repeats, NOTIFICATIONS_PER_SIZE // size))


def cost_of(size: int, campaigns: Campaigns, fixed_cpu_s: Mapping[str, float | None]) -> Cost:
    """Mean CPU time of the runs of one size, without what a campaign of a handful costs, and their median rate. Pure.

    The mean, since the system tells CPU time in ticks, of which a short run has but a few.
    """
    runs = campaigns.runs
    cpu_us: dict[str, float | None] = {}
    for side in SIDES:
        spent, fixed = mean_known([run.cpu_s[side] for run in runs]), fixed_cpu_s.get(side)
        per_notification_s = None if spent is None or fixed is None else (spent - fixed) / (size - HANDFUL)
        cpu_us[side] = None if per_notification_s is None else round(per_notification_s * 1e6, 2)
    rates = [run.notifications / run.elapsed_s for run in runs]
    return Cost(
        devices=size,
        repeats=len(runs),
        rate_per_s=round(statistics.median(rates), 1),
        cpu_us=cpu_us,
        fixed_cpu_s={side: None if value is None else round(value, 4) for side, value in fixed_cpu_s.items()},
        peak_rss_mb={side: largest_known([run.peak_rss_mb[side] for run in runs]) for side in SIDES},
        rates_per_s=[round(rate, 1) for rate in rates],
        fill_s=round(campaigns.fill_s, 3),
        store_mb=largest_known([run.store_mb for run in runs]),
    )


def _campaigns(seed: int, size: int, repeats: int, connections: int, on_step: Callable[[str], None]) -> Campaigns:
    title = f"campaign to {size:,} devices"
    with tempfile.TemporaryDirectory(prefix="pushrig-bench-") as name, servers.simulator() as (rig, simulator, _):
        folder = Path(name)
        store_file = folder / "devices.db"
        on_step(f"storing {size:,} devices")
        began_at_s = time.perf_counter()
        fill_store(store_file, seed, size, rig.topic)
        fill_s = time.perf_counter() - began_at_s
        bench = Bench(rig, folder, store_file, seed, connections)
        runs = []
        for repeat in range(repeats):
            on_step(f"{title}, run {repeat + 1} of {repeats}")
            declare(bench, simulator, size)
            timeout_s = 60 + size / SLOWEST_PER_S
            runs.append(campaign_of(bench, simulator, size, store_file, title, timeout_s))
            check_ledger(bench, simulator, size, title)
        return Campaigns(runs, fill_s)
