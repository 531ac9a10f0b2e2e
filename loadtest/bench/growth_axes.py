"""Along what cost is followed, with which marks, and the points of a report along each axis. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from loadtest.bench.figures import bound_per_s, spread_of
from loadtest.bench.records import BenchReport, Cost, GrowthPoint, Row

DEVICES, CONNECTIONS, STREAMS, WORKERS = "devices", "connections", "streams", "workers"


class GrowthAxis(NamedTuple):
    """`name`: as the command line and the JSON call it. `unit`: of its marks. `what`: is measured at each of them."""

    name: str
    unit: str
    what: str


AXES = (
    GrowthAxis(DEVICES, "devices", "store → reference sender → simulator, a campaign to so many devices"),
    GrowthAxis(CONNECTIONS, "connections", "reference sender → simulator, over so many connections"),
    GrowthAxis(
        STREAMS, "streams at once", "reference sender → simulator, over one connection with so many streams at once"
    ),
    GrowthAxis(
        WORKERS,
        "workers",
        "ruler senders, header fields as nghttp2 codes them → simulator with so many workers, a sender's process for each",
    ),
)
AXIS_NAMES = tuple(axis.name for axis in AXES)

CONNECTION_MARKS = (1, 2, 4, 8, 16, 32, 64)  # a sender of ours keeps no more
STREAM_MARKS = (1, 3, 10, 30, 100, 300, 1_000)  # Apple's limit is the last
WORKERS_MAX = 16
# One stream waits for each answer. All marks have as many notifications, since the memory of both sides hangs on that too.
STREAMS_DIVISOR = 4
WORKERS_DIVISOR = 2  # and as many for each worker: its requests are the dearest kind


def device_marks(largest: int) -> tuple[int, ...]:
    """Powers of ten from ten thousand to below `largest`, and that."""
    return (*(10**power for power in range(4, 9) if 10**power < largest), largest)


def worker_marks(cores: int | None) -> tuple[int, ...]:
    """1, 2, 4, 8, as far as there are cores; 2 in any case."""
    most = min(WORKERS_MAX, max(2, cores or 2))
    return tuple(2**power for power in range(most.bit_length()) if 2**power <= most)


def marks_of(axis: str, cores: int | None) -> tuple[int, ...]:
    """The marks of an axis other than devices, on a machine with so many cores."""
    return {CONNECTIONS: CONNECTION_MARKS, STREAMS: STREAM_MARKS}.get(axis) or worker_marks(cores)


def notifications_at(axis: str, at: int, notifications: int) -> int:
    """How many notifications a run has at a mark; `notifications`: what a run of the rows has."""
    if axis == WORKERS:
        return at * max(1, notifications // WORKERS_DIVISOR)
    return max(1, notifications // STREAMS_DIVISOR) if axis == STREAMS else notifications


def name_of(axis: str, at: int) -> str:
    """The name of a point's row."""
    return f"{axis}-{at}"


def points(report: BenchReport, axis: str) -> list[GrowthPoint]:
    """Those of one axis, in the order of their marks. Devices are followed by the costs of campaigns."""
    found: Iterable[GrowthPoint] = (point for point in report.growth if point.axis == axis)
    if axis == DEVICES:
        found = (GrowthPoint(DEVICES, cost.devices, _row_of_cost(cost)) for cost in report.costs)
    return sorted(found, key=lambda point: point.at)


def growth_rows(report: BenchReport) -> list[Row]:
    """The rows of all points."""
    return [point.row for axis in AXIS_NAMES for point in points(report, axis)]


def _row_of_cost(cost: Cost) -> Row:
    rates = cost.rates_per_s or [cost.rate_per_s]
    return Row(
        name=name_of(DEVICES, cost.devices),
        title=f"devices: {cost.devices:,}",
        notifications=cost.devices,
        rate_per_s=cost.rate_per_s,
        rates_per_s=rates,
        spread=spread_of(rates),
        cpu_us=cost.cpu_us,
        bound_per_s=bound_per_s(cost.cpu_us),
        limit="unknown",
        peak_rss_mb=cost.peak_rss_mb,
    )
