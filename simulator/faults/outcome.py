"""What becomes of the answer to one request: faults take it, one after the other, and hand on another. Values only."""

from typing import NamedTuple, TypeAlias

from simulator.faults.line import Act
from simulator.http_answer import HttpAnswer


class Whole(NamedTuple):
    """Sent as it is."""


class Reset(NamedTuple):
    """The stream is reset in the answer's place. `code`: of RST_STREAM."""

    code: int


class Silent(NamedTuple):
    """Nothing is ever sent on the stream."""


class Twice(NamedTuple):
    """Sent, and sent again on the stream that is over."""


class Unended(NamedTuple):
    """Sent but for the END_STREAM that says so. `with_body`: the body too, else the header fields alone."""

    with_body: bool


class Dribbled(NamedTuple):
    """The body comes `piece_bytes` at a time, with `gap_s` before each."""

    piece_bytes: int
    gap_s: float


class Oversized(NamedTuple):
    """The body comes in a frame that is a byte longer than the client takes; where it is shorter, filled up with spaces."""


Manner: TypeAlias = Whole | Reset | Silent | Twice | Unended | Dribbled | Oversized
"""How an answer goes out. Of several faults that say how, the last one is heard."""

WHOLE = Whole()


class Outcome(NamedTuple):
    """What becomes of one request.

    - `answer`: what is answered. None before the judge was asked, and then nothing has taken its place yet.
    - `reason`: what ledger and counters call a refusal that took the judge's place.
    - `delay_s`: how long the answer waits, or what stands in its place.
    - `acts`: what is done to the connection besides, at once and ahead of the answer.
    - `past_judge`: the judge was asked, or something took its place; what is still to come is the stage after its verdict.
    """

    answer: HttpAnswer | None = None
    reason: str | None = None
    delay_s: float = 0.0
    manner: Manner = WHOLE
    acts: tuple[Act, ...] = ()
    past_judge: bool = False

    @property
    def decided(self) -> bool:
        """Something has taken the judge's place: the request is not processed."""
        return self.answer is not None or isinstance(self.manner, Reset | Silent)

    def going_out(self, manner: Manner) -> "Outcome":
        """With another manner, if there is an answer that could go out in it."""
        return self if self.answer is None else self._replace(manner=manner)


NOTHING_YET = Outcome()
