"""What APNs looks at in one notification: each check a small pure function from the inquiry to a verdict or None.

Their order is in `judge`. A check may count on those before it having passed.
"""

from simulator.apns.certificate import environment_fault
from simulator.apns.credential import SeenToken
from simulator.apns.keys import covers, may_take_turns
from simulator.apns.link import Link, Standing
from simulator.apns.payload import is_json_object
from simulator.apns.push_types import PushType, bundle_id, payload_bytes_max, topic_suffix
from simulator.apns.reasons import Reason
from simulator.apns.request import (
    COLLAPSE_ID_BYTES_MAX,
    PRIORITIES,
    HeadFacts,
    device_token_of,
    is_device_token,
    is_expiration,
    is_topic,
    is_uuid,
)
from simulator.apns.state import ApnsState, UnknownTokens
from simulator.apns.token_updates import CurrentToken, UpdateScope, with_token
from simulator.apns.verdict import REJECTED, Verdict
from simulator.devices.fates import Death, Fate
from simulator.devices.token_space import SealedToken, topic_tag
from simulator.json_web_token import bearer_token
from simulator.registry import DeviceState
from wire.request import Request

REASON_OF_FATE = {fate: Reason.of_name(fate.reason) for fate in Fate if fate.reason is not None}


class Inquiry:
    """One notification before the judge: the request, what is known of its device and connection, and the time.

    `now_s`: by the simulator's clock, seconds since the Unix epoch. What several checks need is worked out once.
    """

    __slots__ = ("_seen", "apns", "device", "device_token", "facts", "link", "now_s", "push_type", "request", "topic")

    def __init__(
        self,
        request: Request,
        device: SealedToken | None,
        link: Link,
        apns: ApnsState,
        now_s: float,
        facts: HeadFacts,
    ) -> None:
        self.request = request
        self.device = device
        self.link = link
        self.apns = apns
        self.now_s = now_s
        self.facts = facts
        self.device_token = device_token_of(request.varying[0])
        self.push_type = None if facts.push_type is None else PushType.of_name(facts.push_type)
        self.topic = facts.topic or _default_topic(link)
        self._seen: SeenToken | None = None

    @property
    def seen(self) -> SeenToken | None:
        """The provider token of the request; None: invalid, or a client certificate makes it needless."""
        if self._seen is None and self.link.certificate is None:
            text = bearer_token(self.facts.authorization)
            self._seen = None if text is None else self.apns.read_token(text, self.now_s)
        return self._seen

    @property
    def overlaid(self) -> DeviceState | None:
        """The state of the device that was set by hand."""
        if not self.apns.overlay.active or self.device_token is None:
            return None
        return self.apns.overlay.get(self.device_token.lower())


def _default_topic(link: Link) -> bytes | None:
    if link.certificate is None or len(link.certificate.topics) != 1:
        return None
    return link.certificate.topics[0]


# The service and the connection


def certificate_environment(inquiry: Inquiry) -> Verdict | None:
    """The listener answers this one with GOAWAY when it can; the row stands for requests that come all the same."""
    fault = environment_fault(inquiry.link.certificate, inquiry.link.environment)
    return None if fault is None else REJECTED[fault]


def condition(inquiry: Inquiry) -> Verdict | None:
    """Shutting down, unavailable, internal error."""
    reason = inquiry.apns.condition.reason
    return None if reason is None else REJECTED[reason]


# The request line


def method(inquiry: Inquiry) -> Verdict | None:
    """POST alone."""
    return None if inquiry.facts.method == b"POST" else REJECTED[Reason.METHOD_NOT_ALLOWED]


def path(inquiry: Inquiry) -> Verdict | None:
    """`/3/device/` and one more segment, which may be empty here."""
    return REJECTED[Reason.BAD_PATH] if inquiry.device_token is None else None


def repeated_headers(inquiry: Inquiry) -> Verdict | None:
    """No documented header twice."""
    return REJECTED[Reason.DUPLICATE_HEADERS] if inquiry.facts.repeated else None


# The credential


def credential_present(inquiry: Inquiry) -> Verdict | None:
    """A client certificate wins; `authorization` is then ignored, also when nobody can read the certificate."""
    certificate = inquiry.link.certificate
    if certificate is not None:
        return None if certificate.readable else REJECTED[Reason.BAD_CERTIFICATE]
    if bearer_token(inquiry.facts.authorization) is not None:
        return None
    return REJECTED[Reason.MISSING_PROVIDER_TOKEN]


def provider_token_valid(inquiry: Inquiry) -> Verdict | None:
    """Shape, key, signature, and an `iat` that is not too far ahead."""
    if inquiry.link.certificate is not None:
        return None
    if inquiry.seen is None or inquiry.now_s < inquiry.seen.valid_from_s:
        return REJECTED[Reason.INVALID_PROVIDER_TOKEN]
    return None


def provider_token_age(inquiry: Inquiry) -> Verdict | None:
    """No more than an hour since `iat`."""
    if inquiry.seen is not None and inquiry.now_s > inquiry.seen.expires_after_s:
        return REJECTED[Reason.EXPIRED_PROVIDER_TOKEN]
    return None


def key_environment(inquiry: Inquiry) -> Verdict | None:
    """A scoped key serves one environment."""
    if inquiry.seen is None or inquiry.seen.key.environment in (None, inquiry.link.environment):
        return None
    return REJECTED[inquiry.apns.environment_key_reason]


def connection_binding(inquiry: Inquiry) -> Verdict | None:
    """The team and key of the first authenticated request, or that key's related one."""
    standing = inquiry.link.standing
    if inquiry.seen is None or standing is None or standing.key is None:
        return None
    # Another team's token on a bound connection: undocumented. As Pushy's mock server answers it [unconfirmed].
    if inquiry.seen.key.team_id != standing.key.team_id:
        return REJECTED[Reason.INVALID_PROVIDER_TOKEN]
    if not may_take_turns(standing.key, inquiry.seen.key):
        return REJECTED[Reason.UNRELATED_KEY_ID_IN_TOKEN]
    return None


def provider_token_updates(inquiry: Inquiry) -> Verdict | None:
    """A key's token changes no more than once in 20 minutes."""
    if inquiry.seen is not None and _current_token(inquiry, inquiry.seen) is None:
        return REJECTED[Reason.TOO_MANY_PROVIDER_TOKEN_UPDATES]
    return None


def _current_token(inquiry: Inquiry, seen: SeenToken) -> CurrentToken | None:
    """What the key's current token becomes by this request; None: it changes too soon."""
    if inquiry.apns.update_scope is UpdateScope.KEY:
        return inquiry.apns.key_token_after(seen, inquiry.now_s)
    standing = inquiry.link.standing
    current = None if standing is None else standing.tokens.get(seen.key.key_id)
    return with_token(current, seen.text, inquiry.now_s, inquiry.apns.update_interval_s, previous_passes=False)


def authenticate(inquiry: Inquiry) -> Verdict | None:
    """No check: here the credential has passed. Binds the connection, notes the token, never has a verdict.

    Apple binds with the first accepted push; that a push refused later on binds too is our choice, since the stream
    limit rises with the first valid token in either case.
    """
    seen, link = inquiry.seen, inquiry.link
    if seen is None:
        return None
    current = _current_token(inquiry, seen)
    assert current is not None
    if inquiry.apns.update_scope is UpdateScope.KEY:
        inquiry.apns.keep_key_token(seen, current)
    key_id = seen.key.key_id
    if link.standing is None:
        link.standing = Standing(seen.key, inquiry.apns.team_topics.get(seen.key.team_id), {key_id: current})
        link.authenticated = True
    elif link.standing.tokens.get(key_id) is not current:
        tokens = {**link.standing.tokens, key_id: current}
        link.standing = Standing(link.standing.key, link.standing.team_topics, tokens)
    return None


# The headers


def device_token_present(inquiry: Inquiry) -> Verdict | None:
    """The path has something after `/3/device/`."""
    return None if inquiry.device_token else REJECTED[Reason.MISSING_DEVICE_TOKEN]


def apns_id(inquiry: Inquiry) -> Verdict | None:
    """A canonical UUID, if any."""
    value = inquiry.request.varying[1]
    return None if value is None or is_uuid(value) else REJECTED[Reason.BAD_MESSAGE_ID]


def expiration(inquiry: Inquiry) -> Verdict | None:
    """An integer from 0, if any."""
    value = inquiry.facts.expiration
    return None if value is None or is_expiration(value) else REJECTED[Reason.BAD_EXPIRATION_DATE]


def priority(inquiry: Inquiry) -> Verdict | None:
    """1, 5 or 10, if any; 10 is an error for background pushes. The reason of the latter is our choice."""
    value = inquiry.facts.priority
    if value is None:
        return None
    if value not in PRIORITIES or (value == b"10" and inquiry.push_type is PushType.BACKGROUND):
        return REJECTED[Reason.BAD_PRIORITY]
    return None


def collapse_id(inquiry: Inquiry) -> Verdict | None:
    """At most 64 bytes."""
    value = inquiry.facts.collapse_id
    return None if value is None or len(value) <= COLLAPSE_ID_BYTES_MAX else REJECTED[Reason.BAD_COLLAPSE_ID]


def push_type(inquiry: Inquiry) -> Verdict | None:
    """A row of the table, if any."""
    if inquiry.facts.push_type is None or inquiry.push_type is not None:
        return None
    return REJECTED[Reason.INVALID_PUSH_TYPE]


def topic_present(inquiry: Inquiry) -> Verdict | None:
    """Named by the request, else by a certificate with a single topic. An empty value counts as absent [choice]."""
    return None if inquiry.topic else REJECTED[Reason.MISSING_TOPIC]


def topic_shape(inquiry: Inquiry) -> Verdict | None:
    """Well formed, with the suffix of the push type where that is given.

    What contradicts the push type is undocumented. Our choice: `DeviceTokenNotForTopic` when the device token belongs to
    another topic, else `BadTopic`.
    """
    topic = _topic(inquiry)
    if not is_topic(topic):
        return REJECTED[Reason.BAD_TOPIC]
    if inquiry.push_type is None or topic_suffix(topic) == inquiry.push_type.topic_suffix:
        return None
    return REJECTED[Reason.DEVICE_TOKEN_NOT_FOR_TOPIC if _belongs_elsewhere(inquiry) else Reason.BAD_TOPIC]


def topic_allowed(inquiry: Inquiry) -> Verdict | None:
    """Within the reach of team and key, or of the certificate. The reason for keys is our choice [unconfirmed]."""
    topic, certificate, standing = _topic(inquiry), inquiry.link.certificate, inquiry.link.standing
    if certificate is not None:
        token_only = inquiry.push_type is not None and inquiry.push_type.token_only
        allowed = topic in certificate.topics and (certificate.any_push_type or not token_only)
    else:
        assert inquiry.seen is not None and standing is not None
        allowed = covers(standing.team_topics, topic) and covers(inquiry.seen.key.topics, topic)
    return None if allowed else REJECTED[Reason.TOPIC_DISALLOWED]


def _topic(inquiry: Inquiry) -> bytes:
    assert inquiry.topic is not None
    return inquiry.topic


# The body


def body_present(inquiry: Inquiry) -> Verdict | None:
    """Not empty."""
    return None if inquiry.request.body else REJECTED[Reason.PAYLOAD_EMPTY]


def body_size(inquiry: Inquiry) -> Verdict | None:
    """4,096 bytes; 5,120 for VoIP."""
    if len(inquiry.request.body) <= payload_bytes_max(inquiry.push_type, _topic(inquiry)):
        return None
    return REJECTED[Reason.PAYLOAD_TOO_LARGE]


def body_object(inquiry: Inquiry) -> Verdict | None:
    """A JSON dictionary. That anything else is `PayloadEmpty` is our choice [unconfirmed]."""
    return None if is_json_object(inquiry.request.body) else REJECTED[Reason.PAYLOAD_EMPTY]


# The device


def device_token_good(inquiry: Inquiry) -> Verdict | None:
    """Hexadecimal, known, of this environment. Upper and lower case are one."""
    token, state, device = inquiry.device_token, inquiry.overlaid, inquiry.device
    assert token is not None
    bad_by_hand = state is not None and REASON_OF_FATE.get(state.fate) is Reason.BAD_DEVICE_TOKEN
    if bad_by_hand or not is_device_token(token):
        good = False
    elif device is None:
        good = state is not None or inquiry.apns.unknown_tokens is UnknownTokens.ACCEPT
    elif state is not None and device.fate is Fate.WRONG_ENVIRONMENT:
        # Minted as of the other environment, then given another state by hand: it is of its population's own.
        good = device.environment.other is inquiry.link.environment
    else:
        good = device.environment is inquiry.link.environment
    return None if good else REJECTED[Reason.BAD_DEVICE_TOKEN]


def device_topic(inquiry: Inquiry) -> Verdict | None:
    """The token belongs to the topic."""
    return REJECTED[Reason.DEVICE_TOKEN_NOT_FOR_TOPIC] if _belongs_elsewhere(inquiry) else None


def _belongs_elsewhere(inquiry: Inquiry) -> bool:
    """Whether the device token is of another topic. Foreign tokens belong to any.

    A token minted for a bundle id belongs to its suffixed topics too, one minted for a suffixed topic only to that
    [choice: at Apple each kind of push has tokens of its own].
    """
    state, device, topic = inquiry.overlaid, inquiry.device, _topic(inquiry)
    if state is not None and REASON_OF_FATE.get(state.fate) is Reason.DEVICE_TOKEN_NOT_FOR_TOPIC:
        return True
    if device is None or (state is not None and device.fate is Fate.WRONG_TOPIC):
        return False
    return device.topic_tag not in (topic_tag(topic), topic_tag(bundle_id(topic)))


def device_alive(inquiry: Inquiry) -> Verdict | None:
    """Neither expired nor gone. That `ExpiredToken` carries the instant as well is likely, but [unconfirmed]."""
    state, device = inquiry.overlaid, inquiry.device
    if state is not None:
        return None if state.fate.death is Death.NONE else Verdict(REASON_OF_FATE[state.fate], state.since_ms)
    if device is None or device.fate.death is Death.NONE:
        return None
    return Verdict(REASON_OF_FATE[device.fate], inquiry.apns.epoch_ms + device.instant_s * 1000)


# Rates: off unless a rule is set. They count notifications that are otherwise in order [choice: Apple publishes none].


def connection_rate(inquiry: Inquiry) -> Verdict | None:
    """Not too many notifications over one connection."""
    rule, number = inquiry.apns.connection_rate, inquiry.link.number
    if rule is None or number is None or not rule(number, inquiry.now_s):
        return None
    return REJECTED[Reason.TOO_MANY_REQUESTS]


def provider_token_rate(inquiry: Inquiry) -> Verdict | None:
    """Not too many notifications with one provider token, over all connections; certificates have none."""
    rule = inquiry.apns.provider_token_rate
    if rule is None or inquiry.seen is None or not rule(inquiry.seen.text, inquiry.now_s):
        return None
    return REJECTED[Reason.TOO_MANY_REQUESTS]


def device_rate(inquiry: Inquiry) -> Verdict | None:
    """Not too many notifications to one device."""
    rule = inquiry.apns.device_rate
    assert inquiry.device_token is not None
    if rule is None or not rule(inquiry.device_token.lower(), inquiry.now_s):
        return None
    return REJECTED[Reason.TOO_MANY_REQUESTS]
