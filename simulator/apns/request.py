"""What a device push consists of: the names of its header fields, the shapes and limits of their values."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wire.request import Head, Request

DEVICE_PATH_PREFIX: Final = b"/3/device/"
_PREFIX_BYTES = len(DEVICE_PATH_PREFIX)

AUTHORIZATION: Final = b"authorization"
APNS_ID: Final = b"apns-id"
APNS_EXPIRATION: Final = b"apns-expiration"
APNS_PRIORITY: Final = b"apns-priority"
APNS_TOPIC: Final = b"apns-topic"
APNS_COLLAPSE_ID: Final = b"apns-collapse-id"
APNS_PUSH_TYPE: Final = b"apns-push-type"
APNS_CHANNEL_ID: Final = b"apns-channel-id"
APNS_REQUEST_ID: Final = b"apns-request-id"

DOCUMENTED_HEADERS: Final = frozenset(
    {
        AUTHORIZATION,
        APNS_ID,
        APNS_EXPIRATION,
        APNS_PRIORITY,
        APNS_TOPIC,
        APNS_COLLAPSE_ID,
        APNS_PUSH_TYPE,
        APNS_CHANNEL_ID,
        APNS_REQUEST_ID,
    }
)
"""A repeated one of these is `DuplicateHeaders`; any other name may come as often as it likes.
Source: Sending notification requests to APNs; Sending broadcast push notification requests."""

COLLAPSE_ID_BYTES_MAX: Final = 64
"""Source: Sending notification requests to APNs."""

TOPIC_BYTES_MAX: Final = 255
"""Ours; Apple states no limit."""

EXPIRATION_S_MAX: Final = 2**63 - 1
"""Ours: seconds since the Unix epoch in a signed 64-bit integer. Beyond it a value counts as no integer."""

DEVICE_TOKEN_HEX_DIGITS_MAX: Final = 512
"""Ours: Apple forbids to assume a size; tokens of 64 digits are usual, 160 have been seen with Live Activities."""

PRIORITIES: Final = frozenset({b"10", b"5", b"1"})
"""Source: Sending notification requests to APNs."""

_TOPIC = re.compile(rb"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_DIGITS = re.compile(rb"[0-9]{1,19}")

# Every hexadecimal digit becomes "h", the hyphen stays, all else becomes NUL: one translation and one comparison
# check an apns-id in a third of the time that a regular expression takes.
_SHAPE = bytes(
    ord("h") if byte in b"0123456789abcdefABCDEF" else byte if byte == ord("-") else 0 for byte in range(256)
)
_UUID_SHAPE = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"
_HEX_SHAPES = {length: b"h" * length for length in range(2, DEVICE_TOKEN_HEX_DIGITS_MAX + 1, 2)}


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """The fields of a request's head that APNs looks at; None: absent.

    `method`: of the pseudo-header field. `repeated`: some documented header came more than once; then the values are
    the first ones.
    """

    method: bytes | None
    authorization: bytes | None
    topic: bytes | None
    push_type: bytes | None
    priority: bytes | None
    expiration: bytes | None
    collapse_id: bytes | None
    repeated: bool

    @classmethod
    def of_head(cls, head: Head) -> "HeadFacts":
        """Read them from a head; the values of `:path` and `apns-id` are not in it (see `Request.varying`)."""
        values: dict[bytes, bytes] = {}
        repeated = False
        for name, value in head.fields:
            if name not in values:
                values[name] = value
            elif name in DOCUMENTED_HEADERS:
                repeated = True
        return cls(
            method=values.get(b":method"),
            authorization=values.get(AUTHORIZATION),
            topic=values.get(APNS_TOPIC),
            push_type=values.get(APNS_PUSH_TYPE),
            priority=values.get(APNS_PRIORITY),
            expiration=values.get(APNS_EXPIRATION),
            collapse_id=values.get(APNS_COLLAPSE_ID),
            repeated=repeated,
        )


def authority_of(head: Head) -> bytes | None:
    """The host that a request names: `:authority`, else a plain `host` field (aioapns sends that one)."""
    authority = head.value(b":authority")
    return head.value(b"host") if authority is None else authority


def pushed_tokens(requests: Iterable[Request]) -> list[bytes]:
    """What follows `/3/device/` in the paths of device pushes, whatever it is; requests with other paths are left out."""
    return [
        path[_PREFIX_BYTES:]
        for request in requests
        if (path := request.varying[0]) is not None and path[:_PREFIX_BYTES] == DEVICE_PATH_PREFIX
    ]


def device_token_of(path: bytes | None) -> bytes | None:
    """The device token in a path, which may be empty; None when the path is not `/3/device/<token>`.

    A query makes a path bad [choice: none is documented].
    """
    if path is None or not path.startswith(DEVICE_PATH_PREFIX):
        return None
    token = path[len(DEVICE_PATH_PREFIX) :]
    return None if b"/" in token or b"?" in token else token


def is_uuid(apns_id: bytes) -> bool:
    """Whether an `apns-id` is a canonical UUID: 8-4-4-4-12 hexadecimal digits of either case."""
    return apns_id.translate(_SHAPE) == _UUID_SHAPE


def is_device_token(token: bytes) -> bool:
    """Whether a device token is well formed: hexadecimal, an even number of digits, 2 to `DEVICE_TOKEN_HEX_DIGITS_MAX`."""
    return token.translate(_SHAPE) == _HEX_SHAPES.get(len(token))


def is_topic(topic: bytes) -> bool:
    """Whether a topic is well formed: labels of letters, digits and hyphens, joined by dots [choice]."""
    return len(topic) <= TOPIC_BYTES_MAX and _TOPIC.fullmatch(topic) is not None


def is_expiration(value: bytes) -> bool:
    """Whether an `apns-expiration` is an integer from 0. A past one is as good as 0 [unconfirmed]."""
    return _DIGITS.fullmatch(value) is not None and int(value) <= EXPIRATION_S_MAX
