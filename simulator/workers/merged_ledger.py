"""The ledger of the front: what all workers have counted, added up whenever somebody looks."""

from collections.abc import Generator, Sequence

from simulator.ledger import PAGE_INDICES, REJECTED, Counted, Ledger, Page, Round
from simulator.workers.arena import Arena
from simulator.workers.arena_ledger import ArenaLedger
from simulator.workers.marks import add_marks, count_steps


class MergedLedger(Ledger):
    """A view over the arenas of all workers, with the rounds and populations of one ledger. It counts nothing itself.

    Rounds and resets come to the workers by message, so for a moment some still count in the round that is finished here. Its
    arrays are given up at the first view after all have left it; a view before that shows what there is.
    """

    __slots__ = ("_arenas", "_generation", "_generations")

    def __init__(self, arenas: Sequence[Arena]) -> None:
        self._arenas = arenas
        self._generation = 0
        self._generations: dict[int, int] = {}  # of the rounds that can be viewed
        super().__init__()

    def _open(self, opened: Round) -> None:
        super()._open(opened)
        self._generation += 1
        shown = {number: self._generations[number] for number in self._finished}
        self._generations = {**shown, opened.number: self._generation}

    def of_worker(self, number: int) -> ArenaLedger:
        """The ledger of a worker, to be called in its process: it begins with what there is in its arena."""
        return ArenaLedger(self._arenas[number], self._generation, self.round, self.populations())

    def _touch(self, seed: int, page_number: int) -> Page | None:
        raise AssertionError("notifications are counted by the workers alone")

    @property
    def untracked(self) -> int:
        """Answers of the running round that found no page free."""
        return sum(arena.untracked(self._generation) for arena in self._arenas)

    @property
    def pages_used(self) -> int:
        """Pages of the running round, 64 KiB each; one for each worker that has touched it."""
        return sum(arena.pages_used(self._generation) for arena in self._arenas)

    def mark(self, seed: int, index: int) -> tuple[int, bool]:
        """As `Ledger.mark`."""
        page_number, at = divmod(index, PAGE_INDICES)
        pages = [
            bytes(arena.page(slot)[at : at + 1]).ljust(PAGE_INDICES, b"\0")
            for arena in self._arenas
            for slot, *place in arena.slots(self._generation)
            if place == [seed, page_number]
        ]
        mark = add_marks(pages)[0] if pages else 0
        return mark & 3, bool(mark & REJECTED)

    def _count_steps(self, counted: Round) -> Generator[None, None, Counted]:
        return (yield from count_steps(self._arenas, self._generations[counted.number]))

    def _is_complete(self, finished: Round) -> bool:
        generation = self._generations[finished.number]
        return all(arena.generation > generation for arena in self._arenas)

    def _tidy_steps(self) -> Generator[None, None, None]:
        # Asked for once all workers have left a round, and so every one before it: they write nothing but what is kept.
        unsummed = [number for number, kept in self._finished.items() if isinstance(kept, Round)]
        kept = {self._generation, *(self._generations[number] for number in unsummed)}
        generation = self._generation
        for arena in self._arenas:
            for _ in arena.free_steps(kept):
                yield
                if self._generation != generation:
                    return
