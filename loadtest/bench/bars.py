"""The bars that `pushrig bench` holds its rows against: one row of the table each. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from loadtest.bench.figures import largest_known
from loadtest.bench.growth_axes import WORKERS, name_of
from loadtest.bench.records import SIDES, Bar, Cost, Row


class Ratio(NamedTuple):
    """Row `of` must reach `least` times row `beside`. `limit`: of row `beside`, without which the ratio says nothing."""

    name: str
    what: str
    of: str
    beside: str
    least: float
    unit: Literal["%", "×"] = "%"
    limit: str | None = None


# "Bare work": ruler sender and ruler server against each other.
RATIOS = (
    Ratio("simulator", "simulator, all checks, under the reference sender / bare work", "simulator", "ruler", 0.60),
    Ratio("h2load", "simulator, all checks, under h2load / nghttpd under h2load", "h2load", "nghttpd", 0.40),
    Ratio("hypercorn", "simulator under h2load / Hypercorn with Starlette", "h2load", "hypercorn", 20, "×"),
    Ratio("sender", "reference sender with store and results / bare work", "store-sender", "ruler", 0.50),
    Ratio("fcm", "over FCM / over APNs, reference sender and simulator", "fcm", "simulator", 0.60),
    Ratio("locust-fcm", "over FCM / over APNs, Locust and simulator", "locust-fcm", "locust", 0.60),
    Ratio("locust", "Locust / reference sender under asyncio", "locust", "simulator", 0.70),
    Ratio("campaign", "store, sent, judged, fed back / bare work", "campaign", "ruler", 0.30),
)

# Of `--growth workers`. Where one worker is not the limit, a second one cannot show what it is worth.
WORKERS_RATIO = Ratio(
    "workers",
    "two workers, two senders' processes / one worker, one sender's process, header fields as nghttp2 codes them",
    name_of(WORKERS, 2),
    name_of(WORKERS, 1),
    1.5,
    "×",
    limit="server",
)

# The three ways to code header fields; the slowest is what the simulator is published to take.
ENCODINGS = ("ruler-sender", "encoding-h2", "encoding-nghttp2")

START_S_MAX = 0.5
MEMORY_MB_MAX = 300.0
COST_SPREAD_MAX = 0.10  # (dearest - cheapest) / cheapest


def bars_of(
    rows: Sequence[Row], start_s: Sequence[float], costs: Sequence[Cost] = (), growth: Sequence[Row] = ()
) -> list[Bar]:
    """Where a run stands at every bar. Those of `--cost` and `--growth` are left out of a run without them."""
    by_name = {row.name: row for row in rows}
    bars = [_ratio(ratio, by_name) for ratio in RATIOS]
    start = statistics.median(start_s) if start_s else None
    bars.append(_most("start", "start of the simulator to ready", START_S_MAX, "s", start))
    if costs:
        spread = cost_spread(costs)
        spread_percent = None if spread is None else 100 * spread
        smallest, largest = min(cost.devices for cost in costs), max(cost.devices for cost in costs)
        bars.append(
            _most(
                "flat",
                f"CPU time of a notification, {smallest:,} to {largest:,} devices: dearest over cheapest",
                100 * COST_SPREAD_MAX,
                "%",
                spread_percent,
            )
        )
        for side in SIDES:
            peak_mb = largest_known([cost.peak_rss_mb.get(side) for cost in costs])
            what = f"memory of the {side} in a campaign of {largest:,} devices"
            bars.append(_most(f"memory-{side}", what, MEMORY_MB_MAX, "MB", peak_mb))
    grown = {row.name: row for row in growth}
    if {WORKERS_RATIO.of, WORKERS_RATIO.beside} <= grown.keys():
        bars.append(_ratio(WORKERS_RATIO, grown))
    return bars


def _ratio(ratio: Ratio, rows: Mapping[str, Row]) -> Bar:
    of, beside = rows.get(ratio.of), rows.get(ratio.beside)
    scale = 100 if ratio.unit == "%" else 1
    value = by_cpu = met = None
    if of is not None and beside is not None and ratio.limit in (None, beside.limit):
        value = round(scale * of.rate_per_s / beside.rate_per_s, 1)
        met = of.rate_per_s >= ratio.least * beside.rate_per_s
        if of.bound_per_s and beside.bound_per_s:
            by_cpu = round(scale * of.bound_per_s / beside.bound_per_s, 1)
    return Bar(ratio.name, ratio.what, "least", round(scale * ratio.least, 1), ratio.unit, value, by_cpu, met)


def _most(name: str, what: str, bar: float, unit: str, value: float | None) -> Bar:
    met = None if value is None else value <= bar
    return Bar(name, what, "most", bar, unit, None if value is None else round(value, 3), None, met)


def cost_spread(costs: Sequence[Cost]) -> float | None:
    """How much dearer a notification is at the dearest size than at the cheapest, both sides together; None if unknown."""
    totals = []
    for cost in costs:
        spent = [value for value in cost.cpu_us.values() if value is not None]
        if len(spent) < len(SIDES):
            return None
        totals.append(sum(spent))
    return (max(totals) - min(totals)) / min(totals) if totals and min(totals) > 0 else None


def ceiling(rows: Sequence[Row]) -> Row | None:
    """The slowest of the measured header encodings; None unless all were measured."""
    measured = [row for row in rows if row.name in ENCODINGS]
    return min(measured, key=lambda row: row.rate_per_s) if len(measured) == len(ENCODINGS) else None
