"""JSON Web Tokens as credentials: what is read of one before anybody looks at its signature.

Provider tokens (APNs), assertions and self-signed access tokens (Google) are all of this form. Reading one raises nothing,
whatever its bytes: what cannot be read is None. Sources: RFC 7515 and 7519; RFC 6750, section 2.1.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import NamedTuple

_BEARER = re.compile(rb"bearer +([^ ].*)", re.IGNORECASE | re.DOTALL)
_SEGMENT = re.compile(rb"[A-Za-z0-9_-]+")


class JsonWebToken(NamedTuple):
    """`header`, `claims`: as they stand, unchecked. `signed_part`: what `signature` is of."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    signed_part: bytes
    signature: bytes


def bearer_token(authorization: bytes | None) -> bytes | None:
    """The token in an `authorization` value; None when it is absent, empty or of another scheme than `bearer`."""
    if authorization is None:
        return None
    match = _BEARER.fullmatch(authorization)
    return None if match is None else match[1]


def read_json_web_token(text: bytes) -> JsonWebToken | None:
    """Take a token apart; None when it has not that shape. The caller bounds the length of `text`.

    A JSON dictionary that has a name twice is refused (RFC 7519, section 4, leaves the choice).
    """
    segments = text.split(b".", 3)
    if len(segments) != 3:
        return None
    header, claims, signature = (_decode_segment(segment) for segment in segments)
    if header is None or claims is None or signature is None:
        return None
    header_fields, claim_fields = _decode_dictionary(header), _decode_dictionary(claims)
    if header_fields is None or claim_fields is None:
        return None
    return JsonWebToken(header_fields, claim_fields, text[: text.rindex(b".")], signature)


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
