"""Access tokens of Google: who calls, with which scopes, and until when. Pure rules; chance and the clock come in.

Two kinds pass as bearer (B8). Those of the token endpoint, `ya29.…`, are sealed: scopes and expiry stand in them, encrypted
under a key that comes of the account's, so that nothing is stored and any simulator on the same state directory reads
them. And JSON Web Tokens that the service account signed itself.

Ages. The simulator issued the sealed ones and dated them by its own clock, which expires them. A self-signed one comes
from outside and is dated as a provider token is: it ages in real time until first sight, by the simulator's clock from
there (`simulator.apns.credential`). No clock set back unmakes a token.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from simulator.fcm.errors import Cause, Fault, fault
from simulator.fcm.request_target import query_of
from simulator.fcm.service_account import ServiceAccount
from simulator.json_web_token import JsonWebToken, bearer_token, read_json_web_token
from simulator.recent_texts import RecentTexts
from wire.request import Request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIFE_S_MAX: Final = 3600
"""Of tokens of both kinds, and of the assertions that ask for one. Source: B8."""

SKEW_S_MAX: Final = 300
"""How far `iat` may lie ahead, here and in assertions [choice]: Google says "a reasonable timeframe"."""

SEND_SCOPES: Final = frozenset(
    {"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
)
"""One of them has to be granted. Source: B1, B8."""

SELF_SIGNED_AUDIENCE: Final = "https://fcm.googleapis.com/"
"""`aud` of a self-signed token without a `scope`. Source: B8."""

CREDENTIAL_BYTES_MAX: Final = 4096
"""Of an `authorization` value, ours: longer ones are refused unread. Our tokens have some 400 bytes, self-signed ones 700."""

SEEN_TOKENS_MAX: Final = 1024
"""How many readable tokens are kept. A self-signed one that was crowded out and comes back counts as new."""

REFUSED_TOKENS_MAX: Final = 256
"""How many refused tokens are kept, apart from the others, so that a flood of bad ones crowds out none of these."""

INSTANT_S_MAX: Final = 2**53
"""Ours: numbers beyond it are no time."""

_PREFIX: Final = b"ya29.c."
_FORMAT: Final = b"pushrig access token 1"  # authenticated with each token, so that another format can follow
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_SEALED = re.compile(rb"[A-Za-z0-9_-]+")
_QUERY_NAMES: Final = ("access_token", "oauth_token")

CREDENTIAL_MISSING: Final = fault(Cause.CREDENTIAL_MISSING)
CREDENTIAL_INVALID: Final = fault(Cause.CREDENTIAL_INVALID)
CREDENTIAL_EXPIRED: Final = fault(Cause.CREDENTIAL_EXPIRED)
SCOPE_INSUFFICIENT: Final = fault(Cause.SCOPE_INSUFFICIENT)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a credential allows. `caller`: the account's address. Instants by the simulator's clock, seconds since the epoch.

    `valid_from_s`: -inf but for a self-signed token that lay too far ahead at first sight. `may_send`: the scopes suffice.
    """

    caller: str
    scopes: frozenset[str]
    valid_from_s: float
    expires_at_s: float
    may_send: bool


ANYONE: Final = Grant("", SEND_SCOPES, float("-inf"), float("inf"), may_send=True)
"""Whoever comes where authentication is lenient."""


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    scope: str
    expires_at_s: float


class AccessTokens:
    """Mints and reads the access tokens of one service account.

    `clock_offset_s`: the simulator's now less the real now. `random_bytes`: such as `os.urandom`. `lenient`: any bearer that
    is not empty passes, and the token endpoint looks at no signature. `watched`: told of every self-signed token that is taken
    for one at its first sight, as an `authorization` value.
    """

    __slots__ = ("_cipher", "_refused", "_seen", "account", "clock_offset_s", "lenient", "random_bytes", "watched")

    def __init__(
        self,
        account: ServiceAccount,
        clock_offset_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        lenient: bool = False,
    ) -> None:
        self.account = account
        self.clock_offset_s = clock_offset_s
        self.random_bytes = random_bytes
        self.lenient = lenient
        self.watched: Callable[[bytes, Grant], None] | None = None
        self._cipher: AESGCM | None = None
        self._seen: RecentTexts[Grant] = RecentTexts(SEEN_TOKENS_MAX)
        self._refused: RecentTexts[Fault] = RecentTexts(REFUSED_TOKENS_MAX)

    def grant_of(self, authorization: bytes | None, now_s: float) -> Grant | Fault:
        """Judge an `authorization` value (D4 3 and 4). `now_s`: the simulator's, seconds since the Unix epoch."""
        if authorization is not None:
            grant = self._seen.get(authorization)
            if grant is not None and grant.valid_from_s <= now_s < grant.expires_at_s and grant.may_send:
                return grant
        return self._examined(authorization, now_s)

    def mint(self, scope: str, now_s: float) -> str:
        """A new access token of the account, good for LIFE_S_MAX. `scope`: scopes as asked for, separated by spaces."""
        content = msgspec.msgpack.encode(_Sealed(scope, now_s + LIFE_S_MAX))
        nonce = self.random_bytes(_NONCE_BYTES)
        sealed = nonce + self._sealing_cipher().encrypt(nonce, content, _FORMAT)
        return (_PREFIX + urlsafe_b64encode(sealed).rstrip(b"=")).decode()

    def put(self, authorization: bytes, grant: Grant) -> None:
        """Know a self-signed token that another worker has read, so that it ages from its first sight anywhere."""
        if self._seen.get(authorization) is None:
            self._seen.keep(authorization, grant)

    def forget(self) -> None:
        """Forget all tokens seen so far and the age of self-signed ones; for a reset."""
        self._seen.clear()
        self._refused.clear()

    def _examined(self, authorization: bytes | None, now_s: float) -> Grant | Fault:
        # [choice] An empty value, or a scheme without a credential, is a missing credential; another scheme than bearer a
        # bad one.
        if authorization is None or not authorization.strip() or authorization.strip().lower() == b"bearer":
            return CREDENTIAL_MISSING
        text = bearer_token(authorization)
        if text is not None and self.lenient:
            return ANYONE
        if text is None or len(authorization) > CREDENTIAL_BYTES_MAX or self._refused.get(text) is not None:
            return CREDENTIAL_INVALID
        grant = self._seen.get(authorization)
        if grant is None:
            sealed = text.startswith(_PREFIX)
            grant = self._unsealed(text) if sealed else self._self_signed(text, now_s)
            if grant is None:
                self._refused.keep(text, CREDENTIAL_INVALID)
                return CREDENTIAL_INVALID
            self._seen.keep(authorization, grant)
            if self.watched is not None and not sealed:
                self.watched(authorization, grant)
        if now_s >= grant.expires_at_s:
            return CREDENTIAL_EXPIRED
        if now_s < grant.valid_from_s:
            return CREDENTIAL_INVALID
        return grant if grant.may_send else SCOPE_INSUFFICIENT

    def _unsealed(self, text: bytes) -> Grant | None:
        from cryptography.exceptions import InvalidTag

        coded = text.removeprefix(_PREFIX)
        if _SEALED.fullmatch(coded) is None or len(coded) % 4 == 1:
            return None
        sealed = urlsafe_b64decode(coded + b"=" * (-len(coded) % 4))
        # Base64 leaves bits over that mean nothing: one text a token, so that a changed one is another's.
        if urlsafe_b64encode(sealed).rstrip(b"=") != coded or len(sealed) < _NONCE_BYTES + _TAG_BYTES:
            return None
        try:
            content = self._sealing_cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _FORMAT)
        except InvalidTag:
            return None
        told = msgspec.msgpack.decode(content, type=_Sealed)
        return self._grant(frozenset(told.scope.split()), float("-inf"), told.expires_at_s)

    def _self_signed(self, text: bytes, now_s: float) -> Grant | None:
        """The grant of a token that the account signed itself (B8); None when anything but its times is wrong with it."""
        token = read_json_web_token(text)
        if token is None or not self._speaks_for_account(token.claims):
            return None
        times = lifetime_of(token)
        scopes = _scopes_of(token)
        if times is None or scopes is None or not self.account.has_signed(token):
            return None
        offset_s = self.clock_offset_s()
        earliest_s = times[0] - SKEW_S_MAX + offset_s
        valid_from_s = earliest_s if now_s < earliest_s else float("-inf")
        return self._grant(scopes, valid_from_s, times[1] + offset_s)

    def _grant(self, scopes: frozenset[str], valid_from_s: float, expires_at_s: float) -> Grant:
        may_send = not SEND_SCOPES.isdisjoint(scopes)
        return Grant(self.account.client_email, scopes, valid_from_s, expires_at_s, may_send)

    def _speaks_for_account(self, claims: Mapping[str, object]) -> bool:
        return claims.get("iss") == claims.get("sub") == self.account.client_email

    def _sealing_cipher(self) -> "AESGCM":
        if self._cipher is None:
            # Imported here: a tenth of the time that a simulator takes to start.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self.account.sealing_key)
        return self._cipher


def authorization_of(request: Request) -> bytes | None:
    """The credential of a request, as an `authorization` value: of the header, else of the query (B1).

    [choice] The header wins, and `access_token` over `oauth_token`.
    """
    authorization = request.head.value(b"authorization")
    path = request.varying[0]
    if authorization is not None or path is None or b"_token=" not in path:
        return authorization
    parameters = query_of(request)
    return next((b"Bearer " + value.encode() for name in _QUERY_NAMES if (value := parameters.get(name))), None)


def lifetime_of(token: JsonWebToken) -> tuple[float, float] | None:
    """`iat` and `exp` of a token, seconds since the Unix epoch; None unless they are times and at most an hour apart."""
    issued_at_s, expires_at_s = (_instant_of(token.claims.get(name)) for name in ("iat", "exp"))
    if issued_at_s is None or expires_at_s is None or not issued_at_s < expires_at_s <= issued_at_s + LIFE_S_MAX:
        return None
    return issued_at_s, expires_at_s


def _instant_of(value: object) -> float | None:
    """A NumericDate (RFC 7519, section 2), which may have a fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= INSTANT_S_MAX:
        return None
    return float(value)


def _scopes_of(token: JsonWebToken) -> frozenset[str] | None:
    """The scopes that a self-signed token claims; with FCM's `aud` and no `scope`, all that FCM asks for."""
    scope = token.claims.get("scope")
    if scope is None:
        return SEND_SCOPES if token.claims.get("aud") == SELF_SIGNED_AUDIENCE else None
    return frozenset(scope.split()) if isinstance(scope, str) else None
