"""The devices that a process has yet to send to in a closed loop: its users take batches from the front."""

from collections import deque
from collections.abc import Iterable

from loadtest.leases import Piece, devices_in


class IndexPool:
    """`repeated`: devices taken again after somebody who left may have sent them."""

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self.repeated = 0
        self._pieces = deque(pieces)

    @property
    def remaining(self) -> int:
        """How many have not been taken."""
        return devices_in(self._pieces)

    @property
    def pieces(self) -> list[Piece]:
        """What has not been taken, in the order in which it will be."""
        return list(self._pieces)

    def add(self, pieces: Iterable[Piece]) -> None:
        """More to send, or again."""
        self._pieces.extend(pieces)

    def take(self, count: int) -> range:
        """The next indices in a row, at most `count`; empty when there are none."""
        if not self._pieces:
            return range(0)
        piece = self._pieces.popleft()
        taken = range(piece.start, min(piece.start + count, piece.stop))
        if taken.stop < piece.stop:
            self._pieces.appendleft(piece._replace(start=taken.stop))
        self.repeated += len(taken) if piece.unsure else 0
        return taken

    def take_all(self) -> list[Piece]:
        """Everything at once; it is the caller's now."""
        pieces = self.pieces
        self._pieces.clear()
        return pieces
