"""PINGs of the simulator."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import AskPing, Opening
from simulator.faults.line_fault import LineFault, When, beside
from simulator.faults.outcome import Outcome


class PingFault(LineFault, frozen=True):
    """The simulator sends a PING, as servers do that ask whether a client is still there (`silent-stream`).

    `when`: with each request that it meets, ahead of its answer; or at the opening, behind the first SETTINGS.
    """

    name: ClassVar[str] = "ping"
    good_sender: ClassVar[str] = "answers it at once, with the same eight bytes, also while it waits for answers"

    when: When = "request"

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return beside(outcome, AskPing())

    def open(self, opening: Opening) -> Opening:
        return opening.doing(AskPing())
