"""Which credentials pass as access tokens, with what scopes, and until when."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fcm.access_token import (
    CREDENTIAL_BYTES_MAX,
    CREDENTIAL_EXPIRED,
    CREDENTIAL_INVALID,
    CREDENTIAL_MISSING,
    LIFE_S_MAX,
    REFUSED_TOKENS_MAX,
    SCOPE_INSUFFICIENT,
    SEEN_TOKENS_MAX,
    SKEW_S_MAX,
    AccessTokens,
    Grant,
    authorization_of,
)
from simulator.fcm.errors import Fault
from tests.fcm.service_account import (
    CLOUD_PLATFORM,
    EMAIL,
    MESSAGING,
    NOW_S,
    RigClock,
    access_tokens,
    coded,
    self_signed_claims,
    signed,
)
from wire.request import Head, Request

SCOPES_OF_PYTHON = (
    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/datastore "
    "https://www.googleapis.com/auth/devstorage.read_write https://www.googleapis.com/auth/firebase "
    "https://www.googleapis.com/auth/identitytoolkit https://www.googleapis.com/auth/userinfo.email"
)


def bearer(text: str | bytes) -> bytes:
    return b"Bearer " + (text.encode() if isinstance(text, str) else text)


def minted(access: AccessTokens, scope: str = MESSAGING) -> bytes:
    return bearer(access.mint(scope, NOW_S))


def judged_self_signed(token: bytes) -> Grant | Fault:
    return access_tokens().grant_of(bearer(token), NOW_S)


def test_a_minted_token_grants_what_it_was_minted_for() -> None:
    access = access_tokens()
    grant = access.grant_of(minted(access, SCOPES_OF_PYTHON), NOW_S)
    assert isinstance(grant, Grant)
    assert (grant.caller, grant.scopes) == (EMAIL, frozenset(SCOPES_OF_PYTHON.split()))
    assert grant.expires_at_s == NOW_S + LIFE_S_MAX


def test_a_minted_token_looks_like_googles_and_differs_from_the_next() -> None:
    access = access_tokens()
    texts = {access.mint(MESSAGING, NOW_S) for _ in range(3)}
    assert len(texts) == 3
    assert all(text.startswith("ya29.") and len(text) < 500 for text in texts)
    assert not any(EMAIL in text for text in texts)


@pytest.mark.parametrize("scope", [MESSAGING, CLOUD_PLATFORM, SCOPES_OF_PYTHON])
def test_either_scope_suffices(scope: str) -> None:
    access = access_tokens()
    assert isinstance(access.grant_of(minted(access, scope), NOW_S), Grant)


@pytest.mark.parametrize("scope", ["https://www.googleapis.com/auth/userinfo.email", "", MESSAGING.upper()])
def test_other_scopes_do_not_suffice(scope: str) -> None:
    access = access_tokens()
    token = minted(access, scope)
    assert [access.grant_of(token, NOW_S) for _ in range(2)] == [SCOPE_INSUFFICIENT] * 2


def test_expiry_is_told_before_scopes() -> None:
    access = access_tokens()
    token = minted(access, "https://www.googleapis.com/auth/userinfo.email")
    assert access.grant_of(token, NOW_S + LIFE_S_MAX) is CREDENTIAL_EXPIRED


@pytest.mark.parametrize("value", [None, b"", b"  ", b"Bearer", b"bearer  "])
def test_no_credential(value: bytes | None) -> None:
    for lenient in (False, True):
        assert access_tokens(lenient=lenient).grant_of(value, NOW_S) is CREDENTIAL_MISSING


@pytest.mark.parametrize(
    "value", [b"Basic dTpw", b"key=AAAA", b"Bearer x", b"Bearer ya29.", b"Bearer ya29.c.", b"Bearer a.b.c"]
)
def test_bad_credentials(value: bytes) -> None:
    assert access_tokens().grant_of(value, NOW_S) is CREDENTIAL_INVALID


def test_the_three_texts_and_their_details() -> None:
    access = access_tokens()
    expired = bearer(access.mint(MESSAGING, NOW_S - LIFE_S_MAX))
    told = []
    for value in (None, b"Bearer x", expired):
        found = access.grant_of(value, NOW_S)
        assert isinstance(found, Fault)
        assert found.info is not None
        told.append((found.message.partition(". ")[0], found.info.reason))
    assert told == [
        ("Request is missing required authentication credential", "CREDENTIALS_MISSING"),
        ("Request had invalid authentication credentials", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ("Request had invalid authentication credentials", "ACCESS_TOKEN_EXPIRED"),
    ]


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
def test_the_scheme_is_read_in_any_case(scheme: bytes) -> None:
    access = access_tokens()
    assert isinstance(access.grant_of(scheme + access.mint(MESSAGING, NOW_S).encode(), NOW_S), Grant)


def test_a_minted_token_expires_by_the_clock_of_the_simulator() -> None:
    access = access_tokens()
    token = minted(access)
    assert isinstance(access.grant_of(token, NOW_S + LIFE_S_MAX - 0.001), Grant)
    assert access.grant_of(token, NOW_S + LIFE_S_MAX) is CREDENTIAL_EXPIRED
    access.forget()
    assert access.grant_of(token, NOW_S + LIFE_S_MAX) is CREDENTIAL_EXPIRED
    assert isinstance(access.grant_of(token, NOW_S), Grant)  # the clock was set back


def test_another_simulator_on_the_state_directory_reads_it_and_one_on_another_does_not() -> None:
    token = minted(access_tokens())
    assert isinstance(access_tokens().grant_of(token, NOW_S), Grant)
    assert access_tokens(which="other").grant_of(token, NOW_S) is CREDENTIAL_INVALID


@given(st.data())
def test_a_changed_character_makes_a_minted_token_invalid(data: st.DataObject) -> None:
    access = access_tokens()
    token = access.mint(MESSAGING, NOW_S)
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != token[at]))
    assert access.grant_of(bearer(token[:at] + character + token[at + 1 :]), NOW_S) is CREDENTIAL_INVALID


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_minted_token_has_one_text(length: int) -> None:
    access = access_tokens()
    token = access.mint(f"{MESSAGING} {'s' * length}", NOW_S)
    # The last character of base64 may have bits that mean nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    answers = {last: access.grant_of(bearer(token[:-1] + last), NOW_S) for last in alphabet}
    assert [last for last, answer in answers.items() if answer is not CREDENTIAL_INVALID] == [token[-1]]


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(text: bytes) -> None:
    access = access_tokens()
    for value in (text, bearer(text), bearer(b"ya29.c." + text), bearer(b"ya29.c." + coded(text))):
        assert isinstance(access.grant_of(value, NOW_S), Fault)


# Self-signed tokens


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": None, "scope": MESSAGING},
        {"aud": None, "scope": SCOPES_OF_PYTHON},
        {"aud": "https://example.com/", "scope": MESSAGING},
        {"iat": int(NOW_S) + SKEW_S_MAX, "exp": int(NOW_S) + SKEW_S_MAX + 60},
        {"iat": NOW_S - 3599.5, "exp": NOW_S + 0.5},
    ],
)
def test_a_self_signed_token_passes(changed: dict[str, Any]) -> None:
    grant = judged_self_signed(signed(self_signed_claims(**changed)))
    assert isinstance(grant, Grant)
    assert grant.caller == EMAIL


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "firebase-adminsdk-other@elsewhere.iam.gserviceaccount.com"},
        {"iss": None},
        {"sub": "someone@example.com"},
        {"sub": None},
        {"aud": None},
        {"aud": "https://oauth2.googleapis.com/token"},
        {"aud": "https://fcm.googleapis.com"},
        {"aud": [CLOUD_PLATFORM]},
        {"scope": [MESSAGING]},
        {"iat": None},
        {"exp": None},
        {"exp": int(NOW_S) + 3601},
        {"exp": int(NOW_S)},
        {"exp": int(NOW_S) - 1},
        {"iat": str(int(NOW_S))},
        {"iat": True, "exp": 100},
        {"iat": float("nan")},
        {"iat": -1, "exp": 100},
        {"iat": 2**60, "exp": 2**60 + 60},
        {"iat": int(NOW_S) + SKEW_S_MAX + 1, "exp": int(NOW_S) + SKEW_S_MAX + 60},
    ],
)
def test_a_self_signed_token_with_a_spoiled_claim_is_invalid(changed: dict[str, Any]) -> None:
    assert judged_self_signed(signed(self_signed_claims(**changed))) is CREDENTIAL_INVALID


@pytest.mark.parametrize("header", [{"alg": "ES256"}, {"alg": "none"}, {"alg": "HS256"}, {"kid": "0" * 40}, {"kid": 7}])
def test_a_self_signed_token_with_a_spoiled_header_is_invalid(header: dict[str, Any]) -> None:
    assert judged_self_signed(signed(self_signed_claims(), header)) is CREDENTIAL_INVALID


def test_a_self_signed_token_of_another_key_is_invalid() -> None:
    assert judged_self_signed(signed(self_signed_claims(), key="other")) is CREDENTIAL_INVALID


def test_a_self_signed_token_may_leave_out_its_key_id() -> None:
    assert isinstance(judged_self_signed(signed(self_signed_claims(), {"kid": None})), Grant)


def test_a_self_signed_token_that_lies_ahead_becomes_valid() -> None:
    clock = RigClock()
    access = access_tokens(clock)
    token = bearer(signed(self_signed_claims(iat=int(NOW_S) + 400, exp=int(NOW_S) + 1000)))
    assert [access.grant_of(token, NOW_S) for _ in range(2)] == [CREDENTIAL_INVALID] * 2
    assert isinstance(access.grant_of(token, NOW_S + 400 - SKEW_S_MAX), Grant)


def test_a_self_signed_token_lies_ahead_of_real_time_under_a_shifted_clock_too() -> None:
    clock = RigClock()
    clock.offset_s = 86_400
    token = bearer(signed(self_signed_claims(iat=int(NOW_S) + 400, exp=int(NOW_S) + 1000)))
    assert access_tokens(clock).grant_of(token, clock.now_s) is CREDENTIAL_INVALID


def test_a_fresh_self_signed_token_is_not_born_expired_under_a_shifted_clock() -> None:
    clock = RigClock()
    clock.offset_s = 86_400
    access = access_tokens(clock)
    assert isinstance(access.grant_of(bearer(signed(self_signed_claims())), clock.now_s), Grant)


def test_advancing_the_clock_ages_a_self_signed_token_already_seen() -> None:
    clock = RigClock()
    access = access_tokens(clock)
    token = bearer(signed(self_signed_claims()))
    assert isinstance(access.grant_of(token, clock.now_s), Grant)
    clock.offset_s = 3600
    assert access.grant_of(token, clock.now_s) is CREDENTIAL_EXPIRED
    access.forget()
    assert isinstance(access.grant_of(token, clock.now_s), Grant)


# Lenient authentication


@pytest.mark.parametrize("value", [b"Bearer x", b"bearer owner", bearer(signed(self_signed_claims(), key="other"))])
def test_lenient_authentication_takes_any_bearer(value: bytes) -> None:
    assert isinstance(access_tokens(lenient=True).grant_of(value, NOW_S), Grant)


def test_lenient_authentication_takes_no_other_scheme() -> None:
    assert access_tokens(lenient=True).grant_of(b"Basic dTpw", NOW_S) is CREDENTIAL_INVALID


# Bounds


def test_a_credential_over_the_bound_is_refused_unread() -> None:
    access = access_tokens()
    whole = minted(access, f"{MESSAGING} {'s' * CREDENTIAL_BYTES_MAX}")
    assert access.grant_of(whole, NOW_S) is CREDENTIAL_INVALID


def test_a_good_token_that_was_crowded_out_counts_as_new() -> None:
    clock = RigClock()
    access = access_tokens(clock)
    first = bearer(signed(self_signed_claims()))
    assert isinstance(access.grant_of(first, clock.now_s), Grant)
    clock.offset_s = 3600
    for kept, answer in ((SEEN_TOKENS_MAX - 1, CREDENTIAL_EXPIRED), (1, None)):
        for _ in range(kept):
            assert isinstance(access.grant_of(minted(access), NOW_S), Grant)
        found = access.grant_of(first, clock.now_s)
        assert found is answer if answer else isinstance(found, Grant)


def test_bad_tokens_crowd_out_no_good_one() -> None:
    clock = RigClock()
    access = access_tokens(clock)
    good = bearer(signed(self_signed_claims()))
    assert isinstance(access.grant_of(good, clock.now_s), Grant)
    for number in range(SEEN_TOKENS_MAX + REFUSED_TOKENS_MAX + 1):
        assert access.grant_of(b"Bearer %d" % number, NOW_S) is CREDENTIAL_INVALID
    clock.offset_s = 3600
    assert access.grant_of(good, clock.now_s) is CREDENTIAL_EXPIRED


# The credential of a request


@pytest.mark.parametrize(
    ("header", "path", "found"),
    [
        (b"Bearer a", b"/v1/projects/p/messages:send", b"Bearer a"),
        (b"Bearer a", b"/v1/projects/p/messages:send?access_token=b", b"Bearer a"),
        (None, b"/v1/projects/p/messages:send", None),
        (None, b"/v1/projects/p/messages:send?alt=json&access_token=b.c&access_token=d", b"Bearer b.c"),
        (None, b"/v1/projects/p/messages:send?oauth_token=c", b"Bearer c"),
        (None, b"/v1/projects/p/messages:send?oauth_token=c&access_token=b%20", b"Bearer b "),
        (None, b"/v1/projects/p/messages:send?access_token=", None),
        (None, b"/access_token=b", None),
        (None, None, None),
    ],
)
def test_the_credential_of_a_request(header: bytes | None, path: bytes | None, found: bytes | None) -> None:
    fields = ((b":method", b"POST"), *(() if header is None else ((b"authorization", header),)))
    assert authorization_of(Request(1, Head(fields), (path, None), b"")) == found
