"""The throttle on senders that make many errors, as a pure rule. Off unless asked for.

Documented is the principle alone (Handling notification responses from APNs): every 4xx slows the connection down, as its
SETTINGS show; too many end it, `BadDeviceToken` sooner; a 410 does not count. In 2016 one rejection was seen to lower the
limit to 1, and one success to restore it (Open Radar 27870881). Every figure here is ours and undocumented.
"""

from dataclasses import dataclass

from simulator.apns.reasons import Reason
from simulator.apns.verdict import Verdict

GOAWAY_REASON = Reason.TOO_MANY_REQUESTS
"""What the debug data of the closing GOAWAY names. Undocumented, our choice."""


@dataclass(frozen=True, slots=True)
class PenaltyRules:
    """The figures of the throttle; all undocumented.

    Each 4xx but 410 adds its weight in points, each success takes `forgiven` points away. The limit of streams is halved
    for every `halving_points` points, down to `streams_min`; at `closing_points` the connection ends.
    Raises `ValueError` for figures that make no sense.
    """

    weight: int = 1
    bad_device_token_weight: int = 4
    forgiven: int = 1
    halving_points: int = 10
    streams_min: int = 1
    closing_points: int = 200

    def __post_init__(self) -> None:
        for name in ("weight", "bad_device_token_weight", "halving_points", "streams_min", "closing_points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of the penalty rules must be at least 1, not {getattr(self, name)}")
        if self.forgiven < 0:
            raise ValueError(f"forgiven of the penalty rules must not be negative, but is {self.forgiven}")


@dataclass(frozen=True, slots=True)
class Penalty:
    """What the errors of one connection have earned it so far."""

    points: int = 0

    def streams(self, streams_max: int, rules: PenaltyRules) -> int:
        """The MAX_CONCURRENT_STREAMS to advertise; `streams_max`: what it would be without errors."""
        return max(min(rules.streams_min, streams_max), streams_max >> min(self.points // rules.halving_points, 64))

    def closes(self, rules: PenaltyRules) -> bool:
        """Whether the connection is to be ended with GOAWAY."""
        return self.points >= rules.closing_points


def after_answer(penalty: Penalty, verdict: Verdict, rules: PenaltyRules) -> Penalty:
    """The penalty after one more answer: the same object when nothing changes. 5xx answers leave it alone."""
    reason = verdict.reason
    if reason is None:
        return Penalty(max(0, penalty.points - rules.forgiven)) if penalty.points else penalty
    if reason.status == 410 or not 400 <= reason.status < 500:
        return penalty
    weight = rules.bad_device_token_weight if reason is Reason.BAD_DEVICE_TOKEN else rules.weight
    return Penalty(min(rules.closing_points, penalty.points + weight))
