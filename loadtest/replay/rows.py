"""What grading gives: a row for each expectation, with its evidence. Records alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec

from loadtest.replay.devices import Device
from loadtest.replay.history import History
from loadtest.replay.results import Results
from loadtest.replay.scenario import Scenario

Grade: TypeAlias = Literal["held", "broken", "not graded"]
Number: TypeAlias = int | float

HELD: Final = "held"
BROKEN: Final = "broken"
NOT_GRADED: Final = "not graded"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation, graded.

    `expectation`: its name in scenario files. `expected`: in words. `limit`, `measured`: None where there is no number.
    `found`: what was seen, in words. `evidence`: what happened on the streams and connections concerned, a line each.
    """

    expectation: str
    expected: str
    grade: Grade
    limit: Number | None = None
    measured: Number | None = None
    found: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How one run of the sender ended. `said`: the end of its output. `overdue`: it was ended, at its time limit."""

    exit_code: int
    duration_s: float
    overdue: bool
    said: str


@dataclass(frozen=True, slots=True)
class Played:
    """All that a scenario over a sender left behind: what grading reads.

    `devices`: by `device_key`. `results`: of each run; None: the sender wrote none, or (`results_problem`) what cannot be read.
    `missed`: observations that found no room.
    """

    scenario: Scenario
    provider: str
    devices: dict[str, Device]
    history: History
    endings: Sequence[Ending]
    results: Sequence[Results | None]
    results_problem: str | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a check found. `value` None: it could not be observed, and `found` says why.

    `worst`: what the evidence is taken from, made only where the expectation is broken.
    """

    value: Number | None
    found: str
    worst: Callable[[], Sequence[str]] = tuple


def unobserved(why: str) -> Measured:
    """Neither pass nor fail."""
    return Measured(None, why)
