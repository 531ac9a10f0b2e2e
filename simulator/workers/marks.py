"""The marks of several workers as one: added up page by page, so that a device that two of them accepted is accepted twice."""

from collections.abc import Generator, Sequence
from typing import Final

from simulator.ledger import OTHER_REASONS, PAGE_INDICES, Counted
from simulator.workers.arena import Arena

ADDED_AT_ONCE_MAX: Final = 7
"""Pages. With more, a byte of the sum could overflow into the next."""

# A sum holds how often accepted, up to 2 * 7, in its low four bits, and how many rejected in the others: what is 4 in a mark
# becomes 16 there by adding three times as much again.
_ALL_REJECTED: Final = int.from_bytes(bytes([4]) * PAGE_INDICES, "little")
_MARK_OF_SUM: Final = bytes(min(total & 15, 2) | (4 if total >> 4 else 0) for total in range(256))


def add_marks(pages: Sequence[bytes]) -> bytes:
    """The marks of one page that several workers have: a tenth of a millisecond for each."""
    if len(pages) == 1:
        return pages[0]
    if len(pages) > ADDED_AT_ONCE_MAX:
        return add_marks([add_marks(pages[:ADDED_AT_ONCE_MAX]), *pages[ADDED_AT_ONCE_MAX:]])
    total = 0
    for page in pages:
        marks = int.from_bytes(page, "little")
        total += marks + (marks & _ALL_REJECTED) * 3
    return total.to_bytes(PAGE_INDICES, "little").translate(_MARK_OF_SUM)


class SharedPage:
    """One page in all arenas that have it."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: list[memoryview] = []

    def append(self, page: memoryview) -> None:
        """One arena more has it."""
        self._pages.append(page)

    def __bytes__(self) -> bytes:
        return add_marks([bytes(page) for page in self._pages])


def count_steps(arenas: Sequence[Arena], generation: int) -> Generator[None, None, Counted]:
    """What all arenas hold of a generation, in steps below a millisecond."""
    pages: dict[int, dict[int, SharedPage]] = {}
    answers: dict[int, dict[str, int]] = {}
    untracked = 0
    for arena in arenas:
        for row, seed, reason in arena.rows(generation):
            of_seed = answers.setdefault(seed, {})
            of_seed[reason] = of_seed.get(reason, 0) + arena.counts[row]
        yield
        for slot, seed, page_number in arena.slots(generation):
            pages.setdefault(seed, {}).setdefault(page_number, SharedPage()).append(arena.page(slot))
            others = arena.counts[arena.other_count_of(slot)]
            if others:
                of_seed = answers.setdefault(seed, {})
                of_seed[OTHER_REASONS] = of_seed.get(OTHER_REASONS, 0) + others
        untracked += arena.untracked(generation)
        yield
    return Counted(pages, answers, untracked)
