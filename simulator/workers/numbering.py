"""Numbers for entries that several workers hold: given when somebody first looks, dense from 1, and never given twice. Pure.

Each source (a worker's process, or the front itself) counts its own entries: its positions, from 1. Whoever looks learns how
far each has come and gives the new ones the next numbers, so that entries of one source keep their order, and what came between
two looks stands source by source. A reader who goes on behind the last number it knows misses nothing and gets nothing twice.
"""

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence


class _Source:
    """Of one source: where runs of positions in a row begin, and the number there. `total`: how far it has come."""

    __slots__ = ("numbers", "positions", "total")

    def __init__(self) -> None:
        self.numbers = array("q")
        self.positions = array("q")
        self.total = 0

    def count_of(self, run: int) -> int:
        """The length of a run."""
        end = self.positions[run + 1] if run + 1 < len(self.positions) else self.total + 1
        return end - self.positions[run]


class Numbering:
    """The numbers of one kind of entries. `last`: the newest number given.

    What is kept is 16 bytes for each run, of which a look makes one a source at most; see `forget_to`.
    """

    __slots__ = ("_sources", "last")

    def __init__(self) -> None:
        self.last = 0
        self._sources: dict[int, _Source] = {}

    def look(self, totals: Mapping[int, int]) -> None:
        """Give numbers to what is new. `totals`: by source, how many entries it has had; out-of-date ones do nothing."""
        for name, total in totals.items():
            source = self._sources.setdefault(name, _Source())
            new = total - source.total
            if new <= 0:
                continue
            if not source.numbers or source.numbers[-1] + source.count_of(len(source.numbers) - 1) != self.last + 1:
                source.numbers.append(self.last + 1)
                source.positions.append(source.total + 1)
            source.total = total
            self.last += new

    def numbers_of(self, name: int, positions: Sequence[int]) -> list[int]:
        """The numbers of entries, which are quickest found when the positions rise or fall.

        Raises `LookupError` where one has none, or no longer.
        """
        source = self._sources[name]
        first, end, offset = 1, 1, 0  # of the run that the last one was in
        numbers = []
        for position in positions:
            if not first <= position < end:
                run = bisect_right(source.positions, position) - 1
                if run < 0 or position > source.total:
                    raise LookupError(f"entry {position} of source {name} has no number")
                first = source.positions[run]
                end = first + source.count_of(run)
                offset = source.numbers[run] - first
            numbers.append(position + offset)
        return numbers

    def position_at(self, name: int, number: int) -> int:
        """How far a source had come when this number was given: its last position with that number or a lower one.

        Of numbers that are forgotten all count as lower.
        """
        source = self._sources.get(name)
        if source is None:
            return 0
        run = bisect_right(source.numbers, number) - 1
        if run < 0:
            return source.positions[0] - 1 if source.positions else source.total
        return source.positions[run] + min(number - source.numbers[run], source.count_of(run) - 1)

    def forget_to(self, number: int) -> None:
        """Keep nothing of runs that end at this number or a lower one: nobody will ask for those entries again."""
        for source in self._sources.values():
            run = bisect_right(source.numbers, number)
            if run and source.numbers[run - 1] + source.count_of(run - 1) - 1 > number:
                run -= 1
            del source.numbers[:run], source.positions[:run]

    def forget_source(self, name: int) -> None:
        """A source has gone with its entries; their numbers are not given again."""
        self._sources.pop(name, None)

    @property
    def runs(self) -> int:
        """How many runs are kept."""
        return sum(len(each.numbers) for each in self._sources.values())
