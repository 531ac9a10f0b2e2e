"""An answer that says of itself to be something else than it is."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome


class WrongContentTypeFault(RequestFault, frozen=True):
    """The answer is the provider's own, but for its `content-type`. APNs sends none by itself.

    `content_type`: what it says.
    """

    name: ClassVar[str] = "wrong-content-type"
    good_sender: ClassVar[str] = (
        "reads the body as what it is, or goes by the status; never loses the notification over it"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)

    content_type: Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]{0,254}[!-~])?\Z")] = "text/plain"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        answer = outcome.answer
        if answer is None:
            return outcome
        others = tuple(field for field in answer.fields if field[0] != b"content-type")
        return outcome._replace(answer=answer._replace(fields=(*others, (b"content-type", self.content_type.encode()))))
