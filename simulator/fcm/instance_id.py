"""Google's Instance ID service (B9): topic subscriptions in batches, what is known of a registration, import of APNs tokens.

One pure function answers a request. The order of its checks is D6, ours. Facts leave these open [choice]: a path of the service
with another method is as unknown as any other path; fields of a body that the service does not know are passed over; answers
are compact JSON.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, unique
from hashlib import blake2b
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec

from simulator.apns.request import is_device_token, is_topic
from simulator.bounds import BoundReachedError
from simulator.devices.registration_space import Platform
from simulator.devices.token_space import Environment
from simulator.fcm.access_token import AccessTokens, authorization_of
from simulator.fcm.errors import Fault
from simulator.fcm.registrations import Registration, RegistrationState, Standing, standing_of
from simulator.fcm.request_target import path_of, query_of, segment_bytes, segment_text, truth_of
from simulator.fcm.subscriptions import Addition, Subscriptions
from simulator.fcm.topic_name import is_topic_name
from simulator.http_answer import JSON, HttpAnswer
from simulator.rates.rate_limits import RateLimits, retry_after_s
from wire.request import Request

TOKENS_A_BATCH_MAX: Final = 1_000
"""Of `batchAdd` and `batchRemove`. Source: B9."""

APNS_TOKENS_A_BATCH_MAX: Final = 100
"""Of `batchImport`. Source: B9."""

TOPIC_PREFIX: Final = "/topics/"

_INVALID_ARGUMENT: Final = "INVALID_ARGUMENT"
_PLATFORM_NAMES: Final = {Platform.ANDROID: "ANDROID", Platform.IOS: "IOS", Platform.WEB: "WEBPUSH"}
"""Source: B9; it lists `CHROME` too, `WEBPUSH` was seen."""

SERVER_KEY_TEXT: Final = "Authenticating using server key is deprecated. Please use an OAuth2 token instead."
"""To the old `key=…`. Seen at iid.googleapis.com (MihaelIsaev/FCM, issue 60); that the status is 401 is unconfirmed."""

ACCESS_TOKEN_AUTH_TEXT: Final = "An OAuth2 token needs the header access_token_auth: true"  # noqa: S105 - no password
"""Without that header. Text and status are unconfirmed."""


class ProjectNames(Protocol):
    """How a project is called."""

    @property
    def project_id(self) -> str: ...
    @property
    def project_number(self) -> str: ...


class InstanceIdState(RegistrationState, Protocol):
    """What the service needs. `application`: package name or bundle id of synthetic registrations, which carry none."""

    @property
    def project(self) -> ProjectNames: ...
    @property
    def access(self) -> AccessTokens: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def rates(self) -> RateLimits: ...
    @property
    def application(self) -> str: ...


@unique
class TokenFault(Enum):
    """Why a registration was not added or removed: name in an entry of `results`, answer where the path names it, source.

    The texts of the first two were captured for `info`; all else about `rel` is [choice].
    """

    MALFORMED = "INVALID_ARGUMENT", 400, "InvalidToken", "B9; the status is unconfirmed"
    GONE = "NOT_FOUND", 404, "No information found about this instance id.", "B9"
    OTHER_PROJECT = "PERMISSION_DENIED", 403, "PERMISSION_DENIED", "B9, D6"
    TOO_MANY_TOPICS = "TOO_MANY_TOPICS", 400, "TOO_MANY_TOPICS", "B9, D6"
    # Also when the rig itself is full: of B9's names the one that says so.
    EXHAUSTED = "RESOURCE_EXHAUSTED", 429, "RESOURCE_EXHAUSTED", "B9, D6"

    def __init__(self, entry: str, status: int, text: str, source: str) -> None:
        self.entry = entry
        self.status = status
        self.text = text
        self.source = source


_FAULT_OF_STANDING: Final = {
    Standing.MALFORMED: TokenFault.MALFORMED,
    Standing.GONE: TokenFault.GONE,
    Standing.OTHER_PROJECT: TokenFault.OTHER_PROJECT,
}


class _TopicBatch(msgspec.Struct, frozen=True):
    to: str
    registration_tokens: Annotated[list[str], msgspec.Meta(min_length=1, max_length=TOKENS_A_BATCH_MAX)]


class _ApnsBatch(msgspec.Struct, frozen=True):
    """`sandbox`: false where it is left out [choice]."""

    application: str
    apns_tokens: Annotated[list[str], msgspec.Meta(min_length=1, max_length=APNS_TOKENS_A_BATCH_MAX)]
    sandbox: bool = False


_read_topic_batch = msgspec.json.Decoder(_TopicBatch).decode
_read_apns_batch = msgspec.json.Decoder(_ApnsBatch).decode


@dataclass(frozen=True, slots=True)
class _Call:
    """One authorised request. `parts`: what the route's pattern found in the path, still percent-encoded."""

    request: Request
    parts: tuple[bytes, ...]
    state: InstanceIdState
    now_s: float

    def registration(self, text: bytes) -> Registration | TokenFault:
        """The registration of a text, if it is live and the project's."""
        registration = self.state.registrations.find(text)
        standing = standing_of(registration, self.state)
        if standing is not Standing.LIVE or registration is None:
            return _FAULT_OF_STANDING[standing]
        return registration


def instance_id(request: Request, state: InstanceIdState, now_s: float) -> HttpAnswer | None:
    """Answer a request; None when its method and path are none of the service. `now_s`: the rig's, since the Unix epoch."""
    method, path = request.head.value(b":method"), path_of(request)
    for route in _ROUTES:
        match = route.path.fullmatch(path) if route.method == method else None
        if match is not None:
            return _unauthorised(request, state, now_s) or route.answer(_Call(request, match.groups(), state, now_s))
    return None


def _unauthorised(request: Request, state: InstanceIdState, now_s: float) -> HttpAnswer | None:
    authorization = authorization_of(request)
    if authorization is not None and authorization.lstrip().startswith(b"key="):
        return _refusal(401, SERVER_KEY_TEXT)
    grant = state.access.grant_of(authorization, now_s)
    if isinstance(grant, Fault):
        return _refusal(grant.cause.status, grant.message)
    if (request.head.value(b"access_token_auth") or b"").strip().lower() != b"true":
        return _refusal(401, ACCESS_TOKEN_AUTH_TEXT)
    return None


# Subscriptions


def _batch_add(call: _Call) -> HttpAnswer:
    return _batch(call, _add)


def _batch_remove(call: _Call) -> HttpAnswer:
    return _batch(call, _remove)


def _batch(call: _Call, change: Callable[[_Call, bytes, str, bool], TokenFault | None]) -> HttpAnswer:
    """Every token gets its own entry, in their order; a success is exactly `{}`."""
    try:
        batch = _read_topic_batch(call.request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refusal(400, _INVALID_ARGUMENT)
    topic = batch.to.removeprefix(TOPIC_PREFIX)
    if topic == batch.to or not is_topic_name(topic):
        return _refusal(400, _INVALID_ARGUMENT)
    exhausted = _wait_s(call) > 0
    results = []
    for token in batch.registration_tokens:
        fault = change(call, token.encode(), topic, exhausted)
        results.append({} if fault is None else {"error": fault.entry})
    return _success({"results": results})


def _wait_s(call: _Call) -> float:
    """Count one request that changes subscriptions, of whatever size: 0, or the seconds until there is room for it."""
    changes = call.state.rates.topic_changes
    return 0.0 if changes is None else changes.take(call.now_s)


def _add(call: _Call, token: bytes, topic: str, exhausted: bool) -> TokenFault | None:
    registration = call.registration(token)
    if isinstance(registration, TokenFault):
        return registration
    subscriptions = call.state.subscriptions
    if subscriptions.foresee(registration.key, topic) is Addition.TOO_MANY_TOPICS:
        return TokenFault.TOO_MANY_TOPICS
    if exhausted:
        return TokenFault.EXHAUSTED
    try:
        subscriptions.add(registration.key, topic, call.now_s)
    except BoundReachedError:
        return TokenFault.EXHAUSTED
    return None


def _remove(call: _Call, token: bytes, topic: str, exhausted: bool) -> TokenFault | None:
    """That a registration does not follow the topic is no fault [choice]."""
    registration = call.registration(token)
    if isinstance(registration, TokenFault):
        return registration
    if exhausted:
        return TokenFault.EXHAUSTED
    call.state.subscriptions.remove(registration.key, topic)
    return None


def _follow(call: _Call) -> HttpAnswer:
    token, topic = segment_bytes(call.parts[0]), segment_text(call.parts[1])
    if not is_topic_name(topic):
        return _refusal(400, _INVALID_ARGUMENT)
    wait_s = _wait_s(call)
    fault = _add(call, token, topic, wait_s > 0)
    if fault is None:
        return _success({})
    refusal = _refusal(fault.status, fault.text)
    if fault is TokenFault.EXHAUSTED and wait_s:
        return refusal._replace(fields=(*refusal.fields, (b"retry-after", b"%d" % retry_after_s(wait_s))))
    return refusal


# What is known of a registration


def _info(call: _Call) -> HttpAnswer:
    """`attestStatus` and `subtype` are left out [choice]: rarely seen, and nothing says what they would be here."""
    registration = call.registration(segment_bytes(call.parts[0]))
    if isinstance(registration, TokenFault):
        return _refusal(registration.status, registration.text)
    imported = registration.imported
    application = call.state.application if imported is None else imported.application
    told: dict[str, object] = {
        "application": application,
        "authorizedEntity": call.state.project.project_number,
        # [choice] The version and a fingerprint of the length of SHA-1's: the rig knows of neither.
        "applicationVersion": "1",
        "appSigner": blake2b(application.encode(), digest_size=20).hexdigest(),
        "scope": "*",
        "platform": _PLATFORM_NAMES[registration.platform],
    }
    if truth_of(query_of(call.request).get("details", "false")):
        # [choice] A live device was here today, over Wi-Fi.
        told |= {"connectDate": _date(call.now_s), "connectionType": "WIFI"}
        followed = call.state.subscriptions.of_registration(registration.key)
        if followed:
            told["rel"] = {"topics": {each.topic: {"addDate": _date(each.added_at_s)} for each in followed}}
    return _success(told)


def _date(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


# Import of APNs tokens


def _batch_import(call: _Call) -> HttpAnswer:
    """The same APNs token of the same application and environment always gets the same registration token."""
    try:
        batch = _read_apns_batch(call.request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refusal(400, _INVALID_ARGUMENT)
    if not is_topic(batch.application.encode()):
        return _refusal(400, _INVALID_ARGUMENT)
    environment = Environment.SANDBOX if batch.sandbox else Environment.PRODUCTION
    results = []
    for token in batch.apns_tokens:
        entry = {"apns_token": token}
        if not is_device_token(token.encode()):
            entry["status"] = _INVALID_ARGUMENT
        else:
            try:
                registered = call.state.registrations.import_apns(batch.application, environment, token.encode())
                entry |= {"status": "OK", "registration_token": registered.decode()}
            except BoundReachedError:
                # [choice] Of the two other statuses in B9 the one that does not blame the token.
                entry["status"] = "INTERNAL"
        results.append(entry)
    return _success({"results": results})


class _Route(NamedTuple):
    method: bytes
    path: re.Pattern[bytes]
    answer: Callable[[_Call], HttpAnswer]


_ROUTES: Final = (
    _Route(b"POST", re.compile(rb"/iid/v1:batchAdd"), _batch_add),
    _Route(b"POST", re.compile(rb"/iid/v1:batchRemove"), _batch_remove),
    _Route(b"POST", re.compile(rb"/iid/v1:batchImport"), _batch_import),
    _Route(b"POST", re.compile(rb"/iid/v1/([^/]+)/rel/topics/([^/]+)"), _follow),
    _Route(b"GET", re.compile(rb"/iid/info/([^/]+)"), _info),
)


def _success(told: object) -> HttpAnswer:
    return HttpAnswer(200, (JSON,), msgspec.json.encode(told))


def _refusal(status: int, text: str) -> HttpAnswer:
    return HttpAnswer(status, (JSON,), msgspec.json.encode({"error": text}))
