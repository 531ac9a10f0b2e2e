"""A stream that is never answered."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome, Silent


class SilentStreamFault(RequestFault, frozen=True):
    """The request is never answered, while its connection is in good order (`silent-stream`).

    Over HTTP/1.1, where answers keep their order, the connection is silent from then on.
    """

    name: ClassVar[str] = "silent-stream"
    good_sender: ClassVar[str] = (
        "times the stream out alone, resets it, sends the notification again with the same apns-id; the rest is unharmed"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE, Stage.AFTER_VERDICT)

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome._replace(manner=Silent())
