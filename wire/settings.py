"""SETTINGS of one end (RFC 9113, section 6.5): values in force, defaults, and which values are allowed."""

import struct
from dataclasses import dataclass

from wire.errors import ErrorCode, RemoteProtocolError
from wire.frames import (
    ENABLE_PUSH,
    FRAME_BYTES_DEFAULT,
    FRAME_BYTES_MAX,
    HEADER_TABLE_BYTES_DEFAULT,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    WINDOW_BYTES_DEFAULT,
    WINDOW_BYTES_MAX,
)

UNLIMITED = 2**32 - 1
# One SETTINGS frame is no place for more entries than this: six are known, and unknown ones are ignored (section 6.5.2).
SETTINGS_ENTRIES_MAX = 64


@dataclass(slots=True)
class Settings:
    """The values that one end has announced and that bind the other. Starts with the RFC's initial values."""

    header_table_bytes: int = HEADER_TABLE_BYTES_DEFAULT
    push_enabled: bool = True
    streams_max: int = UNLIMITED
    window_bytes: int = WINDOW_BYTES_DEFAULT
    frame_bytes_max: int = FRAME_BYTES_DEFAULT
    header_list_bytes_max: int = UNLIMITED

    def apply(self, changed: dict[int, int]) -> None:
        """Take over new values; unknown codes are ignored (section 6.5.2)."""
        self.header_table_bytes = changed.get(HEADER_TABLE_SIZE, self.header_table_bytes)
        self.push_enabled = bool(changed.get(ENABLE_PUSH, self.push_enabled))
        self.streams_max = changed.get(MAX_CONCURRENT_STREAMS, self.streams_max)
        self.window_bytes = changed.get(INITIAL_WINDOW_SIZE, self.window_bytes)
        self.frame_bytes_max = changed.get(MAX_FRAME_SIZE, self.frame_bytes_max)
        self.header_list_bytes_max = changed.get(MAX_HEADER_LIST_SIZE, self.header_list_bytes_max)


def read_settings(payload: bytes) -> dict[int, int]:
    """The entries of a SETTINGS payload; of a repeated code the last. Raises RemoteProtocolError (section 6.5)."""
    if len(payload) % 6:
        raise RemoteProtocolError(
            ErrorCode.FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes, not a multiple of 6 (6.5)"
        )
    if len(payload) > 6 * SETTINGS_ENTRIES_MAX:
        raise RemoteProtocolError(
            ErrorCode.ENHANCE_YOUR_CALM, f"SETTINGS with more than {SETTINGS_ENTRIES_MAX} entries in one frame"
        )
    changed: dict[int, int] = {}
    for code, value in struct.iter_unpack(">HI", payload):
        if code == ENABLE_PUSH and value > 1:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH {value}, neither 0 nor 1 (6.5.2)")
        if code == INITIAL_WINDOW_SIZE and value > WINDOW_BYTES_MAX:
            raise RemoteProtocolError(ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE {value} over 2^31-1 (6.5.2)")
        if code == MAX_FRAME_SIZE and not FRAME_BYTES_DEFAULT <= value <= FRAME_BYTES_MAX:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, f"MAX_FRAME_SIZE {value} outside 2^14..2^24-1 (6.5.2)")
        changed[code] = value
    return changed
