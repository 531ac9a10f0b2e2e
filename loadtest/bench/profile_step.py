"""One line of the account of the hot path, and the account beside the CPU time of the real processes. Pure."""

from collections.abc import Sequence

import msgspec

from loadtest.bench.records import SIDES, Row
from loadtest.bench.tables import Table

COLUMNS = ("what", "µs")


class Step(msgspec.Struct, frozen=True):
    """`us`: microseconds for one notification. `depth`: 0 adds up to the side's whole; above, part of the step before."""

    side: str
    depth: int
    what: str
    us: float


def account_table(steps: Sequence[Step], row: Row) -> Table:
    """The steps by side. `row`: the reference sender against the simulator, measured in processes of their own."""
    lines: list[tuple[str, ...]] = []
    for side in SIDES:
        own = [step for step in steps if step.side == side]
        known_us = sum(step.us for step in own if step.depth == 0)
        whole_us = row.cpu_us.get(side)
        shown = "?" if whole_us is None else f"{whole_us:.2f}"
        lines.append((f"{side}: CPU time of the process, for one notification", shown))
        lines += [("– " * (step.depth + 1) + step.what, f"{step.us:.2f}") for step in own]
        if whole_us is not None:
            lines.append(("– the rest: event loop, system calls, cold caches", f"{whole_us - known_us:.2f}"))
    return Table(COLUMNS, lines)
