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

Pure: no I/O, clock or chance, and no imports of ours but the table of fates. Reading a token takes some 1.6 µs.
"""

import math
import re
from binascii import unhexlify
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from simulator.devices.fates import Death, Fate

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
]

FORMAT_VERSION = 1
SEED_MAX = 2**64 - 1
INDEX_MAX = 2**40 - 1
INSTANT_S_MAX = 2**32 - 1
COUNT_MAX = INDEX_MAX + 1
TOPIC_BYTES_MAX = 255  # Ours: Apple states no limit; its bundle ids stay far below.
TOPIC_TAG_BYTES = 5

DEFAULT_EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
EPOCH_MS_MAX = 2**47  # The year 6429: any later is a mistake of units.

_HOUR_S = 3_600
_DAY_S = 86_400
REGISTRATION_WINDOW_S = 180 * _DAY_S  # Registrations fall into this window after the epoch.
DEATH_DELAY_MIN_S = 1 * _HOUR_S  # The least time between a registration and a death, on either side.
DEATH_DELAY_MAX_S = 60 * _DAY_S  # The time between them is below this.

_PLAIN = Struct(">HQBII5s")  # kind, seed, index (8 high bits, 32 low bits), instant, topic tag: 24 bytes
_WORD_RANGE = 2**32


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


_KINDS = {kind_of(environment, fate): (environment, fate) for environment in Environment for fate in Fate}


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


# Constants of the format. Each state has already taken in one byte beyond its key block, so that the key is compressed
# here and not once more for every token: copying a prepared state and finishing it costs one compression.
def _prepared(purpose: bytes, digest_bytes: int) -> "blake2b":
    return blake2b(b"\x01", digest_size=digest_bytes, key=b"pushrig token space v1 " + purpose)


_tag_state = _prepared(b"tag", 8).copy
_mask_state = _prepared(b"mask", 24).copy
_topic_state = _prepared(b"topic", TOPIC_TAG_BYTES).copy
_DRAW_STATE = _prepared(b"draw", 64)

# Looked up once: the attribute look-ups of `unseal` together cost it a tenth of its time.
_int_from_bytes, _unpack_plain, _new_tuple = int.from_bytes, _PLAIN.unpack, tuple.__new__


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
    _require_seed(seed)
    _require_index(index)
    if not 0 <= instant_s <= INSTANT_S_MAX:
        raise ValueError(f"instant_s must be from 0 to {INSTANT_S_MAX} (2**32 - 1), not {instant_s}")
    if len(tag) != TOPIC_TAG_BYTES:
        raise ValueError(f"topic_tag must be {TOPIC_TAG_BYTES} bytes, not {len(tag)}; make one with topic_tag()")
    return _seal_plain(_PLAIN.pack(kind, seed, index >> 32, index & 0xFFFFFFFF, instant_s, tag))


def unseal(text: bytes) -> SealedToken | None:
    """Read a token back from its 64 hexadecimal digits (either case). None: foreign, it was not minted here.

    On the hot path of the simulator: at most 2 µs, nothing stored. Raises nothing, whatever the bytes.
    """
    try:
        raw = unhexlify(text)
    except ValueError:
        return None
    if len(raw) != 32:
        return None
    tag = raw[:8]
    state = _mask_state()
    state.update(tag)
    plain = (_int_from_bytes(raw[8:], "big") ^ _int_from_bytes(state.digest(), "big")).to_bytes(24, "big")
    state = _tag_state()
    state.update(plain)
    if state.digest() != tag:
        return None
    kind, seed, index_high, index_low, instant_s, tag = _unpack_plain(plain)
    # A later version may mint fates that this one does not know: those are foreign here.
    if kind not in _KINDS:
        return None
    # As SealedToken(...), at half its cost.
    return _new_tuple(SealedToken, (kind, seed, index_high << 32 | index_low, instant_s, tag))


class Minted(NamedTuple):
    """One synthetic device.

    `registered_at_ms`: since the Unix epoch. `person`: a draw of 32 bits, from which a load test picks who holds it.
    """

    token: str
    registered_at_ms: int
    fate: Fate
    person: int


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
    fates: tuple[tuple[Fate, float], ...] = ()
    epoch_ms: int = DEFAULT_EPOCH_MS

    def __post_init__(self) -> None:
        _require_seed(self.seed)
        if not 0 <= self.count <= COUNT_MAX:
            raise ValueError(f"count must be from 0 to {COUNT_MAX} (2**40), not {self.count}")
        _require_topic(self.topic)
        _require_shares(self.fates)
        if not 0 <= self.epoch_ms <= EPOCH_MS_MAX:
            raise ValueError(f"epoch_ms must be milliseconds since 1970, from 0 to {EPOCH_MS_MAX}, not {self.epoch_ms}")

    def mint(self, index: int) -> Minted:
        """The device of this index. Raises `ValueError` when it is not from 0 to `count` - 1."""
        _require_index(index)
        if index >= self.count:
            raise ValueError(f"index {index} is beyond this population: its count is {self.count}")
        return next(self.mint_range(index, index + 1))

    def mint_range(self, start: int = 0, stop: int | None = None) -> Iterator[Minted]:
        """The devices from `start` to before `stop` (default: all), in order: some 2 µs each.

        Raises `ValueError` at the call, not at the first device, when the range leaves the population.
        """
        return self._mint(*self._range(start, stop))

    def fate_counts(self, start: int = 0, stop: int | None = None) -> dict[Fate, int]:
        """How many devices of each fate, active included, stand from `start` to before `stop`: exact, 0.5 µs each."""
        first, last = self._range(start, stop)
        bounds, fates = self._fate_bounds()
        counts = dict.fromkeys(fates, 0)
        for fate_word, *_ in self._draws(first, last):
            counts[fates[bisect_right(bounds, fate_word)]] += 1
        return counts

    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        last = self.count if stop is None else stop
        if not 0 <= start <= last <= self.count:
            raise ValueError(f"the range from {start} to {last} leaves this population: its count is {self.count}")
        return start, last

    def _fate_bounds(self) -> tuple[list[int], list[Fate]]:
        """Where each fate's share of the 32-bit draws ends, and the fates in that order, active last."""
        shares = [share for _, share in self.fates]
        bounds = [min(_WORD_RANGE, round(math.fsum(shares[: end + 1]) * _WORD_RANGE)) for end in range(len(shares))]
        return bounds, [*(fate for fate, _ in self.fates), Fate.ACTIVE]

    def _draws(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        """Four 32-bit words a device, by keyed hash of seed and index: fate, registration, death, person.

        One hash of 64 bytes serves four neighbours.
        """
        seeded = _DRAW_STATE.copy()
        seeded.update(self.seed.to_bytes(8, "big"))
        words_of = Struct(">4I").iter_unpack
        for block in range(start >> 2, (stop + 3) >> 2):
            state = seeded.copy()
            state.update(block.to_bytes(8, "big"))
            first = block << 2
            if first >= start and first + 4 <= stop:
                yield from words_of(state.digest())
            else:
                yield from list(words_of(state.digest()))[max(start - first, 0) : stop - first]

    def _mint(self, start: int, stop: int) -> Iterator[Minted]:
        seed, epoch_ms, environment = self.seed, self.epoch_ms, self.environment
        own_tag = topic_tag(self.topic.encode("ascii"))
        foreign_tag = topic_tag(other_topic(self.topic).encode("ascii"))
        bounds, fates = self._fate_bounds()
        active_from = bounds[-1] if bounds else 0
        active_kind = kind_of(environment, Fate.ACTIVE)
        window_ms = REGISTRATION_WINDOW_S * 1000
        pack, seal_plain, new, active = _PLAIN.pack, _seal_plain, tuple.__new__, Fate.ACTIVE
        for index, (fate_word, registration_word, death_word, person) in enumerate(self._draws(start, stop), start):
            if fate_word >= active_from:
                plain = pack(active_kind, seed, index >> 32, index & 0xFFFFFFFF, 0, own_tag)
                registered_at_ms = epoch_ms + (registration_word * window_ms >> 32)
                yield new(Minted, (seal_plain(plain), registered_at_ms, active, person))
                continue
            fate = fates[bisect_right(bounds, fate_word)]
            registered_ms, instant_s = _life(fate.death, registration_word, death_word)
            plain = pack(
                kind_of(environment.other if fate is Fate.WRONG_ENVIRONMENT else environment, fate),
                seed,
                index >> 32,
                index & 0xFFFFFFFF,
                instant_s,
                foreign_tag if fate is Fate.WRONG_TOPIC else own_tag,
            )
            yield new(Minted, (seal_plain(plain), epoch_ms + registered_ms, fate, person))


def other_topic(topic: str) -> str:
    """The topic that tokens of the fate `wrong-topic` belong to, in a population of `topic`."""
    return f"elsewhere.{topic}"


def _life(death: Death, registration_word: int, death_word: int) -> tuple[int, int]:
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


def parse_fates(options: Iterable[str]) -> tuple[tuple[Fate, float], ...]:
    """Read `NAME=SHARE` options, such as `unregistered=0.02`. Raises `ValueError`, which names the faulty option."""
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
    _require_shares(shares)
    return tuple(shares)


def _require_seed(seed: int) -> None:
    if not 0 <= seed <= SEED_MAX:
        raise ValueError(f"seed must be from 0 to {SEED_MAX} (2**64 - 1), not {seed}")


def _require_index(index: int) -> None:
    if not 0 <= index <= INDEX_MAX:
        raise ValueError(f"index must be from 0 to {INDEX_MAX} (2**40 - 1), not {index}")


def _require_topic(topic: str) -> None:
    if re.fullmatch(r"[!-~]+", topic) is None or len(topic) > TOPIC_BYTES_MAX:
        raise ValueError(
            f"topic must be a bundle id of 1 to {TOPIC_BYTES_MAX} printable ASCII characters without blanks, "
            f"such as com.example.app, not {topic!r}"
        )


def _require_shares(shares: Iterable[tuple[Fate, float]]) -> None:
    by_fate: dict[Fate, float] = {}
    for fate, share in shares:
        if fate is Fate.ACTIVE:
            raise ValueError("the share of active is what the other fates leave; do not state it")
        if fate in by_fate:
            raise ValueError(f"the share of {fate.wire_name} is stated twice")
        if not 0 <= share <= 1:  # Also refuses what is not a number.
            raise ValueError(f"the share of {fate.wire_name} must be from 0 to 1, not {share}")
        by_fate[fate] = share
    total = math.fsum(by_fate.values())
    # Shares written in decimals may miss 1 by a rounding of binary fractions.
    if total > 1 + 1e-9:
        raise ValueError(f"the shares of the fates sum to {total:.6g}, which is more than 1: {_listed(by_fate)}")


def _listed(shares: Mapping[Fate, float]) -> str:
    return ", ".join(f"{fate.wire_name}={share:g}" for fate, share in shares.items())
