"""How long one connection of the provider port may take over what it has begun. Pure: the time is passed in.

The shell looks every second or so. Nothing is noted per request: streams are compared with the highest stream id of an
earlier look, so that one is found between one and two times its deadline, and a look costs the same with a thousand of them.
"""

from dataclasses import dataclass
from enum import Enum, unique

from simulator.limits import Limits
from wire.errors import ErrorCode
from wire.server import ServerConnection


@unique
class Overdue(Enum):
    """What a connection is ended for: the limit's name, then code and debug data of the GOAWAY [ours, but for the reason]."""

    GREETING = "handshake_timeout_s", ErrorCode.SETTINGS_TIMEOUT, b"no preface and SETTINGS in time"
    REQUEST = "request_timeout_s", ErrorCode.ENHANCE_YOUR_CALM, b"a frame or header block was not ended in time"
    UNREAD = "unread_timeout_s", ErrorCode.ENHANCE_YOUR_CALM, b""  # cut: nothing can reach a client that does not read
    IDLE = "idle_timeout_s", ErrorCode.NO_ERROR, b'{"reason":"IdleTimeout"}'

    def __init__(self, limit: str, code: ErrorCode, debug: bytes) -> None:
        self.limit, self.code, self.debug = limit, code, debug


@dataclass(slots=True)
class Since:
    """Something that should change, and since when it has not."""

    value: int | None
    at_s: float

    def stuck_s(self, value: int | None, now_s: float) -> float:
        """For how long it has been this value; None is no value, and never stuck."""
        if value is None or value != self.value:
            self.value, self.at_s = value, now_s
            return 0.0
        return now_s - self.at_s


class Deadlines:
    """Of one connection. `heard`: the shell sets it with each read. `now_s`: of any clock that only goes forward."""

    __slots__ = (
        "_block",
        "_frame",
        "_looked_s",
        "_receiving",
        "_sending",
        "_unread",
        "_wire",
        "heard",
        "heard_s",
        "opened_s",
    )

    def __init__(self, wire: ServerConnection, now_s: float) -> None:
        self.heard = False
        self.opened_s = self.heard_s = self._looked_s = now_s
        self._wire = wire
        self._frame = Since(None, now_s)
        self._block = Since(None, now_s)
        self._unread = Since(None, now_s)
        self._receiving = Since(0, now_s)
        self._sending = Since(0, now_s)

    def overdue(self, limits: Limits, now_s: float, unread_bytes: int | None) -> Overdue | None:
        """What the connection is to be ended for now, if anything.

        `unread_bytes`: what waits to be written, while the shell does not read because of it; else None.
        """
        wire = self._wire
        wire.budget.pass_time(now_s - self._looked_s)
        self._looked_s = now_s
        if self.heard:
            self.heard, self.heard_s = False, now_s
        if not wire.settings_received and now_s - self.opened_s >= limits.handshake_timeout_s:
            return Overdue.GREETING
        if self._unread.stuck_s(unread_bytes, now_s) >= limits.unread_timeout_s:
            return Overdue.UNREAD
        in_frame = 1 if wire.in_frame and not wire.moved and unread_bytes is None else None
        wire.moved = False
        if self._frame.stuck_s(in_frame, now_s) >= limits.request_timeout_s:
            return Overdue.REQUEST
        if self._block.stuck_s(wire.open_block, now_s) >= limits.request_timeout_s:
            return Overdue.REQUEST
        if now_s - self.heard_s >= limits.idle_timeout_s:
            return Overdue.IDLE
        return None

    def overdue_requests(self, limits: Limits, now_s: float) -> tuple[int, ...]:
        """Streams whose request has not come to its end in time."""
        before = self._passed(self._receiving, limits.request_timeout_s, now_s)
        return () if before is None else self._wire.receiving_up_to(before)

    def overdue_answers(self, limits: Limits, now_s: float) -> tuple[int, ...]:
        """Streams whose answer has waited too long for the client to open a window."""
        before = self._passed(self._sending, limits.unread_timeout_s, now_s)
        return () if before is None else self._wire.sending_up_to(before)

    def _passed(self, mark: Since, timeout_s: float, now_s: float) -> int | None:
        """The highest stream id of one timeout ago, when the next look at it is due."""
        if now_s - mark.at_s < timeout_s:
            return None
        before = mark.value
        mark.value, mark.at_s = self._wire.last_peer_stream_id, now_s
        return before
