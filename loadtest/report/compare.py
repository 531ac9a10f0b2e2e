"""What changed between two sets of runs, figure by figure, and how sure that is. Pure."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from loadtest.report.confidence import Interval, difference
from loadtest.report.figures import FIGURES, Figure
from loadtest.report.run_record import RunRecord

CONFIDENCE = 0.95


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One figure in both sets. `old`, `new`: its mean, the geometric one where all values are above 0.

    `by`: what `change`, `low` and `high` are: a `share` of the old (0.1 is a tenth more) where all values are above 0, else
    the difference in `units` of the figure. The change lies between `low` and `high` with the confidence of the comparison;
    both are None without at least two runs on either side.

    `verdict`: `better`, `worse`, or `other` for figures of which neither direction is better; `same` when there may be no
    change at all; `unsure` where repeats are missing and the values differ.
    """

    name: str
    old: float
    new: float
    by: Literal["share", "units"]
    change: float
    low: float | None
    high: float | None
    verdict: Literal["better", "worse", "other", "same", "unsure"]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`old_runs`, `new_runs`: how many there were. `changes`: in the order of the figures that both sets know.

    `unknown`: figures that runs of these kinds can have, and one side or both do not know. `remarks`: what makes the two sets
    hard to compare, such as another machine.
    """

    confidence: float
    old_runs: int
    new_runs: int
    changes: list[Change]
    unknown: list[str]
    remarks: list[str]


def compare(old: Sequence[RunRecord], new: Sequence[RunRecord], confidence: float = CONFIDENCE) -> Comparison:
    """Compare two sets of at least one run each. `confidence`: above 0 and below 1."""
    changes = []
    for figure in FIGURES:
        before, after = _values(figure, old), _values(figure, new)
        if before and after:
            changes.append(_change(figure, before, after, confidence))
    compared = {change.name for change in changes}
    with_senders = any(run.senders is not None for run in (*old, *new))
    return Comparison(
        confidence=confidence,
        old_runs=len(old),
        new_runs=len(new),
        changes=changes,
        unknown=[each.name for each in FIGURES if each.name not in compared and (with_senders or not each.of_senders)],
        remarks=_remarks(old, new),
    )


def _values(figure: Figure, runs: Sequence[RunRecord]) -> list[float]:
    """Of the runs that know it."""
    return [value for run in runs if (value := figure.value(run)) is not None]


def _change(figure: Figure, old: Sequence[float], new: Sequence[float], confidence: float) -> Change:
    if min(*old, *new) > 0:  # on logarithms: rates and latencies scatter by shares
        before, after = [math.log(value) for value in old], [math.log(value) for value in new]
        interval = difference(before, after, confidence)
        logarithms = math.fsum(before) / len(before), math.fsum(after) / len(after)
        means = math.exp(logarithms[0]), math.exp(logarithms[1])
        change = _share(logarithms[1] - logarithms[0])
        bounds = None if interval is None else (_share(interval.low), _share(interval.high))
    else:
        interval = difference(old, new, confidence)
        means = math.fsum(old) / len(old), math.fsum(new) / len(new)
        change = means[1] - means[0]
        bounds = None if interval is None else (interval.low, interval.high)
    return Change(
        name=figure.name,
        old=means[0],
        new=means[1],
        by="share" if min(*old, *new) > 0 else "units",
        change=change,
        low=None if bounds is None else bounds[0],
        high=None if bounds is None else bounds[1],
        verdict=_verdict(figure, change, interval),
    )


def _share(logarithm: float) -> float:
    """A difference of logarithms as a share; two wild repeats may leave no bound that a number holds."""
    return math.expm1(min(logarithm, 700.0))


def _verdict(
    figure: Figure, change: float, interval: Interval | None
) -> Literal["better", "worse", "other", "same", "unsure"]:
    if abs(change) < 1e-12:
        return "same"
    if interval is None:
        return "unsure"
    if not interval.sure:
        return "same"
    if figure.better is None:
        return "other"
    return "better" if (change > 0) == (figure.better == "more") else "worse"


def _remarks(old: Sequence[RunRecord], new: Sequence[RunRecord]) -> list[str]:
    remarks = []
    if min(len(old), len(new)) < 2:
        remarks.append("Without at least two runs on either side nothing tells a change from chance.")
    for name in (
        "machine",
        "versions",
        "provider",
        "profile",
        "arrivals",
        "devices",
        "users",
        "batch_size",
        "connections",
        "senders",
    ):
        before = list(dict.fromkeys(_words(_part(run, name)) for run in old))
        after = list(dict.fromkeys(_words(_part(run, name)) for run in new))
        if before != after or len(before) > 1:
            remarks.append(f"Not the same {name.replace('_', ' ')}: {' / '.join(before)}; now {' / '.join(after)}.")
    for which, runs in (("before", old), ("now", new)):
        failed = sum(bool(run.failures) for run in runs)
        behind = sum(run.behind is not None for run in runs)
        if failed:
            remarks.append(f"{failed} of {len(runs)} runs {which} did not come out as they must.")
        if behind:
            remarks.append(f"In {behind} of {len(runs)} runs {which} the load generator fell behind its schedule.")
    return remarks


def _part(run: RunRecord, name: str) -> object:
    """Of external senders, their commands are what was decided; how many connections they open is a figure."""
    if name == "senders":
        return "none" if run.senders is None else "; ".join(each.command for each in run.senders.senders)
    return None if name == "connections" and run.senders is not None else getattr(run, name)


def _words(value: object) -> str:
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items() if each is not None)
    return f"{value:,}" if isinstance(value, int) else str(value)
