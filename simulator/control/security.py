"""Who may talk to the control plane: checked before any route is looked up.

- Host: a loopback name or the configured host; so that a web page whose name is rebound to 127.0.0.1 is refused. Off
  loopback a literal address is taken as well, since rebinding needs a name.
- Origin, where a browser sends it: the same host and port as Host; so that pages of other sites can change nothing.
  Browsers send it with every POST, PUT and DELETE to another origin.
- Bearer token: required off loopback, and wherever one is set; but not for the two health probes, which tell nothing.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from simulator.control.problems import Problem, problem_response
from simulator.errors import SettingsError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PROBE_PATHS = frozenset({"/livez", "/readyz"})
BEARER_TOKEN_CHARACTERS_MIN = 16


@dataclass(frozen=True, slots=True)
class ControlAccess:
    """How the control plane is listened to.

    `host`: the address or name that it is bound to. `host_names`: further names it is reached by. `bearer_token`: None
    on loopback only. Raises `SettingsError` otherwise, or for a token too short to be a secret.
    """

    host: str = "127.0.0.1"
    bearer_token: str | None = None
    host_names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        token = self.bearer_token
        if token is None:
            if not self.on_loopback:
                raise SettingsError(
                    "--control-host",
                    self.host,
                    "it is not a loopback address, so set a bearer token too, or listen on 127.0.0.1",
                )
        elif len(token) < BEARER_TOKEN_CHARACTERS_MIN or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError(
                "the bearer token of the control plane",
                "(not shown)",
                f"it must be {BEARER_TOKEN_CHARACTERS_MIN} printable ASCII characters or more, without blanks",
            )

    @property
    def on_loopback(self) -> bool:
        """Only this machine can connect."""
        host = self.host.lower().strip("[]")
        return host == "localhost" or _is_loopback_address(host)

    def takes_host(self, name: str) -> bool:
        """Whether a name (lower-case, no port, no brackets) may stand in the Host field."""
        if name in LOOPBACK_NAMES or name == self.host.lower().strip("[]"):
            return True
        return name in self.host_names or (not self.on_loopback and _is_address(name))


class SecurityGate:
    """ASGI middleware that answers what must not come in, and hands on the rest."""

    def __init__(self, app: ASGIApp, access: ControlAccess) -> None:
        self._app = app
        self._access = access
        self._authorization = None if access.bearer_token is None else access.bearer_token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            refusal = self._refusal(headers, scope["path"])
            if refusal is not None:
                problem, message = refusal
                challenge = {"www-authenticate": "Bearer"} if problem is Problem.UNAUTHORIZED else None
                await problem_response(problem, message, challenge)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> tuple[Problem, str] | None:
        authority = _authority(headers.getlist("host"))
        if authority is None or not self._access.takes_host(authority[0]):
            return Problem.HOST_REFUSED, (
                f"Host {_shown(headers.get('host'))} is not this simulator; use localhost, 127.0.0.1 or [::1], "
                f"or the host it was told to listen on ({self._access.host})"
            )
        for origin in headers.getlist("origin"):
            if _origin_authority(origin) != authority:
                return Problem.ORIGIN_REFUSED, (
                    f"Origin {_shown(origin)} is not this simulator ({_shown(headers.get('host'))}); only its own pages "
                    "may call this API from a browser; other programs send no Origin field"
                )
        if self._authorization is not None and path not in PROBE_PATHS:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            known = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._authorization)
            if scheme.lower() != "bearer" or not known:
                return Problem.UNAUTHORIZED, (
                    "this control plane wants `Authorization: Bearer <token>` with the token it was started with"
                )
        return None


def _authority(hosts: Iterable[str]) -> tuple[str, int | None] | None:
    """Name (lower-case, no brackets) and port of the only Host field; None when it is missing, repeated or malformed."""
    values = list(hosts)
    if len(values) != 1 or not values[0] or set(values[0]) & set("/?#@\\ "):
        return None
    return _split(f"http://{values[0]}")


def _origin_authority(origin: str) -> tuple[str, int | None] | None:
    return _split(origin) if origin.startswith(("http://", "https://")) else None


def _split(url: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if not parts.hostname else (parts.hostname, port)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback_address(name: str) -> bool:
    return _is_address(name) and ip_address(name).is_loopback


def _shown(value: str | None) -> str:
    return "(none)" if value is None else repr(value[:80])
