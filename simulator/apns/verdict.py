"""The outcome of judging one notification."""

from dataclasses import dataclass

from simulator.apns.reasons import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accepted when `reason` is None. `timestamp_ms`: since the Unix epoch, accompanies every 410 and nothing else.

    Compare with `ACCEPTED` by identity: there is one accepted verdict. Rejections without a timestamp are shared too.
    """

    reason: Reason | None = None
    timestamp_ms: int | None = None


ACCEPTED = Verdict()

REJECTED = {reason: Verdict(reason) for reason in Reason}
"""The shared verdict of each reason that needs no timestamp."""
