"""An answer that does not end."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome, Unended


class UnendedAnswerFault(RequestFault, frozen=True):
    """The header fields of the answer come, and no END_STREAM ever does.

    `with_body`: the body comes too, so that only the end is missing.
    """

    name: ClassVar[str] = "unended-answer"
    good_sender: ClassVar[str] = (
        "waits no longer than for any answer, then resets the stream; may go by the status, or send the same apns-id again"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)
    http1: ClassVar[bool] = False

    with_body: bool = False

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome.going_out(Unended(self.with_body))
