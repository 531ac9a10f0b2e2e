"""Which protocol a new connection speaks: by ALPN, by the host it came to, and else by its first bytes. Pure.

Apple's hosts offer `h2` alone. A client that finishes the handshake without it meets HTTP/2 all the same, as at Apple's.
Everywhere else HTTP/1.1 is offered too, and a client without ALPN is told apart by the preface of HTTP/2: some real clients
of APNs speak HTTP/2 without ALPN. Sources: A1; B1; design of the two planes.
"""

from enum import Enum, unique
from typing import Final

from simulator.host_owner import HostOwner

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, section 3.4."""

HTTP2_ONLY: Final = ("h2",)
BOTH: Final = ("h2", "http/1.1")


@unique
class Spoken(Enum):
    """What a connection speaks; `UNKNOWN`: too few bytes have come to tell."""

    HTTP2 = "HTTP/2"
    HTTP1 = "HTTP/1.1"
    UNKNOWN = "unknown"


def alpn_offer(owner: HostOwner | None) -> tuple[str, ...]:
    """The protocols to offer on a host, best first."""
    return HTTP2_ONLY if owner is HostOwner.APPLE else BOTH


def spoken_on(alpn: str | None, owner: HostOwner | None, first_bytes: bytes) -> Spoken:
    """What a connection speaks. `alpn`: as agreed upon; None: nothing was. `first_bytes`: from the client, so far."""
    if owner is HostOwner.APPLE or alpn == "h2":
        return Spoken.HTTP2
    if alpn == "http/1.1":
        return Spoken.HTTP1
    known = min(len(first_bytes), len(PREFACE))
    if first_bytes[:known] != PREFACE[:known]:
        return Spoken.HTTP1
    return Spoken.HTTP2 if known == len(PREFACE) else Spoken.UNKNOWN
