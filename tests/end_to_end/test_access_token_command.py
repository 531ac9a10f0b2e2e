"""`pushrig access-token`: a token of the running simulator that its provider plane takes, or a clear error."""

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from simulator.access_token_command import fetch_access_token
from simulator.certificates import make_server_certificate
from simulator.credentials import load_or_create
from simulator.errors import CredentialsError, TokenRefusedError
from simulator.running import RunningSimulator, read_running

NOW_S = 1_790_000_000.0


def run(state_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "pushrig", "access-token", "--state-dir", str(state_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def state_dir_of(simulator: PushSimulator) -> Path:
    return simulator.service_account_file.parent


def send_status(simulator: PushSimulator, token: str) -> int:
    """The status of a dry run with this access token, over HTTP/1.1."""
    context = ssl.create_default_context(cafile=simulator.ca_file)
    with contextlib.closing(http.client.HTTPSConnection(simulator.host, simulator.port, context=context)) as connection:
        connection.request(
            "POST",
            f"/v1/projects/{simulator.project_id}/messages:send",
            json.dumps({"message": {"topic": "news"}, "validate_only": True}),
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        return connection.getresponse().status


def test_the_token_of_the_command_may_send(push_simulator: PushSimulator) -> None:
    done = run(state_dir_of(push_simulator))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ya29.") and done.stdout.count("\n") == 1
    assert send_status(push_simulator, done.stdout.strip()) == 200
    assert send_status(push_simulator, done.stdout.strip()[:-1]) == 401


def test_a_token_has_the_scopes_that_were_asked_for(push_simulator: PushSimulator) -> None:
    done = run(state_dir_of(push_simulator), "--scope", "https://www.googleapis.com/auth/userinfo.email")
    assert done.returncode == 0
    assert send_status(push_simulator, done.stdout.strip()) == 403


def test_a_token_expires_by_the_simulator_s_clock(push_simulator: PushSimulator) -> None:
    token = run(state_dir_of(push_simulator)).stdout.strip()
    push_simulator.clock.advance(3_590_000)
    assert send_status(push_simulator, token) == 200
    push_simulator.clock.advance(10_000)
    assert send_status(push_simulator, token) == 401
    assert send_status(push_simulator, run(state_dir_of(push_simulator)).stdout.strip()) == 200


def test_a_scope_that_is_none_is_refused_with_what_the_endpoint_says(push_simulator: PushSimulator) -> None:
    done = run(state_dir_of(push_simulator), "--scope", "")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{push_simulator.url}/token: 400 invalid_scope" in done.stderr


def test_without_a_simulator_there_is_no_token(tmp_path: Path) -> None:
    state_dir = load_or_create(tmp_path / "state", NOW_S, {}).state_dir
    done = run(state_dir)
    assert (done.returncode, done.stdout) == (3, "")
    assert "start a simulator with `pushrig serve" in done.stderr


@pytest.fixture
def running(push_simulator: PushSimulator) -> RunningSimulator:
    return read_running(state_dir_of(push_simulator))


@pytest.mark.parametrize("content", [None, b"{}", b"\xff"])
def test_a_spoiled_service_account_is_named(running: RunningSimulator, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "service-account.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CredentialsError, match=r"service-account\.json: (is damaged|cannot be read)"):
        fetch_access_token(msgspec.structs.replace(running, service_account_file=str(path)), "s", NOW_S)


def test_a_spoiled_key_is_named(running: RunningSimulator, tmp_path: Path) -> None:
    path = tmp_path / "service-account.json"
    path.write_bytes(Path(running.service_account_file).read_bytes().replace(b"MII", b"!!!"))
    with pytest.raises(CredentialsError, match="damaged private_key"):
        fetch_access_token(msgspec.structs.replace(running, service_account_file=str(path)), "s", NOW_S)


def test_a_simulator_that_does_not_answer_is_named(running: RunningSimulator) -> None:
    with pytest.raises(TokenRefusedError, match=r"https://localhost:1/token: no answer"):
        fetch_access_token(msgspec.structs.replace(running, url="https://localhost:1"), "s", NOW_S)


def test_a_simulator_whose_certificate_is_of_another_ca_gets_no_assertion(
    running: RunningSimulator, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(make_server_certificate(("localhost",), NOW_S).ca)
    with pytest.raises(TokenRefusedError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch_access_token(msgspec.structs.replace(running, ca_file=str(path)), "s", NOW_S)


def test_lenient_authentication_gives_tokens_too(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory("--auth", "lenient") as simulator:
        assert run(state_dir_of(simulator)).returncode == 0
        assert send_status(simulator, "anything") == 200
