"""Faults of connections: what they have in common beyond those of single requests. Pure."""

from typing import ClassVar, Final, Literal

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.line import Act, Handshake, Opening, Withhold, later
from simulator.faults.outcome import Outcome, Silent

When = Literal["request", "opening"]
"""A fault comes in with a request that it meets, or with a connection once its handshake is over."""

BOTH_STAGES: Final = (Stage.BEFORE_JUDGE, Stage.AFTER_VERDICT)


class LineFault(RequestFault, frozen=True):
    """A fault of a connection that comes in with a request, or with the opening.

    A request takes part in what becomes of its connection: before the judge it is not processed where its answer is lost;
    after the verdict it has been.
    """

    stages: ClassVar[tuple[Stage, ...]] = BOTH_STAGES
    http1: ClassVar[bool] = False

    @property
    def on_opening(self) -> bool:
        """It is asked about every new connection."""
        return False

    @property
    def on_requests(self) -> bool:
        """It is asked about every request."""
        return not self.on_opening

    def open(self, opening: Opening) -> Opening:
        """How a connection begins that would have begun so."""
        return opening


class ConnectionFault(LineFault, frozen=True):
    """A fault of a connection from its beginning on; no request has a part in it."""

    @property
    def on_opening(self) -> bool:
        return True

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome


class DoorFault(Fault, frozen=True):
    """A fault of a port: what meets clients before anything is known of them but that they came.

    `refuses`: none comes in at all. `unmatched`: what of a match on connections means nothing to it.
    """

    refuses: ClassVar[bool] = False
    unmatched: ClassVar[tuple[str, ...]] = ("provider",)

    def meet(self, handshake: Handshake) -> Handshake:
        """How a client is met that would have been met so."""
        return handshake


def at_standstill(outcome: Outcome, after_s: float, acts: tuple[Act, ...]) -> tuple[Act, ...]:
    """The same so much later, when the client has filled its streams: until then nothing is answered. At once for no time."""
    return (Withhold(processed=outcome.past_judge), *later(after_s, *acts)) if after_s else acts


def beside(outcome: Outcome, *acts: Act, answer_lost: bool = False) -> Outcome:
    """The outcome, with something done to its connection. `answer_lost`: the request gets no answer any more."""
    outcome = outcome._replace(acts=outcome.acts + acts)
    return outcome._replace(manner=Silent()) if answer_lost else outcome
