"""The devices that one process sends to: a range of a population's indices, each handed out once."""


class IndexRange:
    """Indices from `start` to before `stop`, taken from the front. Shared by the users of a process."""

    def __init__(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop:
            raise ValueError(f"a range of indices runs from 0 or more upwards, not from {start} to {stop}")
        self.start, self.stop = start, stop
        self._next = start

    def take(self, count: int) -> range:
        """The next `count` indices, fewer at the end; empty when all are taken."""
        taken = range(self._next, min(self._next + count, self.stop))
        self._next = taken.stop
        return taken

    def give_back(self, taken: range) -> None:
        """What was taken last cannot be used after all."""
        self._next = taken.start

    @property
    def remaining(self) -> int:
        """How many have not been taken."""
        return self.stop - self._next

    def __len__(self) -> int:
        return self.stop - self.start
