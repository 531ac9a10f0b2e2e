"""How the devices of a population differ: their fates, registrations and deaths, drawn from the seed and the index alone.

Both token spaces draw here, so a device has one life whichever provider gave it a token. Neither the size of a
population nor the order of minting matters, and a thousand processes agree without talking.

Pure: no I/O, clock or chance, and no imports of ours but the table of fates.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple, Protocol

from simulator.devices.fates import Death, Fate, Provider

INDEX_MAX = 2**40 - 1
COUNT_MAX = INDEX_MAX + 1
TOPIC_BYTES_MAX = 255  # Ours: Apple and Google state no limit; their bundle ids and package names stay far below.

DEFAULT_EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
EPOCH_MS_MAX = 2**47  # The year 6429: any later is a mistake of units.

_HOUR_S = 3_600
_DAY_S = 86_400
REGISTRATION_WINDOW_S = 180 * _DAY_S  # Registrations fall into this window after the epoch.
DEATH_DELAY_MIN_S = 1 * _HOUR_S  # The least time between a registration and a death, on either side.
DEATH_DELAY_MAX_S = 60 * _DAY_S  # The time between them is below this.

WORD_RANGE = 2**32

FateShares = tuple[tuple[Fate, float], ...]
"""The share (0 to 1) of each fate; what remains is active."""


class Minted(NamedTuple):
    """One synthetic device.

    `registered_at_ms`: since the Unix epoch. `person`: a draw of 32 bits, from which a load test picks who holds it.
    """

    token: str
    registered_at_ms: int
    fate: Fate
    person: int


class Devices(Protocol):
    """A population of any provider, or of both: what mints, and which provider each index has.

    Ranges run from `start` to before `stop` (default: all); each method raises `ValueError` at the call when one leaves
    the population.
    """

    @property
    def seed(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def topic(self) -> str: ...

    @property
    def fates(self) -> FateShares: ...

    def mint(self, index: int) -> Minted:
        """The device of this index."""

    def mint_range(self, start: int = 0, stop: int | None = None) -> Iterator[Minted]:
        """The devices of a range, in order."""

    def providers(self, start: int = 0, stop: int | None = None) -> Iterator[Provider]:
        """Whose token each device of a range has, in order."""

    def fate_counts(self, start: int = 0, stop: int | None = None) -> dict[Fate, int]:
        """How many devices of each fate, active included, a range has: exact."""


def prepared(purpose: bytes, digest_bytes: int) -> "blake2b":
    """A keyed hash of the token formats, ready to be copied. The keys are constants of the formats.

    It has already taken in one byte beyond its key block, so that an implementation which compresses full blocks at once has
    done with the key here. CPython's holds two blocks back, and compresses the key once more for every token (0.12 µs).
    """
    return blake2b(b"\x01", digest_size=digest_bytes, key=b"pushrig token space v1 " + purpose)


_DRAW_STATE = prepared(b"draw", 64)
_SIDE_STATE = prepared(b"side", 64)


def draws(seed: int, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Four 32-bit words a device, by keyed hash of seed and index: fate, registration, death, person.

    One hash of 64 bytes serves four neighbours.
    """
    seeded = _DRAW_STATE.copy()
    seeded.update(seed.to_bytes(8, "big"))
    words_of = Struct(">4I").iter_unpack
    for block in range(start >> 2, (stop + 3) >> 2):
        state = seeded.copy()
        state.update(block.to_bytes(8, "big"))
        first = block << 2
        if first >= start and first + 4 <= stop:
            yield from words_of(state.digest())
        else:
            yield from list(words_of(state.digest()))[max(start - first, 0) : stop - first]


def side_draws(seed: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Two more 32-bit words a device: provider, platform. One hash of 64 bytes serves eight neighbours."""
    seeded = _SIDE_STATE.copy()
    seeded.update(seed.to_bytes(8, "big"))
    words_of = Struct(">2I").iter_unpack
    for block in range(start >> 3, (stop + 7) >> 3):
        state = seeded.copy()
        state.update(block.to_bytes(8, "big"))
        first = block << 3
        if first >= start and first + 8 <= stop:
            yield from words_of(state.digest())
        else:
            yield from list(words_of(state.digest()))[max(start - first, 0) : stop - first]


def word_bound(share: float) -> int:
    """The words below this are the share (0 to 1) of all words."""
    return min(WORD_RANGE, round(share * WORD_RANGE))


def fate_bounds(fates: FateShares) -> tuple[list[int], list[Fate]]:
    """Where each fate's share of the words ends, and the fates in that order, active last: for `bisect_right`."""
    shares = [share for _, share in fates]
    bounds = [word_bound(math.fsum(shares[: end + 1])) for end in range(len(shares))]
    return bounds, [*(fate for fate, _ in fates), Fate.ACTIVE]


def count_fates(seed: int, fates: FateShares, start: int, stop: int) -> dict[Fate, int]:
    """How many devices of each fate, active included, a range has: exact, 0.5 µs each."""
    bounds, by_place = fate_bounds(fates)
    counts = dict.fromkeys(by_place, 0)
    for fate_word, *_ in draws(seed, start, stop):
        counts[by_place[bisect_right(bounds, fate_word)]] += 1
    return counts


def life(death: Death, registration_word: int, death_word: int) -> tuple[int, int]:
    """Registration (ms) and death (s, 0 for none), both counted from the epoch, out of two draws of 32 bits."""
    registered_ms = registration_word * REGISTRATION_WINDOW_S * 1000 >> 32
    delay_s = DEATH_DELAY_MIN_S + (death_word * (DEATH_DELAY_MAX_S - DEATH_DELAY_MIN_S) >> 32)
    if death is Death.NONE:
        return registered_ms, 0
    if death is Death.AFTER_REGISTRATION:
        # Rounded up, so that the delay is never less than it says.
        return registered_ms, -(-registered_ms // 1000) + delay_s
    # A death before the registration needs room after the epoch: these registrations start later.
    room_ms = DEATH_DELAY_MAX_S * 1000
    registered_ms = room_ms + (registration_word * (REGISTRATION_WINDOW_S * 1000 - room_ms) >> 32)
    return registered_ms, registered_ms // 1000 - delay_s


def parse_fates(options: Iterable[str], providers: Iterable[Provider] = (Provider.APNS,)) -> FateShares:
    """Read `NAME=SHARE` options, such as `unregistered=0.02`, for populations of these providers.

    Raises `ValueError`, which names the faulty option; so does a fate that none of the providers knows.
    """
    shares = []
    for option in options:
        name, equals, share_text = option.partition("=")
        if not equals:
            raise ValueError(f"{option!r} is not NAME=SHARE, such as unregistered=0.02")
        if re.fullmatch(r"(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", share_text, re.ASCII) is None:
            raise ValueError(f"{option!r}: the share must be a number from 0 to 1, such as 0.02, not {share_text!r}")
        try:
            fate = Fate.of_name(name)
        except ValueError as error:
            raise ValueError(f"{option!r}: {error}") from None
        shares.append((fate, float(share_text)))
    require_shares(shares, providers)
    return tuple(shares)


def require_seed(seed: int, seed_max: int, explained: str) -> None:
    """Raise `ValueError` when the token format has no room for the seed. `explained`: what the message says of the bound."""
    if not 0 <= seed <= seed_max:
        raise ValueError(f"seed must be from 0 to {seed_max} ({explained}), not {seed}")


def require_index(index: int) -> None:
    """Raise `ValueError` when no population has this index."""
    if not 0 <= index <= INDEX_MAX:
        raise ValueError(f"index must be from 0 to {INDEX_MAX} (2**40 - 1), not {index}")


def require_index_in(index: int, count: int) -> None:
    """Raise `ValueError` when a population of this count does not have the index."""
    require_index(index)
    if index >= count:
        raise ValueError(f"index {index} is beyond this population: its count is {count}")


def checked_range(start: int, stop: int | None, count: int) -> tuple[int, int]:
    """Start and stop of a range (default: to the end). Raises `ValueError` when it leaves the population."""
    last = count if stop is None else stop
    if not 0 <= start <= last <= count:
        raise ValueError(f"the range from {start} to {last} leaves this population: its count is {count}")
    return start, last


def require_population(count: int, topic: str, epoch_ms: int) -> None:
    """Raise `ValueError` for the first of a population's fields that is outside its range."""
    if not 0 <= count <= COUNT_MAX:
        raise ValueError(f"count must be from 0 to {COUNT_MAX} (2**40), not {count}")
    if re.fullmatch(r"[!-~]+", topic) is None or len(topic) > TOPIC_BYTES_MAX:
        raise ValueError(
            f"topic must be a bundle id of 1 to {TOPIC_BYTES_MAX} printable ASCII characters without blanks, "
            f"such as com.example.app, not {topic!r}"
        )
    if not 0 <= epoch_ms <= EPOCH_MS_MAX:
        raise ValueError(f"epoch_ms must be milliseconds since 1970, from 0 to {EPOCH_MS_MAX}, not {epoch_ms}")


def require_shares(shares: Iterable[tuple[Fate, float]], providers: Iterable[Provider]) -> None:
    """Raise `ValueError` for shares that no population of these providers can have.

    A fate's share counts among the devices of the providers that know it, so the sum is taken for each provider.
    """
    chosen = tuple(providers)
    by_fate: dict[Fate, float] = {}
    for fate, share in shares:
        if fate is Fate.ACTIVE:
            raise ValueError("the share of active is what the other fates leave; do not state it")
        if fate in by_fate:
            raise ValueError(f"the share of {fate.wire_name} is stated twice")
        if not 0 <= share <= 1:  # Also refuses what is not a number.
            raise ValueError(f"the share of {fate.wire_name} must be from 0 to 1, not {share}")
        if fate.providers.isdisjoint(chosen):
            raise ValueError(_unknown_to(fate, chosen))
        by_fate[fate] = share
    for provider in chosen:
        known = {fate: share for fate, share in by_fate.items() if provider in fate.providers}
        # Shares written in decimals may miss 1 by a rounding of binary fractions.
        if (total := math.fsum(known.values())) > 1 + 1e-9:
            raise ValueError(f"the shares of the fates sum to {total:.6g}, which is more than 1: {_listed(known)}")


def _unknown_to(fate: Fate, providers: tuple[Provider, ...]) -> str:
    known = {each.wire_name for provider in providers for each in Fate.of_provider(provider) if each is not Fate.ACTIVE}
    names = " and ".join(provider.value for provider in providers)
    return f"tokens of {names} know no fate {fate.wire_name}; they know: {', '.join(sorted(known))}"


def _listed(shares: Mapping[Fate, float]) -> str:
    return ", ".join(f"{fate.wire_name}={share:g}" for fate, share in shares.items())
