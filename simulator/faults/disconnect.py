"""A connection that ends without a word of HTTP/2."""

from typing import ClassVar

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import Act, End, Ending, EndingName, LineDelay, LoseAnswers, Opening, later
from simulator.faults.line_fault import LineFault, When, beside
from simulator.faults.outcome import Outcome


class DisconnectFault(LineFault, frozen=True):
    """The connection is reset, half closed or closed, and no GOAWAY says so (`goaway-abrupt`, `long-stall-then-reset`).

    - `when`: with a request, or at the opening. `after_s`: so much later.
    - `how`: `reset` is TCP's RST; `half-close` a FIN, after which the simulator listens on and says nothing more; `close` ends
      TLS in good order.
    - `answers_lost`: neither the request nor any that waits gets its answer.
    """

    name: ClassVar[str] = "disconnect"
    http1: ClassVar[bool] = True
    good_sender: ClassVar[str] = (
        "notices at once, opens another connection, and sends everything unanswered again with the same ids; never hangs"
    )

    when: When = "request"
    how: EndingName = "reset"
    after_s: LineDelay = 0.0
    answers_lost: bool = True

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return beside(outcome, *self._acts(), answer_lost=self.answers_lost)

    def open(self, opening: Opening) -> Opening:
        return opening.doing(*self._acts())

    def _acts(self) -> tuple[Act, ...]:
        lost = (LoseAnswers(),) if self.answers_lost else ()
        return (*lost, *later(self.after_s, *lost, End(Ending(self.how))))
