"""An answer whose JSON ends too early."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome


class TruncatedAnswerFault(RequestFault, frozen=True):
    """The body ends in the middle of its JSON, and the answer is over all the same. Empty bodies stay as they are.

    `bytes_kept`: of the body; half of it where that is shorter, or not given.
    """

    name: ClassVar[str] = "truncated-answer"
    good_sender: ClassVar[str] = (
        "goes by the status, takes a reason that it cannot read for none, and does not fail over the rest of the batch"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)

    bytes_kept: Annotated[int, msgspec.Meta(ge=1, le=65_536)] | None = None

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        answer = outcome.answer
        if answer is None:
            return outcome
        half = len(answer.body) // 2
        kept = half if self.bytes_kept is None or self.bytes_kept >= len(answer.body) else self.bytes_kept
        return outcome._replace(answer=answer._replace(body=answer.body[:kept]))
