"""The ledger of one worker: the same marks at the same price, kept in its arena. Views of all workers are `MergedLedger`'s."""

from collections.abc import Generator, Iterable

from simulator.ledger import PAGES_MAX, REASONS_MAX, REJECTED, Counted, DeclaredPopulation, Ledger, Page, Round
from simulator.workers.arena import Arena
from simulator.workers.marks import count_steps


class ArenaLedger(Ledger):
    """What a worker counts. It goes on with what its arena holds of the running round, whoever wrote that.

    `generation`, `round_number`, `declared`: of the running round. Rounds that finish are the front's, and not kept here.
    """

    __slots__ = ("_arena", "_counts", "_generation", "_rows", "_slots")

    def __init__(
        self,
        arena: Arena,
        generation: int,
        round_number: int,
        declared: Iterable[DeclaredPopulation],
        pages_max: int = PAGES_MAX,
    ) -> None:
        self._arena = arena
        self._counts = arena.counts
        self._generation = generation
        self._slots: dict[tuple[int, int], int] = {}
        self._rows: dict[int, dict[str, int]] = {}
        super().__init__(pages_max)
        self._open(Round(round_number, declared={each.seed: each for each in declared}))

    def _open(self, opened: Round) -> None:
        super()._open(opened)
        arena = self._arena
        arena.begin(self._generation)
        self._slots, self._rows = {}, {}
        for slot, seed, page_number in arena.slots(self._generation):
            self._keep(slot, seed, page_number)
        for row, seed, reason in arena.rows(self._generation):
            self._rows[seed][reason] = row

    def _keep(self, slot: int, seed: int, page_number: int) -> Page:
        self._pages_left -= 1
        self._slots[seed, page_number] = slot
        self._rows.setdefault(seed, {})
        page = self._pages.setdefault(seed, {})[page_number] = self._arena.page(slot)
        return page

    def reject(self, seed: int, index: int, reason: str) -> None:
        """Count one rejection under the provider's name of its reason."""
        try:
            self._pages[seed][index >> 16][index & 0xFFFF] |= REJECTED
            self._counts[self._rows[seed][reason]] += 1
        except KeyError:
            page = self._touch(seed, index >> 16)
            if page is None:
                return
            page[index & 0xFFFF] |= REJECTED
            self._counts[self._count_of(seed, index >> 16, reason)] += 1

    def _touch(self, seed: int, page_number: int) -> Page | None:
        page = self._pages.get(seed, {}).get(page_number)
        if page is not None:
            return page
        slot = self._arena.take_slot(seed, page_number) if self._pages_left > 0 else None
        if slot is None:
            self._arena.count_untracked()
            return None
        return self._keep(slot, seed, page_number)

    def _count_of(self, seed: int, page_number: int, reason: str) -> int:
        """Which count of the arena is this reason's; made if need be."""
        rows = self._rows[seed]
        row = rows.get(reason)
        if row is None and len(rows) < REASONS_MAX:
            row = self._arena.take_row(seed, reason)
            if row is not None:
                rows[reason] = row
        return self._arena.other_count_of(self._slots[seed, page_number]) if row is None else row

    @property
    def untracked(self) -> int:
        """Answers of the running round that found no page free."""
        return self._arena.untracked(self._generation)

    def start_round(self) -> int:
        """Begin a new round with the same populations, and return its number. The front sums up the finished one."""
        finished = self._round
        self._generation += 1
        self._open(Round(finished.number + 1, declared=dict(finished.declared)))
        return self._round.number

    def reset(self) -> None:
        """Forget counts, rounds and populations."""
        self._generation += 1
        self._arena.clear()
        super().reset()

    def _count_steps(self, counted: Round) -> Generator[None, None, Counted]:
        return (yield from count_steps([self._arena], self._generation))
