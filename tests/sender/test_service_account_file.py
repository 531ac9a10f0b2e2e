"""The key file of a service account: read whole, or refused with what is wrong in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sender.errors import SenderConfigurationError
from sender.fcm.service_account import KEY_FILE_BYTES_MAX, TOKEN_URI, ServiceAccount
from tests.sender.test_access_token_source import key


def pem(encryption: serialization.KeySerializationEncryption | None = None, curve: bool = False) -> str:
    private = ec.generate_private_key(ec.SECP256R1()) if curve else key()
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption or serialization.NoEncryption()
    ).decode()


def written(folder: Path, **changed: Any) -> Path:
    content = {
        "type": "service_account",
        "project_id": "shop-1",
        "private_key_id": "abc123",
        "private_key": pem(),
        "client_email": "a@b.test",
        "client_id": "1",
        "token_uri": "https://localhost:8443/token",
        "universe_domain": "googleapis.com",
    } | changed
    path = folder / "service-account.json"
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    account = ServiceAccount.from_file(written(tmp_path))
    assert (account.project_id, account.client_email) == ("shop-1", "a@b.test")
    assert account.token_uri == "https://localhost:8443/token"


def test_without_a_token_uri_it_is_googles(tmp_path: Path) -> None:
    assert ServiceAccount.from_file(written(tmp_path, token_uri=None)).token_uri == TOKEN_URI


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"type": "authorized_user"}, "'authorized_user', not service_account"),
        ({"type": None}, "not service_account"),
        ({"project_id": None}, "lacks project_id"),
        ({"private_key_id": ""}, "lacks private_key_id"),
        ({"private_key": None}, "lacks private_key"),
        ({"client_email": None}, "lacks client_email"),
        ({"client_email": 5}, "no service account's key file"),
        ({"private_key": "x"}, "no unencrypted private key"),
        ({"token_uri": "localhost/token"}, "token_uri"),
        ({"token_uri": "ftp://localhost/token"}, "token_uri"),
        ({"token_uri": "https://localhost:http/token"}, "token_uri"),
        ({"token_uri": "https://localhost/a b"}, "token_uri"),
        ({"token_uri": "https://localhost/\r\nx"}, "token_uri"),
        ({"token_uri": ""}, "token_uri"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SenderConfigurationError, match=complaint):
        ServiceAccount.from_file(written(tmp_path, **changed))


def test_keys_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SenderConfigurationError, match="another kind"):
        ServiceAccount.from_file(written(tmp_path, private_key=pem(curve=True)))
    encrypted = pem(serialization.BestAvailableEncryption(b"secret"))
    with pytest.raises(SenderConfigurationError, match="no unencrypted private key"):
        ServiceAccount.from_file(written(tmp_path, private_key=encrypted))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 5_000, b" " * (KEY_FILE_BYTES_MAX + 1)])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(SenderConfigurationError, match="no service account's key file"):
        ServiceAccount.from_file(tmp_path / "odd.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenderConfigurationError, match=r"none\.json: No such file"):
        ServiceAccount.from_file(tmp_path / "none.json")
