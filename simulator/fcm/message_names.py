"""The names that FCM gives to accepted messages, and the answer with one (B4). Pure: chance and time are passed in."""

from collections.abc import Callable
from typing import Final

IDS_PER_BLOCK: Final = 256
"""How many identifiers are made at a time: one call for random bytes serves so many answers."""

FAKE_MESSAGE_ID: Final = b"fake_message_id"
"""For `validate_only`, whatever the target."""

_DIGITS_PER_ID: Final = 32
_NUMBER_MAX: Final = 0x7FFF_FFFF_FFFF_FFFF


class MessageIds:
    """Makes identifiers in the three forms seen. How many digits vary in each is not documented [choice]."""

    __slots__ = ("_random_bytes", "_ready")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """`random_bytes`: makes so many random bytes, as `os.urandom` does."""
        self._random_bytes = random_bytes
        self._ready: list[bytes] = []

    def for_android(self, now_us: int) -> bytes:
        """`0:<16-digit micros>%<hex>`; also for the web [choice]. `now_us`: microseconds since the Unix epoch."""
        return b"0:%016d%%%b" % (now_us, self._digits()[:16])

    def for_ios(self) -> bytes:
        """Like a UUID, in lower case [choice]."""
        digits = self._digits()
        return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def for_topic(self) -> bytes:
        """A number, for topics and conditions."""
        return b"%d" % (int(self._digits()[:16], 16) & _NUMBER_MAX)

    def _digits(self) -> bytes:
        """Hexadecimal digits that no other identifier has."""
        if not self._ready:
            block = self._random_bytes(_DIGITS_PER_ID // 2 * IDS_PER_BLOCK).hex().encode()
            self._ready = [block[at : at + _DIGITS_PER_ID] for at in range(0, len(block), _DIGITS_PER_ID)]
        return self._ready.pop()


def accepted_body(project_id: bytes, message_id: bytes, *, pretty: bool = True) -> bytes:
    """The body of a 200."""
    if pretty:
        return b'{\n  "name": "projects/%b/messages/%b"\n}\n' % (project_id, message_id)
    return b'{"name":"projects/%b/messages/%b"}' % (project_id, message_id)
