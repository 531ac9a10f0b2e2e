"""The ledgers of several simulators as one, device by device: two that accepted the same device accepted it twice.

A mark is a byte: how often a device was accepted (0, 1, 2 for more) in its two low bits, and 4 when it was ever rejected. Pure.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import islice

from loadtest.control_client import ListedIndices, PopulationLedger

LISTED_INDICES_MAX = 1_000
_BITS = 3


def _together(both: int) -> int:
    one, other = both & 7, both >> _BITS
    return min(2, (one & 3) + (other & 3)) | (one | other) & 4


_SUM = bytes(map(_together, range(1 << 2 * _BITS))).ljust(256, b"\0")


def add_marks(marks: Sequence[bytes]) -> bytes:
    """The marks of several ledgers for the same devices, together."""
    return reduce(_add, marks)


def _add(one: bytes, other: bytes) -> bytes:
    both = int.from_bytes(one, "little") + (int.from_bytes(other, "little") << _BITS)
    return both.to_bytes(len(one), "little").translate(_SUM)


class MarkCounts:
    """The figures of a population whose marks come in stretches, in order of the indices from `start` on."""

    def __init__(self, seed: int, start: int) -> None:
        self._seed, self._start = seed, start
        self._count = 0
        self._marks: Counter[int] = Counter()
        self._more: list[int] = []
        self._rejected: list[int] = []
        self._never: list[int] = []

    def add(self, marks: bytes) -> None:
        """The next stretch."""
        for mark in range(7):
            self._marks[mark] += marks.count(mark)
        for listed, wanted in ((self._more, b"[\x02\x06]"), (self._rejected, b"\x04"), (self._never, b"\x00")):
            found = (self._start + self._count + each.start() for each in re.finditer(wanted, marks))
            listed.extend(islice(found, LISTED_INDICES_MAX - len(listed)))
        self._count += len(marks)

    def figures(self, views: Iterable[PopulationLedger]) -> PopulationLedger:
        """All together. `views`: of the single ledgers, for what can be added up."""
        marks = self._marks
        more, rejected, never = marks[2] + marks[6], marks[4], marks[0]
        answers: Counter[str] = Counter()
        outside = 0
        for view in views:
            answers.update(view.answers_by_reason)
            outside += view.outside
        return PopulationLedger(
            seed=self._seed,
            start=self._start,
            count=self._count,
            accepted_once=marks[1] + marks[5],
            accepted_more=more,
            rejected=rejected,
            never=never,
            outside=outside,
            answers_by_reason=dict(answers),
            accepted_more_indices=ListedIndices(self._more, truncated=more > len(self._more)),
            rejected_indices=ListedIndices(self._rejected, truncated=rejected > len(self._rejected)),
            never_indices=ListedIndices(self._never, truncated=never > len(self._never)),
        )
