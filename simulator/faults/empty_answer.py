"""An answer without a body."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome


class EmptyAnswerFault(RequestFault, frozen=True):
    """The body of the answer is missing; the status stays, unless another one is given.

    `status`: in place of the answer's own.
    """

    name: ClassVar[str] = "empty-answer"
    good_sender: ClassVar[str] = (
        "goes by the status: 200 is done, though FCM's name is missing; a refusal without a reason is no verdict on the token"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)

    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        answer = outcome.answer
        if answer is None:
            return outcome
        return outcome._replace(answer=answer._replace(status=self.status or answer.status, body=b""))
