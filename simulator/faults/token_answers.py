"""How many answers each device token has had, as one fault saw them: a byte a minted token, in pages that are bounded."""

from typing import Final

PAGE_INDICES: Final = 1 << 16
PAGES_MAX: Final = 1_024
"""Ours: 64 KiB each, of all faults together. A minted token that finds no page is counted as foreign ones are."""

FOREIGN_TOKENS_MAX: Final = 65_536
"""Ours: tokens without a page that one fault counts. At the bound the one counted first is forgotten, and begins anew."""

ANSWERS_COUNTED_MAX: Final = 255
"""Ours: the count stays there."""


class PagesLeft:
    """How many pages all faults of a simulator may still take."""

    __slots__ = ("pages",)

    def __init__(self, pages: int = PAGES_MAX) -> None:
        self.pages = pages


class TokenAnswers:
    """The counts of one fault. `pages_left`: shared with the other faults."""

    __slots__ = ("_foreign", "_foreign_max", "_left", "_pages")

    def __init__(self, pages_left: PagesLeft, foreign_max: int = FOREIGN_TOKENS_MAX) -> None:
        self._left = pages_left
        self._foreign_max = foreign_max
        self._pages: dict[tuple[int, int], bytearray] = {}
        self._foreign: dict[bytes, int] = {}

    def count(self, device: tuple[int, int] | None, token: bytes) -> int:
        """Count one answer more; which it is, from 1. `device`: seed and index of a minted token; None: of another."""
        page = None if device is None else self._page(device[0], device[1] // PAGE_INDICES)
        if page is None or device is None:
            return self._count_foreign(token)
        at = device[1] % PAGE_INDICES
        if page[at] < ANSWERS_COUNTED_MAX:
            page[at] += 1
        return page[at]

    def release(self) -> None:
        """Forget all, and give the pages back."""
        self._left.pages += len(self._pages)
        self._pages.clear()
        self._foreign.clear()

    def _page(self, seed: int, number: int) -> bytearray | None:
        page = self._pages.get((seed, number))
        if page is None and self._left.pages:
            self._left.pages -= 1
            page = self._pages[seed, number] = bytearray(PAGE_INDICES)
        return page

    def _count_foreign(self, token: bytes) -> int:
        counted = self._foreign.get(token)
        if counted is None:
            counted = 0
            if len(self._foreign) >= self._foreign_max:
                del self._foreign[next(iter(self._foreign))]
        counted = min(counted + 1, ANSWERS_COUNTED_MAX)
        self._foreign[token] = counted
        return counted
