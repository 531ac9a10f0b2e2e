"""Provider tokens: JSON Web Tokens, signed ES256, that say which team and key a request comes from.

Reading one raises nothing, whatever its bytes: what cannot be read is None, and the caller answers with a reason.
Sources: Establishing a token-based connection to APNs; RFC 7515 and 7519; published captures for the DER signatures.
"""

import json
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.apns.keys import IDENTIFIER_CHARACTERS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

ALGORITHM: Final = "ES256"
PROVIDER_TOKEN_BYTES_MAX: Final = 4096
"""Ours: real ones have some 220 bytes. Longer ones are refused unread."""

AGE_S_MAX: Final = 3600
"""Source: Establishing a token-based connection to APNs."""

SKEW_S_MAX: Final = 300
"""Ours: how far `iat` may lie ahead; Apple documents nothing [unconfirmed]."""

ISSUED_AT_S_MAX: Final = 2**53
"""Ours: integers beyond it are no time."""

_RAW_SIGNATURE_BYTES: Final = 64
_BEARER = re.compile(rb"bearer +([^ ].*)", re.IGNORECASE | re.DOTALL)
_SEGMENT = re.compile(rb"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ProviderToken:
    """A well-formed token whose signature nobody has looked at yet. `issued_at_s`: seconds since the Unix epoch."""

    team_id: str
    key_id: str
    issued_at_s: int
    signed_part: bytes
    signature: bytes


def bearer_token(authorization: bytes | None) -> bytes | None:
    """The token in an `authorization` value; None when it is absent, empty or of another scheme than `bearer`."""
    if authorization is None:
        return None
    match = _BEARER.fullmatch(authorization)
    return None if match is None else match[1]


def parse(text: bytes) -> ProviderToken | None:
    """Read a token; None when it is not one: its shape, `alg`, `kid`, `iss` or `iat` is wrong.

    `kid` and `iss` have 10 characters; `iat` is a JSON integer (neither a string, a fraction nor a boolean). A JSON
    dictionary that has a name twice is refused (RFC 7519, section 4, leaves the choice).
    """
    if len(text) > PROVIDER_TOKEN_BYTES_MAX:
        return None
    segments = text.split(b".")
    if len(segments) != 3:
        return None
    header, claims, signature = (_decode_segment(segment) for segment in segments)
    if header is None or claims is None or signature is None:
        return None
    header_fields, claim_fields = _decode_dictionary(header), _decode_dictionary(claims)
    if header_fields is None or claim_fields is None or header_fields.get("alg") != ALGORITHM:
        return None
    key_id, team_id = _identifier(header_fields.get("kid")), _identifier(claim_fields.get("iss"))
    issued_at_s = claim_fields.get("iat")
    if key_id is None or team_id is None or type(issued_at_s) is not int or not 0 <= issued_at_s <= ISSUED_AT_S_MAX:
        return None
    return ProviderToken(team_id, key_id, issued_at_s, text[: text.rindex(b".")], signature)


def is_signed_by(token: ProviderToken, public_key: "EllipticCurvePublicKey") -> bool:
    """Whether the token's signature is this P-256 key's: in the raw form R||S of 64 bytes, or in DER."""
    # Imported here: a tenth of the time that a simulator takes to start.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    # DER of 64 bytes is possible too, if hardly ever met: both readings are tried.
    readings = [token.signature]
    if len(token.signature) == _RAW_SIGNATURE_BYTES:
        r, s = (int.from_bytes(half, "big") for half in (token.signature[:32], token.signature[32:]))
        readings.insert(0, encode_dss_signature(r, s))
    for der in readings:
        try:
            public_key.verify(der, token.signed_part, ECDSA(SHA256()))
        except InvalidSignature:
            continue
        return True
    return False


def _decode_segment(segment: bytes) -> bytes | None:
    """base64url without padding, and not empty (RFC 7515, section 2)."""
    if _SEGMENT.fullmatch(segment) is None or len(segment) % 4 == 1:
        return None
    return b64decode(segment + b"=" * (-len(segment) % 4), altchars=b"-_")


def _decode_dictionary(text: bytes) -> dict[str, object] | None:
    """A JSON dictionary in UTF-8, without repeated names at any depth."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name is repeated")
    return fields


def _identifier(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) == IDENTIFIER_CHARACTERS else None
