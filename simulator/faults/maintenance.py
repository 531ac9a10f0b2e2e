"""A provider that goes into maintenance."""

from typing import ClassVar, Final

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import Stage
from simulator.faults.line import End, Ending, Goaway, LineDelay, later
from simulator.faults.line_fault import LineFault, beside
from simulator.faults.outcome import Outcome
from simulator.faults.provider_answers import answer_named
from simulator.faults.retry_after import RetryAfter, retry_after_fields
from wire.errors import ErrorCode

_SHUTDOWN_DEBUG: Final = b'{"reason":"Shutdown"}'


class MaintenanceFault(LineFault, frozen=True):
    """The provider shuts down: each request it meets gets 503 (`Shutdown` with APNs), and its connection GOAWAY.

    `goaway`: the connection is said goodbye to with the first such answer, with APNs `{"reason":"Shutdown"}`, and closed
    `close_after_s` later. `retry_after_s`: adds a `Retry-After` field. New connections are served alike as long as this is at
    work: with `refuse-connections` beside it, none are.
    """

    name: ClassVar[str] = "maintenance"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE,)
    http1: ClassVar[bool] = True
    good_sender: ClassVar[str] = (
        "takes 503 Shutdown for what can be retried, opens another connection after the GOAWAY, and backs off while that lasts"
    )

    goaway: bool = True
    close_after_s: LineDelay = 0.0
    retry_after_s: RetryAfter = None

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        apns = asked.provider is Provider.APNS
        answer, reason = answer_named("Shutdown" if apns else "UNAVAILABLE", asked)
        fields = retry_after_fields(self.retry_after_s, "seconds", asked.now_s)
        outcome = outcome._replace(answer=answer._replace(fields=answer.fields + fields), reason=reason)
        if not self.goaway:
            return outcome
        goodbye = Goaway(ErrorCode.NO_ERROR, "this", _SHUTDOWN_DEBUG if apns else b"")
        return beside(outcome, goodbye, *later(self.close_after_s, End(Ending.CLOSE)))
