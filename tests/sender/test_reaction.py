"""What the sender does about answers: rows against the transcript of the provider's table, retries, Retry-After."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.apns.reasons import ACTIONS, ReasonRow, action_for
from sender.reaction import RETRY_AFTER_MAX_S, Action, Answer, RetryPolicy, pause_s, react, retry_after_s
from tests.spec.apns_transcript import APNS_REASONS

NOW_S = 1_760_000_000.0
POLICY = RetryPolicy(attempts_max=4, base_s=1.0, pause_max_s=8.0)

# Apple, Handling notification responses from APNs: never to be repeated.
NEVER_REPEATED = {
    "BadDeviceToken",
    "DeviceTokenNotForTopic",
    "Forbidden",
    "ExpiredToken",
    "Unregistered",
    "PayloadTooLarge",
}


def test_the_table_has_each_reason_of_the_transcript_with_its_status_and_no_other() -> None:
    assert {(row.status, row.wire_name) for row in ReasonRow} == set(APNS_REASONS)


@pytest.mark.parametrize("reason", sorted(NEVER_REPEATED))
def test_what_apple_says_never_to_repeat_is_not_repeated(reason: str) -> None:
    assert ACTIONS[reason] in (Action.REJECT, Action.INVALIDATE, Action.STOP)


def test_only_answers_about_the_device_token_invalidate_it() -> None:
    invalidating = {name for name, action in ACTIONS.items() if action is Action.INVALIDATE}
    assert invalidating == {"BadDeviceToken", "DeviceTokenNotForTopic", "ExpiredToken", "Unregistered"}


def test_a_410_invalidates_from_its_own_timestamp() -> None:
    reaction = react(Answer(410, "Unregistered", Action.INVALIDATE, timestamp_ms=123_000), 1, NOW_S, POLICY, 0.0)
    assert reaction.invalidate_at_ms == 123_000


def test_a_bad_device_token_invalidates_from_now() -> None:
    assert react(Answer(400, "BadDeviceToken", Action.INVALIDATE), 1, NOW_S, POLICY, 0.0).invalidate_at_ms == int(
        NOW_S * 1000
    )


@pytest.mark.parametrize(
    ("status", "action"),
    [(429, Action.RETRY), (500, Action.RETRY), (502, Action.RETRY), (408, Action.RETRY), (418, Action.REJECT)],
)
def test_a_reason_no_row_knows_is_judged_by_its_status(status: int, action: Action) -> None:
    assert action_for(status, "SomethingNew") is action


def test_attempts_are_bounded() -> None:
    assert not react(Answer(503, "ServiceUnavailable"), 3, NOW_S, POLICY, 0.0).given_up
    assert react(Answer(503, "ServiceUnavailable"), 4, NOW_S, POLICY, 0.0).given_up


def test_a_provider_token_is_not_renewed_without_end() -> None:
    assert react(Answer(403, "ExpiredProviderToken", Action.RENEW), 1, NOW_S, POLICY, 0.0).action is Action.RENEW
    assert react(Answer(403, "ExpiredProviderToken", Action.RENEW), 4, NOW_S, POLICY, 0.0).given_up


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_keep_to_the_upper_half_of_their_step(attempts: int, draw: float) -> None:
    full = min(POLICY.pause_max_s, POLICY.base_s * 2 ** (attempts - 1))
    assert full / 2 <= pause_s(attempts, POLICY, draw) <= full


@given(st.integers(0, 86_400), st.floats(0, 1, exclude_max=True))
def test_retry_after_in_seconds_is_never_undercut(told_s: int, draw: float) -> None:
    reaction = react(Answer(429, "TooManyRequests", retry_after=str(told_s)), 1, NOW_S, POLICY, draw)
    assert NOW_S + told_s <= reaction.retry_at_s <= NOW_S + told_s + POLICY.base_s


def test_retry_after_as_a_date_is_understood() -> None:
    # 2025-10-09 08:53:20 UTC is NOW_S; a minute later.
    reaction = react(Answer(503, "", retry_after="Thu, 09 Oct 2025 08:54:20 GMT"), 1, NOW_S, POLICY, 0.0)
    assert reaction.retry_at_s == pytest.approx(NOW_S + 60)


def test_retry_after_beyond_a_day_counts_as_a_day() -> None:
    assert (
        react(Answer(429, "", retry_after="999999999"), 1, NOW_S, POLICY, 0.0).retry_at_s == NOW_S + RETRY_AFTER_MAX_S
    )


@given(st.text(max_size=40))
def test_any_retry_after_text_is_a_number_of_seconds_or_nothing(text: str) -> None:
    found = retry_after_s(text, NOW_S)
    assert found is None or found >= 0


def test_nonsense_in_retry_after_falls_back_to_the_growing_pause() -> None:
    reaction = react(Answer(429, "", retry_after="soon"), 1, NOW_S, POLICY, 0.0)
    assert NOW_S + 0.5 <= reaction.retry_at_s <= NOW_S + 1


def test_a_least_pause_of_the_provider_comes_before_ours() -> None:
    reaction = react(Answer(429, pause_min_s=60.0), 1, NOW_S, POLICY, 0.0)
    assert NOW_S + 60 < reaction.retry_at_s <= NOW_S + 61
