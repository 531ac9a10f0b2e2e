"""Everything that can go wrong on an HTTP/2 connection, as one tree.

    WireError
    ├── LocalProtocolError    this program asked for something the protocol or the peer's limits forbid
    └── RemoteProtocolError   the peer broke the protocol; `code` is what the GOAWAY carries

Faults of one stream are values (a RST_STREAM is queued and an event says so), since the connection goes on.
"""

from enum import IntEnum, unique


@unique
class ErrorCode(IntEnum):
    """Error codes of RST_STREAM and GOAWAY (RFC 9113, section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


def code_name(code: int) -> str:
    """The RFC's name of an error code, or its number in hexadecimal when the RFC names none."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"{code:#x}"


class WireError(Exception):
    """Any error of this package."""


class LocalProtocolError(WireError):
    """This end was asked to do what the protocol forbids; nothing was sent."""


class RemoteProtocolError(WireError):
    """The peer broke the protocol. `code`: ErrorCode of the GOAWAY sent; `message`: what it did, and the RFC's section.

    `limit`: the name of the bound that it reached, for a peer that did what is allowed too often or too much.
    """

    def __init__(self, code: ErrorCode, message: str, *, limit: str | None = None) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code, self.message, self.limit = code, message, limit
