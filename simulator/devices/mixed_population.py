"""Devices of both providers in one population: each index has a token of APNs or of FCM, drawn as its fate is.

Pure: no I/O, clock or chance, and no imports of ours but of this package.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count as numbers

from simulator.devices.draws import (
    DEFAULT_EPOCH_MS,
    FateShares,
    Minted,
    checked_range,
    draws,
    fate_bounds,
    require_index_in,
    require_shares,
    side_draws,
    word_bound,
)
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Environment, Population

FCM_SHARE_DEFAULT = 0.5


@dataclass(frozen=True)
class MixedPopulation:
    """A seeded set of devices, of which `fcm_share` (0 to 1) have FCM registrations and the others APNs tokens.

    Which provider a device has hangs on the seed and its index alone; its token is the one that a population of that
    provider has at the index. The share of a fate counts among the devices of the providers that know it. Other fields:
    see `Population` and `RegistrationPopulation`; the seed has 32 bits. Raises `ValueError` for a field out of range.
    """

    seed: int
    count: int
    topic: str
    environment: Environment = Environment.PRODUCTION
    fates: FateShares = ()
    ios_share: float = 0.0
    fcm_share: float = FCM_SHARE_DEFAULT
    epoch_ms: int = DEFAULT_EPOCH_MS

    def __post_init__(self) -> None:
        require_shares(self.fates, Provider)
        if not 0 <= self.fcm_share <= 1:  # Also refuses what is not a number.
            raise ValueError(f"the share of fcm must be from 0 to 1, not {self.fcm_share}")
        # Each checks its own fields.
        assert self.apns.count == self.fcm.count

    @cached_property
    def apns(self) -> Population:
        """The devices as they would be if all had APNs tokens."""
        return Population(
            self.seed, self.count, self.topic, self.environment, self._known_to(Provider.APNS), self.epoch_ms
        )

    @cached_property
    def fcm(self) -> RegistrationPopulation:
        """The devices as they would be if all had FCM registrations."""
        return RegistrationPopulation(
            self.seed, self.count, self.topic, self._known_to(Provider.FCM), self.ios_share, self.epoch_ms
        )

    def mint(self, index: int) -> Minted:
        """The device of this index. Raises `ValueError` when it is not from 0 to `count` - 1."""
        require_index_in(index, self.count)
        return next(self.mint_range(index, index + 1))

    def mint_range(self, start: int = 0, stop: int | None = None) -> Iterator[Minted]:
        """The devices from `start` to before `stop` (default: all), in order: some 3 µs each.

        Raises `ValueError` at the call, not at the first device, when the range leaves the population.
        """
        return self._mint(*checked_range(start, stop, self.count))

    def mint_of(self, provider: Provider, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Minted]]:
        """The devices of one provider in a range, each with its index; others are not minted. Raises as `mint_range` does."""
        return self._mint_of(provider, *checked_range(start, stop, self.count))

    def providers(self, start: int = 0, stop: int | None = None) -> Iterator[Provider]:
        """Whose token each device of a range has, in order. Raises as `mint_range` does."""
        return self._providers(*checked_range(start, stop, self.count))

    def fate_counts(self, start: int = 0, stop: int | None = None) -> dict[Fate, int]:
        """How many devices of each fate, active included, stand from `start` to before `stop`: exact, 1 µs each."""
        first, last = checked_range(start, stop, self.count)
        bounds_by_provider = {Provider.APNS: fate_bounds(self.apns.fates), Provider.FCM: fate_bounds(self.fcm.fates)}
        counts = dict.fromkeys((*(fate for fate, _ in self.fates), Fate.ACTIVE), 0)
        for (fate_word, *_), provider in zip(draws(self.seed, first, last), self._providers(first, last), strict=True):
            bounds, fates = bounds_by_provider[provider]
            counts[fates[bisect_right(bounds, fate_word)]] += 1
        return counts

    def _known_to(self, provider: Provider) -> FateShares:
        return tuple((fate, share) for fate, share in self.fates if provider in fate.providers)

    def _providers(self, start: int, stop: int) -> Iterator[Provider]:
        fcm_below, fcm, apns = word_bound(self.fcm_share), Provider.FCM, Provider.APNS
        for provider_word, _ in side_draws(self.seed, start, stop):
            yield fcm if provider_word < fcm_below else apns

    def _mint_of(self, provider: Provider, start: int, stop: int) -> Iterator[tuple[int, Minted]]:
        fcm_below, wants_fcm = word_bound(self.fcm_share), provider is Provider.FCM
        apns_device, fcm_device = self.apns.minter(), self.fcm.minter()
        for index, (fate_word, registration_word, death_word, person), (provider_word, platform_word) in zip(
            numbers(start), draws(self.seed, start, stop), side_draws(self.seed, start, stop), strict=False
        ):
            if (provider_word < fcm_below) is not wants_fcm:
                continue
            if wants_fcm:
                yield index, fcm_device(index, fate_word, registration_word, death_word, person, platform_word)
            else:
                yield index, apns_device(index, fate_word, registration_word, death_word, person)

    def _mint(self, start: int, stop: int) -> Iterator[Minted]:
        fcm_below = word_bound(self.fcm_share)
        apns_device, fcm_device = self.apns.minter(), self.fcm.minter()
        for index, (fate_word, registration_word, death_word, person), (provider_word, platform_word) in zip(
            numbers(start), draws(self.seed, start, stop), side_draws(self.seed, start, stop), strict=False
        ):
            if provider_word < fcm_below:
                yield fcm_device(index, fate_word, registration_word, death_word, person, platform_word)
            else:
                yield apns_device(index, fate_word, registration_word, death_word, person)
