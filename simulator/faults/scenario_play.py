"""Plays the phases of a scenario: which begin and end when. Pure: the time and the count of notifications are passed in."""

from dataclasses import dataclass
from enum import Enum, unique
from typing import NamedTuple

from simulator.faults.scenario import Phase, Scenario


@unique
class Standing(Enum):
    """Where a phase of the present run stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    OVER = "over"


class Change(NamedTuple):
    """A phase begins or ends. `phase`: its place in the scenario."""

    phase: int
    begins: bool


@dataclass(slots=True)
class _State:
    """`since_s`, `since_notifications`: when it began, counted as the phases are. `due_s`: when it begins, once its count has
    been reached."""

    standing: Standing = Standing.WAITING
    since_s: float = 0.0
    since_notifications: int = 0
    due_s: float | None = None


class ScenarioPlay:
    """The phases of one run after the other. Each call returns what is to be done, in order: ends before beginnings.

    Time counts from the run's first connection (`came`), notifications from the run's beginning. A phase begins once its time
    or count is reached, also when both have gone past it; one whose end is reached at once still begins first. Where
    `counts`, a step after every single notification keeps counts exact.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.run = 0
        self._began_s: float | None = None
        self._states: list[_State] = []

    @property
    def began(self) -> bool:
        """The run's first connection has come."""
        return self._began_s is not None

    @property
    def counts(self) -> bool:
        """Something begins or ends by a count of notifications."""
        return any(
            (state.standing is Standing.WAITING and phase.from_notifications is not None and state.due_s is None)
            or (state.standing is Standing.ACTIVE and phase.for_notifications is not None)
            for phase, state in zip(self.scenario.phase, self._states, strict=True)
        )

    def standings(self) -> list[Standing]:
        """Where each phase stands; those of other runs wait, or are over."""
        return [each.standing for each in self._states]

    def elapsed_s(self, now_s: float) -> float | None:
        """Seconds since the first connection; None before it. `now_s`: of any clock that only goes forward."""
        return None if self._began_s is None else now_s - self._began_s

    def begin_run(self) -> list[Change]:
        """The next run begins: what is active ends, what starts before the first connection begins."""
        ended = [Change(number, begins=False) for number, state in self._active()]
        self.run += 1
        self._began_s = None
        self._states = [
            _State(Standing.WAITING if each.run in (None, self.run) else Standing.OVER) for each in self.scenario.phase
        ]
        return ended + self.step(0.0, 0)

    def came(self, now_s: float) -> None:
        """A connection came; with the first of a run its time begins."""
        if self._began_s is None:
            self._began_s = now_s

    def step(self, now_s: float, notifications: int) -> list[Change]:
        """What is due. `notifications`: answered in this run so far."""
        elapsed_s = self.elapsed_s(now_s) or 0.0
        changes: list[Change] = []
        for number, state in self._active():
            if self._ends(self.scenario.phase[number], state, elapsed_s, notifications):
                state.standing = Standing.OVER
                changes.append(Change(number, begins=False))
        for number, (phase, state) in enumerate(zip(self.scenario.phase, self._states, strict=True)):
            if state.standing is Standing.WAITING and self._begins(phase, state, elapsed_s, notifications):
                state.standing = Standing.ACTIVE
                state.since_s, state.since_notifications = elapsed_s, notifications
                changes.append(Change(number, begins=True))
        return changes

    def next_due_s(self, now_s: float) -> float | None:
        """Seconds until the next change that time alone brings; None: there is none in sight."""
        elapsed_s = self.elapsed_s(now_s)
        if elapsed_s is None:
            return None
        due = [
            begins_s - elapsed_s
            for phase, state in zip(self.scenario.phase, self._states, strict=True)
            if state.standing is Standing.WAITING
            and (begins_s := state.due_s if phase.from_notifications is not None else phase.from_s or 0.0) is not None
        ]
        due += [
            state.since_s + for_s - elapsed_s
            for number, state in self._active()
            if (for_s := self.scenario.phase[number].for_s) is not None
        ]
        return max(0.0, min(due)) if due else None

    def _active(self) -> list[tuple[int, _State]]:
        return [(number, each) for number, each in enumerate(self._states) if each.standing is Standing.ACTIVE]

    @staticmethod
    def _begins(phase: Phase, state: _State, elapsed_s: float, notifications: int) -> bool:
        if phase.from_notifications is None:
            return elapsed_s >= (phase.from_s or 0.0)
        if state.due_s is None and notifications >= phase.from_notifications:
            state.due_s = elapsed_s + phase.wait_s
        return state.due_s is not None and elapsed_s >= state.due_s

    def _ends(self, phase: Phase, state: _State, elapsed_s: float, notifications: int) -> bool:
        if phase.for_notifications is not None:
            return notifications - state.since_notifications >= phase.for_notifications
        if phase.for_s is None:
            return False
        # A phase that is there before anybody came lasts from the first connection on.
        return self._began_s is not None and elapsed_s - state.since_s >= phase.for_s
