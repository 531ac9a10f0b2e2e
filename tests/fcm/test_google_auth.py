"""Google's own library gets its tokens here, unchanged: by the token endpoint, and signed by itself."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.auth import exceptions, transport
from google.oauth2 import service_account

from simulator.credentials import Credentials, load_or_create
from simulator.fcm.access_token import AccessTokens, Grant
from simulator.fcm.oauth import token_endpoint
from tests.fcm.service_account import CLOUD_PLATFORM, Chance
from wire.request import Head, Request

# Source: B8, scopes that the Admin SDK for Python sends.
SCOPES = [
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/datastore",
    "https://www.googleapis.com/auth/devstorage.read_write",
    "https://www.googleapis.com/auth/firebase",
    "https://www.googleapis.com/auth/identitytoolkit",
    "https://www.googleapis.com/auth/userinfo.email",
]


class Answered(transport.Response):
    """An answer of the endpoint in the library's form."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._status, self._headers, self._data = status, headers, data

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def data(self) -> bytes:
        return self._data


class Carried(transport.Request):
    """Carries the library's requests to the endpoint, without a network between. `posted`: where to."""

    def __init__(self, access: AccessTokens) -> None:
        self._access = access
        self.posted: list[str] = []

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Answered:
        self.posted.append(url)
        parts = urlsplit(url)
        fields = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", parts.netloc.encode())]
        fields += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        request = Request(1, Head(tuple(fields)), (parts.path.encode(), None), body or b"")
        answer = token_endpoint(request, self._access, time.time())
        told = {name.decode(): value.decode() for name, value in answer.fields}
        return Answered(answer.status, told, answer.body)


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    made = load_or_create(tmp_path / "state", time.time(), {})
    made.point_service_account_at("https://localhost:8443/token")
    return made


@pytest.fixture
def access(credentials: Credentials) -> AccessTokens:
    return AccessTokens(credentials.service_account(), lambda: 0.0, Chance())


def _held(credentials: Credentials, **changed: str) -> Any:
    info = json.loads(credentials.service_account_file.read_bytes()) | changed
    return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]


def test_it_gets_an_access_token_at_the_token_uri_of_the_file(credentials: Credentials, access: AccessTokens) -> None:
    carried, held = Carried(access), _held(credentials)
    held.refresh(carried)
    assert carried.posted == ["https://localhost:8443/token"]
    grant = access.grant_of(b"Bearer " + held.token.encode(), time.time())
    assert isinstance(grant, Grant)
    assert grant.scopes == frozenset(SCOPES)
    assert held.valid


def test_it_says_what_is_wrong_with_an_account_that_is_not_ours(credentials: Credentials, access: AccessTokens) -> None:
    held = _held(credentials, client_email="other@example.com")
    with pytest.raises(exceptions.RefreshError, match="account not found"):
        held.refresh(Carried(access))


@pytest.mark.parametrize("way", ["audience", "scope"])
def test_a_token_that_it_signs_itself_passes(credentials: Credentials, access: AccessTokens, way: str) -> None:
    carried, held = Carried(access), _held(credentials).with_always_use_jwt_access(True)
    if way == "audience":
        held = held.with_scopes(None)
        held._create_self_signed_jwt("https://fcm.googleapis.com/")
    else:
        held = held.with_scopes([CLOUD_PLATFORM])
        held._create_self_signed_jwt(None)
    held.refresh(carried)
    assert carried.posted == []
    assert isinstance(access.grant_of(b"Bearer " + held.token.encode(), time.time()), Grant)
