"""A quota that is used up."""

from math import ceil
from typing import Annotated, ClassVar

import msgspec

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome
from simulator.faults.provider_answers import answer_named
from simulator.faults.retry_after import retry_after_fields


class QuotaFault(RequestFault, frozen=True):
    """The sender's quota is used up: 429 to every request it meets, until the window of time is over (`retry-storm`).

    FCM answers with its project's quota, APNs with `TooManyRequests`. `window_s`: quotas are counted in windows of so many
    seconds by the simulator's clock; `Retry-After` says how long this one still lasts, if `retry_after` is not false.
    """

    name: ClassVar[str] = "quota"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE,)
    good_sender: ClassVar[str] = (
        "waits as Retry-After says, and without it a minute with FCM; then raises its rate little by little"
    )

    window_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60
    retry_after: bool = True

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        name = "TooManyRequests" if asked.provider is Provider.APNS else "project-quota"
        answer, reason = answer_named(name, asked)
        left_s = ceil(self.window_s - asked.now_s % self.window_s) if self.retry_after else None
        fields = retry_after_fields(left_s, "seconds", asked.now_s)
        return outcome._replace(answer=answer._replace(fields=answer.fields + fields), reason=reason)
