"""How much a peer may ask for beside requests, before it has to do some useful work: bounds against floods of frames.

A frame of a few bytes that is cheap to send and costs its reader something (an answer, a stream opened for nothing, a header
table turned over) is an attack once it comes without end: CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316,
CVE-2025-8671. No single one of them is wrong, so each kind has an allowance, which fills again with requests completed and
with time passed. Clients that work never see the bottom of one. Who does, fails with ENHANCE_YOUR_CALM (RFC 9113, 10.5).

Nothing here is asked for HEADERS and DATA that make up requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum, unique

from wire import frames
from wire.errors import ErrorCode, RemoteProtocolError

# Work that fills an empty allowance: so many requests completed. A second counts as a hundred of them, so that ten seconds
# of patience do the same: who resets a thousand streams each time they run out of 5 s stays within bounds for ever.
WORK_TO_FILL = 1_000
WORK_OF_A_SECOND = 100


@unique
class Allowance(IntEnum):
    """The kinds, each with the field of `WireLimits` that says how large it is."""

    RESETS = 0
    SETTINGS = 1
    PINGS = 2
    EMPTY_DATA = 3
    WINDOW_UPDATES = 4
    IGNORED_FRAMES = 5
    CONTINUATIONS = 6
    TABLE_INSERTIONS = 7
    LARGE_HEADER_LISTS = 8

    @property
    def limit(self) -> str:
        """Name of the bound."""
        return f"{self.name.lower()}_max"


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What a peer may do on one connection. The first nine are allowances, the others bounds of one header block."""

    # Streams ended by RST_STREAM, of either side: of the peer (rapid reset), or of this end since the peer made it so. Two
    # whole limits of 1,000 streams, each stream timed out. nghttp2 takes 1,000 and 33 a second.
    resets_max: int = 2_000
    # SETTINGS with or without ACK. Real clients send two; each may move the windows of all streams.
    settings_max: int = 200
    # PING with or without ACK. Pushy sends one a minute, Go one in 15 s. Two a request leave room for one beside each.
    pings_max: int = 2_000
    # DATA that carry nothing and end nothing. Sane clients send none at all, some one in front of a body.
    empty_data_max: int = 1_000
    # Real clients send two for each answer with a body, one for the stream and one for the connection: twice that.
    window_updates_max: int = 4_000
    # PRIORITY, further GOAWAYs, types that nobody knows: read and passed over. Old browsers sent a PRIORITY a stream.
    ignored_frames_max: int = 1_000
    # CONTINUATION of all blocks. A full list in the smallest pieces that some test client makes has four.
    continuations_max: int = 4_000
    # Fields put into the header table. Requests have a dozen, and those that stay the same are put there once.
    table_insertions_max: int = 20_000
    # Requests answered 431. Reading one costs up to as much as ten others.
    large_header_lists_max: int = 1_000
    # One block over all its CONTINUATION frames: twice the largest list that an end takes unless told otherwise.
    header_block_bytes_max: int = 131_072
    # Of one block, empty ones too: 64 frames of the least MAX_FRAME_SIZE hold eight such blocks.
    header_block_continuations_max: int = 64
    # Of a list that is too large already: decoded for the table's sake and dropped. A list of 8,000 bytes holds 250.
    header_fields_dropped_max: int = 1_000

    def allowances(self) -> list[int]:
        """The sizes in the order of `Allowance`."""
        return [getattr(self, each.limit) for each in Allowance]


# For an end that trusts its peer to be slow, odd or broken, but not to attack: the client's.
TRUSTING = WireLimits(**{field.name: 1 << 53 for field in fields(WireLimits)[: len(Allowance)]})

_ALLOWANCE_OF_FRAME: Mapping[int, Allowance] = {
    frames.RST_STREAM: Allowance.RESETS,
    frames.SETTINGS: Allowance.SETTINGS,
    frames.PING: Allowance.PINGS,
    frames.WINDOW_UPDATE: Allowance.WINDOW_UPDATES,
    frames.CONTINUATION: Allowance.CONTINUATIONS,
}


class Budget:
    """What is left to one peer of each allowance. `work`: all it has done so far; to be added to."""

    __slots__ = ("_filled_at", "_left", "_sizes", "work")

    def __init__(self, limits: WireLimits) -> None:
        self.work = 0.0
        self._sizes = limits.allowances()
        self._left = self._sizes.copy()
        self._filled_at = [0.0] * len(self._sizes)

    def pass_time(self, passed_s: float) -> None:
        """So much time has passed since the last call."""
        self.work += passed_s * WORK_OF_A_SECOND

    def spend_frame(self, kind: int) -> None:
        """A frame came that is neither HEADERS nor DATA. Raises RemoteProtocolError when its allowance is used up."""
        self.spend(_ALLOWANCE_OF_FRAME.get(kind, Allowance.IGNORED_FRAMES))

    def spend(self, allowance: Allowance, count: int = 1) -> None:
        """Take `count` of an allowance. Raises RemoteProtocolError when it is used up."""
        left = self._left[allowance] - count
        if left < 0:
            # Filled only now that it is empty: cheaper than at each frame, and at most twice as generous.
            gained = (self.work - self._filled_at[allowance]) / WORK_TO_FILL
            self._filled_at[allowance] = self.work
            left += int(min(1.0, max(0.0, gained)) * self._sizes[allowance])
            if left < 0:
                raise too_much(allowance.limit, self._sizes[allowance])
        self._left[allowance] = left


def too_much(limit: str, size: int) -> RemoteProtocolError:
    """The connection error for a bound that the peer has reached. `limit`: its name."""
    return RemoteProtocolError(ErrorCode.ENHANCE_YOUR_CALM, f"{limit} {size} is reached (10.5)", limit=limit)
