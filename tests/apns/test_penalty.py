"""The throttle on connections that make many errors."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.apns.judge import ACCEPTED, REJECTED, Verdict
from simulator.apns.penalty import Penalty, PenaltyRules, after_answer
from simulator.apns.reasons import Reason
from simulator.apns.state import ApnsState
from simulator.registry import Registry

RULES = PenaltyRules()


def _after(verdicts: list[Verdict], rules: PenaltyRules = RULES) -> Penalty:
    penalty = Penalty()
    for verdict in verdicts:
        penalty = after_answer(penalty, verdict, rules)
    return penalty


def test_it_is_off_unless_asked_for() -> None:
    assert ApnsState(overlay=Registry(), clock_offset_s=lambda: 0.0).penalty_rules is None


def test_errors_lower_the_limit_and_successes_restore_it() -> None:
    errors = [REJECTED[Reason.BAD_TOPIC]] * 20
    assert _after(errors[:9]).streams(1000, RULES) == 1000
    assert _after(errors[:10]).streams(1000, RULES) == 500
    assert _after(errors).streams(1000, RULES) == 250
    assert _after([*errors, *[ACCEPTED] * 20]).streams(1000, RULES) == 1000


def test_too_many_errors_close_the_connection_and_bad_device_tokens_sooner() -> None:
    ordinary = next(n for n in range(1000) if _after([REJECTED[Reason.BAD_TOPIC]] * n).closes(RULES))
    bad_tokens = next(n for n in range(1000) if _after([REJECTED[Reason.BAD_DEVICE_TOKEN]] * n).closes(RULES))
    assert (ordinary, bad_tokens) == (200, 50)


@pytest.mark.parametrize("reason", [Reason.UNREGISTERED, Reason.EXPIRED_TOKEN, Reason.SHUTDOWN])
def test_410_and_5xx_do_not_count(reason: Reason) -> None:
    before = Penalty(5)
    assert after_answer(before, REJECTED[reason], RULES) is before


def test_a_success_without_errors_before_changes_nothing() -> None:
    clean = Penalty()
    assert after_answer(clean, ACCEPTED, RULES) is clean


@given(st.lists(st.sampled_from([ACCEPTED, *REJECTED.values()]), max_size=300), st.sampled_from([1, 2, 1000]))
def test_limits_and_points_stay_within_bounds(verdicts: list[Verdict], streams_max: int) -> None:
    penalty = _after(verdicts)
    assert 0 <= penalty.points <= RULES.closing_points
    assert 1 <= penalty.streams(streams_max, RULES) <= streams_max


@pytest.mark.parametrize(
    "name", ["weight", "bad_device_token_weight", "halving_points", "streams_min", "closing_points"]
)
def test_rules_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(RULES, **{name: 0})


def test_a_negative_forgiveness_is_refused() -> None:
    with pytest.raises(ValueError, match="forgiven"):
        PenaltyRules(forgiven=-1)
