"""Topics of FCM: how registrations come to follow one, through the Instance ID service. No I/O: callers carry the requests.

One call names a topic and up to a thousand registrations; its answer has an entry for each, in their order. Some of them can
fail in an answer of 200: those that may be repeated are named by `repeatable`.
"""

from collections.abc import Sequence

import msgspec

PATH = "/iid/v1:batchAdd"
HEADER_FIELDS = {"content-type": "application/json", "access_token_auth": "true"}
"""Beside `authorization`."""
TOKENS_MAX = 1_000
"""Of one call. Source: Instance ID server reference."""

_REPEATABLE = frozenset({"RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"})


class _Entry(msgspec.Struct):
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Entry]


_decode = msgspec.json.Decoder(_Answer).decode


def request_body(topic: str, tokens: Sequence[str]) -> bytes:
    """Have the registrations follow a topic."""
    assert 0 < len(tokens) <= TOKENS_MAX
    return msgspec.json.encode({"to": f"/topics/{topic}", "registration_tokens": tokens})


def read_results(body: bytes, tokens: int) -> list[str] | None:
    """The error of each registration, "" for none; None when this is no answer to a call for so many."""
    try:
        results = _decode(body).results
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return [entry.error for entry in results] if len(results) == tokens else None


def repeatable(error: str) -> bool:
    """Whether the same call may bring another result a little later."""
    return error in _REPEATABLE
