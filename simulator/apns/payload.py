"""Whether a body is a JSON dictionary: the syntax alone is looked at, nothing is built."""

import msgspec

PAYLOAD_DEPTH_MAX = 512
"""Ours, after the limit of Apple's JSONSerialization: deeper payloads count as no JSON dictionary."""


class _AnyObject(msgspec.Struct):
    """A record without fields: decoding it checks a whole JSON object and keeps none of it."""


_check_object = msgspec.json.Decoder(_AnyObject).decode

_OPENING, _CLOSING = b"[{", b"]}"
_QUOTE, _BACKSLASH = b'"\\'


def is_json_object(body: bytes) -> bool:
    """Whether `body` is one JSON object in UTF-8, nested no deeper than `PAYLOAD_DEPTH_MAX`. Raises nothing.

    Stricter than RFC 8259 asks in one point: an escaped lone surrogate is refused, as Apple's parser does.
    """
    try:
        # The decoder skips over strings without checking their UTF-8.
        if not body.isascii():
            body.decode()
        _check_object(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    # Each level takes two bytes at least, so that short bodies cannot nest too deep.
    return len(body) <= 2 * PAYLOAD_DEPTH_MAX or _depth(body) <= PAYLOAD_DEPTH_MAX


def _depth(body: bytes) -> int:
    """How deep a JSON text nests. Only long bodies come here, and only those with many brackets are walked through."""
    if body.count(b"[") + body.count(b"{") <= PAYLOAD_DEPTH_MAX:
        return 0
    depth = deepest = 0
    in_string = escaped = False
    for byte in body:
        if in_string:
            if escaped:
                escaped = False
            elif byte == _BACKSLASH:
                escaped = True
            elif byte == _QUOTE:
                in_string = False
        elif byte == _QUOTE:
            in_string = True
        elif byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
    return deepest
