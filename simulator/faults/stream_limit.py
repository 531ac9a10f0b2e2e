"""MAX_CONCURRENT_STREAMS that goes up and down."""

from typing import Annotated, ClassVar, Literal

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import Stage
from simulator.faults.line import Opening, StreamLimit
from simulator.faults.line_fault import LineFault, beside
from simulator.faults.outcome import Outcome
from wire.frames import MAX_CONCURRENT_STREAMS

Streams = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class StreamLimitFault(LineFault, frozen=True):
    """The limit of streams is lowered, and may be raised again (`rejection-throttle`, `one-then-thousand`, `too-many-streams`).

    - `when`: at the opening; with each request it meets; or with each `rejection`, that is an answer from 400 on. The change
      goes out ahead of the answer.
    - `streams`: the limit from then on; 0 lets no stream be opened.
    - `until`: `success` ends it with the next answer below 400. Then `then_streams` is the limit; where that is not given, what
      the provider announces by itself.
    """

    name: ClassVar[str] = "stream-limit"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)
    good_sender: ClassVar[str] = (
        "keeps to the new limit at once, opens no connection for each stream it lacks, keeps others busy, loses nothing"
    )

    when: Literal["opening", "request", "rejection"] = "request"
    streams: Streams = 1
    until: Literal["never", "success"] = "never"
    then_streams: Streams | None = None

    def __post_init__(self) -> None:
        if self.until == "success" and self.when == "request":
            raise ValueError(
                "until=success goes with when=opening or when=rejection: a request it meets may be a success"
            )
        if self.then_streams is not None and self.until == "never":
            raise ValueError("then_streams says what the limit is after a success; give until=success with it")

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    @property
    def on_requests(self) -> bool:
        return self.when != "opening" or self.until == "success"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        answer = outcome.answer
        if answer is None:
            return outcome
        if self.when == "request" or (self.when == "rejection" and answer.status >= 400):
            return beside(outcome, StreamLimit(self.streams))
        if self.until == "success" and answer.status < 400:
            return beside(outcome, StreamLimit(self.then_streams))
        return outcome

    def open(self, opening: Opening) -> Opening:
        return opening.announcing((MAX_CONCURRENT_STREAMS, self.streams)).doing(StreamLimit(self.streams))
