"""What a billion devices would take, from what was measured with millions: arithmetic with its assumptions. Pure.

CPU time and memory are taken to go on as they grow here: by the same amount for each ten times as many devices. That is
what trees and caches do. Caches that are full grow no more: of memory the two largest sizes decide. All this holds as long
as the disk keeps up with the device store, which is larger than memory then.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from loadtest.bench.growth_axes import WORKERS, points
from loadtest.bench.records import SIDES, BenchReport, Cost

BILLION = 1_000_000_000
# Of the simulator's ledger, `docs/performance.md`; a test compares them with the ledger itself.
LEDGER_PAGE_DEVICES = 65_536
LEDGER_PAGE_BYTES = 65_536
LEDGER_PAGES_MAX = 1_024
HOUR_S = 3_600.0


class Estimate(NamedTuple):
    """One figure. `how`: where it comes from, so that it can be checked with a pencil."""

    what: str
    value: str
    how: str


class Fit(NamedTuple):
    """`value(devices) = start + step * log10(devices)`."""

    start: float
    step: float

    def at(self, devices: int) -> float:
        """The value at a number of devices."""
        return self.start + self.step * math.log10(devices)


def extrapolate(report: BenchReport, devices: int = BILLION) -> list[Estimate]:
    """What a campaign to so many devices would take; nothing from fewer than two sizes."""
    costs = sorted(report.costs, key=lambda cost: cost.devices)
    if len(costs) < 2:
        return []
    return [
        *_time(report, costs, devices),
        *_memory(costs, devices),
        *_before(report, costs, devices),
    ]


def fit(costs: Sequence[Cost], figure: Callable[[Cost], float | None]) -> Fit | None:
    """Least squares through the sizes where the figure is known; None for fewer than two."""
    known = [(math.log10(cost.devices), value) for cost in costs if (value := figure(cost)) is not None]
    if len({x for x, _ in known}) < 2:
        return None
    step, start = statistics.linear_regression(*zip(*known, strict=True))
    return Fit(start, step)


def _time(report: BenchReport, costs: Sequence[Cost], devices: int) -> list[Estimate]:
    found, at = [], {}
    for side in SIDES:
        line = fit(costs, lambda cost, side=side: cost.cpu_us.get(side))  # type: ignore[misc]
        if line is None:
            return []
        # What falls with size here falls because small campaigns have other costs: it is not taken to go on falling.
        largest = costs[-1].cpu_us.get(side)
        at[side] = max(line.at(devices), largest or 0.0)
        how = (
            f"{line.step:+.2f} µs for each ten times as many, over {_sizes(costs)}; {costs[-1].devices:,}: {largest} µs"
        )
        found.append(Estimate(f"CPU time of a notification, {side}", f"{at[side]:.1f} µs", how))
    busier = max(SIDES, key=lambda side: at[side])
    rate, hours = 1e6 / at[busier], devices * at[busier] / 1e6 / HOUR_S
    found.append(
        Estimate(
            "one sender, one simulator, a core each",
            f"{hours:.1f} h",
            f"{devices:,} × {at[busier]:.1f} µs of the {busier}, which is {rate:,.0f}/s",
        )
    )
    kept, how_kept = _kept(report)
    pairs = math.ceil(hours / kept) if hours > 1 else 1
    found.append(
        Estimate("pairs of sender and worker for one hour", f"{pairs:,}", f"{hours:.1f} h ÷ {kept:.0%}, {how_kept}")
    )
    return found


def _kept(report: BenchReport) -> tuple[float, str]:
    """What share of its rate a pair keeps beside others."""
    along = points(report, WORKERS)
    by_workers = {point.at: point.row.rate_per_s for point in along}
    limited = any(point.at == 1 and point.row.limit == "server" for point in along)
    if 1 in by_workers and len(by_workers) > 1 and limited:
        most = max(by_workers)
        how = f"what each of {most} workers and their senders kept, on {report.cores} cores"
        return by_workers[most] / by_workers[1] / most, how
    return 1.0, "if pairs on cores of their own do not slow each other (run with --growth workers to measure it)"


def _memory(costs: Sequence[Cost], devices: int) -> list[Estimate]:
    pages = math.ceil(devices / LEDGER_PAGE_DEVICES)
    ledger_bytes = pages * LEDGER_PAGE_BYTES
    simulators = math.ceil(pages / LEDGER_PAGES_MAX)
    found = [
        Estimate(
            "ledger, all simulators together",
            bytes_text(ledger_bytes),
            f"a byte a device: {pages:,} pages of {LEDGER_PAGE_BYTES:,} bytes; one simulator has room for "
            f"{LEDGER_PAGES_MAX:,}, so {simulators} of them behind a balancer",
        )
    ]
    server_mb, sender_mb = (costs[-1].peak_rss_mb.get(side) for side in SIDES)
    if server_mb is not None:
        # What the largest campaign's ledger took is in its memory already.
        plain_bytes = server_mb * 1e6 - math.ceil(costs[-1].devices / LEDGER_PAGE_DEVICES) * LEDGER_PAGE_BYTES
        each = plain_bytes + min(pages, LEDGER_PAGES_MAX) * LEDGER_PAGE_BYTES
        found.append(
            Estimate(
                "memory of one simulator, its ledger full",
                bytes_text(each),
                f"{bytes_text(plain_bytes)} without the ledger, as with {costs[-1].devices:,} devices, and the ledger",
            )
        )
    line = fit(costs[-2:], lambda cost: cost.peak_rss_mb.get("sender"))
    if line is not None and sender_mb is not None:
        found.append(
            Estimate(
                "memory of one sender",
                bytes_text(max(line.at(devices), sender_mb) * 1e6),
                f"{line.step:+.0f} MB for each ten times as many, over {_sizes(costs[-2:])}; queues and caches are bounded",
            )
        )
    return found


def _before(report: BenchReport, costs: Sequence[Cost], devices: int) -> list[Estimate]:
    """Tokens, files of them and the store."""
    found = []
    if report.minting is not None:
        minting = report.minting
        found.append(
            Estimate("minting the tokens, one process", time_text(devices * minting.us / 1e6), f"{minting.us} µs each")
        )
        found += [
            Estimate(
                f"a {file.ending} file of them",
                f"{bytes_text(devices * file.bytes)} in {time_text(devices * file.us / 1e6)}",
                f"{file.bytes:g} bytes and {file.us} µs each",
            )
            for file in minting.files
        ]
    largest = costs[-1]
    if largest.store_mb is not None and largest.fill_s is not None:
        bytes_each, us_each = 1e6 * largest.store_mb / largest.devices, 1e6 * largest.fill_s / largest.devices
        found.append(
            Estimate(
                "the device store, with the campaign's results",
                f"{bytes_text(devices * bytes_each)}, filled in {time_text(devices * us_each / 1e6)}",
                f"{bytes_each:.0f} bytes and {us_each:.1f} µs each, as with {largest.devices:,} devices",
            )
        )
    return found


def _sizes(costs: Sequence[Cost]) -> str:
    return f"{costs[0].devices:,} to {costs[-1].devices:,} devices"


def bytes_text(value: float) -> str:
    """In the largest unit that leaves a whole figure: powers of 1,000."""
    for unit, word in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g} {word}" if value < 100 * unit else f"{value / unit:,.0f} {word}"
    return f"{value:.0f} bytes"


def time_text(seconds: float) -> str:
    """In hours, minutes or seconds."""
    for unit, word in ((HOUR_S, "h"), (60.0, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {word}"
    return f"{seconds:.1f} s"
