"""The OAuth token endpoint: a signed assertion of the service account against an access token (B8). Pure.

Order of the checks: D5. Where a row says so, facts give the error code or nothing at all, and the rest is ours. An assertion
is judged by real time: it is made for this one request, by a client that knows nothing of the simulator's clock.
"""

import re
from enum import Enum, unique
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from simulator.fcm.access_token import LIFE_S_MAX, SKEW_S_MAX, AccessTokens, lifetime_of
from simulator.fcm.service_account import TOKEN_URI
from simulator.http_answer import JSON, HttpAnswer
from simulator.json_web_token import JsonWebToken, read_json_web_token
from wire.request import Request

TOKEN_PATH: Final = b"/token"
GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

FORM_BYTES_MAX: Final = 16_384
"""Ours: real ones have some 1,000 bytes."""

FORM_FIELDS_MAX: Final = 32
"""Ours: two are meant."""

SCOPE_CHARACTERS_MAX: Final = 2048
"""Ours: the scopes go into the token, and that into a header field. Google's SDKs ask for some 300 characters."""

EXPIRES_IN_S: Final = LIFE_S_MAX - 1
"""What clients are told: rounded down, as Google does (B8 has both 3599 and 3600)."""

_SCOPE = re.compile(r" *[!#-\[\]-~]+( +[!#-\[\]-~]+)* *")  # RFC 6749, section 3.3; more spaces than one pass [choice]
_FIELDS: Final = (JSON, (b"cache-control", b"no-store"), (b"pragma", b"no-cache"))  # RFC 6749, section 5.1


@unique
class Refusal(Enum):
    """HTTP status, `error`, `error_description`, source. Texts that B8 does not give are ours."""

    FORM_UNREADABLE = 400, "invalid_request", "The body is no form.", "D5; RFC 6749, 5.2; text and code unconfirmed"
    FIELD_REPEATED = 400, "invalid_request", "A parameter is repeated.", "RFC 6749, 3.2; text and code unconfirmed"
    GRANT_TYPE = 400, "unsupported_grant_type", "Invalid grant_type.", "D5; text unconfirmed"
    ASSERTION_MISSING = 400, "invalid_request", "Required parameter is missing: assertion", "D5; text unconfirmed"
    ASSERTION_UNREADABLE = 400, "invalid_grant", "Invalid JWT: not a JSON Web Token.", "D5; text and code unconfirmed"
    ACCOUNT_UNKNOWN = 400, "invalid_grant", "Invalid grant: account not found", "B8"
    SIGNATURE = 400, "invalid_grant", "Invalid JWT Signature.", "B8"
    AUDIENCE = 400, "invalid_grant", "Invalid JWT: Failed audience check.", "D5; text and code unconfirmed"
    LIFETIME = (
        400, "invalid_grant",
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp "
        "values in the JWT claim.", "B8",
    )  # fmt: skip
    SCOPE = 400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.", "D5; text unconfirmed"
    SUBJECT = (
        401, "unauthorized_client",
        "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes "
        "requested.", "B8 Others; cause, status and text unconfirmed",
    )  # fmt: skip

    def __init__(self, status: int, error: str, description: str, source: str) -> None:
        self.status = status
        self.error = error
        self.description = description
        self.source = source


def token_endpoint(request: Request, access: AccessTokens, now_s: float) -> HttpAnswer:
    """Answer `POST /token`; the caller has looked at method and path. `now_s`: the simulator's, seconds since the epoch."""
    form = _read_form(request.body)
    if isinstance(form, Refusal):
        return _refused(form)
    authority = request.head.value(b":authority") or b""
    scope = _scope_asked_for(form, authority.decode("latin-1"), access, now_s)
    if isinstance(scope, Refusal):
        return _refused(scope)
    token = access.mint(scope, now_s)
    body = msgspec.json.encode({"access_token": token, "expires_in": EXPIRES_IN_S, "token_type": "Bearer"})
    return HttpAnswer(200, _FIELDS, body)


def _read_form(body: bytes) -> dict[str, str] | Refusal:
    """The fields of a form, each once (RFC 6749, section 3.2). Its content type is not looked at [choice]."""
    if len(body) > FORM_BYTES_MAX:
        return Refusal.FORM_UNREADABLE
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        return Refusal.FORM_UNREADABLE
    form = dict(fields)
    return form if len(form) == len(fields) else Refusal.FIELD_REPEATED


def _scope_asked_for(form: dict[str, str], authority: str, access: AccessTokens, now_s: float) -> str | Refusal:
    """What a form asks for, or why it does not get it. `authority`: host and port that the client thinks it talks to."""
    if form.get("grant_type") != GRANT_TYPE:
        return Refusal.GRANT_TYPE
    if not form.get("assertion"):
        return Refusal.ASSERTION_MISSING
    token = read_json_web_token(form["assertion"].encode("ascii", "replace"))
    if token is None:
        return Refusal.ASSERTION_UNREADABLE
    if not access.lenient:
        if token.claims.get("iss") != access.account.client_email:
            return Refusal.ACCOUNT_UNKNOWN
        if not access.account.has_signed(token):
            return Refusal.SIGNATURE
    if not _is_for_us(token, authority):
        return Refusal.AUDIENCE
    if not _is_in_time(token, now_s - access.clock_offset_s()):
        return Refusal.LIFETIME
    scope = token.claims.get("scope")
    if not isinstance(scope, str) or len(scope) > SCOPE_CHARACTERS_MAX or _SCOPE.fullmatch(scope) is None:
        return Refusal.SCOPE
    issuer = token.claims.get("iss")
    # A service account may not speak for anybody else here: nobody's domain has delegated that to it.
    return scope if token.claims.get("sub", issuer) == issuer else Refusal.SUBJECT


def _is_for_us(token: JsonWebToken, authority: str) -> bool:
    """Whether `aud` is Google's endpoint, which several clients sign wherever they post to, or the address asked (B8)."""
    audience = token.claims.get("aud")
    if not isinstance(audience, str):
        return False
    asked = f"://{authority}{TOKEN_PATH.decode()}".lower()
    return audience == TOKEN_URI or audience.lower() in (f"https{asked}", f"http{asked}")


def _is_in_time(token: JsonWebToken, real_now_s: float) -> bool:
    times = lifetime_of(token)
    return times is not None and times[0] - SKEW_S_MAX <= real_now_s < times[1]


def _refused(refusal: Refusal) -> HttpAnswer:
    body = msgspec.json.encode({"error": refusal.error, "error_description": refusal.description})
    return HttpAnswer(refusal.status, _FIELDS, body)
