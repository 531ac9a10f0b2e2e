"""Whether a scenario comes out alike each time: the same grades, and the same counts of what it decides. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from loadtest.replay import evidence
from loadtest.replay.card import ScenarioReport
from loadtest.replay.rows import BROKEN, HELD, NOT_GRADED, Row

_NO_ROW = Row(expectation="", expected="", grade=NOT_GRADED, found="nothing was said of it")
"""In place of one that stands on the other report alone: `results`, where those of one time alone cannot be read."""


def compared(reports: Sequence[ScenarioReport]) -> ScenarioReport:
    """The first of several reports on one scenario, with a row that says whether the others are like it."""
    first = next((each for each in reports if each.failed is not None), reports[0])
    if first.failed is not None:
        return first
    differences = [line for number, each in enumerate(reports[1:], 2) for line in _differences(number, first, each)]
    row = Row(
        expectation="times",
        expected=f"{len(reports)} times the same",
        grade=BROKEN if differences else HELD,
        measured=len(differences),
        limit=0,
        found=f"{len(differences):,} grades or counts differ" if differences else "all grades and counts are the same",
        evidence=tuple(evidence.bounded(differences)),
    )
    return msgspec.structs.replace(first, rows=(*first.rows, row))


def _differences(number: int, first: ScenarioReport, other: ScenarioReport) -> Iterator[str]:
    mine_by_name, theirs_by_name = ({row.expectation: row for row in each.rows} for each in (first, other))
    for name in dict.fromkeys((*mine_by_name, *theirs_by_name)):
        before, after = mine_by_name.get(name, _NO_ROW), theirs_by_name.get(name, _NO_ROW)
        if before.grade != after.grade:
            yield f"time {number}: {name} {after.grade} ({after.found}), the first time {before.grade}"
    for run, (mine, theirs) in enumerate(zip(first.runs, other.runs, strict=True), 1):
        for name in dict.fromkeys((*mine.counts, *theirs.counts)):
            if mine.counts.get(name, 0) != theirs.counts.get(name, 0):
                where = f"run {run}, " if len(first.runs) > 1 else ""
                yield (
                    f"time {number}: {where}{name}: {theirs.counts.get(name, 0):,}, "
                    f"the first time {mine.counts.get(name, 0):,}"
                )
