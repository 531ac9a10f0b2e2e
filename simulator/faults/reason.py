"""An answer of the provider's own, without its cause."""

from typing import ClassVar

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome
from simulator.faults.provider_answers import APNS_REASONS, FCM_CAUSES, FCM_ERROR_CODES, answer_named, provider_of
from simulator.faults.retry_after import RetryAfter, RetryAfterForm, retry_after_fields


class ReasonFault(RequestFault, frozen=True):
    """The provider refuses with a reason of its own, though there is no cause for it (`retry-storm`).

    `reason`: as APNs or FCM call it on the wire, such as TooManyRequests or UNAVAILABLE, or our name of one of FCM's causes,
    such as project-quota. It decides whose requests are met. `retry_after_s`: adds a `Retry-After` field of so many seconds,
    `retry_after_form`: in seconds or as an HTTP date.
    """

    name: ClassVar[str] = "reason"
    good_sender: ClassVar[str] = (
        "retries 429, 500 and 503 as Retry-After says, else with growing waits and jitter; reports all others once"
    )
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE, Stage.AFTER_VERDICT)

    reason: str
    retry_after_s: RetryAfter = None
    retry_after_form: RetryAfterForm = "seconds"

    def __post_init__(self) -> None:
        if provider_of(self.reason) is None:
            known = ", ".join((*APNS_REASONS, *FCM_ERROR_CODES, *FCM_CAUSES))
            raise ValueError(f"reason {self.reason!r} is none of APNs or FCM; there are: {known}")

    @property
    def provider(self) -> Provider | None:
        return provider_of(self.reason)

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        """The answer in place of any other."""
        answer, reason = answer_named(self.reason, asked)
        fields = retry_after_fields(self.retry_after_s, self.retry_after_form, asked.now_s)
        answer = answer._replace(fields=answer.fields + fields)
        return outcome._replace(answer=answer, reason=reason)
