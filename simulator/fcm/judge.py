"""What FCM answers to one message: the order of its checks (D4), and the short way for callers already cleared. Pure.

Google documents no order; this one is ours. What the head and the path alone decide is judged once and kept as the head's
memo. Fan-out to the registrations of a topic is `simulator.fcm.service`'s matter, each of which `refused_delivery` judges.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from simulator.devices.fates import Fate
from simulator.devices.registration_space import (
    FID_CHARACTERS,
    Platform,
    SealedRegistration,
    is_fid_shape,
    kind_of_registration,
    unseal_registrations,
)
from simulator.fcm.access_token import authorization_of
from simulator.fcm.apns_relay import refused_by_apns
from simulator.fcm.errors import (
    TOKEN_MALFORMED_TEXT,
    Cause,
    Fault,
    Violation,
    device_quota_fault,
    fault,
    message_quota_fault,
    permission_fault,
    project_quota_fault,
    service_disabled_fault,
    topic_quota_fault,
    unregistered_fault,
)
from simulator.fcm.message import Message, SendRequest
from simulator.fcm.message_reading import read_send
from simulator.fcm.message_size import MESSAGE_BYTES_MAX, check_size
from simulator.fcm.message_values import check_values
from simulator.fcm.registrations import Registration, Standing, standing_of
from simulator.fcm.request_target import wants_pretty
from simulator.fcm.state import FcmState
from simulator.rates.rate_limits import retry_after_s
from wire.request import Head, Request

TOO_MANY_REQUESTS: Final = 429
_ACTIVE_ANDROID: Final = kind_of_registration(Platform.ANDROID, Fate.ACTIVE)
_TOKEN_MALFORMED: Final = fault(Cause.TOKEN_MALFORMED)
# [choice] The same text, with the field that was used.
_FID_MALFORMED: Final = Fault(
    Cause.TOKEN_MALFORMED, TOKEN_MALFORMED_TEXT, (Violation("message.fid", TOKEN_MALFORMED_TEXT),)
)
_SENDER_ID_MISMATCH: Final = fault(Cause.SENDER_ID_MISMATCH)
_PACKAGE_MISMATCH: Final = fault(Cause.PACKAGE_MISMATCH)
_GONE: Final = unregistered_fault(ios=False)
_GONE_FROM_IOS: Final = unregistered_fault(ios=True)


class Verdict(NamedTuple):
    """What becomes of one send. Accepted when `fault` is None.

    `send`: the request, once it could be read. `registration`: the one that it is for, once it was found; None for topics.
    """

    fault: Fault | None
    send: SendRequest | None = None
    registration: Registration | None = None


class Plain(msgspec.Struct, frozen=True, gc=False):
    """A message accepted on the short way. `pretty`: of the answer. A Struct is made at a third of a named tuple's cost."""

    sealed: SealedRegistration
    token: bytes
    pretty: bool


class ClearedCaller:
    """Kept as the memo of the head of a POST whose caller may send to the project of `path`.

    It holds from `valid_from_s` to before `expires_at_s`, in one version of the state.
    """

    __slots__ = ("expires_at_s", "path", "pretty", "project", "valid_from_s", "version")

    def __init__(self, request: Request, project: str, version: int, valid_from_s: float, expires_at_s: float) -> None:
        self.path = request.varying[0]
        self.pretty = wants_pretty(request)
        self.project = project
        self.version = version
        self.valid_from_s = valid_from_s
        self.expires_at_s = expires_at_s


def passes_plainly(
    requests: Sequence[Request], state: FcmState, now_s: float
) -> Iterator[Plain | SendRequest | Fault | None]:
    """The short way for usual messages, each when it is asked for: of callers already cleared, to one registration of Android
    minted here.

    `Plain` where `judge` would accept it too (a test compares them); then the rates have counted it. Else nothing was counted,
    and `judge` has to decide: it is spared the reading of the body by what this returns, None when it was not read.
    """
    # Nothing that comes over a connection changes what is looked at here, but for the rates: so it is done ahead for all, and
    # their tokens are read at once.
    sends: list[SendRequest | Fault | None] = []
    tokens: list[bytes] = []
    pretty: list[bool] = []
    head: Head | None = None
    cleared: ClearedCaller | None = None
    for request in requests:
        if request.head is not head:
            # Most often all messages of a read share one.
            head = request.head
            cleared = None if state.overlay.active else _clearance(head, state, now_s)
        send: SendRequest | Fault | None = None
        token, body = b"", request.body
        if cleared is not None and cleared.path == request.varying[0] and len(body) <= MESSAGE_BYTES_MAX:
            send = read_send(body)
            if type(send) is SendRequest and not send.validate_only:
                message = send.message
                if message is not None and message.token and message.android is None and check_values(send) is None:
                    token = message.token.encode()
        sends.append(send)
        tokens.append(token)
        pretty.append(cleared is not None and cleared.pretty)

    window, buckets = state.rates.project, state.rates.android_device
    for send, token, sealed, its_pretty in zip(sends, tokens, unseal_registrations(tokens), pretty, strict=True):
        if sealed is None or sealed[0] != _ACTIVE_ANDROID or (window is not None and window.take(now_s)):
            yield send
        elif buckets is not None and buckets.refuses(token[:FID_CHARACTERS], now_s):
            if window is not None:
                window.give_back()
            yield send
        else:
            yield Plain(sealed, token, its_pretty)


def _clearance(head: Head, state: FcmState, now_s: float) -> ClearedCaller | None:
    """What is known of a head whose caller was cleared, while it holds. It is for one path."""
    cleared = head.memo
    if (
        type(cleared) is ClearedCaller
        and cleared.version == state.version
        and cleared.valid_from_s <= now_s < cleared.expires_at_s
    ):
        return cleared
    return None


def judge(
    request: Request, project: str, state: FcmState, now_s: float, read: SendRequest | Fault | None = None
) -> Verdict:
    """Judge one send, whose route has been found. `project`: as the path names it. `now_s`: the simulator's clock.

    `read`: what `read_send` makes of the body, where that is known. Raises nothing, whatever the request holds. Besides
    answering it counts against the rates, and keeps what was learnt of the caller in the head's memo.
    """
    cleared = _clearance(request.head, state, now_s)
    if cleared is None or cleared.path != request.varying[0]:
        refused = _refused_caller(request, project, state, now_s)
        if refused is not None:
            return Verdict(refused)
    window = state.rates.project
    if window is not None:
        wait_s = window.take(now_s)
        if wait_s:
            number, per_window = state.project.project_number, window.count_max
            return Verdict(project_quota_fault(number, per_window, retry_after_s(wait_s)))
    send = read_send(request.body) if read is None else read
    verdict = Verdict(send) if isinstance(send, Fault) else _judge_send(send, len(request.body), state, now_s)
    if window is not None and verdict.fault is not None and verdict.fault.cause.status == TOO_MANY_REQUESTS:
        window.give_back()  # a 429 for whatever rate does not count (B5)
    return verdict


def _judge_send(send: SendRequest, body_bytes: int, state: FcmState, now_s: float) -> Verdict:
    """D4 8 to 16."""
    refused = check_values(send)
    if refused is not None:
        return Verdict(refused, send)
    message = send.message
    assert message is not None
    if message.token:
        return _judge_registration(
            send, message, state.registrations.find(message.token.encode()), body_bytes, state, now_s
        )
    if message.fid:
        fid = message.fid.encode()
        registration = state.registrations.find(fid) if is_fid_shape(fid) else None
        return _judge_registration(send, message, registration, body_bytes, state, now_s)
    return Verdict(_refused_topic(message, body_bytes, state, now_s), send)


def _refused_caller(request: Request, project: str, state: FcmState, now_s: float) -> Fault | None:
    """D4 2 to 5."""
    if state.condition.fault is not None:
        return state.condition.fault
    grant = state.access.grant_of(authorization_of(request), now_s)
    if isinstance(grant, Fault):
        return grant
    if project not in (state.project.project_id, state.project.project_number):
        return permission_fault(project)
    if not state.api_enabled:
        return service_disabled_fault(state.project.project_number)
    request.head.memo = ClearedCaller(request, project, state.version, grant.valid_from_s, grant.expires_at_s)
    return None


def _judge_registration(
    send: SendRequest,
    message: Message,
    registration: Registration | None,
    body_bytes: int,
    state: FcmState,
    now_s: float,
) -> Verdict:
    """D4 10 to 16 for one registration; None: the target is no registration."""
    if registration is None:
        refused = check_size(message, body_bytes, Platform.ANDROID)
        return Verdict(refused or (_TOKEN_MALFORMED if message.token else _FID_MALFORMED), send)
    refused = (
        check_size(message, body_bytes, registration.platform)
        or _refused_standing(registration, message, state)
        or _refused_rate(registration, message, state, now_s)
    )
    if refused is None and not send.validate_only:
        refused = _refused_seat(registration, message, state, now_s)
    return Verdict(refused, send, registration)


def refused_delivery(registration: Registration, message: Message, state: FcmState, now_s: float) -> Fault | None:
    """Why one registration of a fan-out does not get its message: it has gone, or APNs refuses it."""
    return _refused_standing(registration, message, state) or _refused_seat(registration, message, state, now_s)


def _refused_standing(registration: Registration, message: Message, state: FcmState) -> Fault | None:
    """D4 11 to 13."""
    match standing_of(registration, state):
        case Standing.MALFORMED:
            return _TOKEN_MALFORMED if message.token else _FID_MALFORMED
        case Standing.OTHER_PROJECT:
            return _SENDER_ID_MISMATCH
        case Standing.GONE:
            return _GONE_FROM_IOS if registration.platform is Platform.IOS else _GONE
        case Standing.LIVE:
            package = message.android and message.android.restricted_package_name
            # Foreign and imported registrations are of any app [choice: their texts do not tell].
            if package and registration.platform is Platform.ANDROID and registration.sealed is not None:
                return None if package == state.application else _PACKAGE_MISMATCH
            return None


def _refused_rate(registration: Registration, message: Message, state: FcmState, now_s: float) -> Fault | None:
    """D4 14 for a registration. A message that is delivered now or never (ttl 0) is not throttled (B5).

    Of browsers no rate is published.
    """
    platform = registration.platform
    if platform is Platform.WEB:
        return None
    android = platform is Platform.ANDROID
    buckets = state.rates.android_device if android else state.rates.ios_device
    ttl = message.android and message.android.ttl
    if buckets is None or (ttl and android and float(ttl[:-1]) < 1):
        return None
    if not buckets.refuses(registration.key, now_s):
        return None
    return device_quota_fault(registration.key.decode("latin-1"))


def _refused_seat(registration: Registration, message: Message, state: FcmState, now_s: float) -> Fault | None:
    """D4 16. Whatever its token says, the registration lives by now, if only by hand: so does the device that it sits on."""
    sealed = registration.sealed
    if sealed is not None and state.overlay.active:
        alive = kind_of_registration(sealed.platform, Fate.ACTIVE)
        registration = registration._replace(sealed=sealed._replace(kind=alive))
    seat = registration.seat(state.application, state.apns_environment)
    if seat is None:
        return None
    return refused_by_apns(seat, registration.key.decode("latin-1"), message, state, now_s)


def _refused_topic(message: Message, body_bytes: int, state: FcmState, now_s: float) -> Fault | None:
    """D4 10 and 14 for a topic or condition: its rate, and how many fan-outs are under way."""
    refused = check_size(message, body_bytes, None)
    if refused is not None:
        return refused
    name = message.topic or message.condition
    assert name is not None
    if state.rates.topic is not None and state.rates.topic.refuses(name, now_s):
        return topic_quota_fault(name)
    too_many = state.rates.fanouts is not None and state.rates.fanouts.wait_s(now_s) > 0
    return message_quota_fault(state.project.project_number) if too_many or state.fan_outs.full else None
