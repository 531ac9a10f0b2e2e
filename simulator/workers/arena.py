"""The part of the ledger that one worker writes, in memory that the front reads and that outlives the worker.

Anonymous shared memory, made before the worker is forked; untouched pages of it cost nothing. Only the worker that sits on an
arena writes into it, so that no mark is ever lost between two who write, with one exception: the front frees the slots of a
round that is finished and summed up, which by then nobody writes.

An arena holds, in columns of eight bytes unless said otherwise:

    header           words, see `_Word`
    slots            generation, seed and page number of each page
    rows             generation and seed of each count of answers; its reason (`REASON_BYTES`)
    counts           of the rows, then one of each slot: answers whose reason found no row
    pages            a byte for each of 65,536 devices, as of `simulator.ledger`

A generation is one round of one run of the ledger, counted from 1 and never again from 1, as rounds are after a reset: what is
left of older ones cannot be taken for newer. The generation of a slot or a row is written last, and 0 says that it is free; so
whoever reads meanwhile, or after the worker was killed, finds it whole or not at all.
"""

import mmap
from collections.abc import Container, Generator, Iterator
from enum import IntEnum, unique
from typing import Final

from simulator.ledger import PAGE_INDICES, PAGES_MAX

SLOTS_MAX: Final = 2 * PAGES_MAX
"""Pages of one worker: of the running round, and of the finished one until it is summed up."""
ROWS_MAX: Final = 16_384
REASON_BYTES: Final = 64
SLOTS_FREED_A_STEP: Final = 64
UNTRACKED_KEPT: Final = 4  # generations whose untracked answers are kept

_WORD_BYTES: Final = 8
_FRESH: Final = bytes(PAGE_INDICES)


@unique
class _Word(IntEnum):
    """The header. `GENERATION`: the newest that the worker writes. `UNTRACKED`: of the last ones, by generation."""

    GENERATION = 0
    UNTRACKED = 1


class Arena:
    """Memory for one worker. `slots_max`, `rows_max`: how many pages and counts of answers. Raises OSError without memory."""

    def __init__(self, slots_max: int = SLOTS_MAX, rows_max: int = ROWS_MAX) -> None:
        self.slots_max, self.rows_max = slots_max, rows_max
        columns = [_Word.UNTRACKED + UNTRACKED_KEPT, *[slots_max] * 3, *[rows_max] * 2, rows_max + slots_max]
        reasons_at = sum(columns) * _WORD_BYTES
        self._pages_at = -(-(reasons_at + rows_max * REASON_BYTES) // mmap.PAGESIZE) * mmap.PAGESIZE
        self._memory = mmap.mmap(-1, self._pages_at + slots_max * PAGE_INDICES)
        whole = memoryview(self._memory)
        words: list[memoryview] = []
        at = 0
        for column in columns:
            words.append(whole[at : at + column * _WORD_BYTES].cast("Q"))
            at += column * _WORD_BYTES
        self._header, self._slot_generations, self._slot_seeds, self._slot_pages, *of_rows = words
        self._row_generations, self._row_seeds, self.counts = of_rows
        self._reasons = whole[reasons_at : reasons_at + rows_max * REASON_BYTES]
        self._pages = whole[self._pages_at :]

    # What the worker does.

    @property
    def generation(self) -> int:
        """The newest generation that the worker writes."""
        return int(self._header[_Word.GENERATION])

    def begin(self, generation: int) -> None:
        """Write a generation from now on."""
        if generation != self.generation:
            self._header[_Word.UNTRACKED + generation % UNTRACKED_KEPT] = 0
            self._header[_Word.GENERATION] = generation

    def take_slot(self, seed: int, page_number: int) -> int | None:
        """Take a slot for a page of no marks; None: none is free."""
        slot = _free(self._slot_generations)
        if slot is None:
            return None
        self.page(slot)[:] = _FRESH
        self.counts[self.rows_max + slot] = 0
        self._slot_seeds[slot] = seed
        self._slot_pages[slot] = page_number
        self._slot_generations[slot] = self.generation
        return slot

    def take_row(self, seed: int, reason: str) -> int | None:
        """Take a row for answers with a reason, and return the index of its count; None: none is free, or it is too long."""
        text = reason.encode()
        row = _free(self._row_generations) if len(text) <= REASON_BYTES else None
        if row is None:
            return None
        self.counts[row] = 0
        self._row_seeds[row] = seed
        self._reasons[row * REASON_BYTES : (row + 1) * REASON_BYTES] = text.ljust(REASON_BYTES, b"\0")
        self._row_generations[row] = self.generation
        return row

    def count_untracked(self) -> None:
        """Count an answer that found no slot."""
        self._header[_Word.UNTRACKED + self.generation % UNTRACKED_KEPT] += 1

    def clear(self) -> None:
        """Free everything, before another generation begins. The memory waits for its next use: 64 MiB would take too long."""
        self._slot_generations[:] = memoryview(bytes(self.slots_max * _WORD_BYTES)).cast("Q")
        self._row_generations[:] = memoryview(bytes(self.rows_max * _WORD_BYTES)).cast("Q")

    # What both do.

    def page(self, slot: int) -> memoryview:
        """The marks of a slot, for reading and writing."""
        return self._pages[slot * PAGE_INDICES : (slot + 1) * PAGE_INDICES]

    def slots(self, generation: int) -> Iterator[tuple[int, int, int]]:
        """Slot, seed and page number of all pages of a generation."""
        for slot, of in enumerate(self._slot_generations.tolist()):
            if of == generation:
                yield slot, self._slot_seeds[slot], self._slot_pages[slot]

    def rows(self, generation: int) -> Iterator[tuple[int, int, str]]:
        """Index of the count, seed and reason of all counts of answers of a generation."""
        for row, of in enumerate(self._row_generations.tolist()):
            if of == generation:
                text = bytes(self._reasons[row * REASON_BYTES : (row + 1) * REASON_BYTES])
                yield row, self._row_seeds[row], text.rstrip(b"\0").decode()

    def other_count_of(self, slot: int) -> int:
        """The index of the count of a slot: answers whose reason found no row."""
        return self.rows_max + slot

    def untracked(self, generation: int) -> int:
        """Answers of a generation that found no slot; of one of the last `UNTRACKED_KEPT`."""
        if not 0 <= self.generation - generation < UNTRACKED_KEPT:
            return 0
        return int(self._header[_Word.UNTRACKED + generation % UNTRACKED_KEPT])

    def pages_used(self, generation: int) -> int:
        """How many pages there are of a generation."""
        return self._slot_generations.tolist().count(generation)

    # What the front does.

    def free_steps(self, kept: Container[int]) -> Generator[None, None, None]:
        """Free slots and rows of all generations but those kept, in steps below a millisecond. No worker may write them."""
        for row, generation in enumerate(self._row_generations.tolist()):
            if generation and generation not in kept:
                self._row_generations[row] = 0
        freed = 0
        for slot, generation in enumerate(self._slot_generations.tolist()):
            if generation and generation not in kept:
                self._give_back(slot)
                self._slot_generations[slot] = 0
                freed += 1
                if freed % SLOTS_FREED_A_STEP == 0:
                    yield
        yield

    def _give_back(self, slot: int) -> None:
        if hasattr(mmap, "MADV_REMOVE"):  # elsewhere the memory waits for its next use
            self._memory.madvise(mmap.MADV_REMOVE, self._pages_at + slot * PAGE_INDICES, PAGE_INDICES)


def _free(generations: memoryview) -> int | None:
    try:
        return generations.tolist().index(0)
    except ValueError:
        return None
