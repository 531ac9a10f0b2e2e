"""FCM registration tokens by the million without a table: a token is sealed, and carries what the simulator must know of it.

A synthetic registration token has 163 characters, as the ones of today:

    <FID, 22 characters> : APA91b <134 characters>

A FID (Firebase Installation ID) is base64url of 132 bits, of which the first four are 0111. The other 128 are the seal,
so that a FID alone resolves too:

    tag 44 of 48 bits | masked( index 40 | seed 32 | kind 8 ) | the tag's last 4 bits       all integers big-endian

- index and seed: which device of which population. Seeds have 32 bits here, 64 in `token_space`.
- kind: platform (2 bits), fate (6 bits).

The sealing follows the shape of SIV (RFC 5297): the tag is a keyed hash of the plain fields, and the mask is a keyed
hash of the tag. The rest of the token is a keyed expansion of its FID, compared whole, so a token of which any character
was changed reads as foreign; a changed FID does but for one chance in 2**48. FCM tokens carry no instants, since FCM
tells none, and no app: there is no room for them.

A device of the fate `invalid-shape` has no sealed token (see `malformed_registration`): nothing resolves it.

Pure: no I/O, clock or chance, and no imports of ours but of this package. Reading a token takes some 2 µs
among many, a FID 1.7 µs.
"""

import re
from binascii import a2b_base64, b2a_base64
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import count as numbers
from itertools import repeat
from struct import Struct
from typing import NamedTuple

from simulator.devices.draws import (
    DEFAULT_EPOCH_MS,
    REGISTRATION_WINDOW_S,
    FateShares,
    Minted,
    checked_range,
    count_fates,
    draws,
    fate_bounds,
    life,
    prepared,
    require_index,
    require_index_in,
    require_population,
    require_seed,
    require_shares,
    side_draws,
    word_bound,
)
from simulator.devices.fates import Death, Fate, Provider
from simulator.devices.token_space import Environment, SealedToken, kind_of, seal, topic_tag

REGISTRATION_SEED_MAX = 2**32 - 1

FID_CHARACTERS = 22
REGISTRATION_TOKEN_CHARACTERS = 163  # of our own; those of others differ

# What FCM takes for well-formed is not documented. Captured tokens have 140 to 174 characters, `:` behind 11 or 22 of
# them, or none in the days of GCM [choice: the bounds leave room on either side].
TOKEN_CHARACTERS_MIN = 100
TOKEN_CHARACTERS_MAX = 512

_TOKEN_SHAPE = re.compile(rb"(?:[A-Za-z0-9_-]{11,22}:APA91b)?[A-Za-z0-9_-]+")
_FID_SHAPE = re.compile(rb"[cdef][A-Za-z0-9_-]{21}")

_HEAD = b":APA91b"
_PLAIN_BYTES = 10
_PLAIN = Struct(">BIIB")  # index (8 high bits, 32 low bits), seed, kind
_RAW = Struct("6s10s2x")  # of a FID and two characters more: tag, masked fields
_TAIL_START = FID_CHARACTERS + len(_HEAD)
_TAIL_CHARACTERS = REGISTRATION_TOKEN_CHARACTERS - _TAIL_START
_TAIL = Struct(f"{_TAIL_CHARACTERS}s2x")  # of the expansion in base64url, what a token shows of it

# Two hashes make mask and expansion: the first, of the tag, brings ten bytes of mask and 37 of the expansion; the second,
# of the FID, the other 64. That is a fifth cheaper than one of SHAKE for the expansion.
_tag_state = prepared(b"registration tag", 6).copy
_mask_state = prepared(b"registration mask", _PLAIN_BYTES + 37).copy
_tail_state = prepared(b"registration tail", 64).copy

# base64url is base64 with two other characters. What is no character of it becomes "*", which decoding passes over: what
# it then yields is too short, or fails.
_TO_BASE64 = bytes.maketrans(b"-_+/", b"+/**")
_TO_BASE64URL = bytes.maketrans(b"+/", b"-_")

# How a FID's bytes begin and end, by four bits of the tag.
_FIRST_BYTES = tuple(bytes((0x70 | bits,)) for bits in range(16))
_LAST_BYTES = tuple(bytes((bits << 4,)) for bits in range(16))


class Platform(IntEnum):
    """What a registration runs on."""

    ANDROID = 0
    IOS = 1
    WEB = 2


def kind_of_registration(platform: Platform, fate: Fate) -> int:
    """The `kind` of registrations with this platform and fate (8 bits), so that a hot path compares one integer."""
    return platform << 6 | fate.code


_KINDS = {
    kind_of_registration(platform, fate): (platform, fate)
    for platform in Platform
    for fate in Fate.of_provider(Provider.FCM)
    if fate is not Fate.INVALID_SHAPE
}

# What the device's APNs token says, where a registration sits on one: the answer that FCM hands on, or makes of it.
# A stale registration of iOS "follows APNs", which calls such a token expired [choice]. That a token is another
# project's is found before APNs is asked.
_APNS_FATE = {
    Fate.ACTIVE: Fate.ACTIVE,
    Fate.UNREGISTERED: Fate.UNREGISTERED,
    Fate.STALE: Fate.EXPIRED,
    Fate.OTHER_SENDER: Fate.ACTIVE,
}


class SealedRegistration(NamedTuple):
    """What a registration token, and its FID alone, carries. `kind`: see `kind_of_registration`."""

    kind: int
    seed: int
    index: int  # type: ignore[assignment]  # Hides the method of tuples, which no one needs here.

    @property
    def fate(self) -> Fate:
        """What became of the device."""
        return _KINDS[self.kind][1]

    @property
    def platform(self) -> Platform:
        """What the registration runs on."""
        return _KINDS[self.kind][0]


# Looked up once, as in `token_space`.
_int_from_bytes, _new_tuple = int.from_bytes, tuple.__new__


def _seal_plain(plain_number: int) -> bytes:
    """The token of `index << 40 | seed << 8 | kind`."""
    plain = plain_number.to_bytes(10, "big")
    state = _tag_state()
    state.update(plain)
    tag = state.digest()
    last = tag[5]
    head = _FIRST_BYTES[last & 0x0F] + tag[:5]
    state = _mask_state()
    state.update(head)
    made = state.digest()
    masked = (plain_number ^ _int_from_bytes(made[:10], "big")).to_bytes(10, "big")
    fid = b2a_base64(head + masked + _LAST_BYTES[last >> 4], newline=False)[:22].translate(_TO_BASE64URL)
    state = _tail_state()
    state.update(fid)
    tail = b2a_base64(made[10:] + state.digest(), newline=False)[:_TAIL_CHARACTERS]
    return fid + _HEAD + tail.translate(_TO_BASE64URL)


def _require_seed(seed: int) -> None:
    require_seed(seed, REGISTRATION_SEED_MAX, "2**32 - 1, for FCM tokens")


def seal_registration(sealed: SealedRegistration) -> str:
    """The token, 163 characters. Raises `ValueError` when a field is outside its range."""
    kind, seed, index = sealed
    if kind not in _KINDS:
        raise ValueError(f"kind {kind:#04x} is none of this format; make one with kind_of_registration()")
    _require_seed(seed)
    require_index(index)
    return _seal_plain(index << 40 | seed << 8 | kind).decode("ascii")


def malformed_registration(seed: int, index: int) -> str:
    """The token of a device of the fate `invalid-shape`: each device its own, and nothing that a provider would take.

    Its colon is percent-encoded, as tokens arrive that somebody took for parts of a URL. Raises `ValueError` when a
    field is outside its range.
    """
    _require_seed(seed)
    require_index(index)
    return _malformed(index << 40 | seed << 8)


def _malformed(identity: int) -> str:
    return _seal_plain(identity | Fate.INVALID_SHAPE.code).decode("ascii").replace(":", "%3A")


def unseal_registration(token: bytes) -> SealedRegistration | None:
    """Read a registration token back. None: foreign, it was not minted here. Raises nothing, whatever the bytes."""
    return unseal_registrations((token,))[0]


def unseal_registrations(tokens: Sequence[bytes]) -> list[SealedRegistration | None]:
    """`unseal_registration` of each: the tokens of one read at once.

    On the hot path of the simulator: 2 µs each, of a hundred, nothing stored.
    """
    fids = [token[:FID_CHARACTERS] for token in tokens]
    raw = _all_raw(tokens, fids)
    if raw is None:
        return [None] if len(tokens) == 1 else [unseal_registration(token) for token in tokens]
    masked: list[bytes] = []
    masks: list[bytes] = []
    expansions: list[bytes] = []
    for fid, (tag, each) in zip(fids, _RAW.iter_unpack(raw), strict=True):
        state = _mask_state()
        state.update(tag)
        made = state.digest()
        state = _tail_state()
        state.update(fid)
        masked.append(each)
        masks.append(made[:_PLAIN_BYTES])
        expansions += made[_PLAIN_BYTES:], state.digest(), b"\0"  # to a multiple of three bytes
    # As one long number, and one long text.
    plain = _int_from_bytes(b"".join(masked), "big") ^ _int_from_bytes(b"".join(masks), "big")
    plains = _PLAIN.iter_unpack(plain.to_bytes(_PLAIN_BYTES * len(tokens), "big"))
    tails = _TAIL.iter_unpack(b2a_base64(b"".join(expansions), newline=False).translate(_TO_BASE64URL))
    # The comparison covers all but the FID, on which the expansion hangs: the tag need not be made again. A later version may
    # mint fates that this one does not know: those are foreign here.
    return [
        _new_tuple(SealedRegistration, (kind, seed, index_high << 32 | index_low))
        if token[_TAIL_START:] == tail and token[FID_CHARACTERS:_TAIL_START] == _HEAD and kind in _KINDS
        else None
        for token, (tail,), (index_high, index_low, seed, kind) in zip(tokens, tails, plains, strict=True)
    ]


def _all_raw(tokens: Sequence[bytes], fids: Sequence[bytes]) -> bytes | None:
    """The bytes of all FIDs, `_RAW` one behind the other; None unless each token has its length and each FID is base64url."""
    if any(len(token) != REGISTRATION_TOKEN_CHARACTERS for token in tokens):
        return None
    try:
        raw = a2b_base64(b"".join([fid + b"AA" for fid in fids]).translate(_TO_BASE64))
    except ValueError:
        return None
    return raw if len(raw) == _RAW.size * len(tokens) else None  # what is no character of it is passed over


def unseal_fid(fid: bytes) -> SealedRegistration | None:
    """Read a FID back, which stands for its registration. None: foreign. Raises nothing, whatever the bytes."""
    if len(fid) != FID_CHARACTERS:
        return None
    try:
        raw = a2b_base64(fid.translate(_TO_BASE64) + b"AA")
    except ValueError:
        return None
    state = _mask_state()
    state.update(raw[:6])
    plain_number = _int_from_bytes(raw[6:16], "big") ^ _int_from_bytes(state.digest()[:10], "big")
    state = _tag_state()
    state.update(plain_number.to_bytes(10, "big"))
    tag = state.digest()
    last = tag[5]
    # What decoded to too few bytes fails at the first comparison.
    if raw[1:6] != tag[:5] or raw[0] != 0x70 | last & 0x0F or raw[16] != last & 0xF0:
        return None
    kind = plain_number & 0xFF
    if kind not in _KINDS:
        return None
    return _new_tuple(SealedRegistration, (kind, plain_number >> 8 & 0xFFFFFFFF, plain_number >> 40))


def is_registration_token_shape(token: bytes) -> bool:
    """Whether FCM would take this for a well-formed registration token, minted here or not. A FID alone is none."""
    return TOKEN_CHARACTERS_MIN <= len(token) <= TOKEN_CHARACTERS_MAX and _TOKEN_SHAPE.fullmatch(token) is not None


def is_fid_shape(fid: bytes) -> bool:
    """Whether this is a well-formed FID, minted here or not."""
    return _FID_SHAPE.fullmatch(fid) is not None


def fid_of(token: bytes) -> bytes | None:
    """The FID that a registration token begins with, which stands for the same registration. None: it has none.

    Old tokens have another instance part, and those of GCM none at all.
    """
    fid = token[:FID_CHARACTERS]
    return fid if token[FID_CHARACTERS : FID_CHARACTERS + 1] == b":" and is_fid_shape(fid) else None


def apns_token_of(sealed: SealedRegistration, topic: bytes, environment: Environment = Environment.PRODUCTION) -> bytes:
    """The APNs token (64 hexadecimal digits) that a registration of iOS sits on: the same device, sealed for APNs.

    It is the token that an APNs population of the same seed has at the same index, where the fates agree. `topic`: the
    app's bundle id. Raises `ValueError` when the registration is not of iOS.
    """
    if sealed.platform is not Platform.IOS:
        raise ValueError(
            f"a registration of {sealed.platform.name.lower()} sits on no APNs token; only those of ios do"
        )
    fate, instant_s = _APNS_FATE[sealed.fate], 0
    if fate.death is not Death.NONE:
        _, registration_word, death_word, _ = next(draws(sealed.seed, sealed.index, sealed.index + 1))
        _, instant_s = life(fate.death, registration_word, death_word)
    kind = kind_of(environment, fate)
    return seal(SealedToken(kind, sealed.seed, sealed.index, instant_s, topic_tag(topic))).encode("ascii")


@dataclass(frozen=True)
class RegistrationPopulation:
    """A seeded set of FCM registrations, of which any can be made again from its index alone.

    `topic`: the app's package name or bundle id; it is not in the tokens. `ios_share`: of the registrations that sit on
    an APNs token (`apns_token_of`); the others are Android's. `fates`, `epoch_ms`: as for `token_space.Population`, and
    drawn alike: where both know a fate, the device of an index has the same fate, registration and person in both.
    Raises `ValueError` for a field outside its range.
    """

    seed: int
    count: int
    topic: str
    fates: FateShares = ()
    ios_share: float = 0.0
    epoch_ms: int = DEFAULT_EPOCH_MS

    def __post_init__(self) -> None:
        _require_seed(self.seed)
        require_population(self.count, self.topic, self.epoch_ms)
        require_shares(self.fates, (Provider.FCM,))
        if not 0 <= self.ios_share <= 1:  # Also refuses what is not a number.
            raise ValueError(f"the share of ios must be from 0 to 1, not {self.ios_share}")

    def mint(self, index: int) -> Minted:
        """The device of this index. Raises `ValueError` when it is not from 0 to `count` - 1."""
        require_index_in(index, self.count)
        return next(self.mint_range(index, index + 1))

    def mint_range(self, start: int = 0, stop: int | None = None) -> Iterator[Minted]:
        """The devices from `start` to before `stop` (default: all), in order: some 3 µs each.

        Raises `ValueError` at the call, not at the first device, when the range leaves the population.
        """
        return self._mint(*checked_range(start, stop, self.count))

    def providers(self, start: int = 0, stop: int | None = None) -> Iterator[Provider]:
        """Whose token each device of a range has: FCM's. Raises as `mint_range` does."""
        first, last = checked_range(start, stop, self.count)
        return repeat(Provider.FCM, last - first)

    def fate_counts(self, start: int = 0, stop: int | None = None) -> dict[Fate, int]:
        """How many devices of each fate, active included, stand from `start` to before `stop`: exact, 0.5 µs each."""
        return count_fates(self.seed, self.fates, *checked_range(start, stop, self.count))

    def minter(self) -> Callable[[int, int, int, int, int, int], Minted]:
        """What makes a device of its index, its four draws and its platform's: for loops over devices of any providers."""
        epoch_ms, seeded = self.epoch_ms, self.seed << 8
        bounds, fates = fate_bounds(self.fates)
        active_from = bounds[-1] if bounds else 0
        ios_below = word_bound(self.ios_share)
        window_ms = REGISTRATION_WINDOW_S * 1000
        seal_plain, new, active = _seal_plain, tuple.__new__, Fate.ACTIVE
        # The platform stands in the two high bits of the kind.
        ios, android = Platform.IOS << 6, Platform.ANDROID << 6

        def device(
            index: int, fate_word: int, registration_word: int, death_word: int, person: int, platform_word: int
        ) -> Minted:
            identity = index << 40 | seeded
            platform = ios if platform_word < ios_below else android
            if fate_word >= active_from:
                token = seal_plain(identity | platform | active.code).decode("ascii")
                return new(Minted, (token, epoch_ms + (registration_word * window_ms >> 32), active, person))
            fate = fates[bisect_right(bounds, fate_word)]
            registered_ms, _ = life(fate.death, registration_word, death_word)
            if fate is Fate.INVALID_SHAPE:
                token = _malformed(identity)
            else:
                token = seal_plain(identity | platform | fate.code).decode("ascii")
            return new(Minted, (token, epoch_ms + registered_ms, fate, person))

        return device

    def _mint(self, start: int, stop: int) -> Iterator[Minted]:
        device = self.minter()
        # Where all are Android's, nothing hangs on the draw of the platform.
        sides = side_draws(self.seed, start, stop) if self.ios_share else repeat((0, 0))
        for index, (fate_word, registration_word, death_word, person), (_, platform_word) in zip(
            numbers(start), draws(self.seed, start, stop), sides, strict=False
        ):
            yield device(index, fate_word, registration_word, death_word, person, platform_word)
