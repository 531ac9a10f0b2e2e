"""What becomes of a push by the device it is for: sealed, foreign, or with a state set by hand."""

from dataclasses import replace

import pytest

from simulator.apns.checks import REASON_OF_FATE
from simulator.apns.judge import ACCEPTED, Verdict
from simulator.apns.link import Link
from simulator.apns.reasons import Reason
from simulator.apns.request import DEVICE_TOKEN_HEX_DIGITS_MAX
from simulator.apns.state import UnknownTokens
from simulator.devices.fates import Death, Fate, Provider
from simulator.devices.token_space import Environment
from simulator.registry import DeviceState
from tests.apns.valid_push import FOREIGN_TOKEN, TOKEN, TOPIC, Bench, Push, device_token

HAND_MS = 1_700_000_000_123


def _by_hand(token: bytes, fate: Fate) -> Bench:
    bench = Bench()
    bench.apns.overlay.set(token, DeviceState(fate, HAND_MS))
    return bench


def test_the_judge_has_a_row_for_the_reason_of_every_fate() -> None:
    of_rows_23_to_25 = {Reason.BAD_DEVICE_TOKEN, Reason.DEVICE_TOKEN_NOT_FOR_TOPIC}
    for fate, reason in REASON_OF_FATE.items():
        assert reason in of_rows_23_to_25 or (reason.status == 410 and fate.death is not Death.NONE)


@pytest.mark.parametrize("token", [TOKEN, TOKEN.upper()], ids=["lower case", "upper case"])
def test_hexadecimal_is_read_in_either_case(token: bytes) -> None:
    assert Bench().judge(Push().to(token)) is ACCEPTED


@pytest.mark.parametrize("digits", [2, 64, 160, DEVICE_TOKEN_HEX_DIGITS_MAX])
def test_foreign_tokens_of_any_length_are_accepted_unless_told_otherwise(digits: int) -> None:
    bench, push, head = Bench(), Push().to(b"a" * digits), Push().head()
    assert bench.judge(push, head) is ACCEPTED
    bench.apns.unknown_tokens = UnknownTokens.REJECT
    for token in (TOKEN, TOKEN.upper()):  # the second time behind a head that was cleared
        assert bench.judge(push, head).reason is Reason.BAD_DEVICE_TOKEN
        assert bench.judge(Push().to(token), head) is ACCEPTED


@pytest.mark.parametrize("digits", [1, 63, DEVICE_TOKEN_HEX_DIGITS_MAX + 2])
def test_a_token_of_impossible_length_is_bad(digits: int) -> None:
    assert Bench().judge(Push().to(b"a" * digits)).reason is Reason.BAD_DEVICE_TOKEN


def test_a_token_of_the_sandbox_is_good_in_the_sandbox() -> None:
    push = Push().to(device_token(environment=Environment.SANDBOX))
    bench = Bench()
    assert bench.judge(push).reason is Reason.BAD_DEVICE_TOKEN
    bench.link = Link.opened("api.sandbox.push.apple.com", Environment.PRODUCTION)
    assert bench.judge(push) is ACCEPTED


@pytest.mark.parametrize("token", [TOKEN, device_token(fate=Fate.EXPIRED), FOREIGN_TOKEN])
@pytest.mark.parametrize("fate", [fate for fate in Fate.of_provider(Provider.APNS) if fate is not Fate.ACTIVE])
def test_a_state_set_by_hand_wins_over_what_the_token_says(token: bytes, fate: Fate) -> None:
    verdict = _by_hand(token, fate).judge(Push().to(token.upper()))
    assert verdict.reason is REASON_OF_FATE[fate]
    assert verdict.timestamp_ms == (HAND_MS if verdict.reason.status == 410 else None)


@pytest.mark.parametrize("fate", Fate.of_provider(Provider.APNS))
def test_a_device_set_active_by_hand_is_reached(fate: Fate) -> None:
    # As minted: the seal of these two names the other environment, or another topic.
    environment = Environment.SANDBOX if fate is Fate.WRONG_ENVIRONMENT else Environment.PRODUCTION
    topic = b"com.example.another" if fate is Fate.WRONG_TOPIC else TOPIC
    token = device_token(fate, topic, environment)
    assert _by_hand(token, Fate.ACTIVE).judge(Push().to(token)) is ACCEPTED
    if fate is not Fate.ACTIVE:
        assert Bench().judge(Push().to(token)).reason is REASON_OF_FATE[fate]


def test_a_foreign_token_set_active_by_hand_is_known() -> None:
    bench = _by_hand(FOREIGN_TOKEN, Fate.ACTIVE)
    bench.apns.unknown_tokens = UnknownTokens.REJECT
    assert bench.judge(Push().to(FOREIGN_TOKEN)) is ACCEPTED


def test_a_state_set_by_hand_concerns_its_token_alone() -> None:
    assert _by_hand(FOREIGN_TOKEN, Fate.UNREGISTERED).judge(Push()) is ACCEPTED


def test_a_device_set_active_by_hand_keeps_its_topic() -> None:
    bench = _by_hand(TOKEN, Fate.ACTIVE)
    assert bench.judge(replace(Push(), topic=b"com.example.other")).reason is Reason.DEVICE_TOKEN_NOT_FOR_TOPIC


def test_a_state_removed_by_hand_counts_no_more() -> None:
    bench = _by_hand(TOKEN, Fate.UNREGISTERED)
    assert bench.judge(Push()) == Verdict(Reason.UNREGISTERED, HAND_MS)
    bench.apns.overlay.remove(TOKEN)
    assert bench.judge(Push()) is ACCEPTED


def test_the_rate_is_asked_about_the_token_in_lower_case() -> None:
    bench = Bench()
    asked: list[tuple[bytes, float]] = []

    def rate(token: bytes, now_s: float) -> bool:
        asked.append((token, now_s))
        return False

    bench.apns.device_rate = rate
    assert bench.judge(Push().to(TOKEN.upper())) is ACCEPTED
    assert asked == [(TOKEN, bench.now_s)]
