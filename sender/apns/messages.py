"""How a notification of a campaign becomes an APNs request, and an APNs response an answer: pure, one record per campaign."""

from dataclasses import dataclass

import msgspec

from sender.apns.reasons import action_for
from sender.errors import SenderConfigurationError
from sender.reaction import Answer
from wire.request import Response

PATH_PREFIX = b"/3/device/"


@dataclass(frozen=True, slots=True)
class ApnsOptions:
    """The header fields that all notifications of a campaign share; None leaves a field out.

    `expiration_s`: seconds since the epoch, 0 for one attempt. `priority`: 10, 5 or 1. `collapse_id`: at most 64 bytes.
    """

    topic: str
    authority: str
    push_type: str | None = "alert"
    priority: int | None = None
    expiration_s: int | None = None
    collapse_id: str | None = None

    def __post_init__(self) -> None:
        for what, text in (("topic", self.topic), ("push type", self.push_type), ("collapse id", self.collapse_id)):
            if text is not None and (not text.isascii() or not text.isprintable() or text != text.strip() or not text):
                raise SenderConfigurationError(f"the {what} {text!r} is no value of a header field")


class _Body(msgspec.Struct):
    reason: str = ""
    timestamp: int | None = None


_decode_body = msgspec.json.Decoder(_Body).decode


def header_fields(options: ApnsOptions, authorization: bytes | None) -> list[tuple[bytes, bytes]]:
    """Fields of every request, in sending order; `:path` and `apns-id` are left open."""
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", options.authority.encode()),
        (b":path", b""),
        (b"apns-topic", options.topic.encode()),
    ]
    if options.push_type is not None:
        fields.append((b"apns-push-type", options.push_type.encode()))
    if options.priority is not None:
        fields.append((b"apns-priority", str(options.priority).encode()))
    if options.expiration_s is not None:
        fields.append((b"apns-expiration", str(options.expiration_s).encode()))
    if options.collapse_id is not None:
        fields.append((b"apns-collapse-id", options.collapse_id.encode()))
    if authorization is not None:
        fields.append((b"authorization", authorization))
    fields.append((b"apns-id", b""))
    return fields


def read_answer(response: Response) -> Answer:
    """An APNs response other than 200 as an answer. A body that is not APNs' JSON leaves the reason empty."""
    head = response.head
    status = int(head.value(b":status") or b"0")
    retry_after = head.value(b"retry-after")
    try:
        body = _decode_body(response.body) if response.body else _Body()
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = _Body()
    return Answer(
        status,
        body.reason,
        action_for(status, body.reason),
        timestamp_ms=body.timestamp,
        retry_after=retry_after.decode("latin-1") if retry_after is not None else None,
    )


def goaway_reason(debug: bytes) -> str:
    """The `reason` in the debug data of a GOAWAY, or "" when it holds none."""
    try:
        return _decode_body(debug).reason
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
