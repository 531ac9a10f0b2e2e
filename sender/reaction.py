"""What to do about an answer: pure, so that every rule is a row in a test. No clock, no chance, no I/O.

Each provider's tables say which action an answer asks for. `react` is asked for everything but plain acceptance. It gets the
answer, how often the notification was tried, the time, and a number drawn by the caller for the jitter; it says whether
the notification is done, when it is sent again, whether its token dies, or whether the whole campaign must stop.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, unique

RETRY_AFTER_MAX_S = 24 * 3600.0  # a provider that asks for more is taken to mean a day


@unique
class Action(Enum):
    """What becomes of a notification after an answer."""

    ACCEPT = "accept"
    REJECT = "reject"
    """Final for this notification; its token stays."""
    INVALIDATE = "invalidate"
    """Final, and the token is dead from an instant on."""
    RETRY = "retry"
    """Again, after a growing pause or as long as the provider says."""
    RENEW = "renew"
    """Again at once with a new credential: a provider token or an access token."""
    MOVE = "move"
    """Again at once over another connection: this one is being shut."""
    STOP = "stop"
    """Every other notification of the campaign would get the same: end it before it burns the rest."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How persistently a notification is tried.

    `attempts_max`: answers and losses a notification may meet before it is given up for this run. `base_s`: the pause after
    the first failure, doubled with each further one up to `pause_max_s`; the pause is drawn from its upper half, so that
    a burst of failures does not come back as a burst.
    """

    attempts_max: int = 5
    base_s: float = 1.0
    pause_max_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as far as it matters. `status` 0: none came, and `reason` says what happened instead.

    `action`: what the provider's tables make of it. `detail`: what else the provider says, for a person. `timestamp_ms`:
    when the token died, if the provider tells. `retry_after`: the field as received, or None. `pause_min_s`: the least pause
    before a repeat where that field is missing. `holds_all`: nothing else shall be sent before that time either.
    """

    status: int
    reason: str = ""
    action: Action = Action.RETRY
    detail: str = ""
    timestamp_ms: int | None = None
    retry_after: str | None = None
    pause_min_s: float = 0.0
    holds_all: bool = False


@dataclass(frozen=True, slots=True)
class Reaction:
    """What becomes of the notification.

    `retry_at_s`: when to send again, for RETRY. `given_up`: attempts are used up, the notification rests until the
    campaign's next run. `invalidate_at_ms`: since when the token is dead, for INVALIDATE.
    """

    action: Action
    retry_at_s: float = 0.0
    invalidate_at_ms: int = 0
    given_up: bool = False


def retry_after_s(text: str, now_s: float) -> float | None:
    """Seconds to wait by a Retry-After field (RFC 9110, 10.2.3): a number of seconds or an HTTP date; None if neither."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (TypeError, ValueError, OverflowError):
        return None


def pause_s(attempts: int, policy: RetryPolicy, draw: float) -> float:
    """The pause after `attempts` failures; `draw` is uniform in [0, 1)."""
    full = min(policy.pause_max_s, policy.base_s * 2.0 ** min(attempts - 1, 30))
    return full * (0.5 + draw / 2)


def react(answer: Answer, attempts: int, now_s: float, policy: RetryPolicy, draw: float) -> Reaction:
    """What to do about `answer`, the `attempts`-th that this notification got (1 for the first)."""
    action = answer.action
    if action in (Action.RETRY, Action.RENEW, Action.MOVE):
        if attempts >= policy.attempts_max:
            return Reaction(Action.RETRY, given_up=True)
        if action is not Action.RETRY:
            return Reaction(action, retry_at_s=now_s)
        wait_s = answer.pause_min_s + pause_s(attempts, policy, draw)
        if answer.retry_after is not None:
            told_s = retry_after_s(answer.retry_after, now_s)
            if told_s is not None:
                # Never sooner than told; jitter comes on top.
                wait_s = min(told_s, RETRY_AFTER_MAX_S) + min(told_s, policy.base_s) * draw
        return Reaction(Action.RETRY, retry_at_s=now_s + wait_s)
    if action is Action.INVALIDATE:
        # Only a 410 of APNs says when; for all other answers the token is known to be dead now.
        died_at_ms = answer.timestamp_ms if answer.timestamp_ms is not None else int(now_s * 1000)
        return Reaction(action, invalidate_at_ms=died_at_ms)
    return Reaction(action)
