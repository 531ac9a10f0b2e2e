"""FCM registrations: which one a text names, what has become of it, and which APNs token it sits on.

A registration has two names: its token, and the FID (Firebase Installation ID) that the token begins with. Its key is what
both have in common. Synthetic registrations carry all in their FID (`registration_space`); only those that were imported
from APNs tokens (`batchImport`, B9) are kept, since nothing in their tokens tells.

Pure: no I/O, clock or chance.
"""

from binascii import b2a_base64
from collections.abc import Callable, Generator
from enum import Enum, unique
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from simulator.apns.state import UnknownTokens
from simulator.bounds import BoundReachedError
from simulator.devices.fates import Fate
from simulator.devices.registration_space import (
    FID_CHARACTERS,
    REGISTRATION_TOKEN_CHARACTERS,
    Platform,
    SealedRegistration,
    apns_token_of,
    fid_of,
    is_fid_shape,
    is_registration_token_shape,
    unseal_fid,
    unseal_registration,
)
from simulator.devices.token_space import Environment
from simulator.registry import Registry

IMPORTED_REGISTRATIONS_MAX: Final = 500_000
"""Ours: registrations imported from APNs tokens; some 200 MB. Google states none."""

_FREED_A_STEP = 2_000
_HEAD = b":APA91b"
_TAIL_CHARACTERS = REGISTRATION_TOKEN_CHARACTERS - FID_CHARACTERS - len(_HEAD)
_TO_BASE64URL = bytes.maketrans(b"+/", b"-_")


@unique
class Standing(Enum):
    """What has become of a registration, as far as the project that asks is told."""

    LIVE = "live"
    GONE = "unregistered, or never heard of"
    OTHER_PROJECT = "registered with another project"
    MALFORMED = "no registration at all"


_STANDING_OF_ERROR_CODE: Final = {
    None: Standing.LIVE,
    "UNREGISTERED": Standing.GONE,
    "SENDER_ID_MISMATCH": Standing.OTHER_PROJECT,
    "INVALID_ARGUMENT": Standing.MALFORMED,
}


class ApnsSeat(NamedTuple):
    """The APNs token that a registration of iOS sits on. `token`: hexadecimal digits in lower case."""

    token: bytes
    application: str
    environment: Environment


class Registration(NamedTuple):
    """A registration that a text names. `sealed`: what a synthetic one carries; `imported`: the seat of an imported one.

    Both are None for foreign ones.
    """

    key: bytes
    sealed: SealedRegistration | None = None
    imported: ApnsSeat | None = None

    @property
    def platform(self) -> Platform:
        """What it runs on. Foreign ones count as Android's [choice: their texts do not tell]."""
        if self.imported is not None:
            return Platform.IOS
        return Platform.ANDROID if self.sealed is None else self.sealed.platform

    def seat(self, application: str, environment: Environment) -> ApnsSeat | None:
        """The APNs token that it sits on, or None. `application`, `environment`: of synthetic ones, which carry neither."""
        if self.imported is not None or self.sealed is None or self.sealed.platform is not Platform.IOS:
            return self.imported
        token = apns_token_of(self.sealed, application.encode(), environment)
        return ApnsSeat(token, application, environment)


class Registrations:
    """Finds registrations by their texts, and keeps those that were imported. `len()`: how many were.

    `watched`: told of every one that is imported.
    """

    __slots__ = ("_imported", "_imported_max", "watched")

    def __init__(self, imported_max: int = IMPORTED_REGISTRATIONS_MAX) -> None:
        self._imported_max = imported_max
        self._imported: dict[bytes, ApnsSeat] = {}
        self.watched: Callable[[ApnsSeat], None] | None = None

    def __len__(self) -> int:
        return len(self._imported)

    def key_of(self, text: bytes) -> bytes:
        """What a token and its FID have in common: the FID; where there is none, the whole text. For any bytes.

        A text that begins with a FID of ours and goes on with anything but that FID's own token is a registration of its
        own, and foreign: a changed character never makes one device another.
        """
        fid = fid_of(text)
        if fid is None:
            return text
        if unseal_fid(fid) is not None:
            own = unseal_registration(text) is not None
        else:
            own = fid not in self._imported or text == _token_of(fid)
        return fid if own else text

    def find(self, text: bytes) -> Registration | None:
        """The registration that a token or FID names, whoever knows it. None: the text is malformed."""
        if is_fid_shape(text):
            return Registration(text, unseal_fid(text), self._imported.get(text))
        sealed = unseal_registration(text)
        if sealed is not None:
            return Registration(text[:FID_CHARACTERS], sealed)
        if not is_registration_token_shape(text):
            return None
        key = self.key_of(text)
        return Registration(key, None, self._imported.get(key))

    def import_apns(self, application: str, environment: Environment, apns_token: bytes) -> bytes:
        """The registration token for an APNs token (hexadecimal digits): the same for the same three at any time.

        Raises `BoundReachedError`, with nothing changed, when no further one fits.
        """
        seat = ApnsSeat(apns_token.lower(), application, environment)
        fid = _fid_of_seat(seat)
        if fid not in self._imported:
            if len(self._imported) >= self._imported_max:
                raise BoundReachedError(
                    "IMPORTED_REGISTRATIONS_MAX", self._imported_max, "import fewer, or start the simulator anew"
                )
            self._imported[fid] = seat
            if self.watched is not None:
                self.watched(seat)
        return _token_of(fid)

    def put(self, seat: ApnsSeat) -> None:
        """Import what another worker has imported, whatever the bound says here."""
        self._imported[_fid_of_seat(seat)] = seat

    def names(self, text: bytes) -> Callable[[bytes], bool]:
        """Whether a target of FCM is the registration of this text, under its token or its FID."""
        key = self.key_of(text)

        def named(target: bytes) -> bool:
            return target.startswith(key) and self.key_of(target) == key

        return named

    def clear_steps(self) -> Generator[None, None, None]:
        """Forget the imported registrations at the first step; the rest frees their memory, a millisecond at a time."""
        forgotten, self._imported = self._imported, {}
        while forgotten:
            yield
            for _ in range(min(_FREED_A_STEP, len(forgotten))):
                forgotten.popitem()


class RegistrationState(Protocol):
    """What the standing of a registration hangs on. `overlay`: by the keys of `registrations.key_of`."""

    @property
    def registrations(self) -> Registrations: ...
    @property
    def overlay(self) -> Registry: ...
    @property
    def unknown_tokens(self) -> UnknownTokens: ...


def standing_of(registration: Registration | None, state: RegistrationState) -> Standing:
    """What has become of a registration; of None: malformed. A state set by hand wins over what the token says.

    Foreign registrations are as `unknown_tokens` says; to FCM an unknown one is a gone one [choice].
    """
    if registration is None:
        return Standing.MALFORMED
    by_hand = state.overlay.get(registration.key) if state.overlay.active else None
    if by_hand is not None:
        return _of_fate(by_hand.fate)
    if registration.sealed is not None:
        return _of_fate(registration.sealed.fate)
    if registration.imported is not None or state.unknown_tokens is UnknownTokens.ACCEPT:
        return Standing.LIVE
    return Standing.GONE


def _of_fate(fate: Fate) -> Standing:
    return _STANDING_OF_ERROR_CODE[fate.error_code]


def _fid_of_seat(seat: ApnsSeat) -> bytes:
    """A FID made of a seat by keyed hash. That it reads as a synthetic one is one chance in 2**48."""
    state = blake2b(digest_size=18, key=b"pushrig imported registration v1")
    for part in (seat.application.encode(), seat.environment.name.encode()):
        state.update(len(part).to_bytes(4, "big") + part)
    state.update(seat.token)
    made = state.digest()
    raw = bytes((0x70 | made[0] & 0x0F,)) + made[1:]
    return b2a_base64(raw, newline=False)[:FID_CHARACTERS].translate(_TO_BASE64URL)


def _token_of(fid: bytes) -> bytes:
    """The token of an imported registration."""
    made = b"".join(blake2b(fid, key=b"pushrig imported token v1 %d" % part).digest() for part in (1, 2))
    return fid + _HEAD + b2a_base64(made, newline=False)[:_TAIL_CHARACTERS].translate(_TO_BASE64URL)
