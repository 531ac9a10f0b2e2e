"""Provider tokens: JSON Web Tokens, signed ES256, that say which team and key a request comes from.

Reading one raises nothing, whatever its bytes: what cannot be read is None, and the caller answers with a reason.
Sources: Establishing a token-based connection to APNs; RFC 7515 and 7519; published captures for the DER signatures.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.apns.keys import IDENTIFIER_CHARACTERS
from simulator.json_web_token import read_json_web_token

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


@dataclass(frozen=True, slots=True)
class ProviderToken:
    """A well-formed token whose signature nobody has looked at yet. `issued_at_s`: seconds since the Unix epoch."""

    team_id: str
    key_id: str
    issued_at_s: int
    signed_part: bytes
    signature: bytes


def parse(text: bytes) -> ProviderToken | None:
    """Read a token; None when it is not one: its shape, `alg`, `kid`, `iss` or `iat` is wrong.

    `kid` and `iss` have 10 characters; `iat` is a JSON integer (neither a string, a fraction nor a boolean). A JSON
    dictionary that has a name twice is refused (RFC 7519, section 4, leaves the choice).
    """
    if len(text) > PROVIDER_TOKEN_BYTES_MAX:
        return None
    read = read_json_web_token(text)
    if read is None or read.header.get("alg") != ALGORITHM:
        return None
    key_id, team_id = _identifier(read.header.get("kid")), _identifier(read.claims.get("iss"))
    issued_at_s = read.claims.get("iat")
    if key_id is None or team_id is None or type(issued_at_s) is not int or not 0 <= issued_at_s <= ISSUED_AT_S_MAX:
        return None
    return ProviderToken(team_id, key_id, issued_at_s, read.signed_part, read.signature)


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


def _identifier(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) == IDENTIFIER_CHARACTERS else None
