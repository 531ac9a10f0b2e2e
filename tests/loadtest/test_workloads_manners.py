"""How workloads send: credentials that are changed too often, and a sender that heeds nobody. Pure."""

import pytest

from loadtest.errors import LoadSettingsError
from loadtest.workloads.bad_delivery import DEAD_AGAIN_MAX, BadDelivery, Habit, habits_of
from loadtest.workloads.rotating_credential import RotatingCredential
from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.credential import Credential, CredentialAnswer, CredentialRequest
from sender.reaction import Action, Answer
from sender.store.records import Due, State

NOW_S = 1_760_000_000.0


class Numbered(Credential):
    """A credential with a number, at once or when it was asked for."""

    made = 0

    def __init__(self, *, asked_for: bool = False) -> None:
        Numbered.made += 1
        self._text: bytes | None = b"%d" % Numbered.made
        self._waiting = self._text if asked_for else None
        if asked_for:
            self._text = None

    def text(self, now_s: float) -> bytes | None:
        return self._text

    def renew(self, refused: bytes, now_s: float) -> bool:
        return refused != self._text

    def request(self, now_s: float) -> CredentialRequest | None:
        return None if self._waiting is None else CredentialRequest("http://localhost/token", b"")

    def answered(self, answer: CredentialAnswer, now_s: float, draw: float) -> None:
        self.trouble = answer.error
        if answer.status == 200:
            self._text, self._waiting = self._waiting, None


@pytest.fixture(autouse=True)
def _from_one() -> None:
    Numbered.made = 0


def test_a_credential_changes_when_its_time_is_over_and_not_before() -> None:
    rotating = RotatingCredential(Numbered, 10.0)
    texts = [rotating.text(NOW_S + after_s) for after_s in (0, 9.9, 10.0, 19.9, 20.1)]
    assert texts == [b"1", b"1", b"2", b"2", b"3"]
    assert Numbered.made == 3


def test_a_credential_changes_when_its_user_says_so() -> None:
    rotating = RotatingCredential(Numbered)
    assert rotating.text(NOW_S) == b"1"
    rotating.rotate()
    assert rotating.text(NOW_S) == b"2"
    # What was sent with the one before goes out again.
    assert rotating.renew(b"1", NOW_S)
    assert not rotating.renew(b"2", NOW_S)


def test_one_that_has_to_be_asked_for_is_asked_for_once_and_answers_reach_who_asked() -> None:
    rotating = RotatingCredential(lambda: Numbered(asked_for=True))
    assert rotating.text(NOW_S) is None
    assert rotating.request(NOW_S) is not None
    assert rotating.request(NOW_S) is None  # under way
    rotating.rotate()
    rotating.answered(CredentialAnswer(200), NOW_S, 0.5)
    assert rotating.text(NOW_S) is None  # that was for the one before
    assert rotating.request(NOW_S) is not None
    rotating.answered(CredentialAnswer(0, error="no route"), NOW_S, 0.5)
    assert (rotating.text(NOW_S), rotating.trouble) == (None, "no route")
    assert rotating.request(NOW_S) is not None
    rotating.answered(CredentialAnswer(200), NOW_S, 0.5)
    assert (rotating.text(NOW_S), rotating.trouble) == (b"2", "")


def delivery(*habits: Habit) -> BadDelivery:
    provider = ApnsProvider(ApnsOptions("com.example.app", "localhost"), 1, lambda due: b"{}")
    made = BadDelivery(provider, Numbered(), lambda: 0.5, frozenset(habits))
    made.add([due()])
    return made


def due(attempts: int = 0) -> Due:
    return Due(7, "ab" * 32, 0, attempts, b"{}")


BUSY = Answer(429, "TooManyRequests", Action.RETRY, retry_after="60", pause_min_s=60.0, holds_all=True)
DEAD = Answer(410, "Unregistered", Action.INVALIDATE, timestamp_ms=5)


def test_a_sender_that_ignores_retry_after_repeats_at_once_and_holds_nobody_back() -> None:
    careless = delivery(Habit.RETRY_AFTER)
    assert careless.settle(due(), BUSY, b"", NOW_S) is Action.RETRY
    [outcome] = careless.take_outcomes()
    assert (outcome.state, outcome.retry_at_ms) == (State.WAITING, int(NOW_S * 1000))
    assert careless.held_until_s == 0.0


def test_one_with_other_habits_waits_as_it_is_told() -> None:
    careful = delivery(Habit.DEAD_AGAIN)
    assert careful.settle(due(), BUSY, b"", NOW_S) is Action.RETRY
    [outcome] = careful.take_outcomes()
    assert outcome.retry_at_ms >= (NOW_S + 60) * 1000
    assert careful.held_until_s >= NOW_S + 60


def test_a_dead_token_is_sent_to_again_and_then_believed() -> None:
    careless = delivery(Habit.DEAD_AGAIN)
    actions = [careless.settle(due(attempts), DEAD, b"", NOW_S) for attempts in range(DEAD_AGAIN_MAX + 1)]
    assert actions == [Action.RETRY] * DEAD_AGAIN_MAX + [Action.INVALIDATE]
    assert careless.counts.rejected == {"Unregistered": 1}
    assert delivery(Habit.RETRY_AFTER).settle(due(), DEAD, b"", NOW_S) is Action.INVALIDATE


@pytest.mark.parametrize(("text", "says"), [("", "none is named"), ("dead-again, rude", "there is no habit 'rude'")])
def test_habits_that_are_none_are_explained(text: str, says: str) -> None:
    with pytest.raises(LoadSettingsError, match=f"--bad-habits: {says}"):
        habits_of(text)
