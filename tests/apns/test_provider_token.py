"""Which provider tokens are read, and which of their signatures count."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.apns.provider_token import PROVIDER_TOKEN_BYTES_MAX, is_signed_by, parse
from simulator.json_web_token import bearer_token
from tests.apns.valid_push import (
    JWT,
    KEY_ID,
    NOW_S,
    OTHER_PRIVATE_KEY,
    PRIVATE_KEY,
    TEAM,
    Bench,
    Push,
    jwt,
    jwt_of,
    segment,
)

HEADER = b'{"alg":"ES256","kid":"KEY0000001"}'
CLAIMS = b'{"iss":"TEAM000001","iat":%d}' % (NOW_S - 60)


def test_a_token_is_read() -> None:
    token = parse(JWT)
    assert token is not None
    assert (token.team_id, token.key_id, token.issued_at_s) == (TEAM, KEY_ID, int(NOW_S) - 60)
    assert is_signed_by(token, PRIVATE_KEY.public_key())
    assert not is_signed_by(token, OTHER_PRIVATE_KEY.public_key())


@pytest.mark.parametrize("der", [False, True], ids=["raw", "DER"])
def test_both_forms_of_signature_pass(der: bool) -> None:
    assert Bench().reason(Push().with_token(jwt(der=der))) is None


@pytest.mark.parametrize("scheme", [b"bearer ", b"Bearer ", b"BEARER ", b"bearer   "])
def test_the_scheme_is_read_in_any_case(scheme: bytes) -> None:
    assert bearer_token(scheme + JWT) == JWT


@pytest.mark.parametrize("value", [None, b"", b"bearer", b"bearer ", b"bearer  ", b"basic " + JWT, JWT, b" bearer x"])
def test_other_authorization_holds_no_token(value: bytes | None) -> None:
    assert bearer_token(value) is None


@pytest.mark.parametrize(
    "header",
    [
        b'{ "alg" : "ES256",\n "kid" : "KEY0000001" }',
        b'{"typ":"JWT","alg":"ES256","kid":"KEY0000001"}',
        b'{"kid":"KEY0000001","alg":"ES256","x":[1,{"y":null}]}',
    ],
)
def test_a_header_may_be_laid_out_freely(header: bytes) -> None:
    assert Bench().reason(Push().with_token(jwt_of(header, CLAIMS))) is None


BAD_HEADERS = (
    b"",
    b"null",
    b"[]",
    b'"ES256"',
    b"{",
    b'{"alg":"ES256"}',
    b'{"kid":"KEY0000001"}',
    b'{"alg":"none","kid":"KEY0000001"}',
    b'{"alg":"HS256","kid":"KEY0000001"}',
    b'{"alg":"es256","kid":"KEY0000001"}',
    b'{"alg":["ES256"],"kid":"KEY0000001"}',
    b'{"alg":"ES256","kid":1000000001}',
    b'{"alg":"ES256","kid":"KEY000001"}',
    b'{"alg":"ES256","kid":"KEY00000001"}',
    b'{"alg":"none","alg":"ES256","kid":"KEY0000001"}',
    b'{"alg":"ES256","kid":"KEY0000001","x":{"y":1,"y":1}}',
    b'{"alg":"ES256","kid":"KEY0000001"} x',
    b'\xef\xbb\xbf{"alg":"ES256","kid":"KEY0000001"}',
    b'{"alg":"ES256","kid":"KEY0000001","x":"\xff"}',
    '{"alg":"ES256","kid":"KEY0000001"}'.encode("utf-16"),
    b'{"alg":"ES256","kid":"KEY0000001","x":' + b"[" * 1300 + b"]" * 1300 + b"}",
)


@pytest.mark.parametrize("header", BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_a_header_that_is_spoilt_makes_the_token_invalid(header: bytes) -> None:
    assert Bench().reason(Push().with_token(jwt_of(header, CLAIMS))) == "InvalidProviderToken"


IAT = int(NOW_S) - 60


@pytest.mark.parametrize(
    "issued_at",
    [f"{IAT}.0", f'"{IAT}"', "true", "null", "-1", f"{IAT}e0", f"[{IAT}]", "9" * 400, "1" * 2000, "NaN"],
)  # fmt: skip
def test_an_iat_that_is_no_integer_makes_the_token_invalid(issued_at: str) -> None:
    claims = f'{{"iss":"TEAM000001","iat":{issued_at}}}'.encode()
    assert Bench().reason(Push().with_token(jwt_of(HEADER, claims))) == "InvalidProviderToken"


@pytest.mark.parametrize(
    "claims",
    [
        b"{}",
        b'{"iat":%d}' % IAT,
        b'{"iss":"TEAM000001"}',
        b'{"iss":"TEAM00001","iat":%d}' % IAT,
        b'{"iss":7,"iat":%d}' % IAT,
        b'{"iss":"TEAM000001","iat":%d,"iat":%d}' % (IAT, IAT),
    ],
)
def test_claims_that_are_spoilt_make_the_token_invalid(claims: bytes) -> None:
    assert Bench().reason(Push().with_token(jwt_of(HEADER, claims))) == "InvalidProviderToken"


_PARTS = JWT.split(b".")
SPOILT = {
    "two parts": b".".join(_PARTS[:2]),
    "four parts": JWT + b".x",
    "no signature": b".".join([*_PARTS[:2], b""]),
    "padded": b".".join([_PARTS[0] + b"=", *_PARTS[1:]]),
    "cut short": JWT[:-1],
    "not base64url": b".".join([_PARTS[0], _PARTS[1], b"!!!!"]),
    "slash and plus": b".".join([*_PARTS[:2], b"/+" + _PARTS[2][2:]]),
    "one character in a part": b".".join([_PARTS[0], _PARTS[1], b"A"]),
    "line break": JWT + b"\n",
    "another signature": b".".join([*_PARTS[:2], segment(bytes(64))]),
    "short signature": b".".join([*_PARTS[:2], segment(b"\x30\x02\x02\x00")]),
    "too long": JWT + b"A" * PROVIDER_TOKEN_BYTES_MAX,
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
def test_a_token_of_spoilt_shape_is_invalid(text: bytes) -> None:
    assert Bench().reason(Push().with_token(text)) == "InvalidProviderToken"


def test_a_token_that_is_too_long_is_neither_read_nor_kept() -> None:
    bench = Bench()
    claims = json.dumps({"iss": TEAM, "iat": IAT, "x": "x" * 6000}).encode()
    assert bench.reason(Push().with_token(jwt_of(HEADER, claims))) == "InvalidProviderToken"
    assert not len(bench.apns.seen_tokens) and not len(bench.apns.refused_tokens)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    parse(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "x"]), json_values | st.sampled_from(["ES256", KEY_ID])),
    st.dictionaries(st.sampled_from(["iss", "iat", "x"]), json_values | st.sampled_from([TEAM, IAT])),
    st.binary(max_size=80),
)
def test_any_json_and_signature_is_read_or_refused(header: object, claims: object, signature: bytes) -> None:
    text = b".".join(segment(part) for part in (json.dumps(header).encode(), json.dumps(claims).encode(), signature))
    token = parse(text)
    assert token is None or not is_signed_by(token, PRIVATE_KEY.public_key())
