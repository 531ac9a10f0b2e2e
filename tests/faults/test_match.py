"""Which requests a fault meets: each option alone, and what is drawn the same whatever comes in between."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.fates import Fate, Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import fault_key
from simulator.faults.match import Match, Matcher
from simulator.faults.token_answers import PagesLeft, TokenAnswers

KEY = fault_key(7, 1)
ADDED_S = 100.0
ASKED = Asked(
    provider=Provider.APNS,
    send=True,
    path=b"/3/device/ab12",
    key=b"ab12",
    device=None,
    fate=Fate.ACTIVE,
    topic=b"com.example.app",
    connection=11,
    number=5,
    apns_id=b"",
    project_number="",
    now_s=ADDED_S,
)


def matcher(match: Match, key: bytes = KEY, **more: Any) -> Matcher:
    """One that was added when ten connections had come."""
    return Matcher(match, key, ADDED_S, 10, TokenAnswers(PagesLeft(4)), **more)


def meets(match: Match, **spoiled: Any) -> bool:
    return matcher(match).answer_of(replace(ASKED, **spoiled)) is not None


@pytest.mark.parametrize(
    ("match", "spoiled"),
    [
        (Match(), {"send": False}),
        (Match(provider="apns"), {"provider": Provider.FCM}),
        (Match(path="/3/device/"), {"path": b"/3/devic"}),
        (Match(topic="com.example.app"), {"topic": b"com.example.apps"}),
        (Match(topic="com.example.app"), {"topic": None}),
        (Match(fate="active"), {"fate": Fate.UNREGISTERED}),
        (Match(fate="active"), {"fate": None}),
        (Match(to_connection=1), {"connection": 12}),
        (Match(every_connection=2), {"connection": 12}),
        (Match(to_connection=1), {"connection": 10}),
        (Match(from_request=5), {"number": 4}),
        (Match(to_request=5), {"number": 6}),
        (Match(from_request=2, every_request=3), {"number": 6}),
        (Match(from_s=0.0, until_s=5.0), {"now_s": ADDED_S + 5}),
        (Match(), {"now_s": ADDED_S - 1}),
    ],
)
def test_a_request_is_met_until_one_thing_is_spoiled(match: Match, spoiled: dict[str, Any]) -> None:
    assert meets(match)
    assert not meets(match, **spoiled)


def test_with_a_path_other_calls_are_met_too() -> None:
    assert meets(Match(path="/token"), path=b"/token", send=False)


def test_connections_that_were_there_before_are_met_unless_their_number_matters() -> None:
    assert meets(Match(), connection=3)
    assert not meets(Match(every_connection=2), connection=9)


def test_a_window_of_time_opens_late() -> None:
    assert [meets(Match(from_s=2.0), now_s=ADDED_S + s) for s in (1.9, 2.0, 99.0)] == [False, True, True]


def test_a_fault_that_was_played_often_enough_is_played_no_more() -> None:
    found = matcher(Match(times_max=2))
    found.played = 1
    assert found.answer_of(ASKED) is not None
    found.played = 2
    assert found.answer_of(ASKED) is None


def test_the_provider_of_the_fault_counts_where_the_match_says_nothing() -> None:
    found = matcher(Match(), provider=Provider.FCM)
    assert found.answer_of(ASKED) is None
    assert found.answer_of(replace(ASKED, provider=Provider.FCM)) is not None


def answers(match: Match, *tokens: bytes) -> list[bool]:
    found = matcher(match)
    return [found.answer_of(replace(ASKED, key=token)) is not None for token in tokens]


def test_answers_are_counted_for_each_token() -> None:
    assert answers(Match(to_answer=1), b"a", b"b", b"a", b"a", b"b") == [True, True, False, False, False]
    assert answers(Match(from_answer=2, every_answer=2), *[b"a"] * 6) == [False, True, False, True, False, True]


def test_requests_that_something_else_keeps_out_are_no_answers() -> None:
    found = matcher(Match(to_answer=1, topic="com.example.app"))
    assert found.answer_of(replace(ASKED, topic=b"other")) is None
    assert found.answer_of(ASKED) == 1


TOKENS = [b"%064x" % number for number in range(4_000)]


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_a_share_of_tokens_is_that_share_and_always_the_same_tokens(share: float) -> None:
    met = answers(Match(share_of_tokens=share), *TOKENS)
    assert sum(met) == pytest.approx(share * len(TOKENS), rel=0.2)
    assert answers(Match(share_of_tokens=share), *TOKENS) == met
    twice = matcher(Match(share_of_tokens=share))
    for token, first in zip(TOKENS[:100], met, strict=False):
        assert [twice.answer_of(replace(ASKED, key=token)) is not None for _ in range(3)] == [first] * 3


def test_a_share_of_requests_is_drawn_anew_for_each_answer() -> None:
    met = answers(Match(share_of_requests=0.3), *[b"a"] * 1_000)[:255]
    assert sum(met) == pytest.approx(0.3 * 255, rel=0.3)


@given(order=st.randoms(use_true_random=False), share=st.floats(0.01, 1))
def test_the_order_in_which_tokens_come_changes_no_draw(order: random.Random, share: float) -> None:
    match = Match(share_of_requests=share)
    straight, shuffled = matcher(match), matcher(match)
    sent = [token for token in TOKENS[:20] for _ in range(4)]
    mixed = list(sent)
    order.shuffle(mixed)

    def drawn(found: Matcher, tokens: list[bytes]) -> dict[bytes, list[bool]]:
        met: dict[bytes, list[bool]] = {}
        for token in tokens:
            met.setdefault(token, []).append(found.answer_of(replace(ASKED, key=token)) is not None)
        return met

    assert drawn(straight, sent) == drawn(shuffled, mixed)


def test_faults_of_different_keys_draw_apart() -> None:
    match = Match(share_of_tokens=0.5)
    one, other = (
        [found.answer_of(replace(ASKED, key=token)) is not None for token in TOKENS]
        for found in (matcher(match), matcher(match, key=fault_key(7, 2)))
    )
    assert 0.4 < sum(a == b for a, b in zip(one, other, strict=True)) / len(TOKENS) < 0.6


def test_what_a_draw_is_does_not_change() -> None:
    """Scenarios promise the same counts for the same seed, in every version."""
    assert answers(Match(share_of_tokens=0.5), *TOKENS[:16]) == PINNED


PINNED = [bool(int(digit)) for digit in "1110110110000100"]
