"""Devices that uninstall the app: the same population with more of it dead, at once or growing with the index. Pure.

Fates are drawn from seed and index, so who is dead in one of these is dead in every one that has more dead devices.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from loadtest.errors import LoadSettingsError
from simulator.devices.draws import Devices, FateShares, Minted, checked_range, require_index_in
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Population

WAVE_STEPS = 100
"""In so many steps the share of dead devices grows."""

Plain = Population | RegistrationPopulation | MixedPopulation


def with_dead(population: Devices, share: float, option: str) -> Plain:
    """The same devices, with a further `share` of all unregistered. Raises LoadSettingsError naming `option`."""
    assert isinstance(population, Plain)
    others, before = population.fates, 0.0
    if others and others[-1][0] is Fate.UNREGISTERED:
        *rest, (_, before) = others
        others = tuple(rest)
    # Behind all others, so that it grows at the cost of the active ones alone.
    if any(fate is Fate.UNREGISTERED for fate, _ in others):
        raise LoadSettingsError("--fate", "name unregistered last: its share grows, and the others keep their devices")
    fates: FateShares = (*others, (Fate.UNREGISTERED, before + share))
    try:
        return replace(population, fates=fates)
    except ValueError as error:
        raise LoadSettingsError(option, f"together with --fate: {error}") from None


class UninstallWave:
    """A population whose share of dead devices grows from `first` at index `start` to `last` at its end.

    What `--fate unregistered` says comes on top. Raises LoadSettingsError when the shares sum to more than 1.
    """

    def __init__(self, population: Devices, start: int, first: float, last: float) -> None:
        self.seed, self.count, self.topic = population.seed, population.count, population.topic
        steps = [first + (last - first) * step / (WAVE_STEPS - 1) for step in range(WAVE_STEPS)]
        self._steps = [with_dead(population, share, "--dead-from, --dead-to") for share in steps]
        self._bounds = [start + (self.count - start) * step // WAVE_STEPS for step in range(WAVE_STEPS + 1)]
        self._bounds[0] = 0

    @property
    def fates(self) -> FateShares:
        """The shares at its end."""
        return self._steps[-1].fates

    def mint(self, index: int) -> Minted:
        require_index_in(index, self.count)
        return next(self.mint_range(index, index + 1))

    def mint_range(self, start: int = 0, stop: int | None = None) -> Iterator[Minted]:
        parts = self._parts(*checked_range(start, stop, self.count))
        return chain.from_iterable(population.mint_range(first, last) for population, first, last in parts)

    def providers(self, start: int = 0, stop: int | None = None) -> Iterator[Provider]:
        return self._steps[0].providers(start, stop)

    def fate_counts(self, start: int = 0, stop: int | None = None) -> dict[Fate, int]:
        counts: Counter[Fate] = Counter()
        for population, first, last in self._parts(*checked_range(start, stop, self.count)):
            counts.update(population.fate_counts(first, last))
        return dict(counts)

    def _parts(self, start: int, stop: int) -> Iterator[tuple[Plain, int, int]]:
        """The populations of a range, each with the indices that are its own."""
        for population, first, last in zip(self._steps, self._bounds, self._bounds[1:], strict=False):
            low, high = max(start, first), min(stop, last)
            if low < high:
                yield population, low, high


class MixedUninstallWave(UninstallWave):
    """The same over devices of both providers."""

    def mint_of(self, provider: Provider, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Minted]]:
        parts = self._parts(*checked_range(start, stop, self.count))
        return chain.from_iterable(
            population.mint_of(provider, first, last)
            for population, first, last in parts
            if isinstance(population, MixedPopulation)
        )


def uninstall_wave(population: Devices, start: int, first: float, last: float) -> UninstallWave:
    """The wave over a population, see `UninstallWave`. Raises LoadSettingsError."""
    kind = MixedUninstallWave if isinstance(population, MixedPopulation) else UninstallWave
    return kind(population, start, first, last)
