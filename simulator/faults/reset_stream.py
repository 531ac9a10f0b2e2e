"""A stream that is reset."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome, Reset
from wire.errors import ErrorCode


class ResetStreamFault(RequestFault, frozen=True):
    """RST_STREAM in place of the answer (`refused-stream-late`, `expired-token-burst`).

    `code`: by its number (RFC 9113, section 7): 7 is REFUSED_STREAM, which promises that nothing was processed; 8 is CANCEL,
    5 STREAM_CLOSED, 2 INTERNAL_ERROR. Before the judge the notification is not processed, and counts as nothing; after the
    verdict it was, and a resend is an expected repeat.
    """

    name: ClassVar[str] = "reset-stream"
    good_sender: ClassVar[str] = (
        "frees the stream's place, and sends the notification again with the same apns-id; the connection goes on"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE, Stage.AFTER_VERDICT)
    http1: ClassVar[bool] = False

    code: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = ErrorCode.REFUSED_STREAM.value

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome._replace(manner=Reset(self.code))
