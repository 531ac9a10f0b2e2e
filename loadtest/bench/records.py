"""What `pushrig bench` finds, as it stands in its JSON. Rates in notifications a second, CPU time in microseconds each."""

from typing import Literal

import msgspec

SIDES = ("server", "sender")


class Run(msgspec.Struct, frozen=True):
    """One run of one row. `cpu_s`: CPU time by side, None where it cannot be told (see `SIDES`)."""

    notifications: int
    elapsed_s: float
    cpu_s: dict[str, float | None]
    peak_rss_mb: dict[str, float | None]


class Row(msgspec.Struct, frozen=True):
    """One row: medians over its repeats.

    `rates_per_s`: of each repeat. `spread`: (largest - smallest) / median. `cpu_us`: CPU time for one notification by side.
    `bound_per_s`: what the busier side's CPU time would allow on a core of its own, which other programs on the machine
    disturb less than the rate. `limit`: the side that had no time to spare, or `neither`, or `unknown`.
    """

    name: str
    title: str
    notifications: int
    rate_per_s: float
    rates_per_s: list[float]
    spread: float
    cpu_us: dict[str, float | None]
    bound_per_s: float | None
    limit: str
    peak_rss_mb: dict[str, float | None]


class Missing(msgspec.Struct, frozen=True):
    """A row that was left out. `install`: the command that brings what it needs."""

    name: str
    needs: str
    install: str


class Failed(msgspec.Struct, frozen=True):
    """A row whose sender or server did not do its work. `why`: in words, with what it said."""

    name: str
    why: str


class Bar(msgspec.Struct, frozen=True):
    """One bar and where this run stands. `kind`: whether `value` must be `least` or `most` `bar`. `unit`: "%", "×", "s", "MB".

    `value_by_cpu`: the same ratio of the rows' `bound_per_s`. `value` and `met` are None where a row is missing.
    """

    name: str
    what: str
    kind: Literal["least", "most"]
    bar: float
    unit: str
    value: float | None
    value_by_cpu: float | None
    met: bool | None


class Cost(msgspec.Struct, frozen=True):
    """A campaign over so many devices, from the store. `fixed_cpu_s`: of a run over a handful, taken off before dividing."""

    devices: int
    repeats: int
    rate_per_s: float
    cpu_us: dict[str, float | None]
    fixed_cpu_s: dict[str, float | None]
    peak_rss_mb: dict[str, float | None]


class BenchReport(msgspec.Struct, frozen=True):
    """All that one run of the command found. `load_average`: of the machine over the minute before the start.

    `start_s`: from starting `pushrig serve` with a fresh state directory to its first line, each time it was started.
    """

    pushrig: str
    python: str
    machine: str
    cores: int | None
    load_average: float | None
    started_at: str
    notifications: int
    connections: int
    repeats: int
    start_s: list[float]
    rows: list[Row]
    missing: list[Missing]
    bars: list[Bar]
    costs: list[Cost] = []
    failed: list[Failed] = []
