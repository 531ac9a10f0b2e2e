"""The sender's access token: asked for once, kept until shortly before its end, renewed when refused, given up at last."""

import base64
import json
from functools import cache
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sender.credential import CredentialAnswer
from sender.fcm.access_token import PAUSE_MAX_S, REFUSED_IN_A_ROW_MAX, RENEW_BEFORE_S, SERVED_S, AccessTokenSource
from sender.fcm.service_account import SCOPE, ServiceAccount

NOW_S = 1_760_000_000.0
URI = "https://localhost:8443/token"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def source() -> AccessTokenSource:
    return AccessTokenSource(
        ServiceAccount(key(), key_id="abc123", client_email="a@b.test", project_id="shop-1", token_uri=URI)
    )


def granted(token: str = "ya29.one", life_s: object = 3599) -> CredentialAnswer:
    body = {"access_token": token, "expires_in": life_s, "token_type": "Bearer"}
    return CredentialAnswer(200, json.dumps(body).encode())


def refused(status: int, error: str, description: str = "") -> CredentialAnswer:
    return CredentialAnswer(status, json.dumps({"error": error, "error_description": description}).encode())


def holding(life_s: float = 3599.0) -> AccessTokenSource:
    held = source()
    assert held.request(NOW_S) is not None
    held.answered(granted(life_s=life_s), NOW_S, 0.5)
    return held


def test_a_request_is_an_assertion_signed_by_the_account() -> None:
    request = source().request(NOW_S)
    assert request is not None and request.url == URI
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = form["assertion"][0].split(".")

    def plain(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    assert json.loads(plain(head)) == {"alg": "RS256", "typ": "JWT", "kid": "abc123"}
    assert json.loads(plain(claims)) == {
        "iss": "a@b.test",
        "scope": SCOPE,
        "aud": URI,
        "iat": int(NOW_S),
        "exp": int(NOW_S) + 3600,
    }
    key().public_key().verify(plain(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


def test_it_is_asked_for_once_at_a_time_and_kept() -> None:
    held = source()
    assert held.text(NOW_S) is None
    assert held.request(NOW_S) is not None
    assert held.request(NOW_S) is None
    held.answered(granted(), NOW_S + 1, 0.5)
    assert held.text(NOW_S + 1) == b"Bearer ya29.one"
    assert held.text(NOW_S + 1) is held.text(NOW_S + 2)
    assert held.request(NOW_S + 2) is None


def test_it_is_renewed_well_before_its_end_and_used_meanwhile() -> None:
    held = holding(3599.0)
    assert held.request(NOW_S + 3599 - RENEW_BEFORE_S - 1) is None
    assert held.request(NOW_S + 3599 - RENEW_BEFORE_S) is not None
    assert held.text(NOW_S + 3598) == b"Bearer ya29.one"
    assert held.text(NOW_S + 3599) is None
    held.answered(granted("ya29.two"), NOW_S + 3599, 0.5)
    assert held.text(NOW_S + 3599) == b"Bearer ya29.two"


def test_a_short_life_is_renewed_at_half_of_it() -> None:
    held = holding(100.0)
    assert held.request(NOW_S + 49) is None
    assert held.request(NOW_S + 50) is not None


@pytest.mark.parametrize("life_s", ["3599", 3599.5, 10])
def test_its_life_may_be_written_in_any_way(life_s: object) -> None:
    held = source()
    held.request(NOW_S)
    held.answered(granted(life_s=life_s), NOW_S, 0.5)
    assert held.text(NOW_S + 9) is not None


def test_without_a_life_it_lasts_an_hour() -> None:
    held = source()
    held.request(NOW_S)
    held.answered(CredentialAnswer(200, b'{"access_token":"x"}'), NOW_S, 0.5)
    assert held.text(NOW_S + 3599) is not None and held.text(NOW_S + 3600) is None


def test_one_that_is_refused_is_dropped_by_the_first_who_hears_of_it() -> None:
    held = holding()
    assert held.renew(b"Bearer ya29.one", NOW_S + 100)
    assert held.text(NOW_S + 100) is None
    assert held.renew(b"Bearer ya29.one", NOW_S + 100), "others find it dropped"
    assert held.request(NOW_S + 100) is not None
    assert held.request(NOW_S + 100) is None
    held.answered(granted("ya29.two"), NOW_S + 101, 0.5)
    assert held.renew(b"Bearer ya29.one", NOW_S + 102), "and late ones a new one"
    assert held.text(NOW_S + 102) == b"Bearer ya29.two"


def test_fresh_ones_that_are_refused_one_after_the_other_end_it() -> None:
    held = holding()
    for number in range(REFUSED_IN_A_ROW_MAX):
        text = held.text(NOW_S + number)
        assert text is not None
        assert held.renew(text, NOW_S + number) is (number + 1 < REFUSED_IN_A_ROW_MAX)
        held.request(NOW_S + number)
        held.answered(granted(f"ya29.{number}"), NOW_S + number, 0.5)
    assert held.refused is not None and "401" in held.refused
    assert held.request(NOW_S + 1000) is None


def test_ones_that_have_served_may_be_refused_again_and_again() -> None:
    held = holding()
    now_s = NOW_S
    for number in range(3 * REFUSED_IN_A_ROW_MAX):
        now_s += SERVED_S
        text = held.text(now_s)
        assert text is not None and held.renew(text, now_s)
        assert held.request(now_s) is not None
        held.answered(granted(f"ya29.{number}"), now_s, 0.5)


def test_refusals_of_two_lives_do_not_add_up() -> None:
    held = holding()
    now_s = NOW_S
    for number in range(3 * REFUSED_IN_A_ROW_MAX):
        text = held.text(now_s)
        assert text is not None and held.renew(text, now_s), "young, but the one before had served"
        for life in ("a", "b"):
            held.request(now_s)
            held.answered(granted(f"ya29.{number}{life}"), now_s, 0.5)
            now_s += 3599 - RENEW_BEFORE_S
        now_s -= 3599 - RENEW_BEFORE_S


@pytest.mark.parametrize(
    "answer",
    [
        CredentialAnswer(0, error="Connection refused"),
        CredentialAnswer(503),
        CredentialAnswer(502, b"<html>"),
        CredentialAnswer(429),
        refused(400, "internal_failure"),
        refused(400, "temporarily_unavailable"),
        CredentialAnswer(200, b"<html>a captive portal</html>"),
        CredentialAnswer(200, b"[" * 5_000),
        CredentialAnswer(200, b"{}"),
        granted(""),
        granted("a b"),
        granted("a\r\nx-evil: 1"),
        granted("ü"),
        granted("x" * 5_000),
        granted(life_s=0),
        granted(life_s="never"),
        granted(life_s="inf"),
    ],
)
def test_a_failure_is_tried_again_after_a_growing_pause_without_end(answer: CredentialAnswer) -> None:
    held = source()
    now_s, pauses = NOW_S, []
    for _ in range(12):
        assert held.request(now_s) is not None
        held.answered(answer, now_s, 0.999)
        assert held.text(now_s) is None and held.trouble and URI in held.trouble
        assert held.request(now_s) is None
        asked_at_s = now_s
        while held.request(now_s) is None:
            now_s += 0.1
        held._asking = False  # as if nobody had asked
        pauses.append(now_s - asked_at_s)
    assert pauses == sorted(pauses) and pauses[0] < 1.2 and PAUSE_MAX_S - 1 < pauses[-1] < PAUSE_MAX_S + 1
    held.request(now_s)
    held.answered(granted(), now_s, 0.5)
    assert held.text(now_s) is not None and held.trouble == ""


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "invalid_grant", "Invalid grant: account not found"),
        refused(400, "invalid_grant", "Invalid JWT Signature."),
        refused(400, "invalid_scope"),
        refused(401, "unauthorized_client"),
        CredentialAnswer(404, b"<html>"),
    ],
)
def test_a_refusal_is_final_and_says_what_google_said(answer: CredentialAnswer) -> None:
    held = source()
    held.request(NOW_S)
    held.answered(answer, NOW_S, 0.5)
    assert held.refused is not None and "a@b.test" in held.refused and str(answer.status) in held.refused
    assert held.request(NOW_S + 10_000) is None
    if answer.body.startswith(b"{"):
        said = json.loads(answer.body)
        assert said["error"] in held.refused and said["error_description"] in held.refused


def test_words_of_the_endpoint_are_shown_plain_and_short() -> None:
    held = source()
    held.request(NOW_S)
    held.answered(refused(400, "invalid_grant", "\x1b[31m" + "x" * 9_999), NOW_S, 0.5)
    assert held.refused is not None and held.refused.isprintable() and len(held.refused) < 700
