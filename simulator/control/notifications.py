"""`/api/v1/notifications`: what came of late, searched, waited for, and forgotten."""

import re
from base64 import b64encode
from collections.abc import Generator
from typing import Annotated, Literal

import msgspec
from starlette.responses import Response

from simulator.apns.reasons import Reason
from simulator.changes import JournalCleared
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import ControlError, Problem
from simulator.control.slices import free_in_slices, in_slices
from simulator.fcm.errors import Cause
from simulator.fcm.registrations import Registrations
from simulator.journal import Entry, Found, Numbered, Wanted, topic_of
from wire.request import Head

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
WAIT_S_MAX = 60.0
ANSWER_BODY_BYTES_MAX = 1024 * 1024  # of notification bodies in one answer; further items wait for the next request
WITHHELD_SIGNATURE = "(signature withheld)"
WITHHELD_CREDENTIAL = "(credential withheld)"

_TOKEN_PARAMETER = re.compile(r"([?&][^=&]*_token=)[^&]*")  # as FCM reads credentials of a query

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
InstantMs = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class NotificationsQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which notifications, and how many.

    All filters given must fit. `token`: of FCM also the installation id of a registration token, or the token of one. `topic`:
    the app's with APNs; with FCM the one that a message is for. `apns_id` is of APNs alone, `message_id` of FCM. `since_ms`
    is included, `until_ms` not (milliseconds since the Unix epoch). `limit`: items at most. `order`: which come first.
    `after`: only those with a greater `number`; with `order=oldest`, for reading on. `count` and `wait_s`: wait until so
    many that fit have come, those already there included, at most so many seconds.
    """

    token: Text | None = None
    topic: Text | None = None
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] | None = None
    reason: Text | None = None
    apns_id: Text | None = None
    message_id: Text | None = None
    provider: Literal["apns", "fcm"] | None = None
    since_ms: InstantMs | None = None
    until_ms: InstantMs | None = None
    limit: Annotated[int, msgspec.Meta(ge=0, le=LIMIT_MAX)] = LIMIT_DEFAULT
    order: Literal["newest", "oldest"] = "newest"
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    count: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_S_MAX)] | None = None


class Notification(msgspec.Struct, frozen=True):
    """One notification and its answer.

    `number`: 1 for the first that the simulator ever took. Several workers' are numbered when the simulator looks at what
    they took, many times a second: in each worker's order, those of one look worker by worker. `at_ms`: since the Unix
    epoch. `environment`: of APNs, else null. `reason`: null when accepted; for FCM the `errorCode`, else the `status`.
    `token`: for FCM the target, whatever its kind; of a message to a topic each delivery has an entry too, with its
    registration. `topic`: the app's with APNs; with FCM that which is the target, else null. `apns_id`: of APNs's answer,
    `message_id` of FCM's, else null. `headers`: as sent; a repeated field has its values joined by a comma, and what proves
    a credential is withheld. An `apns-id` is put back from the answer.
    `body`: text, or base64 where it is not UTF-8 (`body_encoding`); at most its first 8 KiB.
    """

    number: int
    at_ms: int
    provider: str
    environment: str | None
    status: int
    reason: str | None
    token: str
    topic: str | None
    apns_id: str | None
    message_id: str | None
    connection_id: int
    stream_id: int
    headers: dict[str, str]
    body: str
    body_encoding: Literal["text", "base64"]


class NotificationsAnswer(msgspec.Struct, frozen=True):
    """What was found.

    `total`: notifications since the journal was last cleared; of these the ring has `dropped` the oldest and holds at
    most `capacity`. `matched`: held ones that fit, of which `items` shows the first; `more`: there are further ones.
    `arrived`: when waiting, how many that fit have come, dropped ones too as far as they were seen; `complete`: that is
    the `count` asked for, or more.
    """

    total: int
    dropped: int
    capacity: int
    matched: int
    more: bool
    arrived: int | None
    complete: bool | None
    items: list[Notification]


class ClearedAnswer(msgspec.Struct, frozen=True):
    """`cleared`: how many notifications were held and are forgotten."""

    cleared: int


async def list_notifications(call: Call[NotificationsQuery, NoBody]) -> msgspec.Struct | Response:
    """GET: wait if asked to, then search."""
    query, view = call.query, call.view
    wanted = _wanted(query, call.rig.fcm.registrations)
    arrived = None
    if query.count is not None:
        arrived = await view.wait_for(wanted, query.count, query.wait_s or 0.0, call.given_up)
    elif query.wait_s is not None:
        raise ControlError(Problem.INVALID_QUERY, "`wait_s` needs `count`: how many notifications to wait for")
    found = await view.search(wanted, query.limit, newest_first=query.order == "newest", after=query.after)
    items = await in_slices(_items(found))
    journal = (await view.standing()).journal
    return NotificationsAnswer(
        total=journal.total,
        dropped=journal.dropped,
        capacity=journal.capacity,
        matched=found.matched,
        more=found.matched > len(items),
        arrived=arrived,
        complete=None if arrived is None else arrived >= (query.count or 0),
        items=items,
    )


async def clear_notifications(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """DELETE: forget them all."""
    async with call.view.changing() as tell:
        held = (await call.view.standing()).journal.held
        cleared = JournalCleared()
        freeing = cleared.apply(call.rig)
        tell(cleared)
    await free_in_slices(freeing)
    return ClearedAnswer(held)


def _wanted(query: NotificationsQuery, registrations: Registrations) -> Wanted:
    if query.reason is not None and query.reason not in _REASON_NAMES:
        raise ControlError(
            Problem.INVALID_QUERY,
            f"there is no reason {query.reason[:80]!r}; the reasons are {', '.join(sorted(_REASON_NAMES))}",
        )
    provider: str | None = query.provider
    for name, value, its_provider in (("apns_id", query.apns_id, "apns"), ("message_id", query.message_id, "fcm")):
        if value is None:
            continue
        if provider not in (None, its_provider):
            raise ControlError(
                Problem.INVALID_QUERY,
                f"`{name}` is of {its_provider}: `apns_id` is of APNs, `message_id` of FCM, and no notification has both; "
                "give one, and no other provider",
            )
        provider = its_provider
    token = _bytes(query.token)
    return Wanted(
        provider=provider,
        token=token,
        names=None if token is None else registrations.names(token),
        topic=_bytes(query.topic),
        status=query.status,
        reason=query.reason,
        message_id=_bytes(query.apns_id or _message_id(query.message_id)),
        since_ms=query.since_ms,
        until_ms=query.until_ms,
    )


def _message_id(name: str | None) -> str | None:
    """The id in `projects/…/messages/ID`, which is what libraries hand out; or as it is."""
    return None if name is None else name.rpartition("/messages/")[2]


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


_REASON_NAMES = {reason.wire_name for reason in Reason} | {cause.reason for cause in Cause}


def _items(found: Found) -> Generator[None, None, list[Notification]]:
    items: list[Notification] = []
    body_bytes = 0
    for numbered in found.entries:
        body_bytes += len(numbered.entry.body)
        if items and body_bytes > ANSWER_BODY_BYTES_MAX:
            break
        items.append(_notification(numbered))
        if len(items) % 16 == 0:
            yield
    return items


def _notification(numbered: Numbered) -> Notification:
    entry = numbered.entry
    body, body_encoding = _body(entry.body)
    topic = topic_of(entry.provider, entry.token, entry.head)
    message_id, of_apns = _text(entry.message_id), entry.provider == "apns"
    return Notification(
        number=numbered.number,
        at_ms=entry.at_ms,
        provider=entry.provider,
        environment=None if entry.environment is None else entry.environment.name.lower(),
        status=entry.status,
        reason=entry.reason,
        token=_text(entry.token),
        topic=None if topic is None else _text(topic),
        apns_id=message_id if of_apns else None,
        message_id=None if of_apns or not message_id else message_id,
        connection_id=entry.connection_id,
        stream_id=entry.stream_id,
        headers=_headers(entry.head, entry),
        body=body,
        body_encoding=body_encoding,
    )


def _headers(head: Head, entry: Entry) -> dict[str, str]:
    varying = {b":path": entry.path or b"", b"apns-id": entry.message_id}
    headers: dict[str, str] = {}
    for name, value in head.fields:
        key = _text(name)
        text = _text(value if value or name not in varying else varying[name])
        if name == b"authorization":
            text = _without_signature(text) if entry.provider == "apns" else _without_credential(text)
        elif name == b":path":
            text = _TOKEN_PARAMETER.sub(rf"\1{WITHHELD_CREDENTIAL}", text)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _without_signature(authorization: str) -> str:
    signed, dot, _ = authorization.rpartition(".")
    return f"{signed}.{WITHHELD_SIGNATURE}" if dot else authorization


def _without_credential(authorization: str) -> str:
    """Of FCM: a JSON Web Token without its signature, of everything else the scheme alone."""
    scheme, blank, credential = authorization.partition(" ")
    if credential.count(".") == 2 and not credential.lstrip().startswith("ya29."):
        return _without_signature(authorization)
    return f"{scheme} {WITHHELD_CREDENTIAL}" if blank else WITHHELD_CREDENTIAL


def _body(body: bytes) -> tuple[str, Literal["text", "base64"]]:
    try:
        return body.decode(), "text"
    except UnicodeDecodeError:
        return b64encode(body).decode("ascii"), "base64"


def _text(value: bytes) -> str:
    return value.decode("latin-1")


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/notifications",
        operation="listNotifications",
        summary="Search the journal of recent notifications, or wait until some have come.",
        handler=list_notifications,
        query=NotificationsQuery,
        body=NoBody,
        answer=NotificationsAnswer,
        problems=(Problem.BOUND_REACHED,),
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/notifications",
        operation="clearNotifications",
        summary="Forget the recent notifications; the ledger and the counters stay.",
        handler=clear_notifications,
        query=NoQuery,
        body=NoBody,
        answer=ClearedAnswer,
    ),
)
