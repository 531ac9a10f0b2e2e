"""A frame that is longer than the client takes."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome, Oversized


class OversizedFrameFault(RequestFault, frozen=True):
    """An answer's body comes in a DATA frame of one byte more than the client's MAX_FRAME_SIZE allows."""

    name: ClassVar[str] = "oversized-frame"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)
    http1: ClassVar[bool] = False
    good_sender: ClassVar[str] = (
        "ends the connection with FRAME_SIZE_ERROR, opens another, and sends everything unanswered again with the same ids"
    )

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome.going_out(Oversized())
