"""A stream that is answered twice."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome, Twice


class AnsweredTwiceFault(RequestFault, frozen=True):
    """Behind the answer, which has ended its stream, comes a second HEADERS frame with the same fields."""

    name: ClassVar[str] = "answered-twice"
    good_sender: ClassVar[str] = (
        "counts the notification once; if it ends the connection over the broken protocol, it loses nothing by that"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)
    http1: ClassVar[bool] = False

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome.going_out(Twice())
