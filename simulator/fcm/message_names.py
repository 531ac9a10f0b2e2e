"""The names that FCM gives to accepted messages, and the answer with one (B4). Pure: chance and time are passed in."""

from collections.abc import Callable
from typing import Final

IDS_PER_BLOCK: Final = 256
"""How many identifiers are made at a time: one call for random bytes serves so many answers."""

FAKE_MESSAGE_ID: Final = b"fake_message_id"
"""For `validate_only`, whatever the target."""

_DIGITS_PER_PIECE: Final = 16
_NUMBER_MAX: Final = 0x7FFF_FFFF_FFFF_FFFF


class MessageIds:
    """Makes identifiers in the three forms seen. How many digits vary in each is not documented [choice]."""

    __slots__ = ("_at_s", "_random_bytes", "_ready", "_start")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """`random_bytes`: makes so many random bytes, as `os.urandom` does."""
        self._random_bytes = random_bytes
        self._ready: list[bytes] = []
        self._at_s = -1.0
        self._start = b""  # of those for Android at that instant: most are made many at a time

    def for_android(self, now_s: float) -> bytes:
        """`0:<16-digit micros>%<hex>`; also for the web [choice]. `now_s`: seconds since the Unix epoch."""
        if now_s != self._at_s:
            self._at_s, self._start = now_s, b"0:%016d%%" % int(now_s * 1_000_000)
        if not self._ready:
            self._refill()
        return self._start + self._ready.pop()

    def for_ios(self) -> bytes:
        """Like a UUID, in lower case [choice]."""
        first, second = self._digits(), self._digits()
        return b"-".join((first[:8], first[8:12], first[12:], second[:4], second[4:]))

    def for_topic(self) -> bytes:
        """A number, for topics and conditions."""
        return b"%d" % (int(self._digits(), 16) & _NUMBER_MAX)

    def _digits(self) -> bytes:
        """Hexadecimal digits that no other identifier has."""
        if not self._ready:
            self._refill()
        return self._ready.pop()

    def _refill(self) -> None:
        block = self._random_bytes(_DIGITS_PER_PIECE // 2 * IDS_PER_BLOCK).hex().encode()
        self._ready = [block[at : at + _DIGITS_PER_PIECE] for at in range(0, len(block), _DIGITS_PER_PIECE)]


class AcceptedBodies:
    """The bodies of 200s of one project."""

    __slots__ = ("_start",)

    def __init__(self, project_id: bytes) -> None:
        self._start = b'{\n  "name": "projects/%b/messages/' % project_id

    def of(self, message_id: bytes, pretty: bool = True) -> bytes:
        """The body that names a message. Not pretty: as compact JSON."""
        if pretty:
            return self._start + message_id + b'"\n}\n'
        return b'{"name":"' + self._start[13:] + message_id + b'"}'
