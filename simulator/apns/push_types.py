"""The values of `apns-push-type`, and what each asks of topic and payload."""

from enum import Enum, unique

PAYLOAD_BYTES_MAX = 4096
"""Source: Sending notification requests to APNs."""

VOIP_PAYLOAD_BYTES_MAX = 5120
"""Source: Sending notification requests to APNs."""

_SENDING = "Sending notification requests to APNs"
_LIVE = "WWDC sessions on ActivityKit"


@unique
class PushType(Enum):
    """Push types: wire name, what the topic has after the bundle id, payload limit, token authentication only, source.

    `token_only`: Apple says that a certificate cannot send it. The topic of `mdm` is the UID of the MDM push
    certificate instead of a bundle id, which is a name of the same shape.
    """

    ALERT = b"alert", b"", PAYLOAD_BYTES_MAX, False, _SENDING
    BACKGROUND = b"background", b"", PAYLOAD_BYTES_MAX, False, _SENDING
    VOIP = b"voip", b".voip", VOIP_PAYLOAD_BYTES_MAX, False, _SENDING
    COMPLICATION = b"complication", b".complication", PAYLOAD_BYTES_MAX, False, _SENDING
    FILEPROVIDER = b"fileprovider", b".pushkit.fileprovider", PAYLOAD_BYTES_MAX, False, _SENDING
    MDM = b"mdm", b"", PAYLOAD_BYTES_MAX, False, _SENDING
    LIVEACTIVITY = b"liveactivity", b".push-type.liveactivity", PAYLOAD_BYTES_MAX, True, f"{_SENDING}; {_LIVE}"
    LOCATION = b"location", b".location-query", PAYLOAD_BYTES_MAX, True, _SENDING
    PUSHTOTALK = b"pushtotalk", b".voip-ptt", PAYLOAD_BYTES_MAX, False, _SENDING
    CONTROLS = b"controls", b".push-type.controls", PAYLOAD_BYTES_MAX, False, _SENDING
    WIDGETS = b"widgets", b".push-type.widgets", PAYLOAD_BYTES_MAX, False, _SENDING

    def __init__(
        self, wire_name: bytes, topic_suffix: bytes, payload_bytes_max: int, token_only: bool, source: str
    ) -> None:
        self.wire_name = wire_name
        self.topic_suffix = topic_suffix
        self.payload_bytes_max = payload_bytes_max
        self.token_only = token_only
        self.source = source

    @classmethod
    def of_name(cls, wire_name: bytes) -> "PushType | None":
        """The row of a header value; None when there is none. Case counts [choice: Apple's pages show lower case]."""
        return _BY_NAME.get(wire_name)


_BY_NAME = {push_type.wire_name: push_type for push_type in PushType}

TOPIC_SUFFIXES = tuple(push_type.topic_suffix for push_type in PushType if push_type.topic_suffix)
"""No suffix ends with another one, so that at most one fits a topic (a test keeps it)."""


def topic_suffix(topic: bytes) -> bytes:
    """What a topic has after its bundle id: one of the suffixes of the table, or b""."""
    return next((suffix for suffix in TOPIC_SUFFIXES if topic.endswith(suffix)), b"")


def bundle_id(topic: bytes) -> bytes:
    """A topic without the suffix of a push type."""
    return topic.removesuffix(topic_suffix(topic))


def payload_bytes_max(push_type: PushType | None, topic: bytes) -> int:
    """The size limit of a body. `push_type` None: the header was absent, and the topic alone decides."""
    if push_type is PushType.VOIP or topic.endswith(PushType.VOIP.topic_suffix):
        return PushType.VOIP.payload_bytes_max
    return PAYLOAD_BYTES_MAX if push_type is None else push_type.payload_bytes_max
