"""What changed between two reports of `pushrig bench`. Pure."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from loadtest.bench.growth_axes import growth_rows
from loadtest.bench.records import SIDES, BenchReport, Row
from loadtest.bench.rows import YARDSTICK

# Changes within this share are called the same even where the repeats happened to agree.
NOISE_SHARE = 0.05


class Change(msgspec.Struct, frozen=True):
    """One row in both reports. Shares: 0.1 is a tenth more than before.

    `rate_share`: change of the rate. `beside_yardstick`: change of the rate against that of the bare work in the same
    report, which cancels what the machine did; None where it was not measured. `cpu_share`: of the CPU time by side.
    `verdict`: by `beside_yardstick` where known; a change within the spread of either report is `same`.
    """

    name: str
    old_per_s: float
    new_per_s: float
    rate_share: float
    beside_yardstick: float | None
    cpu_share: dict[str, float | None]
    verdict: Literal["faster", "slower", "same"]


class Comparison(msgspec.Struct, frozen=True):
    """`only_old`, `only_new`: names of rows that the other report lacks. `other_machine`: the machines differ."""

    changes: list[Change]
    only_old: list[str]
    only_new: list[str]
    other_machine: bool


def compare(old: BenchReport, new: BenchReport) -> Comparison:
    """Row by row, in the order of the new report; then the points of growth that both have."""
    before, after = _by_name([*old.rows, *growth_rows(old)]), _by_name([*new.rows, *growth_rows(new)])
    machine = 1.0
    known = YARDSTICK in before and YARDSTICK in after
    if known:
        machine = after[YARDSTICK].rate_per_s / before[YARDSTICK].rate_per_s
    return Comparison(
        [_change(before[name], row, machine if known else None) for name, row in after.items() if name in before],
        [name for name in before if name not in after],
        [name for name in after if name not in before],
        (old.machine, old.cores, old.python) != (new.machine, new.cores, new.python),
    )


def _by_name(rows: Sequence[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def _change(old: Row, new: Row, machine: float | None) -> Change:
    rate = new.rate_per_s / old.rate_per_s
    beside = rate / machine if machine is not None and new.name != YARDSTICK else None
    judged = (rate if beside is None else beside) - 1
    noise = max(old.spread, new.spread, NOISE_SHARE)
    cpu_share: dict[str, float | None] = {}
    for side in SIDES:
        was, is_now = old.cpu_us.get(side), new.cpu_us.get(side)
        cpu_share[side] = round(is_now / was - 1, 3) if was and is_now is not None else None
    return Change(
        new.name,
        old.rate_per_s,
        new.rate_per_s,
        round(rate - 1, 3),
        None if beside is None else round(beside - 1, 3),
        cpu_share,
        "same" if abs(judged) <= noise else "faster" if judged > 0 else "slower",
    )
