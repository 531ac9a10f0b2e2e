"""Frames of HTTP/2 (RFC 9113, sections 4 and 6): names, numbers, and functions that write each kind.

All functions are pure and return whole frames, header included. Reading is done in place by the connections.
"""

import struct
from collections.abc import Iterable, Mapping

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Length (high byte, low two bytes), type, flags, stream id with its reserved bit.
FRAME_HEADER = struct.Struct(">BHBBI")
FRAME_HEADER_BYTES = 9

# Frame types, section 6.
DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

FRAME_NAMES: Mapping[int, str] = {
    DATA: "DATA",
    HEADERS: "HEADERS",
    PRIORITY: "PRIORITY",
    RST_STREAM: "RST_STREAM",
    SETTINGS: "SETTINGS",
    PUSH_PROMISE: "PUSH_PROMISE",
    PING: "PING",
    GOAWAY: "GOAWAY",
    WINDOW_UPDATE: "WINDOW_UPDATE",
    CONTINUATION: "CONTINUATION",
}

# Flags, section 6.
END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20

# Settings, section 6.5.2.
HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6

STREAM_ID_MAX = 2**31 - 1
WINDOW_BYTES_MAX = 2**31 - 1  # section 6.9.1
WINDOW_BYTES_DEFAULT = 65_535  # section 6.9.2
FRAME_BYTES_DEFAULT = 16_384  # section 4.2, the least a peer must take
FRAME_BYTES_MAX = 2**24 - 1
HEADER_TABLE_BYTES_DEFAULT = 4_096  # section 6.5.2


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame, also one that breaks the rules: faults are played with it. `payload` up to FRAME_BYTES_MAX bytes."""
    size = len(payload)
    return FRAME_HEADER.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


def settings_frame(settings: Mapping[int, int]) -> bytes:
    """SETTINGS with one entry per item, in the order given (section 6.5)."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", code, value) for code, value in settings.items()))


SETTINGS_ACK = frame(SETTINGS, ACK, 0)


def ping_frame(opaque: bytes, *, ack: bool = False) -> bytes:
    """PING; `opaque` is 8 bytes (section 6.7)."""
    return frame(PING, ACK if ack else 0, 0, opaque)


def goaway_frame(last_stream_id: int, code: int, debug: bytes = b"") -> bytes:
    """GOAWAY (section 6.8). `debug`: whatever helps a reader, for APNs a JSON object with `reason`."""
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream_id, code) + debug)


def rst_stream_frame(stream_id: int, code: int) -> bytes:
    """RST_STREAM (section 6.4)."""
    return frame(RST_STREAM, 0, stream_id, struct.pack(">I", code))


def window_update_frame(stream_id: int, increment: int) -> bytes:
    """WINDOW_UPDATE (section 6.9); stream 0 is the connection, `increment` 1 to WINDOW_BYTES_MAX."""
    return frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", increment))


def headers_frames(stream_id: int, block: bytes, *, end_stream: bool, frame_bytes_max: int) -> Iterable[bytes]:
    """A header block as HEADERS, followed by as many CONTINUATION frames as its length needs (sections 6.2, 6.10)."""
    flags = END_STREAM if end_stream else 0
    kind = HEADERS
    for start in range(0, len(block) or 1, frame_bytes_max):
        if start + frame_bytes_max >= len(block):
            flags |= END_HEADERS
        yield frame(kind, flags, stream_id, block[start : start + frame_bytes_max])
        kind, flags = CONTINUATION, 0
