"""Topic subscriptions as resources (B10): the interface of 2026, beside Instance ID, on the same subscriptions.

`projects/{p}/registrations/{registration}/topicSubscriptions/{topic}`, on FCM's host. One pure function answers a request. The
order of its checks is D6, ours; where Google's texts are not known, its general ones stand in [unconfirmed].
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import msgspec

from simulator.bounds import BoundReachedError
from simulator.fcm.access_token import AccessTokens, authorization_of
from simulator.fcm.error_body import answer_of, json_of
from simulator.fcm.errors import (
    Cause,
    Fault,
    Violation,
    fault,
    field_fault,
    json_fault,
    permission_fault,
    service_disabled_fault,
    syntax_fault,
)
from simulator.fcm.instance_id import ProjectNames
from simulator.fcm.message_validation import VIOLATIONS_MAX
from simulator.fcm.registrations import RegistrationState, Standing, standing_of
from simulator.fcm.request_target import path_of, query_of, segment_bytes, segment_text, truth_of
from simulator.fcm.subscriptions import Addition, Subscription, Subscriptions
from simulator.fcm.topic_name import is_topic_name
from simulator.http_answer import JSON, HttpAnswer
from simulator.rates.rate_limits import RateLimits, retry_after_s
from wire.request import Request

PAGE_SIZE_DEFAULT: Final = 1_000
PAGE_SIZE_MAX: Final = 2_000
"""Larger ones are cut. Source of both: B10."""

_PERMISSION: Final = "cloudmessaging.topicSubscriptions."
_RESOURCE: Final = re.compile(rb"/v1/projects/([^/]+)/registrations/([^/]+)/topicSubscriptions(?:/([^/]+))?")
_INT32: Final = re.compile(r"-?[0-9]{1,10}")
_FIELDS: Final = frozenset({"name", "topic_name", "topicName", "create_time", "createTime"})


class TopicSubscriptionState(RegistrationState, Protocol):
    """What the service needs."""

    @property
    def project(self) -> ProjectNames: ...
    @property
    def access(self) -> AccessTokens: ...
    @property
    def api_enabled(self) -> bool: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def rates(self) -> RateLimits: ...


@dataclass(frozen=True, slots=True)
class _Call:
    """One request to one of the methods. `project`, `registration`: as the path writes them, percent-decoded.

    `topic`: of the path or the parameter; None for a list.
    """

    request: Request
    state: TopicSubscriptionState
    now_s: float
    query: Mapping[str, str]
    project: str
    registration: bytes
    topic: str | None

    def parameter(self, camel: str, snake: str) -> str | None:
        """A parameter of the query in either spelling [choice]; an empty one counts as absent, as in protobuf."""
        return self.query.get(camel) or self.query.get(snake) or None

    @property
    def named_topic(self) -> str:
        """The topic, of which `_refused` made sure."""
        assert self.topic is not None
        return self.topic

    def told(self, subscription: Subscription) -> dict[str, str]:
        """The resource as the answer has it, in snake_case (B10)."""
        registration = self.registration.decode("utf-8", "replace")
        created = datetime.fromtimestamp(subscription.added_at_s, UTC)
        return {
            "name": f"projects/{self.project}/registrations/{registration}/topicSubscriptions/{subscription.topic}",
            "topic_name": subscription.topic,
            "create_time": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


_Told = dict[str, object] | dict[str, str]


class _Method(NamedTuple):
    """`permission`: the last word of its name. `changes`: counts against the rate of changes, and may have a body."""

    permission: str
    changes: bool
    answer: Callable[[_Call, bytes], _Told | Fault]


def topic_subscriptions(request: Request, state: TopicSubscriptionState, now_s: float) -> HttpAnswer | None:
    """Answer a request; None when its method and path are none of the service. `now_s`: the rig's, since the Unix epoch."""
    match = _RESOURCE.fullmatch(path_of(request))
    if match is None:
        return None
    project, registration, topic = match.groups()
    method = _METHODS.get((request.head.value(b":method"), topic is not None))
    if method is None:
        return None
    query = query_of(request)
    call = _Call(
        request,
        state,
        now_s,
        query,
        segment_text(project),
        segment_bytes(registration),
        _topic_of(topic, method, query),
    )
    pretty = truth_of(query.get("prettyPrint", "true")) is not False
    told = _answer(call, method)
    if isinstance(told, Fault):
        return answer_of(told, pretty=pretty)
    return HttpAnswer(200, (JSON,), json_of(told, pretty=pretty))


def _topic_of(segment: bytes | None, method: _Method, query: Mapping[str, str]) -> str | None:
    if segment is not None:
        return segment_text(segment)
    return None if method is _LIST else query.get("topic_name") or query.get("topicName") or ""


def _answer(call: _Call, method: _Method) -> _Told | Fault:
    """The checks in order: credential, project, rate, body (D4 3 to 7), registration, topic; then the method's own."""
    refused = _unauthorised(call, method)
    if refused is None and method.changes:
        refused = _exhausted(call) or _body_fault(call.request.body)
    if refused is not None:
        return refused
    registration = call.state.registrations.find(call.registration)
    standing = standing_of(registration, call.state)
    if standing is Standing.OTHER_PROJECT:
        return fault(Cause.SENDER_ID_MISMATCH)
    if standing is not Standing.LIVE or registration is None:
        return fault(Cause.ENTITY_NOT_FOUND)
    if call.topic is not None and not is_topic_name(call.topic):
        return field_fault("topic_name", "Topic name contains invalid characters.")
    return method.answer(call, registration.key)


def _unauthorised(call: _Call, method: _Method) -> Fault | None:
    state = call.state
    grant = state.access.grant_of(authorization_of(call.request), call.now_s)
    if isinstance(grant, Fault):
        if grant.info is None:
            return grant
        # The full name of the method called is not known; that of another would be wrong.
        metadata = tuple(row for row in grant.info.metadata if row[0] != "method")
        return replace(grant, info=replace(grant.info, metadata=metadata))
    if call.project not in (state.project.project_id, state.project.project_number):
        return permission_fault(call.project, _PERMISSION + method.permission)
    return None if state.api_enabled else service_disabled_fault(state.project.project_number)


def _exhausted(call: _Call) -> Fault | None:
    """The project's sends have a rate of their own; these requests count against that of changes (B5)."""
    changes = call.state.rates.topic_changes
    wait_s = 0.0 if changes is None else changes.take(call.now_s)
    return replace(fault(Cause.SUBSCRIPTION_QUOTA), retry_after_s=retry_after_s(wait_s)) if wait_s else None


def _body_fault(body: bytes) -> Fault | None:
    """Empty or a JSON object. What a TopicSubscription has may stand in it, and is not looked at [choice]."""
    if not body.strip():
        return None
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return syntax_fault("The body is not JSON.")
    if not isinstance(told, dict):
        return json_fault(
            (Violation("", 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),)
        )
    unknown = [name for name in told if name not in _FIELDS][:VIOLATIONS_MAX]
    texts = [f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in unknown]
    return json_fault(tuple(Violation("", text) for text in texts)) if texts else None


# The methods


def _create(call: _Call, registration: bytes) -> _Told | Fault:
    if call.state.subscriptions.get(registration, call.named_topic) is not None:
        return fault(Cause.SUBSCRIPTION_EXISTS)
    return _added(call, registration)


def _added(call: _Call, registration: bytes) -> _Told | Fault:
    """`Subscriptions` bounds the topics of a registration; that the answer is 400 FAILED_PRECONDITION is [choice]."""
    subscriptions = call.state.subscriptions
    try:
        addition = subscriptions.add(registration, call.named_topic, call.now_s)
    except BoundReachedError as error:
        return replace(fault(Cause.SUBSCRIPTION_QUOTA), message=str(error))
    if addition is Addition.TOO_MANY_TOPICS:
        return fault(Cause.TOO_MANY_TOPICS)
    return _told(call, registration)


def _get(call: _Call, registration: bytes) -> _Told | Fault:
    return _told(call, registration)


def _told(call: _Call, registration: bytes) -> _Told | Fault:
    subscription = call.state.subscriptions.get(registration, call.named_topic)
    return fault(Cause.ENTITY_NOT_FOUND) if subscription is None else call.told(subscription)


def _update(call: _Call, registration: bytes) -> _Told | Fault:
    """Nothing of a subscription can be changed: with `allowMissing` it makes sure that there is one."""
    allow_missing = _allow_missing(call)
    if isinstance(allow_missing, Fault):
        return allow_missing
    return _added(call, registration) if allow_missing else _told(call, registration)


def _delete(call: _Call, registration: bytes) -> _Told | Fault:
    """404 for what is missing without `allowMissing` is unconfirmed."""
    allow_missing = _allow_missing(call)
    if isinstance(allow_missing, Fault):
        return allow_missing
    if call.state.subscriptions.remove(registration, call.named_topic) or allow_missing:
        return {}
    return fault(Cause.ENTITY_NOT_FOUND)


def _allow_missing(call: _Call) -> bool | Fault:
    value = call.parameter("allowMissing", "allow_missing")
    told = False if value is None else truth_of(value)
    return _value_fault("allow_missing", "TYPE_BOOL", str(value)) if told is None else told


def _list(call: _Call, registration: bytes) -> _Told | Fault:
    """By name, so that a page follows the one before whatever came and went [choice]. A page token names its end."""
    size_text, page_token = call.parameter("pageSize", "page_size"), call.parameter("pageToken", "page_token")
    if size_text is not None and (_INT32.fullmatch(size_text) is None or abs(int(size_text)) >= 2**31):
        return _value_fault("page_size", "TYPE_INT32", size_text)
    size = 0 if size_text is None else int(size_text)
    if size < 0:
        return field_fault("page_size", "Page size must not be negative.")
    after = "" if page_token is None else _topic_in(page_token)
    if after is None:
        return field_fault("page_token", "Page token is not one that this method gave.")
    followed = sorted(each for each in call.state.subscriptions.of_registration(registration) if each.topic > after)
    page = followed[: min(size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)]
    # As always in Google's JSON, what is empty is left out.
    told: dict[str, object] = {"topic_subscriptions": [call.told(each) for each in page]} if page else {}
    if len(page) < len(followed):
        told["next_page_token"] = urlsafe_b64encode(page[-1].topic.encode()).rstrip(b"=").decode()
    return told


def _topic_in(page_token: str) -> str | None:
    try:
        topic = urlsafe_b64decode(page_token + "=" * (-len(page_token) % 4)).decode()
    except ValueError:
        return None
    return topic if is_topic_name(topic) else None


def _value_fault(field: str, type_name: str, value: str) -> Fault:
    return json_fault((Violation(field, f"Invalid value at '{field}' ({type_name}), \"{value}\""),))


_LIST: Final = _Method("list", False, _list)

_METHODS: Final[Mapping[tuple[bytes | None, bool], _Method]] = {
    (b"POST", False): _Method("create", True, _create),
    (b"GET", False): _LIST,
    (b"GET", True): _Method("get", False, _get),
    (b"PATCH", True): _Method("update", True, _update),
    (b"DELETE", True): _Method("delete", True, _delete),
}
"""By method, and whether the path names a topic."""
