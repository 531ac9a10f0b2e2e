"""Messages to topics and conditions on their way to who follows them: accepted at once, delivered slice by slice.

FCM answers before it delivers, and so does this: a topic of a million registrations holds up nobody. The shell asks for the
next slice whenever the event loop has time.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from simulator.fcm.message import SendRequest
from wire.request import Request

FAN_OUTS_WAITING_MAX: Final = 10_000
"""Ours: messages accepted and not yet delivered. FCM's own bound, where its rates are kept, is 1,000."""

BODY_BYTES_WAITING_MAX: Final = 1 << 26
"""Ours: of the bodies of all these, one more or less. Usual ones have some KB; what makes a large one so is kept as well."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """One message. `registrations`: slices of the keys of who gets it. The rest is for the journal."""

    send: SendRequest
    registrations: Iterator[list[bytes]]
    request: Request
    message_id: bytes
    connection_id: int


class FanOuts:
    """Those of one simulator, first come, first served. `len()`: how many wait or are under way."""

    __slots__ = ("_body_bytes", "_body_bytes_max", "_rest", "_waiting", "_waiting_max")

    def __init__(self, waiting_max: int = FAN_OUTS_WAITING_MAX, body_bytes_max: int = BODY_BYTES_WAITING_MAX) -> None:
        self._waiting: deque[FanOut] = deque()
        self._waiting_max = waiting_max
        self._body_bytes = 0
        self._body_bytes_max = body_bytes_max
        self._rest: list[bytes] = []  # of the last slice

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """No further one is taken."""
        return len(self._waiting) >= self._waiting_max or self._body_bytes >= self._body_bytes_max

    def add(self, fan_out: FanOut) -> None:
        """Take one more; see `full`."""
        assert not self.full
        self._waiting.append(fan_out)
        self._body_bytes += len(fan_out.request.body)

    def next_slice(self) -> tuple[FanOut, list[bytes]] | None:
        """The next registrations of the message that came first, which may be none at all; None when nothing waits."""
        while self._waiting:
            fan_out = self._waiting[0]
            registrations: list[bytes] | None = self._rest
            self._rest = []
            if not registrations:
                registrations = next(fan_out.registrations, None)
            if registrations is not None:
                return fan_out, registrations
            self._body_bytes -= len(self._waiting.popleft().request.body)
        return None

    def put_back(self, registrations: list[bytes]) -> None:
        """The rest of the slice that was just given out: the next one."""
        self._rest = registrations

    def clear(self) -> None:
        """Deliver no more of what waits."""
        self._waiting.clear()
        self._rest = []
        self._body_bytes = 0
