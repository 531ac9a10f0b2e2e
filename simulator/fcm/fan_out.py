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
"""Ours: messages accepted and not yet delivered, a few KB each. FCM's own bound, where its rates are kept, is 1,000."""


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

    __slots__ = ("_waiting", "_waiting_max")

    def __init__(self, waiting_max: int = FAN_OUTS_WAITING_MAX) -> None:
        self._waiting: deque[FanOut] = deque()
        self._waiting_max = waiting_max

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """No further one is taken."""
        return len(self._waiting) >= self._waiting_max

    def add(self, fan_out: FanOut) -> None:
        """Take one more; see `full`."""
        assert not self.full
        self._waiting.append(fan_out)

    def next_slice(self) -> tuple[FanOut, list[bytes]] | None:
        """The next registrations of the message that came first, which may be none at all; None when nothing waits."""
        while self._waiting:
            fan_out = self._waiting[0]
            registrations = next(fan_out.registrations, None)
            if registrations is not None:
                return fan_out, registrations
            self._waiting.popleft()
        return None

    def clear(self) -> None:
        """Deliver no more of what waits."""
        self._waiting.clear()
