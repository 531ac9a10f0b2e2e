"""The sender's provider token: renewed in time, never too soon, verifiable, made from good key files only."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sender.apns.provider_token import RENEW_AFTER_S, RENEW_NOT_BEFORE_S, ProviderTokenSource
from sender.errors import SenderConfigurationError

NOW_S = 1_760_000_000.0
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def source(tmp_path: Path) -> ProviderTokenSource:
    path = tmp_path / "AuthKey_ABCDE12345.p8"
    path.write_bytes(pem(KEY))
    return ProviderTokenSource.from_file(path, "ABCDE12345", "TEAM123456")


def test_the_token_is_an_es256_jwt_of_key_and_team(tmp_path: Path) -> None:
    text = source(tmp_path).text(NOW_S)
    scheme, _, token = text.partition(b" ")
    header, claims, signature = token.split(b".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + b"==")) for part in (header, claims)]
    assert scheme == b"bearer"
    assert decoded == [{"alg": "ES256", "kid": "ABCDE12345", "typ": "JWT"}, {"iss": "TEAM123456", "iat": int(NOW_S)}]
    raw = base64.urlsafe_b64decode(signature + b"==")
    assert len(raw) == 64 and b"=" not in token
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    KEY.public_key().verify(der, header + b"." + claims, ec.ECDSA(hashes.SHA256()))


def test_one_token_serves_until_it_is_fifty_minutes_old(tmp_path: Path) -> None:
    tokens = source(tmp_path)
    first = tokens.text(NOW_S)
    assert tokens.text(NOW_S + RENEW_AFTER_S - 1) is first
    assert tokens.text(NOW_S + RENEW_AFTER_S) != first


def test_a_refused_token_is_renewed_once(tmp_path: Path) -> None:
    tokens = source(tmp_path)
    first = tokens.text(NOW_S)
    assert tokens.renew(first, NOW_S + RENEW_NOT_BEFORE_S)
    second = tokens.text(NOW_S + RENEW_NOT_BEFORE_S)
    assert second != first
    assert tokens.renew(first, NOW_S + RENEW_NOT_BEFORE_S + 1)
    assert tokens.text(NOW_S + RENEW_NOT_BEFORE_S + 1) is second


def test_a_young_token_that_is_called_expired_is_renewed_but_not_twice_in_twenty_minutes(tmp_path: Path) -> None:
    tokens = source(tmp_path)
    first = tokens.text(NOW_S)
    assert tokens.renew(first, NOW_S + 1)
    second = tokens.text(NOW_S + 1)
    assert second != first
    assert not tokens.renew(second, NOW_S + RENEW_NOT_BEFORE_S)
    assert tokens.text(NOW_S + RENEW_NOT_BEFORE_S) is second
    assert tokens.renew(second, NOW_S + 1 + RENEW_NOT_BEFORE_S)


def test_a_clock_set_far_back_brings_a_new_token(tmp_path: Path) -> None:
    tokens = source(tmp_path)
    first = tokens.text(NOW_S)
    assert tokens.text(NOW_S - RENEW_NOT_BEFORE_S - 1) != first


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no unencrypted private key"),
        (b"not a key", "no unencrypted private key"),
        (pem(KEY, b"secret"), "no unencrypted private key"),
        (pem(rsa.generate_private_key(65_537, 2_048)), "EC P-256"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "EC P-256"),
    ],
    ids=["empty", "text", "encrypted", "rsa", "p384"],
)
def test_a_key_file_that_will_not_do_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "key.p8"
    path.write_bytes(content)
    with pytest.raises(SenderConfigurationError, match=told) as error:
        ProviderTokenSource.from_file(path, "ABCDE12345", "TEAM123456")
    assert str(path) in str(error.value)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenderConfigurationError, match="No such file"):
        ProviderTokenSource.from_file(tmp_path / "none.p8", "ABCDE12345", "TEAM123456")


@pytest.mark.parametrize(("key_id", "team_id"), [("SHORT", "TEAM123456"), ("ABCDE12345", "TEAM 12345"), ("", "")])
def test_ids_of_a_wrong_shape_are_refused(tmp_path: Path, key_id: str, team_id: str) -> None:
    (tmp_path / "k").write_bytes(pem(KEY))
    with pytest.raises(SenderConfigurationError, match="10 letters and digits"):
        ProviderTokenSource.from_file(tmp_path / "k", key_id, team_id)


def test_the_command_prints_a_token_for_curl(tmp_path: Path) -> None:
    (tmp_path / "key.p8").write_bytes(pem(KEY))
    command = [sys.executable, "-P", "-m", "pushrig", "provider-token", "--key-file", str(tmp_path / "key.p8")]
    ids = ["--key-id", "ABCDE12345", "--team-id", "TEAM123456"]
    done = subprocess.run([*command, *ids], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count(".") == 2 and " " not in done.stdout
    spoiled = subprocess.run([*command, "--key-id", "x", *ids[2:]], capture_output=True, text=True, check=False)
    assert spoiled.returncode == 2 and "key id 'x'" in spoiled.stderr and "Traceback" not in spoiled.stderr
