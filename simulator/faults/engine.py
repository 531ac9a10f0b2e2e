"""The faults of one simulator: added and removed while it runs, asked about every request while there are any."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Final, NamedTuple

from simulator.bounds import BoundReachedError
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws, fault_key
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.match import Match, Matcher
from simulator.faults.outcome import Outcome
from simulator.faults.token_answers import PagesLeft, TokenAnswers

FAULTS_MAX: Final = 100
"""Ours: active at a time. Each is looked at for every request."""


class Planned(NamedTuple):
    """A fault that is to be added. `stage`: one that it can have."""

    fault: Fault
    match: Match = Match()
    stage: Stage = Stage.AFTER_VERDICT


class ActiveFault:
    """One that is at work. `number`: what it is called by. `added_s`: by the simulator's clock."""

    __slots__ = ("_answers", "added_s", "key", "matcher", "number", "planned")

    def __init__(
        self, planned: Planned, number: int, key: bytes, added_s: float, connections_before: int, pages_left: PagesLeft
    ) -> None:
        self.planned = planned
        self.number = number
        self.key = key
        self.added_s = added_s
        self._answers = TokenAnswers(pages_left)
        fault = planned.fault
        provider, draws = (fault.provider, fault.draws) if isinstance(fault, RequestFault) else (None, False)
        self.matcher = Matcher(
            planned.match, key, added_s, connections_before, self._answers, provider=provider, counts_answers=draws
        )

    def release(self) -> None:
        """It is at work no more."""
        self._answers.release()


class Hit(NamedTuple):
    """A fault that meets a request, and what it draws for it."""

    active: ActiveFault
    fault: RequestFault
    draws: Draws


class Faults:
    """What is at work, in the order of adding. `seed`: of the simulator.

    `on_requests`: faults of single requests; the one thing that a session looks at while there are none. `played`: how often
    each fault was, by name. `connections`: the number of the newest connection, kept by the shell.
    """

    __slots__ = ("_active", "_numbers", "_pages_left", "_seed", "connections", "on_requests", "played")

    def __init__(self, seed: int = 0) -> None:
        self.on_requests: tuple[ActiveFault, ...] = ()
        self.played: Counter[str] = Counter()
        self.connections = 0
        self._seed = seed
        self._active: dict[int, ActiveFault] = {}
        self._numbers = count(1)
        self._pages_left = PagesLeft()

    def __len__(self) -> int:
        return len(self._active)

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(list(self._active.values()))

    def add(self, planned: Planned, now_s: float) -> ActiveFault:
        """Have a fault at work from now on. `now_s`: by the simulator's clock. Raises `BoundReachedError`."""
        if len(self._active) >= FAULTS_MAX:
            raise BoundReachedError("FAULTS_MAX", FAULTS_MAX, "remove faults that are no longer needed")
        number, seed = next(self._numbers), planned.match.seed
        key = fault_key(self._seed, number) if seed is None else fault_key(seed, 0)
        added = ActiveFault(planned, number, key, now_s, self.connections, self._pages_left)
        self._active[number] = added
        self._sort()
        return added

    def remove(self, number: int) -> bool:
        """Have a fault at work no longer; what waits because of it still comes. False: there is none of this number."""
        active = self._active.pop(number, None)
        if active is None:
            return False
        active.release()
        self._sort()
        return True

    def clear(self) -> int:
        """Have no fault at work; how many were."""
        numbers = list(self._active)
        for number in numbers:
            self.remove(number)
        return len(numbers)

    def _sort(self) -> None:
        self.on_requests = tuple(each for each in self if isinstance(each.planned.fault, RequestFault))

    def hits(self, asked: Asked, *, http1: bool = False) -> list[Hit]:
        """The faults that meet a request, in the order of adding. To be asked once for each request.

        `http1`: it came over HTTP/1.1, where some faults are not played.
        """
        hits = []
        for active in self.on_requests:
            fault = active.planned.fault
            assert isinstance(fault, RequestFault)
            if http1 and not fault.http1:
                continue
            answer = active.matcher.answer_of(asked)
            if answer is not None:
                hits.append(Hit(active, fault, Draws(active.key, asked.key, answer, asked.connection)))
        return hits

    def play(self, hits: list[Hit], stage: Stage, outcome: Outcome, asked: Asked) -> Outcome:
        """What the faults of one stage make of an outcome, one after the other."""
        for active, fault, draws in hits:
            if active.planned.stage is stage:
                outcome = fault.play(outcome, asked, draws)
                active.matcher.played += 1
                self.played[fault.name] += 1
        return outcome
