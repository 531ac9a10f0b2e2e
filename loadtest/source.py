"""A population as the source of a run: tokens are minted as they are claimed, and nothing is kept of those that are done."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from sender.store.records import Due, Exchange, Outcome, State
from simulator.devices.draws import Devices, Minted
from simulator.devices.fates import Provider

# So many notifications wait for their time at most; then no further token is minted until some of them are sent again.
WAITING_MAX = 65_536


@runtime_checkable
class MixedDevices(Devices, Protocol):
    """A population of both providers."""

    def mint_of(self, provider: Provider, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Minted]]:
        """The devices of one provider in a range, each with its index."""


def no_attributes(index: int, person: int) -> bytes:
    """Of any device."""
    return b"{}"


class PopulationSource:
    """Devices of a population by index, from `start` to before `stop` (default: all); `device_id` is the index.

    `provider`: of a mixed population, whose devices are meant; None for all. `attributes`: of a device, by index and person
    (see `Minted.person`). Results are counted: `accepted`, and by reason
    `rejected` and `given_up`; the latter only after an answer or a loss, while `unsent` were never on their way.
    """

    def __init__(
        self,
        population: Devices,
        start: int = 0,
        stop: int | None = None,
        *,
        provider: Provider | None = None,
        attributes: Callable[[int, int], bytes] = no_attributes,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        self.given_up: Counter[str] = Counter()
        self.unsent = 0
        self._population = population
        self._mixed = population if provider is not None and isinstance(population, MixedDevices) else None
        self._provider = None if self._mixed is None else provider
        self._attributes = attributes
        self._waiting_max = waiting_max
        self._waiting: list[tuple[int, int, int]] = []  # a heap: due at (ms), index, attempts
        self.take_on(start, population.count if stop is None else stop)

    def take_on(self, start: int, stop: int) -> None:
        """Go on with another range, when the one before is exhausted."""
        if not 0 <= start <= stop <= self._population.count:
            raise ValueError(f"{start} to {stop} leaves the population: its count is {self._population.count}")
        self._next, self._stop = start, stop

    @property
    def unclaimed(self) -> int:
        """Devices of the range that were not claimed yet, or wait to be sent again."""
        return self.count_of(self._next, self._stop) + len(self._waiting)

    @property
    def open(self) -> list[int]:
        """The indices of these devices."""
        ahead: Iterable[int] = range(self._next, self._stop)
        if self._provider is not None:
            providers = self._population.providers(self._next, self._stop)
            ahead = [index for index, each in zip(ahead, providers, strict=True) if each is self._provider]
        return [*ahead, *(index for _, index, _ in self._waiting)]

    def forget_unclaimed(self) -> None:
        """Somebody else sends to these devices."""
        self._next = self._stop
        self._waiting.clear()

    def count_of(self, start: int, stop: int) -> int:
        """How many devices from `start` to before `stop` are of the provider that is meant."""
        if self._provider is None:
            return stop - start
        return sum(each is self._provider for each in self._population.providers(start, stop))

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Take results and claim up to `want` notifications."""
        if outcomes:
            self._count(outcomes)
        due = self._claim_waiting(want, now_ms) if self._waiting else []
        if len(self._waiting) < self._waiting_max:
            # Of a mixed population, some of these devices are others': until there are enough.
            while len(due) < want and self._next < self._stop:
                start = self._next
                self._next = stop = min(self._stop, start + want - len(due))
                due += self._mint(start, stop)
        waiting = self._waiting
        return Exchange(due, waiting[0][0] if waiting else None, self._next == self._stop and not waiting)

    def _mint(self, start: int, stop: int) -> list[Due]:
        attributes, new = self._attributes, tuple.__new__
        minted: Iterable[tuple[int, Minted]]
        if self._mixed is not None and self._provider is not None:
            minted = self._mixed.mint_of(self._provider, start, stop)
        else:
            minted = enumerate(self._population.mint_range(start, stop), start)
        return [
            new(Due, (index, token, registered_at_ms, 0, attributes(index, person)))
            for index, (token, registered_at_ms, _, person) in minted
        ]

    def _claim_waiting(self, want: int, now_ms: int) -> list[Due]:
        due: list[Due] = []
        while len(due) < want and self._waiting and self._waiting[0][0] <= now_ms:
            _, index, attempts = heapq.heappop(self._waiting)
            due += [each._replace(attempts=attempts) for each in self._mint(index, index + 1)]
        return due

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        accepted = State.ACCEPTED
        for index, state, status, reason, attempts, _, retry_at_ms, _ in outcomes:
            if state is accepted:
                self.accepted += 1
            elif state is State.REJECTED:
                self.rejected[reason or str(status)] += 1
            elif state is State.WAITING:
                heapq.heappush(self._waiting, (retry_at_ms, index, attempts))
            elif attempts:
                self.given_up[f"{status} {reason}" if status else reason] += 1
            else:
                self.unsent += 1
