"""What clients may do to one simulator: every bound of the provider port, its meaning, its least and its default.

`Limits` is the one list. It stands in the settings as `--limit NAME=VALUE` and as the table `[limits]` of the file, and a
test compares `docs/settings.md` with it. How often which bound was reached, `Counters.limits_reached` says under its name.
Each default leaves room for the most extreme sender we know of; `docs/attacks.md` has the reasons. The values are ours: Apple
publishes none, apart from the header list's.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, get_args

import msgspec

from wire.budget import Allowance, WireLimits

LIMIT_MAX = 2**31 - 1
_WIRE = WireLimits()


def _count(description: str) -> msgspec.Meta:
    return msgspec.Meta(ge=1, le=LIMIT_MAX, description=description)


def _seconds(description: str) -> msgspec.Meta:
    return msgspec.Meta(gt=0, le=31_536_000, description=description)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one simulator, checked. Counts are whole numbers, times are seconds."""

    # The sockets.

    # asyncio's TLS holds some 290 KB for each; more want a larger limit of file descriptors anyway.
    connections_max: Annotated[int, _count("Connections open at a time; the newest is closed.")] = 10_000
    # Ten times what a fleet of Locust workers opens at once; a real one takes milliseconds.
    handshakes_pending_max: Annotated[
        int, _count("Connections accepted whose TLS handshake has not ended; the oldest is cut.")
    ] = 1_000
    # A round trip or two, across the world and with packets lost.
    handshake_timeout_s: Annotated[
        float, _seconds("For the TLS handshake, and as long again for preface and SETTINGS.")
    ] = 10.0
    # As long as the most patient sender waits for an answer (Go's apns2).
    request_timeout_s: Annotated[
        float, _seconds("For a frame, header block or request once begun; at most twice it.")
    ] = 60.0
    # The same patience with a client that does not read.
    unread_timeout_s: Annotated[float, _seconds("For a client to read, or open a window for, what it is owed.")] = 60.0
    # Apple says that a PING an hour keeps a connection open.
    idle_timeout_s: Annotated[float, _seconds("Without a byte from the client; then GOAWAY `IdleTimeout`.")] = 7_200.0
    # 10,000 answers.
    send_buffer_bytes_max: Annotated[
        int, _count("Unread answers of one connection; above it nothing is read from that client.")
    ] = 1 << 20

    # One header block. Apple announces 8,000.

    header_list_bytes_max: Annotated[int, _count("Fields of one request, as announced: 431 above it.")] = 8_000
    header_block_bytes_max: Annotated[int, _count("One header block over all its CONTINUATION frames.")] = (
        _WIRE.header_block_bytes_max
    )
    header_block_continuations_max: Annotated[int, _count("CONTINUATION frames of one header block.")] = (
        _WIRE.header_block_continuations_max
    )
    header_fields_dropped_max: Annotated[int, _count("Fields decoded beyond the header list's bound.")] = (
        _WIRE.header_fields_dropped_max
    )

    # One connection, until requests completed or time passed fill them again.

    resets_max: Annotated[int, _count("Streams ended by RST_STREAM, of either side.")] = _WIRE.resets_max
    settings_max: Annotated[int, _count("SETTINGS frames.")] = _WIRE.settings_max
    pings_max: Annotated[int, _count("PING frames.")] = _WIRE.pings_max
    empty_data_max: Annotated[int, _count("DATA frames that carry and end nothing.")] = _WIRE.empty_data_max
    window_updates_max: Annotated[int, _count("WINDOW_UPDATE frames.")] = _WIRE.window_updates_max
    ignored_frames_max: Annotated[int, _count("PRIORITY, GOAWAY and frames of unknown types.")] = (
        _WIRE.ignored_frames_max
    )
    continuations_max: Annotated[int, _count("CONTINUATION frames of all header blocks.")] = _WIRE.continuations_max
    table_insertions_max: Annotated[int, _count("Fields put into the header table.")] = _WIRE.table_insertions_max
    large_header_lists_max: Annotated[int, _count("Header lists over their bound.")] = _WIRE.large_header_lists_max

    def of_wire(self) -> WireLimits:
        """The part that `wire` keeps."""
        return WireLimits(**{field.name: getattr(self, field.name) for field in fields(WireLimits)})


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit as documentation shows it. `refills`: with requests completed and time passed."""

    name: str
    description: str
    default: int | float
    refills: bool
    annotation: object


def _rows() -> dict[str, LimitRow]:
    refilling = {allowance.limit for allowance in Allowance}
    return {
        field.name: LimitRow(
            field.name, get_args(field.type)[-1].description, field.default, field.name in refilling, field.type
        )
        for field in msgspec.structs.fields(Limits)
    }


LIMITS: Mapping[str, LimitRow] = types.MappingProxyType(_rows())
