"""SETTINGS (RFC 9113, section 6.5): values in force, values on their way, and which values are allowed."""

import struct
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
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
# SETTINGS of this end that the peer has not acknowledged; more cannot be announced until it does.
SETTINGS_UNACKNOWLEDGED_MAX = 64


@dataclass(slots=True)
class Settings:
    """The values that one end has announced and that bind the other. Starts with the RFC's initial values."""

    header_table_bytes: int = HEADER_TABLE_BYTES_DEFAULT
    push_enabled: bool = True
    streams_max: int = UNLIMITED
    window_bytes: int = WINDOW_BYTES_DEFAULT
    frame_bytes_max: int = FRAME_BYTES_DEFAULT
    header_list_bytes_max: int = UNLIMITED

    def apply(self, changed: Mapping[int, int]) -> None:
        """Take over new values; unknown codes are ignored (section 6.5.2)."""
        self.header_table_bytes = changed.get(HEADER_TABLE_SIZE, self.header_table_bytes)
        self.push_enabled = bool(changed.get(ENABLE_PUSH, self.push_enabled))
        self.streams_max = changed.get(MAX_CONCURRENT_STREAMS, self.streams_max)
        self.window_bytes = changed.get(INITIAL_WINDOW_SIZE, self.window_bytes)
        self.frame_bytes_max = changed.get(MAX_FRAME_SIZE, self.frame_bytes_max)
        self.header_list_bytes_max = changed.get(MAX_HEADER_LIST_SIZE, self.header_list_bytes_max)


class Announced:
    """What this end has announced. The peer acknowledges in order, and until then may act on old values as on new ones.

    `in_force`: what it has acknowledged. `frame_bytes_max`, `window_bytes_max`, `header_table_bytes_max`: the largest values
    that it may act on now.
    """

    def __init__(self) -> None:
        self.in_force = Settings()
        self._unacknowledged: deque[dict[int, int]] = deque()
        self._widen()

    def announce(self, changed: Mapping[int, int]) -> None:
        """Note new values as on their way. Raises LocalProtocolError when they may not be announced, or not now."""
        if len(self._unacknowledged) >= SETTINGS_UNACKNOWLEDGED_MAX:
            raise LocalProtocolError(f"the peer has not acknowledged the last {SETTINGS_UNACKNOWLEDGED_MAX} SETTINGS")
        if not all(0 <= code < 1 << 16 and 0 <= value < 1 << 32 for code, value in changed.items()):
            raise LocalProtocolError(f"settings are codes of 16 bits with values of 32 bits, not {dict(changed)}")
        fault = values_fault(changed.items())
        if fault is not None or changed.get(ENABLE_PUSH):
            why = f"{fault[1] if fault else 'no end here takes pushes'}; `send_raw` can play such a peer"
            raise LocalProtocolError(f"these SETTINGS cannot be announced: {why}")
        self._unacknowledged.append(dict(changed))
        self._widen()

    def acknowledge(self) -> dict[int, int]:
        """The peer has acknowledged the oldest values still open: they are in force. Nothing was open: {}."""
        changed = self._unacknowledged.popleft() if self._unacknowledged else {}
        self.in_force.apply(changed)
        self._widen()
        return changed

    def on_their_way(self, code: int) -> list[int]:
        """The values of one setting that the peer has not acknowledged, oldest first."""
        return [changed[code] for changed in self._unacknowledged if code in changed]

    def _widen(self) -> None:
        in_force = self.in_force
        self.frame_bytes_max = max(in_force.frame_bytes_max, *self.on_their_way(MAX_FRAME_SIZE), 0)
        self.window_bytes_max = max(in_force.window_bytes, *self.on_their_way(INITIAL_WINDOW_SIZE), 0)
        self.header_table_bytes_max = max(in_force.header_table_bytes, *self.on_their_way(HEADER_TABLE_SIZE), 0)


def values_fault(entries: Iterable[tuple[int, int]]) -> tuple[ErrorCode, str] | None:
    """The first value that section 6.5.2 forbids, as error code and words; None when all are allowed."""
    for code, value in entries:
        if code == ENABLE_PUSH and value > 1:
            return ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH {value}, neither 0 nor 1 (6.5.2)"
        if code == INITIAL_WINDOW_SIZE and value > WINDOW_BYTES_MAX:
            return ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE {value} over 2^31-1 (6.5.2)"
        if code == MAX_FRAME_SIZE and not FRAME_BYTES_DEFAULT <= value <= FRAME_BYTES_MAX:
            return ErrorCode.PROTOCOL_ERROR, f"MAX_FRAME_SIZE {value} outside 2^14..2^24-1 (6.5.2)"
    return None


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """The entries of a SETTINGS payload in their order: a repeated code counts each time (6.5.3). Raises
    RemoteProtocolError (section 6.5)."""
    if len(payload) % 6:
        raise RemoteProtocolError(
            ErrorCode.FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes, not a multiple of 6 (6.5)"
        )
    if len(payload) > 6 * SETTINGS_ENTRIES_MAX:
        raise RemoteProtocolError(
            ErrorCode.ENHANCE_YOUR_CALM, f"SETTINGS with more than {SETTINGS_ENTRIES_MAX} entries in one frame"
        )
    entries = list(struct.iter_unpack(">HI", payload))
    if (fault := values_fault(entries)) is not None:
        raise RemoteProtocolError(*fault)
    return entries
