"""A connection that falls silent."""

from typing import ClassVar, Literal

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import Act, End, Ending, EndingName, LineDelay, Opening, Stall, later
from simulator.faults.line_fault import LineFault, When, at_standstill, beside
from simulator.faults.outcome import Outcome


class StallFault(LineFault, frozen=True):
    """Nothing is read and nothing is written for a while, PINGs not answered either; then the connection ends or goes on
    (`long-stall-then-reset`).

    - `when`: from a request on, or from the opening on: then the client finds TLS established and not even SETTINGS.
    - `after_s`: so much later, when the client has filled its streams. Until then neither the request nor any behind it gets an
      answer: before the judge they are not looked at, after its verdict all are processed.
    - `for_s`: how long. `then`: what follows. Where the connection ends, the request and all behind it have no answer; where
      it goes on, all are answered then.
    """

    name: ClassVar[str] = "stall"
    http1: ClassVar[bool] = True
    good_sender: ClassVar[str] = (
        "notices within its own limit, by a PING without an answer; opens another connection, sends all unanswered again"
    )

    when: When = "request"
    after_s: LineDelay = 0.0
    for_s: LineDelay = 60.0
    then: Literal["go-on"] | EndingName = "reset"

    def __post_init__(self) -> None:
        if self.after_s and (self.when == "opening" or self.then == "go-on"):
            raise ValueError(
                "after_s goes with when=request, and with a connection that ends then: requests that come meanwhile have no "
                "answer"
            )

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        acts = at_standstill(outcome, self.after_s, self._acts())
        return beside(outcome, *acts, answer_lost=self.then != "go-on")

    def open(self, opening: Opening) -> Opening:
        return opening.doing(*self._acts())

    def _acts(self) -> tuple[Act, ...]:
        end = () if self.then == "go-on" else later(self.for_s, End(Ending(self.then)))
        return (*end, Stall(self.for_s))
