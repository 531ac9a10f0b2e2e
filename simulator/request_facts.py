"""What a request or an answer is about, read off its fields and body for whoever looks on: pure, and never an exception."""

from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from simulator.apns.request import DEVICE_PATH_PREFIX
from simulator.credential_hash import credential_hash
from simulator.fcm.plane import is_googles
from simulator.host_owner import HostOwner
from wire.request import Head

ID_KEY = "pushrig_id"
"""Where our sender puts a notification's id among a message's data, for FCM has none. Others are free to do the same."""

TEXT_CHARACTERS_MAX = 1_024  # of one field or value that is told of

Fields = Sequence[tuple[bytes, bytes]]
_SEND_SUFFIX = "/messages:send"


class RequestFacts(NamedTuple):
    """See `observation_records.RequestSeen`."""

    provider: str
    method: str
    path: str
    token: str | None
    target: str | None
    notification_id: str | None
    topic: str | None
    credential: str | None


class AnswerFacts(NamedTuple):
    """See `observation_records.Answer`."""

    status: int
    reason: str | None
    message_id: str | None
    retry_after: str | None
    retry_after_s: float | None
    timestamp_ms: int | None


class _Message(msgspec.Struct):
    token: str | None = None
    fid: str | None = None
    topic: str | None = None
    condition: str | None = None
    data: dict[str, msgspec.Raw] | None = None


class _Send(msgspec.Struct):
    message: _Message


class _Detail(msgspec.Struct):
    error_code: str | None = msgspec.field(default=None, name="errorCode")


class _GoogleError(msgspec.Struct):
    status: str | None = None
    details: list[_Detail] = []


class _AnswerBody(msgspec.Struct):
    reason: str | None = None  # APNs
    timestamp: int | None = None
    name: str | None = None  # FCM
    error: _GoogleError | str | None = None


_decode_send = msgspec.json.Decoder(_Send).decode
_decode_answer = msgspec.json.Decoder(_AnswerBody).decode


def request_facts(fields: Fields, body: bytes, owner: HostOwner | None) -> RequestFacts:
    """What a request is about. `fields`: with the pseudo-header fields. `owner`: of the host that the client came to."""
    first = _first_values(fields)
    raw_path = first.get(b":path", b"")
    path = _text(raw_path.partition(b"?")[0])
    method = _text(first.get(b":method", b""))
    credential = credential_hash(first.get(b"authorization"))
    if is_googles(raw_path, Head(tuple(fields)), owner):
        message = _message(body) if path.endswith(_SEND_SUFFIX) else _Message()
        target = f"/topics/{message.topic}" if message.topic else message.condition
        notification_id = _string(message.data.get(ID_KEY)) if message.data else None
        token = message.token or message.fid
        return RequestFacts("fcm", method, path, token, target, notification_id, None, credential)
    token = _text(raw_path[len(DEVICE_PATH_PREFIX) :]) if raw_path.startswith(DEVICE_PATH_PREFIX) else None
    apns_id, topic = first.get(b"apns-id"), first.get(b"apns-topic")
    return RequestFacts(
        "apns",
        method,
        path,
        token,
        None,
        None if apns_id is None else _text(apns_id).lower(),
        None if topic is None else _text(topic),
        credential,
    )


def answer_facts(fields: Fields, body: bytes, now_s: Callable[[], float]) -> AnswerFacts:
    """What an answer says. `now_s`: the clock that dates in `retry-after` are meant by, seconds since the Unix epoch."""
    first = _first_values(fields)
    status = first.get(b":status", b"")
    try:
        said = _decode_answer(body) if body else _AnswerBody()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _AnswerBody()
    reason = said.reason
    if isinstance(said.error, _GoogleError):
        reason = next((each.error_code for each in said.error.details if each.error_code), said.error.status)
    elif said.error is not None:
        reason = said.error
    apns_id = first.get(b"apns-id")
    retry_after = None if b"retry-after" not in first else _text(first[b"retry-after"])
    return AnswerFacts(
        int(status) if status.isdigit() else 0,
        reason,
        said.name if apns_id is None else _text(apns_id).lower(),
        retry_after,
        None if retry_after is None else _seconds(retry_after, now_s),
        said.timestamp,
    )


def _first_values(fields: Fields) -> dict[bytes, bytes]:
    first: dict[bytes, bytes] = {}
    for name, value in fields:
        first.setdefault(name, value)
    return first


def _text(value: bytes) -> str:
    return value[:TEXT_CHARACTERS_MAX].decode("latin-1")


def _message(body: bytes) -> _Message:
    try:
        return _decode_send(body).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Message()


def _string(value: msgspec.Raw | None) -> str | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError:
        return None


def _seconds(retry_after: str, now_s: Callable[[], float]) -> float | None:
    """Both forms (RFC 9110, section 10.2.3); None for neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, IndexError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, round(at.timestamp() - now_s(), 3))
