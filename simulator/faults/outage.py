"""A provider that is out of order."""

from typing import ClassVar, Final, Literal

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome
from simulator.faults.provider_answers import answer_named
from simulator.faults.retry_after import RetryAfter, RetryAfterForm, retry_after_fields
from simulator.fcm.errors import Cause
from simulator.fcm.html_page import bad_gateway_page

OutageKind = Literal["unavailable", "internal-error", "bad-gateway"]

_REASONS: Final = {
    (Provider.APNS, "unavailable"): "ServiceUnavailable",
    (Provider.APNS, "internal-error"): "InternalServerError",
    (Provider.APNS, "bad-gateway"): "ServiceUnavailable",
    (Provider.FCM, "unavailable"): "UNAVAILABLE",
    (Provider.FCM, "internal-error"): "INTERNAL",
}


class OutageFault(RequestFault, frozen=True):
    """The whole provider is out of order: every request it meets is refused unread.

    `kind`: `unavailable` is 503, `internal-error` 500; `bad-gateway` is FCM's 502 with a page of HTML, and 503 with APNs.
    `retry_after_s`: adds a `Retry-After` field, `retry_after_form` says in which form. Connections stay as they are.
    """

    name: ClassVar[str] = "outage"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE,)
    good_sender: ClassVar[str] = (
        "waits as Retry-After says, else with growing waits and jitter; asks little meanwhile, and recovers its full rate"
    )

    kind: OutageKind = "unavailable"
    retry_after_s: RetryAfter = None
    retry_after_form: RetryAfterForm = "seconds"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        named = _REASONS.get((asked.provider, self.kind))
        answer, reason = (bad_gateway_page(), Cause.BAD_GATEWAY.reason) if named is None else answer_named(named, asked)
        fields = retry_after_fields(self.retry_after_s, self.retry_after_form, asked.now_s)
        return outcome._replace(answer=answer._replace(fields=answer.fields + fields), reason=reason)
