"""Carries a scenario out on a rig: adds and removes the faults of its phases, and moves the clock. A shell around the play."""

from collections.abc import Callable
from typing import Protocol

from simulator.bounds import BoundReachedError
from simulator.faults.scenario_file import ReadScenario
from simulator.faults.scenario_play import Change, ScenarioPlay
from simulator.observation_records import PhaseBegan, PhaseEnded, RunBegan
from simulator.rig import Rig


class Timer(Protocol):
    """Something that will be called; as asyncio's `call_later` returns."""

    def cancel(self) -> None: ...


class NoRunLeftError(ValueError):
    """The scenario has no further run."""


class ScenarioPlayer:
    """One scenario on one rig. `call_later`: has a callable called after so many seconds, on the loop that the rig lives on.

    `problem`: what kept a phase from being as the file says; None where nothing did.
    """

    def __init__(
        self,
        rig: Rig,
        read: ReadScenario,
        monotonic_s: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self.read = read
        self.play = ScenarioPlay(read.scenario)
        self.problem: str | None = None
        self._rig = rig
        self._monotonic_s = monotonic_s
        self._call_later = call_later
        self._timer: Timer | None = None
        self._timed_s = 0.0  # when it goes off, by `monotonic_s`
        self._faults: dict[int, list[int]] = {}  # numbers of those at work, by phase
        self._notifications_before = 0
        self._advanced = False

    @property
    def notifications(self) -> int:
        """How many were answered in this run."""
        count = self._rig.counters.notifications
        if count < self._notifications_before:  # the counters were reset meanwhile
            self._notifications_before = 0
        return count - self._notifications_before

    def elapsed_s(self) -> float | None:
        """Seconds since the first connection of this run; None before it."""
        return self.play.elapsed_s(self._monotonic_s())

    def begin_run(self) -> int:
        """Begin the next run, the first one too; its number. Raises `NoRunLeftError` when there is none.

        The ledger begins a round for it, and what an earlier run moved the clock by is taken back.
        """
        rig, scenario = self._rig, self.read.scenario
        if self.play.run >= scenario.runs:
            raise NoRunLeftError(f"the scenario {scenario.name} has {scenario.runs} runs, and all have begun")
        if self.play.run:
            rig.ledger.start_round()
        rig.ledger.declare(scenario.seed, scenario.population.devices)
        if self._advanced:
            rig.clock.resume()
            rig.apns.forget_tokens()
            rig.fcm.access.forget()
            self._advanced = False
        self._notifications_before = rig.counters.notifications
        self._carry_out(self.play.begin_run())
        return self.play.run

    def connection_came(self) -> None:
        """A client connected: with the first one of a run its time begins."""
        if not self.play.began:
            self.play.came(self._monotonic_s())
            self._rig.observations.record(RunBegan(at_s=self._rig.observations.now_s(), run=self.play.run))
            self.go_on()

    @property
    def counts(self) -> bool:
        """Whether `go_on` is to be called after every single notification: something begins or ends by a count of them."""
        return self.play.counts

    def go_on(self) -> None:
        """Something was answered, or some time went by: begin and end what is due."""
        now_s = self._monotonic_s()
        self._carry_out(self.play.step(now_s, self.notifications))

    def stop(self) -> None:
        """Nothing begins or ends any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _carry_out(self, changes: list[Change]) -> None:
        for number, begins in changes:
            if begins:
                self._begin(number)
            else:
                self._end(number)
        now_s = self._monotonic_s()
        wait_s = self.play.next_due_s(now_s)
        if changes or self._timer is None or (wait_s is not None and now_s + wait_s < self._timed_s):
            self.stop()
            if wait_s is not None:
                self._timed_s = now_s + wait_s
                self._timer = self._call_later(wait_s, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self.go_on()

    def _begin(self, number: int) -> None:
        rig, phase = self._rig, self.read.scenario.phase[number]
        observations = rig.observations
        observations.record(PhaseBegan(at_s=observations.now_s(), name=phase.name, run=self.play.run))
        if phase.advance_s:
            rig.clock.advance(phase.advance_s * 1000)
            self._advanced = True
        added = self._faults[number] = []
        for planned in self.read.faults[number]:
            try:
                added.append(rig.faults.add(planned, rig.clock.now_s()).number)
            except BoundReachedError as error:
                self.problem = f"phase {phase.name}: {error}"

    def _end(self, number: int) -> None:
        observations, phase = self._rig.observations, self.read.scenario.phase[number]
        for fault in self._faults.pop(number, ()):
            self._rig.faults.remove(fault)
        observations.record(PhaseEnded(at_s=observations.now_s(), name=phase.name, run=self.play.run))
