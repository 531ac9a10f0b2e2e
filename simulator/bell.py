"""Tells those who wait for entries of a journal that some have come."""

from collections.abc import Callable

from simulator.bounds import BoundReachedError

LISTENERS_MAX = 64


class Bell:
    """What can be listened to: a journal, or the view of several. At most `LISTENERS_MAX` listeners."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a callable called whenever entries came. Raises `BoundReachedError` when there are too many."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise BoundReachedError("LISTENERS_MAX", LISTENERS_MAX, "let fewer requests wait at a time")
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Take back a `listen`."""
        self._listeners.remove(listener)

    def ring(self) -> None:
        """Entries have come."""
        for listener in self._listeners:
            listener()
