"""What APNs answers to one notification: the order of its checks, and the short way for heads already cleared.

Apple documents no order. This one is ours; where published probes show Apple's, it follows them (method before
authentication, authentication before device token, topic and payload).
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, unique
from typing import Final, NamedTuple

from simulator.apns import checks
from simulator.apns.checks import Inquiry
from simulator.apns.link import Link, Standing
from simulator.apns.payload import is_json_object
from simulator.apns.push_types import bundle_id, payload_bytes_max
from simulator.apns.request import HeadFacts, authority_of, is_device_token, is_uuid, pushed_tokens
from simulator.apns.state import ApnsState, UnknownTokens
from simulator.apns.verdict import ACCEPTED, REJECTED, Verdict
from simulator.devices.fates import Fate
from simulator.devices.token_space import SealedToken, kind_of, topic_tag
from wire.request import Head, Request

__all__ = ["ACCEPTED", "CHECKS", "REJECTED", "Check", "Needs", "Verdict", "judge", "verdicts"]


@unique
class Needs(Enum):
    """What a check looks at."""

    HEAD = "the head, the connection and the state alone: its outcome holds for every request with this head"
    REQUEST = "also what differs from one request to the next"


class Check(NamedTuple):
    """One row of the order. `fault`: the verdict that this check leads to, or None when it is passed."""

    number: str
    name: str
    needs: Needs
    fault: Callable[[Inquiry], Verdict | None]


CHECKS: Final = (
    Check("0b", "certificate of this environment", Needs.HEAD, checks.certificate_environment),
    Check("1", "service in order", Needs.HEAD, checks.condition),
    Check("2", "method", Needs.HEAD, checks.method),
    Check("3", "path", Needs.REQUEST, checks.path),
    Check("4", "no documented header repeated", Needs.HEAD, checks.repeated_headers),
    Check("5", "credential present", Needs.HEAD, checks.credential_present),
    Check("6", "provider token valid", Needs.HEAD, checks.provider_token_valid),
    Check("7", "provider token not expired", Needs.HEAD, checks.provider_token_age),
    Check("8", "key of this environment", Needs.HEAD, checks.key_environment),
    Check("9", "connection bound to this team and key", Needs.HEAD, checks.connection_binding),
    Check("10", "provider token not changed too soon", Needs.HEAD, checks.provider_token_updates),
    Check("–", "now the connection is authenticated", Needs.HEAD, checks.authenticate),
    Check("11", "device token present", Needs.REQUEST, checks.device_token_present),
    Check("12", "apns-id", Needs.REQUEST, checks.apns_id),
    Check("13", "apns-expiration", Needs.HEAD, checks.expiration),
    Check("14", "apns-priority", Needs.HEAD, checks.priority),
    Check("15", "apns-collapse-id", Needs.HEAD, checks.collapse_id),
    Check("16", "apns-push-type", Needs.HEAD, checks.push_type),
    Check("17", "topic present", Needs.HEAD, checks.topic_present),
    # Needs the device for choosing between two rejections, never for passing.
    Check("18", "topic well formed and of the push type", Needs.HEAD, checks.topic_shape),
    Check("19", "topic within the credential's reach", Needs.HEAD, checks.topic_allowed),
    Check("20", "body not empty", Needs.REQUEST, checks.body_present),
    Check("21", "body size", Needs.REQUEST, checks.body_size),
    Check("22", "body a JSON dictionary", Needs.REQUEST, checks.body_object),
    Check("23", "device token good", Needs.REQUEST, checks.device_token_good),
    Check("24", "device token of the topic", Needs.REQUEST, checks.device_topic),
    Check("25", "device alive", Needs.REQUEST, checks.device_alive),
    Check("25b", "rate of the connection", Needs.REQUEST, checks.connection_rate),
    Check("25c", "rate of the provider token", Needs.REQUEST, checks.provider_token_rate),
    Check("26", "rate of the device", Needs.REQUEST, checks.device_rate),
)
"""The first check with a fault decides; without any the push is accepted (27)."""

_LAST_HEAD_CHECK = [check for check in CHECKS if check.needs is Needs.HEAD][-1]
_REQUEST_CHECKS = tuple(check for check in CHECKS if check.needs is Needs.REQUEST)


class ClearedHead:
    """Kept as the memo of a head that passed every check of `Needs.HEAD`, with what its requests are then held against.

    It holds while the connection's standing is the very same, the state is of the same version, and the time lies
    within the provider token's.
    """

    __slots__ = (
        "active_kind",
        "expires_after_s",
        "facts",
        "payload_bytes_max",
        "rated",
        "standing",
        "topic_tag",
        "valid_from_s",
        "version",
    )

    def __init__(self, inquiry: Inquiry) -> None:
        """Clear the head of an inquiry that has just passed the last of those checks."""
        seen, topic = inquiry.seen, inquiry.topic
        assert inquiry.link.standing is not None and topic is not None
        self.facts: HeadFacts = inquiry.facts
        self.standing: Standing = inquiry.link.standing
        self.version: int = inquiry.apns.version
        self.valid_from_s: float = float("-inf") if seen is None else seen.valid_from_s
        self.expires_after_s: float = float("inf") if seen is None else seen.expires_after_s
        self.active_kind: int = kind_of(inquiry.link.environment, Fate.ACTIVE)
        self.topic_tag: bytes = topic_tag(bundle_id(topic))
        self.rated: bool = inquiry.apns.rated
        self.payload_bytes_max: int = payload_bytes_max(inquiry.push_type, topic)


def judge(request: Request, device: SealedToken | None, link: Link, apns: ApnsState, now_s: float) -> Verdict:
    """Judge one device push, as `verdicts` does. `device`: what `unseal` reads from its token."""
    tokens = pushed_tokens((request,)) or (b"",)
    return next(verdicts((request,), tokens, (device,), link, apns, now_s))


def verdicts(
    requests: Iterable[Request],
    tokens: Iterable[bytes],
    devices: Iterable[SealedToken | None],
    link: Link,
    apns: ApnsState,
    now_s: float,
) -> Iterator[Verdict]:
    """Judge device pushes in their order, each when it is asked for: `ACCEPTED`, or why not.

    `tokens`: what follows `/3/device/` in their paths, b"" where something else stands there. `devices`: what `unseal` reads
    from these, None where they are foreign. `now_s`: the simulator's clock, seconds since the Unix epoch. Raises nothing,
    whatever the requests hold.

    Besides answering it keeps what was learnt: the head's memo, the link's environment and standing, and in the state the
    provider tokens seen. None of it changes the verdict of an equal request at the same instant.
    """
    head: Head | None = None
    cleared: ClearedHead | None = None
    active_kind, tag, bytes_max = 0, b"", 0  # of the cleared head; no body is short enough for any other
    for request, token, device in zip(requests, tokens, devices, strict=True):
        if request.head is not head:
            # Most often all pushes of a read share one: what hangs on it is looked up once.
            head, bytes_max = request.head, 0
            cleared = _clearance(head, link, apns, now_s)
            if cleared is not None and not cleared.rated and not apns.overlay.active:
                active_kind, tag, bytes_max = cleared.active_kind, cleared.topic_tag, cleared.payload_bytes_max
        body, apns_id = request.body, request.varying[1]
        # The usual cases: accepted here only where all the remaining checks would pass (a test compares them).
        if (
            0 < len(body) <= bytes_max
            and (
                (device[0] == active_kind and device[4] == tag)
                if device is not None
                else (apns.unknown_tokens is UnknownTokens.ACCEPT and is_device_token(token))
            )
            and (apns_id is None or is_uuid(apns_id))
            and is_json_object(body)
        ):
            yield ACCEPTED
        else:
            yield _judge_at_length(request, device, link, apns, now_s, cleared)
            if cleared is None:
                head = None  # it may be cleared now


def _clearance(head: Head, link: Link, apns: ApnsState, now_s: float) -> ClearedHead | None:
    """What is known of a head that was cleared, while it holds."""
    cleared = head.memo
    if (
        type(cleared) is ClearedHead
        and cleared.standing is link.standing
        and cleared.version == apns.version
        and cleared.valid_from_s <= now_s <= cleared.expires_after_s
    ):
        return cleared
    return None


def _judge_at_length(
    request: Request,
    device: SealedToken | None,
    link: Link,
    apns: ApnsState,
    now_s: float,
    cleared: ClearedHead | None,
) -> Verdict:
    if cleared is not None:
        inquiry = Inquiry(request, device, link, apns, now_s, cleared.facts)
        for check in _REQUEST_CHECKS:
            verdict = check.fault(inquiry)
            if verdict is not None:
                return verdict
        return ACCEPTED

    link.settle(authority_of(request.head))
    inquiry = Inquiry(request, device, link, apns, now_s, HeadFacts.of_head(request.head))
    for check in CHECKS:
        verdict = check.fault(inquiry)
        if verdict is not None:
            return verdict
        if check is _LAST_HEAD_CHECK:
            request.head.memo = ClearedHead(inquiry)
    return ACCEPTED
