"""Answers that take their time."""

from math import cos, exp, log, pi, sqrt
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome

LATENCY_MS_MAX: Final = 600_000.0
"""Ours: no answer takes longer, whatever is drawn."""

_NORMAL_P99: Final = 2.3263478740408408
"""How many standard deviations the 99th percentile of a normal distribution lies above its median."""

Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=LATENCY_MS_MAX)]


class LatencyFault(RequestFault, frozen=True):
    """The answer comes late: after a fixed time, or one drawn from a distribution. Several of these add up.

    `median_ms`: half of the answers take longer. `shape`: fixed, normal, or long-tail (log-normal), of which `p99_ms` is the
    99th percentile: one of a hundred answers takes longer. `per`: drawn for each request, or once for a connection.
    """

    name: ClassVar[str] = "latency"
    good_sender: ClassVar[str] = (
        "keeps many streams in flight, so that its rate holds; times out single streams, and far above the usual latency"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.AFTER_VERDICT,)
    draws: ClassVar[bool] = True

    median_ms: Milliseconds
    shape: Literal["fixed", "normal", "long-tail"] = "fixed"
    p99_ms: Milliseconds | None = None
    per: Literal["request", "connection"] = "request"

    def __post_init__(self) -> None:
        if (self.shape == "fixed") != (self.p99_ms is None):
            raise ValueError("p99_ms goes with the shapes normal and long-tail, and they need it")
        if self.p99_ms is not None and (self.p99_ms < self.median_ms or self.median_ms == 0):
            raise ValueError("p99_ms must not be below median_ms, which must be above 0")

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return outcome._replace(delay_s=outcome.delay_s + self.drawn_ms(draws) / 1000)

    def drawn_ms(self, draws: Draws) -> float:
        """How long one answer takes, from 0 to `LATENCY_MS_MAX`."""
        if self.p99_ms is None:
            return self.median_ms
        draw = draws.of_request if self.per == "request" else draws.of_connection
        # Two even draws make a normal one (Box and Muller).
        deviations = sqrt(-2 * log(1 - draw(b"latency radius"))) * cos(2 * pi * draw(b"latency angle"))
        if self.shape == "normal":
            latency_ms = self.median_ms + deviations * (self.p99_ms - self.median_ms) / _NORMAL_P99
        else:
            latency_ms = self.median_ms * exp(deviations * log(self.p99_ms / self.median_ms) / _NORMAL_P99)
        return min(max(0.0, latency_ms), LATENCY_MS_MAX)
