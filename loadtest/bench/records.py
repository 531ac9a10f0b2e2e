"""What `pushrig bench` finds, as it stands in its JSON. Rates in notifications a second, CPU time in microseconds each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

SIDES = ("server", "sender")
ONE_EACH: Mapping[str, int] = MappingProxyType(dict.fromkeys(SIDES, 1))


class Run(msgspec.Struct, frozen=True):
    """One run of one row. `cpu_s`: CPU time by side, None where it cannot be told (see `SIDES`).

    `processes`: that worked on each side. `store_mb`: of the device store after a campaign.
    """

    notifications: int
    elapsed_s: float
    cpu_s: dict[str, float | None]
    peak_rss_mb: dict[str, float | None]
    processes: dict[str, int] = msgspec.field(default_factory=lambda: dict(ONE_EACH))
    store_mb: float | None = None


class Row(msgspec.Struct, frozen=True):
    """One row: medians over its repeats.

    `rates_per_s`: of each repeat. `spread`: (largest - smallest) / median. `cpu_us`: CPU time for one notification by side.
    `bound_per_s`: what the busier side's CPU time would allow on a core of its own, which other programs on the machine
    disturb less than the rate. `limit`: the side that had no time to spare, or `neither`, or `unknown`. `processes`: that
    worked on each side; CPU time and memory are of all of them together.
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
    processes: dict[str, int] = msgspec.field(default_factory=lambda: dict(ONE_EACH))


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
    """A campaign over so many devices, from the store. `fixed_cpu_s`: of a run over a handful, taken off before dividing.

    `rates_per_s`: of each repeat. `fill_s`: minting the devices and storing them. `store_mb`: the store's file after the
    campaign. None, and empty, in reports of older versions.
    """

    devices: int
    repeats: int
    rate_per_s: float
    cpu_us: dict[str, float | None]
    fixed_cpu_s: dict[str, float | None]
    peak_rss_mb: dict[str, float | None]
    rates_per_s: list[float] = []
    fill_s: float | None = None
    store_mb: float | None = None


class GrowthPoint(msgspec.Struct, frozen=True):
    """One point of a growth measurement: `row`, with so many (`at`) of what `axis` names (see `growth_axes`)."""

    axis: str
    at: int
    row: Row


class TokenFile(msgspec.Struct, frozen=True):
    """A file of device tokens as `pushrig tokens` writes it, by the ending of its name: CPU time and bytes of one device."""

    ending: str
    us: float
    bytes: float


class Minting(msgspec.Struct, frozen=True):
    """What device tokens cost before anything is sent. `us`: CPU time of minting one. `devices`: that were minted."""

    devices: int
    us: float
    files: list[TokenFile]


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
    growth: list[GrowthPoint] = []
    minting: Minting | None = None
