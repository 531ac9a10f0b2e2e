"""The source of a user in an open loop: batches come when they are due, whatever became of those before."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.source import PopulationSource, no_attributes
from sender.store.records import Exchange, Outcome, State
from simulator.devices.draws import Devices
from simulator.devices.fates import Provider


@dataclass(slots=True)
class OpenBatch:
    """One batch from its arrival to its last answer. Instants since the epoch. `left`: devices without a final result.

    `without_answer`: those of them that ended without one.
    """

    indices: range
    scheduled_at_s: float
    sent_at_s: float
    left: int
    without_answer: int = 0


class Settled(NamedTuple):
    """So many `devices` of a batch came to their end at one instant. `answered`: for good; False for what was given up.

    `at_ms`: since the epoch.
    """

    batch: OpenBatch
    devices: int
    at_ms: int
    answered: bool


class ArrivalSource(PopulationSource):
    """Batches as they arrive; the arguments else are those of the base.

    `on_settled`: told of all that ends, and tells how old it was: milliseconds since the scheduled instant. `latency_ms`: these
    ages of what was answered -> notifications, for the caller to take. Batches wait here until they are claimed; who adds
    them bounds them by `pending`.
    """

    def __init__(
        self,
        population: Devices,
        *,
        provider: Provider | None = None,
        attributes: Callable[[int, int], bytes] = no_attributes,
        on_settled: Callable[[Settled], int],
    ) -> None:
        super().__init__(population, stop=0, provider=provider, attributes=attributes)
        self.latency_ms: Counter[int] = Counter()
        self._batches: deque[range] = deque()
        self._batch_of: dict[int, OpenBatch] = {}  # by index of a device that has not come to its end
        self._on_settled = on_settled
        self._no_more = False

    def arrive(self, batch: OpenBatch) -> None:
        """A batch is due; of a mixed population, the devices of our provider are ours."""
        indices = batch.indices
        own: Iterable[int] = indices
        if self._provider is not None:
            providers = self._population.providers(indices.start, indices.stop)
            own = [index for index, each in zip(indices, providers, strict=True) if each is self._provider]
        self._batch_of.update(dict.fromkeys(own, batch))
        self._batches.append(indices)

    @property
    def pending(self) -> int:
        """Devices taken on that have not come to their end."""
        return len(self._batch_of)

    @property
    def batches(self) -> dict[int, OpenBatch]:
        """Devices taken on that have not come to their end, by index, with their batches."""
        return self._batch_of

    def forget_all_but(self, indices: Set[int]) -> None:
        """Somebody else sends to the others."""
        self.forget_unclaimed()
        self._batches.clear()
        self._batch_of = {index: batch for index, batch in self._batch_of.items() if index in indices}

    def end(self) -> None:
        """No further batch will come."""
        self._no_more = True

    @property
    def unclaimed(self) -> int:
        return super().unclaimed + sum(self.count_of(batch.start, batch.stop) for batch in self._batches)

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Take results and claim up to `want` notifications of the batches that are here."""
        due, retry_at_ms, exhausted = super().exchange(outcomes, want, now_ms)
        while len(due) < want and self._batches and self._next == self._stop:
            batch = self._batches.popleft()
            self.take_on(batch.start, batch.stop)
            more, retry_at_ms, exhausted = super().exchange((), want - len(due), now_ms)
            due += more
        if self._no_more and not self._batches:
            return Exchange(due, retry_at_ms, exhausted)
        return Exchange(due, None, exhausted=False)  # to be asked with every tick

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        super()._count(outcomes)
        batch_of, waiting, given_up = self._batch_of, State.WAITING, State.GIVEN_UP
        batch, at_ms_before, answered_before, count = None, 0, False, 0
        for index, state, status, _, _, at_ms, _, _ in outcomes:
            if state is waiting:
                continue
            each = batch_of.pop(index)
            answered = status != 0 and state is not given_up
            # What left in one write comes back in one read, mostly: told together.
            if each is not batch or at_ms != at_ms_before or answered is not answered_before:
                if batch is not None:
                    self._settle(Settled(batch, count, at_ms_before, answered_before))
                batch, at_ms_before, answered_before, count = each, at_ms, answered, 0
            count += 1
        if batch is not None:
            self._settle(Settled(batch, count, at_ms_before, answered_before))

    def _settle(self, settled: Settled) -> None:
        latency_ms = self._on_settled(settled)
        if settled.answered:
            self.latency_ms[latency_ms] += settled.devices
