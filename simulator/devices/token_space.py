"""Device tokens by the million without a table: a token is sealed, and carries what the simulator must know of it.

A synthetic APNs token is 32 bytes, written as 64 hexadecimal digits:

    tag 8 | masked( kind 2 | seed 8 | index 5 | instant 4 | topic tag 5 )        all integers big-endian

- kind: format version (4 bits), environment (4 bits), fate (8 bits).
- seed and index: which population, and which of its devices.
- instant: when the device died, in whole seconds since the population's `epoch_ms`; 0 when it did not.
- topic tag: a short hash of the topic that the token belongs to.

The sealing follows the shape of SIV (RFC 5297): the tag is a keyed hash of the plain fields, and the mask is a keyed
hash of the tag. So tokens look random, sealing is one-to-one (no two devices of any two populations share a token),
the same population has the same tokens on every machine, and a token in which any digit was changed reads as foreign
(but for one chance in 2**64). The keys are constants of the format: this guards against accidents, not attackers.

Pure: no I/O, clock or chance, and no imports of ours but fates and draws. Reading a token takes some 1.4 µs
among many, 3 µs alone.
"""

from binascii import unhexlify
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import repeat
from struct import Struct
from typing import NamedTuple

from simulator.devices.draws import (
    COUNT_MAX,
    DEFAULT_EPOCH_MS,
    INDEX_MAX,
    REGISTRATION_WINDOW_S,
    FateShares,
    Minted,
    checked_range,
    count_fates,
    draws,
    fate_bounds,
    life,
    parse_fates,
    prepared,
    require_index,
    require_index_in,
    require_population,
    require_seed,
    require_shares,
)
from simulator.devices.fates import Fate, Provider

__all__ = [
    "COUNT_MAX",
    "DEFAULT_EPOCH_MS",
    "FORMAT_VERSION",
    "INDEX_MAX",
    "INSTANT_S_MAX",
    "SEED_MAX",
    "Environment",
    "Fate",
    "Minted",
    "Population",
    "SealedToken",
    "kind_of",
    "parse_fates",
    "seal",
    "topic_tag",
    "unseal",
    "unseal_all",
]

FORMAT_VERSION = 1
SEED_MAX = 2**64 - 1
INSTANT_S_MAX = 2**32 - 1
TOPIC_TAG_BYTES = 5

TOKEN_HEX_DIGITS = 64
_split_raw = Struct("8s24s").iter_unpack  # tag, masked fields
_PLAIN = Struct(">HQBII5s")  # kind, seed, index (8 high bits, 32 low bits), instant, topic tag: 24 bytes


class Environment(IntEnum):
    """The APNs environment that a device token belongs to."""

    PRODUCTION = 0
    SANDBOX = 1

    @property
    def other(self) -> "Environment":
        """The environment whose tokens are bad in this one."""
        return Environment.SANDBOX if self is Environment.PRODUCTION else Environment.PRODUCTION


def kind_of(environment: Environment, fate: Fate) -> int:
    """The `kind` of tokens with this environment and fate (16 bits), so that a hot path compares one integer."""
    return FORMAT_VERSION << 12 | environment << 8 | fate.code


_KINDS = {
    kind_of(environment, fate): (environment, fate)
    for environment in Environment
    for fate in Fate.of_provider(Provider.APNS)
}


class SealedToken(NamedTuple):
    """What a token carries. `kind`: see `kind_of`. `instant_s`: of death, since its population's epoch; 0 if none."""

    kind: int
    seed: int
    index: int  # type: ignore[assignment]  # Hides the method of tuples, which no one needs here.
    instant_s: int
    topic_tag: bytes

    @property
    def fate(self) -> Fate:
        """What became of the device."""
        return _KINDS[self.kind][1]

    @property
    def environment(self) -> Environment:
        """Where the token is valid."""
        return _KINDS[self.kind][0]


# Constants of the format.
_tag_state = prepared(b"tag", 8).copy
_mask_state = prepared(b"mask", 24).copy
_topic_state = prepared(b"topic", TOPIC_TAG_BYTES).copy

# Looked up once: the attribute look-ups of `unseal` together cost it a tenth of its time.
_int_from_bytes, _new_tuple, _PLAIN_BYTES = int.from_bytes, tuple.__new__, _PLAIN.size


def topic_tag(topic: bytes) -> bytes:
    """The 5 bytes that stand for a topic (a bundle id without the suffix of a push type) in its tokens."""
    state = _topic_state()
    state.update(topic)
    return state.digest()


def _seal_plain(plain: bytes) -> str:
    state = _tag_state()
    state.update(plain)
    tag = state.digest()
    state = _mask_state()
    state.update(tag)
    masked = _int_from_bytes(plain, "big") ^ _int_from_bytes(state.digest(), "big")
    return (tag + masked.to_bytes(24, "big")).hex()


def seal(sealed: SealedToken) -> str:
    """The token, 64 lower-case hexadecimal digits. Raises `ValueError` when a field is outside its range."""
    kind, seed, index, instant_s, tag = sealed
    if kind not in _KINDS:
        raise ValueError(f"kind {kind:#06x} is none of this format; make one with kind_of()")
    require_seed(seed, SEED_MAX, "2**64 - 1")
    require_index(index)
    if not 0 <= instant_s <= INSTANT_S_MAX:
        raise ValueError(f"instant_s must be from 0 to {INSTANT_S_MAX} (2**32 - 1), not {instant_s}")
    if len(tag) != TOPIC_TAG_BYTES:
        raise ValueError(f"topic_tag must be {TOPIC_TAG_BYTES} bytes, not {len(tag)}; make one with topic_tag()")
    return _seal_plain(_PLAIN.pack(kind, seed, index >> 32, index & 0xFFFFFFFF, instant_s, tag))


def unseal(text: bytes) -> SealedToken | None:
    """Read a token back from its 64 hexadecimal digits (either case). None: foreign, it was not minted here.

    Raises nothing, whatever the bytes.
    """
    return unseal_all((text,))[0]


def unseal_all(texts: Sequence[bytes]) -> list[SealedToken | None]:
    """`unseal` of each: the tokens of one read at once.

    On the hot path of the simulator: 1.4 µs each, of a hundred and more, nothing stored.
    """
    raw = _all_raw(texts)
    if raw is None:
        return [None] if len(texts) == 1 else [unseal(text) for text in texts]
    tags, masked, masks = [], [], []
    for tag, each in _split_raw(raw):
        state = _mask_state()
        state.update(tag)
        tags.append(tag)
        masked.append(each)
        masks.append(state.digest())
    # One long number of all plain fields: taking off the masks costs nearly nothing then.
    plain = _int_from_bytes(b"".join(masked), "big") ^ _int_from_bytes(b"".join(masks), "big")
    plains = plain.to_bytes(_PLAIN.size * len(tags), "big")
    devices: list[SealedToken | None] = []
    at = 0
    for tag, (kind, seed, index_high, index_low, instant_s, topic) in zip(
        tags, _PLAIN.iter_unpack(plains), strict=True
    ):
        state = _tag_state()
        state.update(plains[at : at + _PLAIN_BYTES])
        at += _PLAIN_BYTES
        # A later version may mint fates that this one does not know: those are foreign here.
        if state.digest() == tag and kind in _KINDS:
            # As SealedToken(...), at half its cost.
            devices.append(_new_tuple(SealedToken, (kind, seed, index_high << 32 | index_low, instant_s, topic)))
        else:
            devices.append(None)
    return devices


def _all_raw(texts: Sequence[bytes]) -> bytes | None:
    """The bytes of all tokens, one behind the other; None unless each of them is 64 hexadecimal digits."""
    if any(len(text) != TOKEN_HEX_DIGITS for text in texts):
        return None
    try:
        return unhexlify(b"".join(texts))
    except ValueError:
        return None


@dataclass(frozen=True)
class Population:
    """A seeded set of devices, of which any can be made again from its index alone.

    `fates`: the share (0 to 1) of each fate; what remains is active. The fate, registration and death of a device hang
    on the seed and its index alone: neither `count` nor the order of minting matters. Registrations fall within 180
    days after `epoch_ms` (since the Unix epoch), deaths from an hour to 60 days after the registration, but for
    `reregistered` as long before it. Raises `ValueError` for a field outside its range.
    """

    seed: int
    count: int
    topic: str
    environment: Environment = Environment.PRODUCTION
    fates: FateShares = ()
    epoch_ms: int = DEFAULT_EPOCH_MS

    def __post_init__(self) -> None:
        require_seed(self.seed, SEED_MAX, "2**64 - 1")
        require_population(self.count, self.topic, self.epoch_ms)
        require_shares(self.fates, (Provider.APNS,))

    def mint(self, index: int) -> Minted:
        """The device of this index. Raises `ValueError` when it is not from 0 to `count` - 1."""
        require_index_in(index, self.count)
        return next(self.mint_range(index, index + 1))

    def mint_range(self, start: int = 0, stop: int | None = None) -> Iterator[Minted]:
        """The devices from `start` to before `stop` (default: all), in order: some 2 µs each.

        Raises `ValueError` at the call, not at the first device, when the range leaves the population.
        """
        return self._mint(*checked_range(start, stop, self.count))

    def providers(self, start: int = 0, stop: int | None = None) -> Iterator[Provider]:
        """Whose token each device of a range has: APNs's. Raises as `mint_range` does."""
        first, last = checked_range(start, stop, self.count)
        return repeat(Provider.APNS, last - first)

    def fate_counts(self, start: int = 0, stop: int | None = None) -> dict[Fate, int]:
        """How many devices of each fate, active included, stand from `start` to before `stop`: exact, 0.5 µs each."""
        return count_fates(self.seed, self.fates, *checked_range(start, stop, self.count))

    def minter(self) -> Callable[[int, int, int, int, int], Minted]:
        """What makes a device of its index and its four draws (see `draws`): for loops over devices of any providers."""
        seed, epoch_ms, environment = self.seed, self.epoch_ms, self.environment
        own_tag = topic_tag(self.topic.encode("ascii"))
        foreign_tag = topic_tag(other_topic(self.topic).encode("ascii"))
        bounds, fates = fate_bounds(self.fates)
        active_from = bounds[-1] if bounds else 0
        active_kind = kind_of(environment, Fate.ACTIVE)
        window_ms = REGISTRATION_WINDOW_S * 1000
        pack, seal_plain, new, active = _PLAIN.pack, _seal_plain, tuple.__new__, Fate.ACTIVE

        def device(index: int, fate_word: int, registration_word: int, death_word: int, person: int) -> Minted:
            if fate_word >= active_from:
                plain = pack(active_kind, seed, index >> 32, index & 0xFFFFFFFF, 0, own_tag)
                registered_at_ms = epoch_ms + (registration_word * window_ms >> 32)
                return new(Minted, (seal_plain(plain), registered_at_ms, active, person))
            fate = fates[bisect_right(bounds, fate_word)]
            registered_ms, instant_s = life(fate.death, registration_word, death_word)
            plain = pack(
                kind_of(environment.other if fate is Fate.WRONG_ENVIRONMENT else environment, fate),
                seed,
                index >> 32,
                index & 0xFFFFFFFF,
                instant_s,
                foreign_tag if fate is Fate.WRONG_TOPIC else own_tag,
            )
            return new(Minted, (seal_plain(plain), epoch_ms + registered_ms, fate, person))

        return device

    def _mint(self, start: int, stop: int) -> Iterator[Minted]:
        device = self.minter()
        for index, (fate_word, registration_word, death_word, person) in enumerate(
            draws(self.seed, start, stop), start
        ):
            yield device(index, fate_word, registration_word, death_word, person)


def other_topic(topic: str) -> str:
    """The topic that tokens of the fate `wrong-topic` belong to, in a population of `topic`."""
    return f"elsewhere.{topic}"
