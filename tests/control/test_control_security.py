"""Who may talk to the control plane: Host, Origin and bearer token."""

from collections.abc import Iterator

import pytest

from simulator.control.security import BEARER_TOKEN_CHARACTERS_MIN, ControlAccess
from simulator.errors import SettingsError
from tests.control.control_server import ControlServer

BEARER_TOKEN = "correct-horse-battery"  # made up
AUTHORIZED = {"Authorization": f"Bearer {BEARER_TOKEN}"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[ControlServer]:
    """A control plane told to listen off loopback (the tests still reach it there)."""
    access = ControlAccess("0.0.0.0", BEARER_TOKEN, frozenset({"rig.example"}))
    with ControlServer(access) as server:
        yield server


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
@pytest.mark.parametrize("port", ["", ":8080"])
def test_loopback_names_are_taken(control: ControlServer, name: str, port: str) -> None:
    assert control.call("GET", "/livez", headers={"Host": name + port}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "192.0.2.7", "localhost@evil.example", "evil.example#localhost", "", "[::1",
     "localhost:port", "127.0.0.1 evil", "0.0.0.0", "2130706433"],
)  # fmt: skip
def test_other_hosts_are_refused(control: ControlServer, host: str) -> None:
    assert control.call("GET", "/api/v1/stats", headers={"Host": host}).problem == (403, "host_refused")


def test_a_page_of_the_same_origin_may_call(control: ControlServer) -> None:
    headers = {"Host": "localhost:8080", "Origin": "http://localhost:8080"}
    assert control.call("POST", "/api/v1/reset", headers=headers).status == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:3000", "http://localhost", "null", "", "http://127.0.0.1:8080",
     "file://localhost:8080", "http://localhost:8080x"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_origins_are_refused(control: ControlServer, origin: str, method: str) -> None:
    headers = {"Host": "localhost:8080", "Origin": origin}
    assert control.call(method, "/api/v1/reset", headers=headers).problem == (403, "origin_refused")


def test_the_right_bearer_token_lets_in(guarded: ControlServer) -> None:
    assert guarded.call("GET", "/api/v1/stats", headers=AUTHORIZED).status == 200
    assert guarded.call("GET", "/metrics", headers={"Authorization": f"bearer  {BEARER_TOKEN}"}).status == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", f"Bearer {BEARER_TOKEN}x", f"Bearer {BEARER_TOKEN[:-1]}", f"Basic {BEARER_TOKEN}", BEARER_TOKEN,
     "Bearer ü"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/stats", "/metrics", "/nowhere", "/api/v1/openapi.json"])
def test_without_the_right_bearer_token_nothing_is_told(
    guarded: ControlServer, authorization: str | None, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    reply = guarded.call("GET", path, headers=headers)
    assert reply.problem == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_need_no_bearer_token(guarded: ControlServer, path: str) -> None:
    assert guarded.call("GET", path).status == 200


@pytest.mark.parametrize(("host", "status"), [("rig.example", 200), ("192.0.2.7", 200), ("evil.example", 403)])
def test_off_loopback_configured_names_and_addresses_are_taken(guarded: ControlServer, host: str, status: int) -> None:
    assert guarded.call("GET", "/livez", headers={"Host": f"{host}:8080"}).status == status


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "rig.example", "::", ""])
def test_listening_off_loopback_without_a_token_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="bearer token"):
        ControlAccess(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.3.4.5"])
def test_loopback_needs_no_token(host: str) -> None:
    assert ControlAccess(host).on_loopback


@pytest.mark.parametrize("token", ["", "x" * (BEARER_TOKEN_CHARACTERS_MIN - 1), "ü" * 20, "with a blank in the middle"])
def test_a_token_that_is_no_secret_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ControlAccess("127.0.0.1", token)
    assert not token or token not in str(refused.value)
