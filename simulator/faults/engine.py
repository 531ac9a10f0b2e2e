"""The faults of one simulator: added and removed while it runs, asked about every request while there are any."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final, NamedTuple

from simulator.bounds import BoundReachedError
from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws, fault_key
from simulator.faults.fault import Fault, Play, RequestFault, Stage
from simulator.faults.line import USUAL_HANDSHAKE, USUAL_OPENING, Handshake, Opening
from simulator.faults.line_fault import DoorFault, LineFault
from simulator.faults.match import Match, Matcher, request_options
from simulator.faults.outcome import Outcome
from simulator.faults.token_answers import PagesLeft, TokenAnswers

FAULTS_MAX: Final = 100
"""Ours: active at a time. Each is looked at for every request."""


class Planned(NamedTuple):
    """A fault that is to be added. `stage`: one that it can have."""

    fault: Fault
    match: Match = Match()
    stage: Stage = Stage.AFTER_VERDICT

    @property
    def contradiction(self) -> str | None:
        """Why it can never be played so; None: it can."""
        fault = self.fault
        if isinstance(fault, RequestFault) and fault.on_requests:
            return None
        named = request_options(self.match, fault.unmatched if isinstance(fault, DoorFault) else ())
        if not named:
            return None
        if isinstance(fault, DoorFault) and fault.refuses:
            return (
                f"{fault.name} closes whole ports, whoever comes; {', '.join(named)} has no place there; leave that out"
            )
        known = "when a client comes" if isinstance(fault, DoorFault) else "at the opening of a connection"
        return f"{fault.name} comes in {known}, and nothing is known then of {', '.join(named)}; leave that out"


class ActiveFault:
    """One that is at work. `number`: what it is called by. `added_s`: by the simulator's clock. `before`: the number of the
    last connection or client that came before it."""

    __slots__ = ("_answers", "added_s", "before", "key", "matcher", "number", "planned", "play")

    def __init__(
        self, planned: Planned, number: int, key: bytes, added_s: float, before: int, pages_left: PagesLeft
    ) -> None:
        self.planned = planned
        self.number = number
        self.key = key
        self.added_s = added_s
        self.before = before
        self._answers = TokenAnswers(pages_left)
        fault = planned.fault
        self.play: Play | None = fault.at_work() if isinstance(fault, RequestFault) else None
        provider, draws = (fault.provider, fault.draws) if isinstance(fault, RequestFault) else (None, False)
        self.matcher = Matcher(
            planned.match, key, added_s, before, self._answers, provider=provider, counts_answers=draws
        )

    @property
    def played(self) -> int:
        """How often it had an effect, in all workers together."""
        return self.matcher.played + self.matcher.played_elsewhere

    def release(self) -> None:
        """It is at work no more."""
        self._answers.release()


class Hit(NamedTuple):
    """A fault that meets a request, and what it draws for it."""

    active: ActiveFault
    fault: RequestFault
    draws: Draws


def _nothing() -> None:
    pass


class Played(NamedTuple):
    """A fault had an effect. `connection`: None for a client at the door. `stream`: None where no request has a part in it."""

    number: int
    name: str
    stage: Stage | None
    connection: int | None = None
    stream: int | None = None


class Faults:
    """What is at work, in the order of adding. `seed`: of the simulator.

    `on_requests`: faults of single requests; the one thing that a session looks at while there are none. `on_openings`,
    `on_arrivals`: the same of connections that are established, and of clients that come to a port. `played`: how often
    each fault was, by name. `connections`: the number of the newest connection, `arrivals` of the newest client, whatever
    came of it; both kept by the shell. `changed`: called when a fault has been added or removed.
    `watched`: told of each effect, where somebody looks on.
    """

    __slots__ = (
        "_active",
        "_numbers",
        "_pages_left",
        "_seed",
        "arrivals",
        "changed",
        "connections",
        "on_arrivals",
        "on_openings",
        "on_requests",
        "played",
        "watched",
    )

    def __init__(self, seed: int = 0) -> None:
        self.on_requests: tuple[ActiveFault, ...] = ()
        self.on_openings: tuple[ActiveFault, ...] = ()
        self.on_arrivals: tuple[ActiveFault, ...] = ()
        self.changed: Callable[[], None] = _nothing
        self.watched: Callable[[Played], None] | None = None
        self.arrivals = 0
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
        """Have a fault at work from now on. `now_s`: by the simulator's clock. Raises `BoundReachedError`; `ValueError` when
        it could never be played."""
        if planned.contradiction is not None:
            raise ValueError(planned.contradiction)
        if len(self._active) >= FAULTS_MAX:
            raise BoundReachedError("FAULTS_MAX", FAULTS_MAX, "remove faults that are no longer needed")
        before = self.arrivals if isinstance(planned.fault, DoorFault) else self.connections
        return self.put(planned, now_s, next(self._numbers), before)

    def put(self, planned: Planned, now_s: float, number: int, before: int) -> ActiveFault:
        """Have a fault at work that `add` has had at work elsewhere, under the number that it got there.

        `before`: the number of the newest connection, or of the newest client for a fault of theirs, when it was added.
        """
        seed = planned.match.seed
        key = fault_key(self._seed, number) if seed is None else fault_key(seed, 0)
        added = ActiveFault(planned, number, key, now_s, before, self._pages_left)
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
        active = [(each, each.planned.fault) for each in self._active.values()]
        self.on_requests = tuple(
            each for each, fault in active if isinstance(fault, RequestFault) and fault.on_requests
        )
        self.on_openings = tuple(each for each, fault in active if isinstance(fault, LineFault) and fault.on_opening)
        self.on_arrivals = tuple(each for each, fault in active if isinstance(fault, DoorFault))
        self.changed()

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
        for active, _, draws in hits:
            if active.planned.stage is stage and active.play is not None:
                before = outcome
                outcome = active.play(outcome, asked, draws)
                if outcome is not before:
                    self._count(active, stage, asked.connection, asked.stream)
        return outcome

    def _count(
        self,
        active: ActiveFault,
        stage: Stage | None = None,
        connection: int | None = None,
        stream: int | None = None,
    ) -> None:
        name = active.planned.fault.name
        active.matcher.played += 1
        self.played[name] += 1
        if self.watched is not None:
            self.watched(Played(active.number, name, stage, connection, stream))

    def opening_of(self, connection: int, provider: Provider | None, now_s: float, *, http1: bool = False) -> Opening:
        """How a new connection begins.

        `provider`: whose host the client came to; None: nobody's, and faults for one of the providers meet it too [choice].
        """
        opening = USUAL_OPENING
        for active in self.on_openings:
            fault, matcher = active.planned.fault, active.matcher
            assert isinstance(fault, LineFault)
            if (http1 and not fault.http1) or not matcher.fits_opening(connection, provider, now_s):
                continue
            opening = fault.open(opening)
            self._count(active, connection=connection)
        return opening

    def handshake_of(self, arrival: int, now_s: float) -> Handshake:
        """How a client is met. `arrival`: its number."""
        handshake = USUAL_HANDSHAKE
        for active in self.on_arrivals:
            fault = active.planned.fault
            assert isinstance(fault, DoorFault)
            if fault.refuses or not active.matcher.fits_opening(arrival, None, now_s):
                continue
            handshake = fault.meet(handshake)
            self._count(active)
        return handshake

    def refusing(self, now_s: float) -> ActiveFault | None:
        """The fault that has the ports closed at this moment, if any."""
        return next(
            (
                each
                for each in self.on_arrivals
                if isinstance(each.planned.fault, DoorFault)
                and each.planned.fault.refuses
                and each.matcher.fits_now(now_s)
            ),
            None,
        )

    def count_refusal(self, active: ActiveFault) -> None:
        """The ports have been closed because of this one."""
        self._count(active)
