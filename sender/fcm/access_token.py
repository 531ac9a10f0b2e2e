"""The sender's access token: asked for once, shared by all connections, renewed in time. No I/O: shells carry the requests.

                      ┌───────────── failed: again after a growing pause ─────────────┐
    needed ──► asked for ──► held ──► five minutes before its end: asked for, and used until the new one is there
                  │            └──► FCM refuses it: dropped, and asked for
                  └──► refused: the campaign ends

Never twice at once: while a request is under way, nobody gets another one.
"""

from urllib.parse import urlencode

import msgspec

from sender.credential import Credential, CredentialAnswer, CredentialRequest
from sender.fcm.service_account import ServiceAccount

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
RENEW_BEFORE_S = 300.0
LIFE_S = 3_600.0  # where the endpoint does not say: what Google gives
PAUSE_BASE_S, PAUSE_MAX_S = 1.0, 60.0  # between requests that failed
REFUSED_IN_A_ROW_MAX = 3
"""So many access tokens in a row that FCM refused before they had served for `SERVED_S` end the campaign: more would be
refused as well."""
SERVED_S = 60.0
ACCESS_TOKEN_CHARS_MAX = 4_096
SAID_CHARS_MAX = 300  # of an endpoint's words, shown to a person

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRIED_ERRORS = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})
"""What Google's own client libraries try again (google-auth for Python)."""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float | str = LIFE_S


class _Refused(msgspec.Struct):
    error: str = ""
    error_description: str = ""


_decode_granted = msgspec.json.Decoder(_Granted).decode
_decode_refused = msgspec.json.Decoder(_Refused).decode


class AccessTokenSource(Credential):
    """The access token of a service account."""

    def __init__(self, account: ServiceAccount) -> None:
        self._account = account
        self._text: bytes | None = None
        self._held_since_s = self._renew_at_s = self._expires_at_s = 0.0
        self._asking = False
        self._failures = 0  # in a row
        self._ask_at_s = 0.0  # after a failure, not before
        self._refused_in_a_row = 0

    def text(self, now_s: float) -> bytes | None:
        """`Bearer <token>` while it is good."""
        return self._text if now_s < self._expires_at_s else None

    def request(self, now_s: float) -> CredentialRequest | None:
        if self._asking or self.refused is not None or now_s < self._ask_at_s:
            return None
        if self._text is not None and now_s < self._renew_at_s:
            return None
        self._asking = True
        form = {"grant_type": GRANT_TYPE, "assertion": self._account.assertion(now_s).decode()}
        return CredentialRequest(self._account.token_uri, urlencode(form).encode())

    def answered(self, answer: CredentialAnswer, now_s: float, draw: float) -> None:
        self._asking = False
        if answer.status == 200:
            granted = _granted(answer.body)
            if granted is not None:
                self._hold(*granted, now_s)
                return
            self._failed("its answer holds no access token", now_s, draw)
        elif answer.status == 0:
            self._failed(answer.error, now_s, draw)
        else:
            refused = _read_refused(answer.body)
            said = _shown(": ".join(filter(None, (refused.error, refused.error_description))))
            what = f"{answer.status} {said}".strip()
            if answer.status in RETRIED_STATUSES or refused.error in RETRIED_ERRORS:
                self._failed(f"it answered {what}", now_s, draw)
            else:
                self.refused = (
                    f"{self._account.token_uri} gives {self._account.client_email} no access token: {what}; check the "
                    "service account's file, and the clock of this machine"
                )

    def renew(self, refused: bytes, now_s: float) -> bool:
        """Many notifications are refused with one token: the first to report it drops it, the others find it dropped."""
        if refused != self._text:
            return self.refused is None
        self._refused_in_a_row = 1 if now_s - self._held_since_s >= SERVED_S else self._refused_in_a_row + 1
        if self._refused_in_a_row >= REFUSED_IN_A_ROW_MAX:
            self.refused = (
                f"FCM refused {REFUSED_IN_A_ROW_MAX} fresh access tokens in a row (401); check that --fcm-endpoint and the "
                "service account belong together"
            )
        self._text, self._expires_at_s = None, 0.0
        return self.refused is None

    def _hold(self, text: bytes, life_s: float, now_s: float) -> None:
        if self._text is not None:  # the one before has served
            self._refused_in_a_row = 0
        self._text = text
        self._held_since_s, self._expires_at_s = now_s, now_s + life_s
        self._renew_at_s = self._expires_at_s - min(RENEW_BEFORE_S, life_s / 2)
        self._failures, self._ask_at_s, self.trouble = 0, 0.0, ""

    def _failed(self, why: str, now_s: float, draw: float) -> None:
        self._failures += 1
        pause_s = min(PAUSE_MAX_S, PAUSE_BASE_S * 2.0 ** min(self._failures - 1, 30))
        self._ask_at_s = now_s + pause_s * (0.5 + draw / 2)
        self.trouble = f"no access token from {self._account.token_uri}: {why}"


def _granted(body: bytes) -> tuple[bytes, float] | None:
    """Value of the `authorization` field and seconds of its life, None for an answer that does not have them."""
    try:
        granted = _decode_granted(body)
        life_s = float(granted.expires_in)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    token = granted.access_token
    if not 0 < len(token) <= ACCESS_TOKEN_CHARS_MAX or not token.isascii() or not token.isprintable() or " " in token:
        return None
    if not 0 < life_s < float("inf"):
        return None
    return f"Bearer {token}".encode(), life_s


def _read_refused(body: bytes) -> _Refused:
    try:
        return _decode_refused(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Refused()


def _shown(text: str) -> str:
    """Words of the network for a person: short, and with control characters shown, not obeyed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:SAID_CHARS_MAX])
