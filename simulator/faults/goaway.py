"""GOAWAY: the server takes its leave of a connection."""

from typing import ClassVar, Literal

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import (
    Act,
    DebugText,
    End,
    Ending,
    EndingName,
    ErrorCodeNumber,
    Goaway,
    LastStream,
    LineDelay,
    LoseAnswers,
    Opening,
    later,
)
from simulator.faults.line_fault import LineFault, at_standstill, beside
from simulator.faults.outcome import Outcome

_NOT_PROCESSED = ("before", "none")


class GoawayFault(LineFault, frozen=True):
    """GOAWAY, in the middle of a burst or at the opening, and what becomes of the connection then (`goaway-mid-burst`,
    `goaway-abrupt`, `goaway-before-settings`, `wrong-certificate-environment`).

    - `when`: with a request; `opening`: behind the first SETTINGS; `before-settings`: in their place.
    - `code`: 0 is NO_ERROR. `debug`: its debug data; APNs sends JSON such as {"reason":"Shutdown"}.
    - `last_stream`: which stream it names as the last one processed: that of the request, the one `before` it, the newest of
      `all` that have come, `none`, or the highest there can be (`max`). With `before` and `none` the request gets no answer.
    - `twice`: another one goes ahead that names the highest stream there can be, as servers do that leave in good order.
    - `answers_lost`: neither the request nor any that waits gets its answer.
    - `after_s`: so much later, when the client has filled its streams. Until then neither the request nor any behind it gets an
      answer: before the judge they are not looked at, after its verdict all are processed.
    - `then`: the connection stays open until the client closes it, or ends `then_after_s` later.
    """

    name: ClassVar[str] = "goaway"
    good_sender: ClassVar[str] = (
        "opens another connection, sends the streams above the last one again, waits for the others as long as the old "
        "connection lives, and sends them again once it does not; shows the reason, and stops where that cannot get better"
    )

    when: Literal["request", "opening", "before-settings"] = "request"
    code: ErrorCodeNumber = 0
    last_stream: LastStream = "this"
    debug: DebugText = ""
    twice: bool = False
    answers_lost: bool = False
    after_s: LineDelay = 0.0
    then: Literal["stay"] | EndingName = "stay"
    then_after_s: LineDelay = 0.0

    def __post_init__(self) -> None:
        if self.after_s and (self.when != "request" or not self._answer_lost):
            raise ValueError(
                "after_s goes with when=request, and with answers_lost=true, last_stream=before or last_stream=none: "
                "requests that come meanwhile have no answer"
            )

    @property
    def on_opening(self) -> bool:
        return self.when != "request"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        acts = at_standstill(outcome, self.after_s, self._acts())
        return beside(outcome, *acts, answer_lost=self._answer_lost)

    @property
    def _answer_lost(self) -> bool:
        return self.answers_lost or self.last_stream in _NOT_PROCESSED

    def open(self, opening: Opening) -> Opening:
        opening = opening.doing(*self._acts())
        return opening._replace(greeted=False) if self.when == "before-settings" else opening

    def _acts(self) -> tuple[Act, ...]:
        debug = self.debug.encode()
        first = (Goaway(self.code, "max", debug),) if self.twice else ()
        lost = (LoseAnswers(),) if self.answers_lost else ()
        end = () if self.then == "stay" else later(self.then_after_s, End(Ending(self.then)))
        return (*lost, *first, Goaway(self.code, self.last_stream, debug), *end)
