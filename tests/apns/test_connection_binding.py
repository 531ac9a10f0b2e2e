"""A connection is bound to the team and key it started with; tokens change once in 20 minutes; keys have scopes."""

from dataclasses import replace

import pytest

from simulator.apns.keys import KEY_TOPICS_MAX, ProviderKey
from simulator.apns.link import STREAMS_BEFORE_TOKEN, STREAMS_MAX, Link
from simulator.apns.reasons import Reason
from simulator.apns.state import KEY_TOKENS_MAX, PROVIDER_KEYS_MAX
from simulator.apns.token_updates import CurrentToken, UpdateScope
from simulator.bounds import BoundReachedError
from simulator.devices.token_space import Environment
from tests.apns.valid_push import (
    NOW_S,
    OTHER_KEY_ID,
    OTHER_PRIVATE_KEY,
    OTHER_TEAM,
    OTHER_TEAM_KEY_ID,
    PRIVATE_KEY,
    RELATED_KEY_ID,
    SANDBOX_KEY_ID,
    TEAM,
    TOPIC,
    TOPIC_KEY_ID,
    Bench,
    Push,
    device_token,
    jwt,
    new_link,
)

ISSUED_S = int(NOW_S)


def test_streams_are_raised_by_the_first_valid_token_only() -> None:
    bench = Bench()
    assert (bench.link.authenticated, bench.link.streams_max) == (False, STREAMS_BEFORE_TOKEN)
    bench.judge(Push(authorization=None))
    bench.judge(Push().with_token(b"x"))
    assert not bench.link.authenticated
    # A push that is refused for another reason has shown a valid token all the same.
    assert bench.reason(replace(Push(), body=b"")) == "PayloadEmpty"
    assert (bench.link.authenticated, bench.link.streams_max) == (True, STREAMS_MAX)


def test_another_team_is_refused_on_a_bound_connection() -> None:
    bench = Bench()
    other = Push().with_token(jwt(OTHER_TEAM, OTHER_TEAM_KEY_ID, private_key=OTHER_PRIVATE_KEY))
    assert bench.reason(Push()) is None
    assert bench.reason(other) == "InvalidProviderToken"
    bench.link = new_link()
    assert bench.reason(other) is None


def test_a_related_key_may_be_used_and_has_a_token_of_its_own() -> None:
    bench = Bench()
    related = Push().with_token(jwt(key_id=RELATED_KEY_ID))
    for push in (Push(), related, Push(), related):
        assert bench.reason(push) is None
    assert bench.reason(Push().with_token(jwt(key_id=OTHER_KEY_ID))) == "UnrelatedKeyIdInToken"


def test_the_key_that_is_declared_related_may_also_come_first() -> None:
    bench = Bench()
    assert bench.reason(Push().with_token(jwt(key_id=RELATED_KEY_ID))) is None
    assert bench.reason(Push()) is None


def test_keys_of_different_kinds_are_not_mixed_even_if_related() -> None:
    bench = Bench()
    topical = ProviderKey(
        TEAM, TOPIC_KEY_ID, PRIVATE_KEY.public_key(), topics=frozenset({TOPIC}), related_key_id=OTHER_KEY_ID
    )
    bench.apns.add_key(topical)
    assert bench.reason(Push().with_token(jwt(key_id=TOPIC_KEY_ID))) is None
    assert bench.reason(Push().with_token(jwt(key_id=OTHER_KEY_ID))) == "UnrelatedKeyIdInToken"


def test_a_key_serves_the_environment_that_it_was_made_for() -> None:
    push = Push().with_token(jwt(key_id=SANDBOX_KEY_ID)).to(device_token(environment=Environment.SANDBOX))
    bench = Bench()
    assert bench.reason(push) == "BadEnvironmentKeyInToken"
    bench.apns.environment_key_reason = Reason.BAD_ENVIRONMENT_KEY_ID_IN_TOKEN
    assert bench.reason(push) == "BadEnvironmentKeyIdInToken"
    bench.link = Link.opened("api.sandbox.push.apple.com", Environment.PRODUCTION)
    assert bench.reason(push) is None


def test_a_topic_specific_key_reaches_its_topics_only() -> None:
    bench = Bench()
    push = Push().with_token(jwt(key_id=TOPIC_KEY_ID))
    assert bench.reason(push) == "TopicDisallowed"
    assert bench.reason(replace(push.to(device_token(topic=b"com.example.other")), topic=b"com.example.other")) is None


def test_a_bundle_id_added_after_the_connection_was_bound_is_not_reached() -> None:
    bench = Bench()
    bench.apns.set_team_topics(TEAM, ["com.example.another"])
    assert bench.reason(Push()) == "TopicDisallowed"
    bench.apns.set_team_topics(TEAM, ["com.example.another", "com.example.app"])
    assert bench.reason(Push()) == "TopicDisallowed"
    bench.link = new_link()
    assert bench.reason(Push()) is None
    bench.apns.set_team_topics(TEAM, None)
    assert bench.reason(Push()) is None


def test_the_token_of_a_connection_changes_once_in_20_minutes() -> None:
    bench = Bench()
    first, second, third = (Push().with_token(jwt(issued_at_s=ISSUED_S + number)) for number in range(3))
    assert bench.reason(first) is None
    bench.now_s += 1199
    assert bench.reason(second) == "TooManyProviderTokenUpdates"
    assert bench.reason(first) is None
    bench.now_s += 1
    assert bench.reason(second) is None
    assert bench.reason(first) == "TooManyProviderTokenUpdates"
    assert bench.reason(third) == "TooManyProviderTokenUpdates"
    bench.link = new_link()
    assert bench.reason(third) is None


def test_the_interval_of_updates_can_be_set() -> None:
    bench = Bench()
    bench.apns.update_interval_s = 0.0
    for number in range(3):
        assert bench.reason(Push().with_token(jwt(issued_at_s=ISSUED_S + number))) is None


def test_a_clock_that_was_set_back_holds_no_update_up() -> None:
    bench = Bench()
    assert bench.reason(Push().with_token(jwt(issued_at_s=ISSUED_S))) is None
    bench.now_s -= 100
    assert bench.reason(Push().with_token(jwt(issued_at_s=ISSUED_S + 1))) is None


def test_updates_can_be_counted_per_key_across_connections() -> None:
    bench = Bench()
    bench.apns.update_scope = UpdateScope.KEY
    first, second, third = (Push().with_token(jwt(issued_at_s=ISSUED_S + number)) for number in range(3))
    one, other = new_link(), new_link()

    def reason(link: Link, push: Push) -> str | None:
        bench.link = link
        return bench.reason(push)

    assert reason(one, first) is None
    assert reason(other, second) == "TooManyProviderTokenUpdates"
    bench.now_s += 1200
    assert reason(other, second) is None
    # Connections cannot change at one instant: the token before still passes.
    assert reason(one, first) is None
    assert reason(one, second) is None
    assert reason(one, third) == "TooManyProviderTokenUpdates"
    bench.now_s += 1200
    assert reason(one, third) is None
    assert reason(other, first) == "TooManyProviderTokenUpdates"


def test_a_cleared_head_is_judged_anew_when_its_key_has_moved_on_elsewhere() -> None:
    bench = Bench()
    bench.apns.update_scope = UpdateScope.KEY
    head = Push().head()
    assert bench.judge(Push(), head).reason is None
    for number in range(2):
        bench.link = new_link()
        bench.now_s += 1200
        assert bench.reason(Push().with_token(jwt(issued_at_s=ISSUED_S + number))) is None
    assert bench.judge(Push(), head).reason is Reason.TOO_MANY_PROVIDER_TOKEN_UPDATES


def test_the_current_tokens_of_keys_are_bounded() -> None:
    bench = Bench()
    bench.apns.update_scope = UpdateScope.KEY
    current = CurrentToken(b"text", NOW_S)
    bench.apns.key_tokens = {(TEAM, f"K{number:09}"): current for number in range(KEY_TOKENS_MAX)}
    assert bench.reason(Push()) is None
    assert len(bench.apns.key_tokens) == KEY_TOKENS_MAX
    assert (TEAM, "K000000000") not in bench.apns.key_tokens


def test_the_keys_are_bounded() -> None:
    bench = Bench()
    public_key = PRIVATE_KEY.public_key()
    bench.apns.keys = {(TEAM, f"K{n:09}"): ProviderKey(TEAM, f"K{n:09}", public_key) for n in range(PROVIDER_KEYS_MAX)}
    bench.apns.add_key(ProviderKey(TEAM, "K000000000", public_key))
    with pytest.raises(BoundReachedError, match="PROVIDER_KEYS_MAX"):
        bench.apns.add_key(ProviderKey(TEAM, "ONEMOREKEY", public_key))


def test_a_key_with_impossible_facts_is_refused() -> None:
    with pytest.raises(ValueError, match="10 characters"):
        ProviderKey(TEAM, "SHORT", None)
    with pytest.raises(ValueError, match="10 characters"):
        ProviderKey("SHORT", "KEY0000001", None)
    with pytest.raises(ValueError, match="at most 400"):
        ProviderKey(TEAM, "KEY0000001", None, topics=frozenset(b"t%d" % n for n in range(KEY_TOPICS_MAX + 1)))


def test_a_key_on_another_curve_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, derive_private_key

    with pytest.raises(ValueError, match="P-256"):
        ProviderKey(TEAM, "KEY0000001", derive_private_key(7, SECP384R1()).public_key())
