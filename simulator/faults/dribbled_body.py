"""A body that comes in crumbs."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Dribbled, Outcome


class DribbledBodyFault(RequestFault, frozen=True):
    """The body comes a byte at a time, each in a DATA frame of its own. Answers without a body, as APNs accepts, come whole.

    `piece_bytes`: so many at a time. `gap_ms`: between one piece and the next.
    """

    name: ClassVar[str] = "dribbled-body"
    good_sender: ClassVar[str] = (
        "puts the pieces together, acts once the stream has ended, and bounds the time for the whole"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)
    http1: ClassVar[bool] = False

    piece_bytes: Annotated[int, msgspec.Meta(ge=1, le=16_384)] = 1
    gap_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 0.0

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome.going_out(Dribbled(self.piece_bytes, self.gap_ms / 1000))
