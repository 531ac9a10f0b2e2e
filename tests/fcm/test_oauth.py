"""What the token endpoint answers: a valid request, spoiled in one place by each test."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fcm.access_token import LIFE_S_MAX, SKEW_S_MAX, AccessTokens, Grant
from simulator.fcm.oauth import (
    EXPIRES_IN_S,
    FORM_BYTES_MAX,
    FORM_FIELDS_MAX,
    GRANT_TYPE,
    SCOPE_CHARACTERS_MAX,
    Refusal,
    token_endpoint,
)
from simulator.http_answer import HttpAnswer
from tests.fcm.service_account import (
    CLOUD_PLATFORM,
    EMAIL,
    MESSAGING,
    NOW_S,
    RigClock,
    access_tokens,
    signed,
)
from wire.request import Head, Request

GOOGLE = "https://oauth2.googleapis.com/token"
SHORT_LIVED = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values "
    "in the JWT claim."
)


def claims(**changed: Any) -> dict[str, Any]:
    """Claims of an assertion made at NOW_S; None in `changed` leaves one out."""
    found = {"iss": EMAIL, "scope": MESSAGING, "aud": GOOGLE, "iat": int(NOW_S), "exp": int(NOW_S) + 3600} | changed
    return {name: value for name, value in found.items() if value is not None}


def form(token: bytes, **changed: str | None) -> bytes:
    fields = {"grant_type": GRANT_TYPE, "assertion": token.decode()} | changed
    return urlencode({name: value for name, value in fields.items() if value is not None}).encode()


def posted(
    body: bytes,
    access: AccessTokens | None = None,
    *,
    authority: bytes = b"oauth2.googleapis.com",
    now_s: float = NOW_S,
) -> HttpAnswer:
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b"content-type", b"application/x-www-form-urlencoded"),
    )
    return token_endpoint(Request(1, Head(fields), (b"/token", None), body), access or access_tokens(), now_s)


def told(answer: HttpAnswer) -> dict[str, Any]:
    found = json.loads(answer.body)
    assert isinstance(found, dict)
    assert (b"content-type", b"application/json; charset=UTF-8") in answer.fields
    return found


def refused(answer: HttpAnswer) -> Refusal:
    """The row of a refusal; all of it has to stand in the answer."""
    found = told(answer)
    (row,) = (each for each in Refusal if each.description == found["error_description"])
    assert (answer.status, found) == (row.status, {"error": row.error, "error_description": row.description})
    return row


def test_an_assertion_is_exchanged_for_an_access_token_that_passes() -> None:
    access = access_tokens()
    answer = posted(form(signed(claims())), access)
    found = told(answer)
    assert answer.status == 200
    assert list(found) == ["access_token", "expires_in", "token_type"]
    assert (found["expires_in"], found["token_type"]) == (EXPIRES_IN_S, "Bearer")
    assert found["access_token"].startswith("ya29.")
    grant = access.grant_of(f"Bearer {found['access_token']}".encode(), NOW_S)
    assert isinstance(grant, Grant)
    assert (grant.caller, grant.scopes, grant.expires_at_s) == (EMAIL, frozenset([MESSAGING]), NOW_S + LIFE_S_MAX)


def test_the_answer_is_not_to_be_cached() -> None:
    assert (b"cache-control", b"no-store") in posted(form(signed(claims()))).fields


@pytest.mark.parametrize(
    ("audience", "authority"),
    [
        (GOOGLE, b"oauth2.googleapis.com"),
        (GOOGLE, b"localhost:8443"),  # google-auth for Python posts to the file's token_uri and signs Google's
        ("https://localhost:8443/token", b"localhost:8443"),
        ("https://Rig.example:8443/token", b"rig.example:8443"),
        ("http://localhost:8444/token", b"localhost:8444"),
    ],
)
def test_the_audience_is_google_s_or_the_address_asked(audience: str, authority: bytes) -> None:
    assert posted(form(signed(claims(aud=audience))), authority=authority).status == 200


@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        "https://fcm.googleapis.com/",
        "https://oauth2.googleapis.com/token/",
        "https://localhost:1/token",
        [GOOGLE],
    ],
)
def test_another_audience_fails(audience: object) -> None:
    assert refused(posted(form(signed(claims(aud=audience))), authority=b"localhost:8443")) is Refusal.AUDIENCE


def test_the_three_texts_that_were_captured() -> None:
    stranger = claims(iss="other@elsewhere.iam.gserviceaccount.com")
    for body, text in (
        (form(signed(stranger)), "Invalid grant: account not found"),
        (form(signed(claims(), key="other")), "Invalid JWT Signature."),
        (form(signed(claims(exp=int(NOW_S) + 3601))), SHORT_LIVED),
    ):
        answer = posted(body)
        assert (answer.status, told(answer)) == (400, {"error": "invalid_grant", "error_description": text})


@pytest.mark.parametrize(
    ("body", "row"),
    [
        (b"", Refusal.GRANT_TYPE),
        (b"\xff", Refusal.FORM_UNREADABLE),
        (b'{"grant_type": 1}', Refusal.GRANT_TYPE),
        (form(signed(claims()), grant_type=None), Refusal.GRANT_TYPE),
        (form(signed(claims()), grant_type="refresh_token"), Refusal.GRANT_TYPE),
        (form(signed(claims())) + b"&grant_type=x", Refusal.FIELD_REPEATED),
        (form(signed(claims()), assertion=None), Refusal.ASSERTION_MISSING),
        (form(b""), Refusal.ASSERTION_MISSING),
        (form(b"a.b"), Refusal.ASSERTION_UNREADABLE),
        (form(b"a.b.c"), Refusal.ASSERTION_UNREADABLE),
        (form(b"a.b.c", assertion="é.é.é"), Refusal.ASSERTION_UNREADABLE),
    ],
)
def test_a_spoiled_form_is_refused(body: bytes, row: Refusal) -> None:
    assert refused(posted(body)) is row


@pytest.mark.parametrize("header", [{"alg": "ES256"}, {"alg": "none"}, {"kid": "0" * 40}])
def test_a_spoiled_header_spoils_the_signature(header: dict[str, Any]) -> None:
    assert refused(posted(form(signed(claims(), header)))) is Refusal.SIGNATURE


@pytest.mark.parametrize(
    "changed",
    [
        {"iat": None},
        {"exp": None},
        {"exp": str(int(NOW_S) + 60)},
        {"iat": int(NOW_S) - 3600, "exp": int(NOW_S)},
        {"iat": int(NOW_S) + SKEW_S_MAX + 1},
        {"iat": int(NOW_S), "exp": int(NOW_S) - 1},
    ],
)
def test_times_out_of_the_window(changed: dict[str, Any]) -> None:
    assert refused(posted(form(signed(claims(**changed))))) is Refusal.LIFETIME


def test_times_at_the_edges_of_the_window() -> None:
    ahead = int(NOW_S) + SKEW_S_MAX
    for changed in ({"iat": int(NOW_S) - 3599, "exp": int(NOW_S) + 1}, {"iat": ahead, "exp": ahead + 3600}):
        assert posted(form(signed(claims(**changed)))).status == 200


@pytest.mark.parametrize("scope", [None, "", "  ", 'a"b', "é", [MESSAGING], "s" * (SCOPE_CHARACTERS_MAX + 1)])
def test_a_spoiled_scope(scope: object) -> None:
    assert refused(posted(form(signed(claims(scope=scope))))) is Refusal.SCOPE


def test_the_longest_scope_gives_a_token_that_passes() -> None:
    access = access_tokens()
    scope = f"{CLOUD_PLATFORM} ".ljust(SCOPE_CHARACTERS_MAX, "s")
    token = told(posted(form(signed(claims(scope=scope))), access))["access_token"]
    assert isinstance(access.grant_of(b"Bearer " + token.encode(), NOW_S), Grant)


@pytest.mark.parametrize(("subject", "status"), [(EMAIL, 200), ("someone@example.com", 401), ("", 401)])
def test_the_account_speaks_for_itself_only(subject: str, status: int) -> None:
    assert posted(form(signed(claims(sub=subject)))).status == status


# Each check takes what the ones after it would refuse as well: the first fault decides (D5).
SPOILED: tuple[tuple[dict[str, Any], Refusal], ...] = (
    ({"iss": "other@example.com"}, Refusal.ACCOUNT_UNKNOWN),
    ({}, Refusal.SIGNATURE),
    ({"aud": "https://example.com/token"}, Refusal.AUDIENCE),
    ({"exp": int(NOW_S) - 1}, Refusal.LIFETIME),
    ({"scope": ""}, Refusal.SCOPE),
    ({"sub": "someone@example.com"}, Refusal.SUBJECT),
)


@pytest.mark.parametrize("first", range(len(SPOILED)))
def test_the_order_of_the_checks(first: int) -> None:
    changed: dict[str, Any] = {}
    for spoiled, _ in SPOILED[first:]:
        changed |= spoiled
    key = "other" if first <= 1 else "account"
    assert refused(posted(form(signed(claims(**changed), key=key)))) is SPOILED[first][1]


# Clock


def test_an_assertion_is_judged_by_real_time_and_its_token_dated_by_the_simulator_s() -> None:
    clock = RigClock()
    clock.offset_s = 10 * 86_400
    access = access_tokens(clock)
    answer = posted(form(signed(claims())), access, now_s=clock.now_s)
    grant = access.grant_of(b"Bearer " + told(answer)["access_token"].encode(), clock.now_s)
    assert isinstance(grant, Grant)
    assert grant.expires_at_s == clock.now_s + LIFE_S_MAX


# Lenient authentication


def test_lenient_authentication_looks_at_neither_account_nor_signature_but_at_all_else() -> None:
    stranger = {"iss": "other@example.com"}
    for changed, row in (({}, None), *SPOILED[2:]):
        answer = posted(form(signed(claims(**stranger, **changed), key="other")), access_tokens(lenient=True))
        assert answer.status == 200 if row is None else refused(answer) is row


# Bounds


def test_a_form_over_the_bound_is_refused_unread() -> None:
    whole = form(signed(claims()))
    assert posted(whole + b"&x=".ljust(FORM_BYTES_MAX - len(whole), b"x")).status == 200
    assert refused(posted(whole + b"&x=".ljust(FORM_BYTES_MAX - len(whole) + 1, b"x"))) is Refusal.FORM_UNREADABLE


def test_a_form_of_too_many_fields_is_refused() -> None:
    whole = form(signed(claims()))
    more = [b"&x%d=" % number for number in range(FORM_FIELDS_MAX - 1)]
    assert posted(whole + b"".join(more[:-1])).status == 200
    assert refused(posted(whole + b"".join(more))) is Refusal.FORM_UNREADABLE


@given(st.binary(max_size=300))
def test_any_body_gets_an_answer(body: bytes) -> None:
    for each in (body, form(b"").removesuffix(b"&assertion=") + b"&assertion=" + body):
        assert posted(each).status in (400, 401)
