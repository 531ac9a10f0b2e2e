"""What became of every device of a population: accepted once, more than once, rejected, never answered.

One byte a device, in flat pages that are allocated when first touched. Loss and duplication are thus measured, not
sampled, at 0.2 µs a notification and a byte a token. Pages are bounded; an answer that would need one page too many
goes into `untracked`, which every view shows, so that a sum is never silently short.

Views are computed page by page (`view_steps`), so that whoever asks can let other work in between: a step takes less
than a millisecond. The counting is done by Python's own long integers, 0.2 ms a page: numpy needs 0.1 ms, but importing it
stalls a running event loop for 100 ms and costs 20 MB.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import SupportsBytes

from simulator.bounds import BoundReachedError

PAGE_INDICES = 1 << 16
PAGES_MAX = 1_024  # 64 MiB a round: 67 million devices in a row, or 1,024 lone ones
POPULATIONS_MAX = 1_000
REASONS_MAX = 256  # far above the rows of the table of reasons; what is beyond counts as `OTHER_REASONS`
OTHER_REASONS = "(other)"
FINISHED_ROUNDS_MAX = 16
LISTED_INDICES_MAX = 1_000  # of each kind, for each population
VIEW_LISTED_INDICES_MAX = 20_000  # of all kinds and populations in one view together
SEED_MAX = 2**64 - 1
INDEX_RANGE = 2**40

# A mark: how often accepted (0, 1, 2 for more) in the two low bits, and whether ever rejected.
_ONCE, _MORE, REJECTED = 1, 2, 4
_AFTER_ACCEPT = bytes([_ONCE, _MORE, _MORE, _MORE, 5, 6, 6, 6])
_AT_ONCE = int.from_bytes(bytes([_ONCE]) * PAGE_INDICES, "little")
_AT_MORE = _AT_ONCE << 1
_find_more = re.compile(b"[\x02\x06]").finditer
_find_rejected = re.compile(b"\x04").finditer
_find_never = re.compile(b"\x00").finditer

Page = bytearray | memoryview


@dataclass(frozen=True, slots=True)
class DeclaredPopulation:
    """The devices that a campaign means to reach: `count` indices of a seed, from `start` on."""

    seed: int
    count: int
    start: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= SEED_MAX:
            raise ValueError(f"seed must be from 0 to {SEED_MAX} (2**64 - 1), not {self.seed}")
        if not 0 <= self.start <= INDEX_RANGE:
            raise ValueError(f"start must be from 0 to {INDEX_RANGE} (2**40), not {self.start}")
        if not 0 <= self.count <= INDEX_RANGE - self.start:
            raise ValueError(
                f"count must be from 0 to {INDEX_RANGE - self.start} (2**40 less the start), not {self.count}"
            )


@dataclass(frozen=True, slots=True)
class ListedIndices:
    """The lowest indices of a kind. `truncated`: there are more than are listed."""

    indices: list[int]
    truncated: bool


@dataclass(frozen=True, slots=True)
class PopulationView:
    """One population in one round.

    `accepted_once + accepted_more + rejected + never` is `count`. Where none was declared, `start`, `count` and `never`
    are None, and the other figures cover every index seen. `rejected`: answered, never accepted. `outside`: indices
    answered outside the declared range. `answers_by_reason`: rejections by reason, each answer counted.
    """

    seed: int
    start: int | None
    count: int | None
    accepted_once: int
    accepted_more: int
    rejected: int
    never: int | None
    outside: int
    answers_by_reason: dict[str, int]
    accepted_more_indices: ListedIndices
    rejected_indices: ListedIndices
    never_indices: ListedIndices


@dataclass(frozen=True, slots=True)
class LedgerView:
    """All populations in one round; of the running round, page by page and not of one instant.

    `untracked`: answers that found no page free, in none of the figures. `rounds`: those that can be asked for.
    """

    round: int
    running: bool
    rounds: list[int]
    populations: list[PopulationView]
    untracked: int


class UnknownRoundError(LookupError):
    """No such round, or one too long finished. `known`: the rounds that can be asked for."""

    def __init__(self, number: int, known: list[int]) -> None:
        listed = ", ".join(map(str, known))
        super().__init__(f"there is no round {number}, or it is no longer kept; the rounds are {listed}")
        self.number, self.known = number, known


@dataclass(slots=True)
class Round:
    """The arrays of one round: pages and answers by reason, by seed."""

    number: int
    pages: dict[int, dict[int, Page]] = field(default_factory=dict)
    answers: dict[int, dict[str, int]] = field(default_factory=dict)
    declared: dict[int, DeclaredPopulation] = field(default_factory=dict)
    untracked: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """What a view of a round is made of. `pages`: their marks, a byte for each index, taken when their turn comes."""

    pages: Mapping[int, Mapping[int, Page | SupportsBytes]]
    answers: Mapping[int, Mapping[str, int]]
    untracked: int


class Ledger:
    """The ledger of one simulator. Bounds: see the constants of this module; `pages_max` can be set."""

    __slots__ = ("_answers", "_finished", "_pages", "_pages_left", "_pages_max", "_round")

    def __init__(self, pages_max: int = PAGES_MAX) -> None:
        if pages_max < 0:
            raise ValueError(f"pages_max must be 0 or more, not {pages_max}")
        self._pages_max = pages_max
        self._finished: dict[int, Round | LedgerView] = {}
        self._open(Round(1))

    def _open(self, opened: Round) -> None:
        self._round = opened
        self._pages = opened.pages  # looked up once here, and not for each notification
        self._answers = opened.answers
        self._pages_left = self._pages_max

    # The hot path.

    def accept(self, seed: int, index: int) -> None:
        """Count one acceptance. Device `index` of population `seed`, declared or not."""
        try:
            page = self._pages[seed][index >> 16]
        except KeyError:
            fresh = self._touch(seed, index >> 16)
            if fresh is None:
                return
            page = fresh
        at = index & 0xFFFF
        page[at] = _AFTER_ACCEPT[page[at]]

    def reject(self, seed: int, index: int, reason: str) -> None:
        """Count one rejection under the provider's name of its reason."""
        try:
            self._pages[seed][index >> 16][index & 0xFFFF] |= REJECTED
            self._answers[seed][reason] += 1
        except KeyError:
            page = self._touch(seed, index >> 16)
            if page is None:
                return
            page[index & 0xFFFF] |= REJECTED
            answers = self._answers[seed]
            known = reason if reason in answers or len(answers) < REASONS_MAX else OTHER_REASONS
            answers[known] = answers.get(known, 0) + 1

    def _touch(self, seed: int, page_number: int) -> Page | None:
        """The page, made if need be. None at the bound: then the answer was counted as untracked."""
        page = self._pages.get(seed, {}).get(page_number)
        if page is not None:
            return page
        if self._pages_left <= 0:
            self._round.untracked += 1
            return None
        self._pages_left -= 1
        self._answers.setdefault(seed, {})
        page = self._pages.setdefault(seed, {})[page_number] = bytearray(PAGE_INDICES)
        return page

    # Populations and rounds.

    @property
    def round(self) -> int:
        """The number of the running round, from 1."""
        return self._round.number

    @property
    def rounds(self) -> list[int]:
        """The rounds that can be viewed: the last finished ones, and the running one."""
        return [*self._finished, self._round.number]

    @property
    def untracked(self) -> int:
        """Answers of the running round that found no page free."""
        return self._round.untracked

    @property
    def pages_used(self) -> int:
        """Pages of the running round, 64 KiB each."""
        return self._pages_max - self._pages_left

    def populations(self) -> list[DeclaredPopulation]:
        """What has been declared, by seed."""
        return [self._round.declared[seed] for seed in sorted(self._round.declared)]

    def declare(self, seed: int, count: int, start: int = 0) -> DeclaredPopulation:
        """Declare a population from now on; a later declaration of the same seed replaces the earlier.

        Raises `ValueError` out of range and `BoundReachedError` when there are too many.
        """
        population = DeclaredPopulation(seed, count, start)
        declared = self._round.declared
        if seed not in declared and len(declared) >= POPULATIONS_MAX:
            raise BoundReachedError("POPULATIONS_MAX", POPULATIONS_MAX, "reset the ledger, or use fewer seeds")
        declared[seed] = population
        return population

    def start_round(self) -> int:
        """Begin a new round with the same populations, and return its number.

        The finished round can be viewed; its arrays are given up at its first view, which makes its summary. So view it
        soon; one that was not yet viewed when the next round starts is summed up here, at 0.2 ms a page.
        """
        finished = self._round
        for number, kept in self._finished.items():
            if isinstance(kept, Round):
                self.view(number)
        self._finished[finished.number] = finished
        while len(self._finished) > FINISHED_ROUNDS_MAX:
            del self._finished[next(iter(self._finished))]
        self._open(Round(finished.number + 1, declared=dict(finished.declared)))
        return self._round.number

    def reset(self) -> None:
        """Forget counts, rounds and populations."""
        self._finished.clear()
        self._open(Round(1))

    # Views.

    def mark(self, seed: int, index: int) -> tuple[int, bool]:
        """One device in the running round: how often accepted (0, 1, 2 for more), and whether ever rejected."""
        page = self._pages.get(seed, {}).get(index >> 16)
        mark = 0 if page is None else page[index & 0xFFFF]
        return mark & 3, bool(mark & REJECTED)

    def view(self, number: int | None = None, seed: int | None = None) -> LedgerView:
        """`view_steps` at one go: 0.2 ms for each page in use."""
        steps = self.view_steps(number, seed)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                view: LedgerView = done.value
                return view

    def view_steps(self, number: int | None = None, seed: int | None = None) -> Generator[None, None, LedgerView]:
        """The view of a round (default: the running one), of one seed or all, in steps below a millisecond.

        Raises `UnknownRoundError` at the first step.
        """
        if number is None or number == self._round.number:
            running = self._round
            counted = yield from self._count_steps(running)
            view = yield from _view_steps(running, counted, seed, running=True)
            return replace(view, rounds=self.rounds)
        kept = self._finished.get(number)
        if kept is None:
            raise UnknownRoundError(number, self.rounds)
        if isinstance(kept, Round):
            counted = yield from self._count_steps(kept)
            summary = yield from _view_steps(kept, counted, None, running=False)
            if self._finished.get(number) is kept and self._is_complete(kept):  # Not reset meanwhile.
                self._finished[number] = summary
                yield from self._tidy_steps()
            kept = summary
        chosen = [each for each in kept.populations if seed is None or each.seed == seed]
        return replace(kept, populations=chosen, rounds=self.rounds)

    def marks_steps(self, seed: int, start: int, count: int) -> Generator[None, None, bytes]:
        """The marks of indices in a row in the running round, a byte each, in steps below a millisecond.

        A byte has how often a device was accepted (0, 1, 2 for more) in its two low bits, and `REJECTED` when it ever was.
        """
        counted = yield from self._count_steps(self._round)
        pages = counted.pages.get(seed, {})
        stop = start + count
        found = []
        for page_number in range(start // PAGE_INDICES, -(-stop // PAGE_INDICES)):
            first = page_number * PAGE_INDICES
            at, end = max(start - first, 0), min(stop - first, PAGE_INDICES)
            page = pages.get(page_number)
            found.append(bytes(end - at) if page is None else bytes(page)[at:end])
            yield
        return b"".join(found)

    def _count_steps(self, counted: Round) -> Generator[None, None, Counted]:
        """What is known of a round, in steps as of `view_steps`."""
        yield from ()
        return Counted(counted.pages, counted.answers, counted.untracked)

    def _is_complete(self, finished: Round) -> bool:
        """Nothing will be counted in a finished round any more, so that a summary may take the place of its arrays."""
        return True

    def _tidy_steps(self) -> Generator[None, None, None]:
        """Give up the arrays of rounds that are summed up, in steps as of `view_steps`."""
        yield from ()


def _view_steps(
    shown: Round, counted: Counted, only_seed: int | None, *, running: bool
) -> Generator[None, None, LedgerView]:
    seeds = sorted(shown.declared.keys() | counted.pages.keys())
    views = []
    listed_left = VIEW_LISTED_INDICES_MAX
    for seed in seeds:
        if only_seed is None or seed == only_seed:
            sums = _Sums(shown.declared.get(seed), listed_left)
            for page_number, page in sorted(counted.pages.get(seed, {}).items()):
                sums.add(page_number, bytes(page))  # a copy, since the page goes on changing
                yield
            view = sums.close(seed, dict(counted.answers.get(seed, {})))
            listed_left = sums.listed_left
            views.append(view)
            yield
    return LedgerView(shown.number, running, [], views, counted.untracked)


class _Sums:
    """The figures of one population while its pages are gone through in order."""

    def __init__(self, declared: DeclaredPopulation | None, listed_left: int) -> None:
        self._declared = declared
        self._first = declared.start if declared else 0
        self._end = declared.start + declared.count if declared else INDEX_RANGE
        self._looked_to = self._first  # up to here, indices never answered have been listed
        self._once = self._more = self._rejected = self._outside = 0
        self._more_indices: list[int] = []
        self._rejected_indices: list[int] = []
        self._never_indices: list[int] = []
        self.listed_left = listed_left

    def add(self, page_number: int, marks: bytes) -> None:
        page_first = page_number * PAGE_INDICES
        first = min(max(self._first, page_first), page_first + PAGE_INDICES)
        end = max(first, min(self._end, page_first + PAGE_INDICES))
        inside = marks[first - page_first : end - page_first]
        once, more, rejected = _counts(inside)
        self._once += once
        self._more += more
        self._rejected += rejected
        if len(inside) < PAGE_INDICES:
            self._outside += sum(_counts(marks)) - once - more - rejected
        if more:
            self._list(self._more_indices, (first + found.start() for found in _find_more(inside)))
        if rejected:
            self._list(self._rejected_indices, (first + found.start() for found in _find_rejected(inside)))
        if self._declared and inside:
            self._list(self._never_indices, iter(range(self._looked_to, first)))
            if once + more + rejected < len(inside):
                self._list(self._never_indices, (first + found.start() for found in _find_never(inside)))
            self._looked_to = end

    def _list(self, listed: list[int], found: Iterator[int]) -> None:
        room = min(LISTED_INDICES_MAX - len(listed), self.listed_left)
        before = len(listed)
        listed.extend(islice(found, room))
        self.listed_left -= len(listed) - before

    def close(self, seed: int, answers: dict[str, int]) -> PopulationView:
        never = None
        if self._declared:
            self._list(self._never_indices, iter(range(self._looked_to, self._end)))
            never = self._declared.count - self._once - self._more - self._rejected
        return PopulationView(
            seed=seed,
            start=self._declared.start if self._declared else None,
            count=self._declared.count if self._declared else None,
            accepted_once=self._once,
            accepted_more=self._more,
            rejected=self._rejected,
            never=never,
            outside=self._outside,
            answers_by_reason=answers,
            accepted_more_indices=_listed(self._more_indices, self._more),
            rejected_indices=_listed(self._rejected_indices, self._rejected),
            never_indices=_listed(self._never_indices, never or 0),
        )


def _listed(indices: list[int], total: int) -> ListedIndices:
    return ListedIndices(indices, truncated=total > len(indices))


def _counts(marks: bytes) -> tuple[int, int, int]:
    """How many marks say accepted once, accepted more, rejected only: on all bytes at once, as one long integer."""
    number = int.from_bytes(marks, "little")
    once = (number & _AT_ONCE).bit_count()
    more = (number & _AT_MORE).bit_count()
    touched = ((number | number >> 1 | number >> 2) & _AT_ONCE).bit_count()
    return once, more, touched - once - more
