"""The service account: made once, read as Google's libraries read it, pointed at the simulator, clear about damage."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from google.oauth2 import service_account

from simulator.credentials import Credentials, load_or_create
from simulator.errors import CredentialsError
from simulator.fcm.service_account import TOKEN_URI
from tests.fcm.service_account import NOW_S

# Source: B8.
KEYS = (
    "type",
    "project_id",
    "private_key_id",
    "private_key",
    "client_email",
    "client_id",
    "auth_uri",
    "token_uri",
    "auth_provider_x509_cert_url",
    "client_x509_cert_url",
    "universe_domain",
)


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return load_or_create(tmp_path / "state", NOW_S, {})


def _file(credentials: Credentials) -> dict[str, Any]:
    found = json.loads(credentials.service_account_file.read_bytes())
    assert isinstance(found, dict)
    return found


def _record(credentials: Credentials) -> dict[str, Any]:
    found = json.loads((credentials.state_dir / "credentials.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_the_file_has_all_keys_that_google_s_have(credentials: Credentials) -> None:
    found = _file(credentials)
    assert tuple(found) == KEYS
    assert found["type"] == "service_account"
    assert found["client_email"].endswith(f"@{credentials.project_id}.iam.gserviceaccount.com")
    assert re.fullmatch(r"[0-9a-f]{40}", found["private_key_id"])
    assert found["token_uri"] == TOKEN_URI
    assert stat.S_IMODE(credentials.service_account_file.stat().st_mode) == 0o600


def test_the_key_is_pkcs8_rsa_2048(credentials: Credentials) -> None:
    text = _file(credentials)["private_key"]
    assert text.startswith("-----BEGIN PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(text.encode(), None)  # with all checks of the key
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    assert key.public_key() == credentials.service_account().public_key


def test_the_project_can_be_read_by_people_and_is_recorded(credentials: Credentials) -> None:
    assert re.fullmatch(r"pushrig-[a-z0-9]{5}", credentials.project_id)
    assert re.fullmatch(r"[1-9][0-9]{11}", credentials.project_number)
    assert _record(credentials)["project_id"] == credentials.project_id == _file(credentials)["project_id"]
    assert _record(credentials)["project_number"] == credentials.project_number


def test_google_s_library_takes_the_file(credentials: Credentials) -> None:
    credentials.point_service_account_at("https://localhost:8443/token")
    taken = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
        str(credentials.service_account_file)
    )
    assert taken.project_id == credentials.project_id
    assert taken.service_account_email == _file(credentials)["client_email"]


def test_pointing_it_at_a_simulator_changes_the_token_uri_alone(credentials: Credentials) -> None:
    before = _file(credentials)
    for port in (8443, 9443):
        content = credentials.point_service_account_at(f"https://localhost:{port}/token")
        assert credentials.service_account_file.read_bytes() == content
        assert _file(credentials) == before | {"token_uri": f"https://localhost:{port}/token"}
    again = load_or_create(credentials.state_dir, NOW_S, {})
    assert again == credentials
    assert again.service_account().sealing_key == credentials.service_account().sealing_key


def test_two_directories_have_nothing_in_common(credentials: Credentials, tmp_path: Path) -> None:
    other = load_or_create(tmp_path / "other", NOW_S, {})
    assert other.project_id != credentials.project_id
    assert other.service_account().sealing_key != credentials.service_account().sealing_key


def test_a_state_directory_from_before_fcm_gets_one(credentials: Credentials) -> None:
    path = credentials.state_dir / "credentials.json"
    record = {name: value for name, value in _record(credentials).items() if not name.startswith("project_")}
    path.write_text(json.dumps(record))
    credentials.service_account_file.unlink()
    added = load_or_create(credentials.state_dir, NOW_S, {})
    assert (added.team_id, added.key_id) == (credentials.team_id, credentials.key_id)
    assert added.service_account().project_id == added.project_id
    assert load_or_create(credentials.state_dir, NOW_S, {}) == added


def test_a_start_killed_before_the_record_was_written_is_mended_by_the_next(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def die(*_: object) -> None:
        raise KilledError

    record = {name: value for name, value in _record(credentials).items() if not name.startswith("project_")}
    (credentials.state_dir / "credentials.json").write_text(json.dumps(record))
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("simulator.credentials._write_record", die)
        load_or_create(credentials.state_dir, NOW_S, {})
    mended = load_or_create(credentials.state_dir, NOW_S, {})
    assert mended.service_account().project_id == mended.project_id


# ---- Damage


@pytest.mark.parametrize(
    "damage", [None, b"", b"\xff" * 100, b"[]", b'{"x":' + b"[" * 100_000, b'{"type": "authorized_user"}']
)
def test_a_damaged_file_is_named_with_what_to_do(credentials: Credentials, damage: bytes | None) -> None:
    if damage is None:
        credentials.service_account_file.unlink()
    else:
        credentials.service_account_file.write_bytes(damage)
    with pytest.raises(CredentialsError) as refused:
        load_or_create(credentials.state_dir, NOW_S, {})
    assert str(refused.value).startswith(f"{credentials.service_account_file}: ")
    assert "remove the state directory" in str(refused.value)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


@pytest.mark.parametrize("kind", ["garbage", "encrypted", "elliptic"])
def test_a_damaged_key_is_found_when_the_account_is_read(credentials: Credentials, kind: str) -> None:
    found = _file(credentials)
    key = serialization.load_pem_private_key(found["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    found["private_key"] = {
        "garbage": found["private_key"].replace("M", "!"),
        "encrypted": _pem(key, b"secret"),
        "elliptic": _pem(ec.generate_private_key(ec.SECP256R1())),
    }[kind]
    credentials.service_account_file.write_text(json.dumps(found))
    with pytest.raises(CredentialsError, match=r"service-account\.json: has a damaged private_key"):
        credentials.service_account()


def test_a_file_of_another_project_is_left_alone(credentials: Credentials) -> None:
    found = _file(credentials) | {"project_id": "my-real-project"}
    credentials.service_account_file.write_text(json.dumps(found))
    for act in (
        lambda: credentials.point_service_account_at("https://localhost:8443/token"),
        lambda: load_or_create(credentials.state_dir, NOW_S, {}),
    ):
        with pytest.raises(CredentialsError, match="is of project my-real-project"):
            act()
    assert _file(credentials) == found
