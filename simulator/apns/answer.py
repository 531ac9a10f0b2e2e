"""The parts of an answer of APNs: its identifier and its body.

Every answer carries `apns-id`; there is neither `content-type` nor `retry-after`, as in published captures of the real
service. The error body is compact JSON, to be sent in one DATA frame.
"""

from collections.abc import Callable
from typing import Final

from simulator.apns.reasons import Reason
from simulator.apns.verdict import Verdict

IDS_PER_BLOCK: Final = 256
"""How many identifiers are made at a time: one call for random bytes serves so many answers."""

BODIES: Final = {reason: b'{"reason":"%b"}' % reason.wire_name.encode() for reason in Reason}
"""The body of each rejection without a timestamp; also the debug data of a GOAWAY with that reason."""


class RandomIds:
    """Makes identifiers as APNs does: upper-case UUIDs, random in every digit (no version or variant)."""

    __slots__ = ("_random_bytes", "_ready")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """`random_bytes`: makes so many random bytes, as `os.urandom` does."""
        self._random_bytes = random_bytes
        self._ready: list[bytes] = []

    def draw(self) -> bytes:
        """A new identifier."""
        if not self._ready:
            self._ready = self._block()
        return self._ready.pop()

    def _block(self) -> list[bytes]:
        # Groups of four digits, forty characters an id with the hyphen after it: aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhhh-
        groups = self._random_bytes(16 * IDS_PER_BLOCK).hex("-", -2).upper().encode()
        return [
            groups[at : at + 4] + groups[at + 5 : at + 29] + groups[at + 30 : at + 34] + groups[at + 35 : at + 39]
            for at in range(0, 40 * IDS_PER_BLOCK, 40)
        ]


def id_of_answer(apns_id: bytes | None, ids: RandomIds) -> bytes:
    """The `apns-id` of an answer: the request's own as it came, else a new one.

    A malformed one is echoed too [choice]: clients find the notification that was refused by it.
    """
    return apns_id or ids.draw()


def body_of(verdict: Verdict) -> bytes:
    """The body of an answer, empty for an accepted push."""
    if verdict.reason is None:
        return b""
    if verdict.timestamp_ms is None:
        return BODIES[verdict.reason]
    return b'{"reason":"%b","timestamp":%d}' % (verdict.reason.wire_name.encode(), verdict.timestamp_ms)
