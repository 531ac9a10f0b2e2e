"""PINGs without an answer."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import Act, AnswerPings, LineDelay, Opening, later
from simulator.faults.line_fault import LineFault, When, beside
from simulator.faults.outcome import Outcome


class IgnoredPingFault(LineFault, frozen=True):
    """The simulator answers requests, and no PING.

    `when`: from a request on, or from the opening on. `for_s`: how long; 0 is for good. PINGs of that time stay unanswered.
    """

    name: ClassVar[str] = "ignored-ping"
    good_sender: ClassVar[str] = (
        "gives the connection up once a PING has had no answer for its own time limit, and opens another"
    )

    when: When = "opening"
    for_s: LineDelay = 0.0

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return beside(outcome, AnswerPings(False), *self._recovery())

    def open(self, opening: Opening) -> Opening:
        return opening.doing(AnswerPings(False), *self._recovery())

    def _recovery(self) -> tuple[Act, ...]:
        return later(self.for_s, AnswerPings(True)) if self.for_s else ()
