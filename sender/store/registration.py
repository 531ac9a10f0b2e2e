"""What a registration must look like to be stored: the checks of an import's rows, and the form they are stored in."""

from functools import lru_cache

import msgspec

from sender.attribute_name import is_attribute_name
from sender.segment_condition import REGISTERED_AT_MS
from sender.store.records import DeviceRow

APNS = "apns"
FCM = "fcm"
PROVIDERS = (APNS, FCM)

APNS_TOKEN_BYTES_MIN = 32  # APNs never gave out shorter ones; Apple asks not to count on a length
APNS_TOKEN_BYTES_MAX = 128
TOKEN_CHARS_MAX = 4_096  # of FCM's; those of today have 163, and Google asks not to count on a length
TOPIC_CHARS_MAX = 255
REGISTERED_AT_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999
ATTRIBUTES_BYTES_MAX = 4_096  # as JSON
ATTRIBUTES_MAX = 64

RESERVED_NAMES = frozenset({"token", "provider", "topic", REGISTERED_AT_MS, "attributes"})
"""Columns of an import's file: no attribute can have these names."""

CHECKED_NAMES_MAX = 4_096  # entries of the caches below; files repeat a few topics and one list of names


Registration = tuple[str, str, bytes | str, int, bytes]
"""A checked row as it is stored: provider, topic, token (bytes for apns, text for others), registered_at_ms, attributes
as JSON. A plain tuple: millions are made on their way to SQLite."""

# Searched for as numbers: finding one byte takes 0.02 µs, finding a sequence of them 0.3 µs.
_LINE_END, _BACKSLASH = b"\n\\"

_encode = msgspec.json.Encoder().encode
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode


def registration(row: DeviceRow) -> Registration | str:
    """Check one row. The answer is what to store, or the reason why not."""
    token, provider, topic, registered_at_ms, attributes = row
    key: bytes | str
    if provider == APNS:
        try:
            key = bytes.fromhex(token)
        except ValueError:
            return f"the token {_shown(token)} is not hexadecimal: APNs tokens are the device's bytes as hex digits"
        if len(key) * 2 != len(token):
            return f"the token {_shown(token)} has blanks in it: remove them"
        if not APNS_TOKEN_BYTES_MIN <= len(key) <= APNS_TOKEN_BYTES_MAX:
            return (
                f"the token has {len(token)} hex digits, APNs tokens have {2 * APNS_TOKEN_BYTES_MIN} "
                f"to {2 * APNS_TOKEN_BYTES_MAX}: was it cut or joined?"
            )
    else:
        if provider not in PROVIDERS:
            return f"the provider {_shown(provider)} is unknown: one of {', '.join(PROVIDERS)}"
        if fault := _text_fault("token", token, TOKEN_CHARS_MAX) or _fcm_token_fault(token):
            return fault
        key = token
    if fault := _topic_fault(topic):
        return fault
    if type(registered_at_ms) is not int or not 0 <= registered_at_ms <= REGISTERED_AT_MS_MAX:
        return f"registered_at_ms {registered_at_ms!r} is not an instant in ms since 1970: a whole number is needed"
    encoded = _attributes(attributes)
    if isinstance(encoded, str):
        return encoded
    return provider, topic, key, registered_at_ms, encoded


def _fcm_token_fault(token: str) -> str:
    """What is wrong with a text as an FCM token; "" for nothing that shows before FCM is asked.

    No shape is asked for, since Google documents none and FIDs pass as well: what FCM calls malformed, a campaign
    invalidates. Tokens of APNs are told apart because they get mixed up: registration tokens hold a colon, and before
    there were any of those, letters beyond the hexadecimal ones.
    """
    # Most have a colon, and need not be tried as hexadecimal.
    if ":" in token or not 2 * APNS_TOKEN_BYTES_MIN <= len(token) <= 2 * APNS_TOKEN_BYTES_MAX:
        return ""
    try:
        bytes.fromhex(token)
    except ValueError:
        return ""
    return f"the token {_shown(token)} is hexadecimal, as APNs tokens are: is its provider {APNS}?"


def _attributes(attributes: dict[str, str] | bytes) -> bytes | str:
    """The attributes as JSON on one line, or what is wrong with them."""
    if isinstance(attributes, dict):
        if fault := attribute_names_fault(tuple(attributes)):
            return fault
        for name, value in attributes.items():
            if type(value) is not str:
                return f"attribute {name} is not a text"
        try:
            encoded = _encode(attributes)
        except UnicodeEncodeError:
            return "an attribute is not valid UTF-8"
    else:
        # Encoded beforehand, for speed. What is checked here keeps the store readable; that it is a JSON object
        # is checked by SQLite.
        encoded = attributes
        if _LINE_END in encoded:
            return "the attributes, given as JSON, are not on one line"
    if len(encoded) > ATTRIBUTES_BYTES_MAX:
        return f"the attributes are {len(encoded)} bytes of JSON, at most {ATTRIBUTES_BYTES_MAX} are kept"
    if _BACKSLASH in encoded and b"\\u0000" in encoded:
        try:
            texts = _decode_texts(encoded).values()
        except msgspec.DecodeError as error:
            return f"the attributes are not a JSON object of texts: {error}"
        if any("\0" in text for text in texts):
            return "an attribute holds the character U+0000: remove it"
    return encoded


@lru_cache(CHECKED_NAMES_MAX)
def attribute_names_fault(names: tuple[str, ...]) -> str:
    """What is wrong with the names of a device's attributes; "" for nothing."""
    if len(names) > ATTRIBUTES_MAX:
        return f"{len(names)} attributes, at most {ATTRIBUTES_MAX} are kept"
    for name in names:
        if not is_attribute_name(name):
            return f"the attribute name {_shown(name)} is not allowed: a letter or _, then up to 63 of A-Z a-z 0-9 _ -"
        if name in RESERVED_NAMES:
            return f"the attribute name {name} is reserved: choose another"
    return ""


@lru_cache(CHECKED_NAMES_MAX)
def _topic_fault(topic: str) -> str:
    return _text_fault("topic", topic, TOPIC_CHARS_MAX)


def _text_fault(what: str, text: str, chars_max: int) -> str:
    if not text:
        return f"the {what} is empty"
    if len(text) > chars_max:
        return f"the {what} has {len(text)} characters, at most {chars_max} are allowed"
    if not (text.isascii() and text.isprintable() and " " not in text):
        return f"the {what} {_shown(text)} holds blanks, control characters or characters beyond ASCII"
    return ""


def _shown(text: str) -> str:
    """A text short and plain enough for a message."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")
