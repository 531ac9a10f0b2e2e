"""A provider token ages by the simulator's clock from the instant it is first seen."""

import pytest

from simulator.apns.credential import REFUSED_TOKENS_MAX, SEEN_TOKENS_MAX
from simulator.apns.keys import ProviderKey
from simulator.apns.state import Authentication
from simulator.clock import Clock
from simulator.recent_texts import RecentTexts
from tests.apns.valid_push import (
    KEY_ID,
    NOW_S,
    OTHER_PRIVATE_KEY,
    PRIVATE_KEY,
    TEAM,
    UNKNOWN_KEY_ID,
    Bench,
    Push,
    jwt,
    new_link,
)


class AgingBench(Bench):
    """A bench whose time comes from a clock over a real time that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.real_now_s = NOW_S
        self.clock = Clock(lambda: self.real_now_s)
        self.apns.clock_offset_s = lambda: self.clock.offset_s

    def answer_to(self, token: bytes) -> str | None:
        """The reason on a new connection, where no other token stands in the way."""
        self.now_s = self.clock.now_s()
        self.link = new_link()
        return self.reason(Push().with_token(token))


def _issued(ago_s: float) -> bytes:
    return jwt(issued_at_s=int(NOW_S - ago_s))


@pytest.mark.parametrize(("ago_s", "reason"), [(0, None), (3600, None), (3601, "ExpiredProviderToken")])
def test_a_token_expires_after_an_hour(ago_s: float, reason: str | None) -> None:
    assert AgingBench().answer_to(_issued(ago_s)) == reason


@pytest.mark.parametrize(("ahead_s", "reason"), [(300, None), (301, "InvalidProviderToken")])
def test_a_token_may_be_issued_five_minutes_ahead(ahead_s: float, reason: str | None) -> None:
    assert AgingBench().answer_to(_issued(-ahead_s)) == reason


def test_a_token_issued_too_far_ahead_becomes_valid_with_time() -> None:
    bench = AgingBench()
    token = _issued(-400)
    assert bench.answer_to(token) == "InvalidProviderToken"
    bench.real_now_s += 100
    assert bench.answer_to(token) is None


def test_advancing_the_clock_ages_tokens_already_seen() -> None:
    bench = AgingBench()
    assert bench.answer_to(_issued(10)) is None
    bench.clock.advance(3_589_000)
    assert bench.answer_to(_issued(10)) is None
    bench.clock.advance(2_000)
    assert bench.answer_to(_issued(10)) == "ExpiredProviderToken"


def test_a_fresh_token_is_not_born_expired_under_a_shifted_clock() -> None:
    bench = AgingBench()
    bench.clock.advance(28 * 86_400_000)
    assert bench.answer_to(_issued(0)) is None
    bench.clock.advance(3_601_000)
    assert bench.answer_to(_issued(0)) == "ExpiredProviderToken"


def test_a_fresh_token_is_not_born_ahead_under_a_clock_frozen_long_ago() -> None:
    bench = AgingBench()
    bench.clock.freeze(1_000_000)
    assert bench.answer_to(_issued(0)) is None
    bench.real_now_s += 7_200
    assert bench.answer_to(_issued(0)) is None


def test_a_token_stays_valid_when_the_clock_goes_back() -> None:
    bench = AgingBench()
    bench.clock.advance(86_400_000)
    assert bench.answer_to(_issued(0)) is None
    bench.clock.resume()
    assert bench.answer_to(_issued(0)) is None


def test_forgotten_tokens_count_as_new() -> None:
    bench = AgingBench()
    assert bench.answer_to(_issued(0)) is None
    bench.clock.advance(7_200_000)
    assert bench.answer_to(_issued(0)) == "ExpiredProviderToken"
    bench.apns.forget_tokens()
    assert bench.answer_to(_issued(0)) is None


def test_a_token_verified_with_a_key_that_was_replaced_is_verified_again() -> None:
    bench = AgingBench()
    assert bench.answer_to(_issued(0)) is None
    bench.apns.add_key(ProviderKey(TEAM, KEY_ID, OTHER_PRIVATE_KEY.public_key()))
    assert bench.answer_to(_issued(0)) == "InvalidProviderToken"
    bench.clock.advance(3_601_000)
    bench.apns.add_key(ProviderKey(TEAM, KEY_ID, PRIVATE_KEY.public_key()))
    assert bench.answer_to(_issued(0)) == "ExpiredProviderToken"  # its age was kept


def test_a_refused_token_passes_once_its_key_is_known() -> None:
    bench = AgingBench()
    token = jwt(key_id=UNKNOWN_KEY_ID)
    assert bench.answer_to(token) == "InvalidProviderToken"
    bench.apns.add_key(ProviderKey(TEAM, UNKNOWN_KEY_ID, PRIVATE_KEY.public_key()))
    assert bench.answer_to(token) is None
    assert bench.apns.remove_key(TEAM, UNKNOWN_KEY_ID)
    assert not bench.apns.remove_key(TEAM, UNKNOWN_KEY_ID)
    assert bench.answer_to(token) == "InvalidProviderToken"


def test_lenient_authentication_takes_any_well_formed_token() -> None:
    bench = AgingBench()
    bench.apns.authentication = Authentication.LENIENT
    assert bench.answer_to(jwt("SOMETEAM00", "SOMEKEY000", private_key=OTHER_PRIVATE_KEY)) is None
    assert bench.answer_to(_issued(3601)) == "ExpiredProviderToken"
    assert bench.answer_to(b"a.b.c") == "InvalidProviderToken"


def test_a_token_let_through_leniently_is_verified_once_authentication_is_strict() -> None:
    bench = AgingBench()
    bench.apns.authentication = Authentication.LENIENT
    token = jwt(private_key=OTHER_PRIVATE_KEY)
    assert bench.answer_to(token) is None
    bench.apns.authentication = Authentication.STRICT
    assert bench.answer_to(token) == "InvalidProviderToken"


def test_the_oldest_text_goes_when_no_further_fits() -> None:
    texts: RecentTexts[int] = RecentTexts(2)
    for number, text in enumerate((b"a", b"b", b"a", b"c")):
        texts.keep(text, number)
    assert (len(texts), texts.get(b"a"), texts.get(b"b"), texts.get(b"c")) == (2, None, 1, 3)


def test_a_flood_of_bad_tokens_stays_within_its_bound_and_crowds_out_no_good_one() -> None:
    bench = AgingBench()
    assert bench.answer_to(_issued(0)) is None
    for number in range(SEEN_TOKENS_MAX + 10):
        assert bench.answer_to(b"junk%d" % number) == "InvalidProviderToken"
    assert len(bench.apns.refused_tokens) == REFUSED_TOKENS_MAX
    bench.clock.advance(3_601_000)
    assert bench.answer_to(_issued(0)) == "ExpiredProviderToken"
