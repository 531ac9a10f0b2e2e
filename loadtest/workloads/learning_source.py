"""Devices of a population but for those that the provider has called invalid: what feedback is good for. No I/O."""

from collections.abc import Sequence

from loadtest.source import MixedDevices, PopulationSource
from sender.store.records import Due, Outcome
from simulator.devices.draws import Devices

_CHUNK_BITS = 16


class InvalidDevices:
    """Indices of devices whose tokens are dead: a bit for each device of a chunk that has any."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}
        self._count = 0

    def add(self, index: int) -> None:
        """One more, unless it is there."""
        chunk = self._chunks.setdefault(index >> _CHUNK_BITS, bytearray(1 << _CHUNK_BITS - 3))
        within = index & (1 << _CHUNK_BITS) - 1
        if not chunk[within >> 3] & 1 << (within & 7):
            chunk[within >> 3] |= 1 << (within & 7)
            self._count += 1

    def __contains__(self, index: int) -> bool:
        chunk = self._chunks.get(index >> _CHUNK_BITS)
        within = index & (1 << _CHUNK_BITS) - 1
        return chunk is not None and bool(chunk[within >> 3] & 1 << (within & 7))

    def __len__(self) -> int:
        return self._count


class LearningSource(PopulationSource):
    """`invalid`: what was learnt, for the caller to share among sources; None learns nothing."""

    invalid: InvalidDevices | None = None

    def change(self, population: Devices) -> None:
        """From now on with this one: the same devices, with other fates."""
        self._population = population
        if self._mixed is not None:
            assert isinstance(population, MixedDevices), "the same devices"
            self._mixed = population

    def _mint(self, start: int, stop: int) -> list[Due]:
        due, invalid = super()._mint(start, stop), self.invalid
        return due if not invalid else [each for each in due if each.device_id not in invalid]

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        super()._count(outcomes)
        if self.invalid is None:
            return
        for outcome in outcomes:
            # APNs says since when. A device that registered after that has a good token.
            if outcome.invalidate_at_ms and outcome.invalidate_at_ms > self._registered_at_ms(outcome.device_id):
                self.invalid.add(outcome.device_id)

    def _registered_at_ms(self, index: int) -> int:
        return self._population.mint(index).registered_at_ms
