"""The batches of an open loop in the order of their instants; what was taken and not sent can be given back. Pure."""

import heapq
import random
from collections.abc import Iterable

from loadtest.arrivals import Arrival, arrivals
from loadtest.index_range import IndexRange
from loadtest.load_settings import LoadSettings
from loadtest.profiles import Profile


class Timetable:
    """`fresh`: batches in order. `open_end`: more may be added later, so that it is never exhausted."""

    def __init__(self, fresh: Iterable[Arrival] = (), *, open_end: bool = False) -> None:
        self.open_end = open_end
        self._fresh = iter(fresh)
        self._next = next(self._fresh, None)
        self._added: list[Arrival] = []  # a heap: a named tuple of numbers first

    @property
    def exhausted(self) -> bool:
        """No batch will come any more."""
        return not self.open_end and self._next is None and not self._added

    @property
    def head(self) -> Arrival | None:
        """The next batch, None while there is none."""
        if self._added and (self._next is None or self._added[0].at_s <= self._next.at_s):
            return self._added[0]
        return self._next

    def pop(self) -> Arrival:
        """Take the head. Raises IndexError without one."""
        head = self.head
        if head is None:
            raise IndexError("the timetable has no batch to take")
        if head is self._next:
            self._next = next(self._fresh, None)
            return head
        return heapq.heappop(self._added)

    def add(self, batches: Iterable[Arrival]) -> None:
        """Batches that are given back, or come from elsewhere; their instants may have passed."""
        for batch in batches:
            heapq.heappush(self._added, batch)

    @property
    def added(self) -> list[Arrival]:
        """All that was added and not taken, in order."""
        return sorted(self._added)

    def take_added(self) -> list[Arrival]:
        """The same; they are the caller's now."""
        taken, self._added = self.added, []
        return taken


def timetable_of(settings: LoadSettings, profile: Profile) -> Timetable:
    """The whole schedule of a campaign by its profile; chance hangs on the seed alone."""
    chance = random.Random(f"{settings.population.seed} arrivals") if settings.poisson else None
    indices = IndexRange(settings.start_index, settings.population.count)
    return Timetable(arrivals(profile, indices, settings.batch_size, chance))
