"""The target of a request (`:path`) in its parts: path and query (RFC 9112, 3.2), each decoded where it is looked at."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_to_bytes

from wire.request import Request

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def path_of(request: Request) -> bytes:
    """The path as it was sent, without the query; empty when the request has none."""
    return (request.varying[0] or b"").partition(b"?")[0]


def query_of(request: Request) -> Mapping[str, str]:
    """The parameters of the query. The first of a name counts [choice]; bytes that are not UTF-8 become U+FFFD."""
    query = (request.varying[0] or b"").partition(b"?")[2].decode("ascii", "replace")
    return dict(reversed(parse_qsl(query, keep_blank_values=True)))


def segment_bytes(segment: bytes) -> bytes:
    """One segment of a path, percent-decoded."""
    return unquote_to_bytes(segment)


def segment_text(segment: bytes) -> str:
    """One segment of a path, percent-decoded; bytes that are not UTF-8 become U+FFFD, which no name of ours has."""
    return unquote_to_bytes(segment).decode("utf-8", "replace")


def truth_of(value: str) -> bool | None:
    """What a parameter of type bool says; None when it says neither. `1` and `0` pass too [choice]."""
    return _TRUTHS.get(value.lower())


def wants_pretty(request: Request) -> bool:
    """Whether the answer is to be easy to read: unless the query says `prettyPrint=false` (B1)."""
    path = request.varying[0]
    return path is None or b"?" not in path or truth_of(query_of(request).get("prettyPrint", "true")) is not False
