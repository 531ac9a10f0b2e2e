"""How many connections a sender keeps, and how patiently it opens them again: options and pure rules."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sender.errors import SenderConfigurationError
from sender.lane import LaneOptions

CONNECTIONS_MAX = 64


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the provider is. `tls` False: HTTP/2 by prior knowledge in clear text."""

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """Value of `:authority`: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Read `https://host[:port]`, or `http://` for clear text. Raises SenderConfigurationError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SenderConfigurationError(f"the endpoint {url!r} is no URL: {error}") from None
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise SenderConfigurationError(
                f"the endpoint {url!r} must be https://HOST[:PORT] (or http:// for clear text)"
            )
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
            raise SenderConfigurationError(
                f"the endpoint {url!r} must name host and port alone; paths are the provider's own"
            )
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if tls else 80), tls)


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Shape of the pool.

    `connections`: kept open while there is work. `connect_timeout_s`: for TCP and TLS together. `settings_timeout_s`: how
    long a server may keep its first SETTINGS to itself. `stall_timeout_s`: without a single answer for so long the run ends.
    """

    connections: int = 4
    connect_timeout_s: float = 10.0
    settings_timeout_s: float = 10.0
    stall_timeout_s: float = 120.0
    reconnect_base_s: float = 0.2
    reconnect_max_s: float = 30.0
    lane: LaneOptions = field(default_factory=LaneOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= CONNECTIONS_MAX:
            raise SenderConfigurationError(f"connections must be 1 to {CONNECTIONS_MAX}, not {self.connections}")


def reconnect_pause_s(failures: int, options: PoolOptions, draw: float) -> float:
    """How long to wait before the next attempt after `failures` connections in a row that settled nothing.

    None failed: at once. `draw`: uniform in [0, 1), so that several connections do not come back together.
    """
    if failures <= 0:
        return 0.0
    full = min(options.reconnect_max_s, options.reconnect_base_s * 2.0 ** min(failures - 1, 30))
    return full * (0.5 + draw / 2)
