"""What a careless sender makes of answers: the reference sender's delivery, without its consideration. No I/O."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum, unique

from loadtest.errors import LoadSettingsError
from sender.credential import Credential
from sender.delivery import Delivery
from sender.provider import Provider
from sender.reaction import Action, Answer, RetryPolicy
from sender.store.records import Due

OPTION = "--bad-habits"
DEAD_AGAIN_MAX = 1
"""So many times more a dead token is sent to."""

AT_ONCE = RetryPolicy(attempts_max=20, base_s=0.0)
"""Repeats without a pause."""


@unique
class Habit(StrEnum):
    """What a sender does that its provider asks it not to."""

    RETRY_AFTER = "retry-after"
    """Repeats at once, whatever the provider says."""
    DEAD_AGAIN = "dead-again"
    """Sends to dead tokens once more."""
    RECONNECT = "reconnect"
    """Opens new connections for each batch."""
    TOKEN_PER_BATCH = "token-per-batch"  # noqa: S105 - no password
    """Makes a new provider token, or asks for a new access token, for each batch."""

    @property
    def in_batches(self) -> bool:
        """It needs batch after batch: with a schedule, batches overlap."""
        return self in (Habit.RECONNECT, Habit.TOKEN_PER_BATCH)


HABITS_DEFAULT = ",".join((Habit.RETRY_AFTER, Habit.DEAD_AGAIN, Habit.RECONNECT))


def habits_of(text: str) -> frozenset[Habit]:
    """The habits of the option. Raises LoadSettingsError."""
    names = [each.strip() for each in text.split(",") if each.strip()]
    unknown = [name for name in names if name not in {habit.value for habit in Habit}]
    if unknown or not names:
        said = f"there is no habit {unknown[0][:40]!r}" if unknown else "none is named"
        raise LoadSettingsError(OPTION, f"{said}; there are: {', '.join(Habit)}")
    return frozenset(Habit(name) for name in names)


class BadDelivery(Delivery):
    """Ignores Retry-After, sends to dead tokens again, as its `habits` are."""

    def __init__(
        self, provider: Provider, credential: Credential, draw: Callable[[], float], habits: frozenset[Habit]
    ) -> None:
        policy = AT_ONCE if Habit.RETRY_AFTER in habits else None
        super().__init__(provider, credential, draw=draw, policy=policy)
        self._habits = habits

    def settle(self, due: Due, answer: Answer, authorization: bytes, now_s: float) -> Action:
        if Habit.DEAD_AGAIN in self._habits and answer.action is Action.INVALIDATE and due.attempts < DEAD_AGAIN_MAX:
            answer = replace(answer, action=Action.RETRY)
        if Habit.RETRY_AFTER in self._habits:
            answer = replace(answer, retry_after=None, pause_min_s=0.0, holds_all=False)
        return super().settle(due, answer, authorization, now_s)
