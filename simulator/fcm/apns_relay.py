"""FCM's way to iOS: a message becomes a push of APNs, APNs's own judge looks at it, and FCM makes its answer of that one's.

The project is to APNs what a sender with a client certificate is. What its real credential would be refused for, the state
says (`apns_credential`). The push counts for the FCM registration alone: ledger and journal of APNs hear nothing of it.
"""

from typing import Final

import msgspec

from simulator.apns.certificate import ClientCertificate
from simulator.apns.judge import judge
from simulator.apns.link import Link
from simulator.apns.push_types import TOPIC_SUFFIXES, PushType
from simulator.apns.request import DEVICE_PATH_PREFIX
from simulator.devices.token_space import unseal
from simulator.fcm.errors import Fault, fault_of_apns, third_party_fault
from simulator.fcm.message import JsonObject, Message
from simulator.fcm.message_size import apns_payload
from simulator.fcm.registrations import ApnsSeat
from simulator.fcm.state import FcmState
from wire.request import Head, Request

EXPIRATION_S: Final = 30 * 24 * 3600
"""Default of `apns-expiration`, from now on. Source: Firebase REST reference, ApnsConfig."""

_ALERT_PRIORITY, _BACKGROUND_PRIORITY = b"10", b"5"


def refused_by_apns(seat: ApnsSeat, registration: str, message: Message, state: FcmState, now_s: float) -> Fault | None:
    """Why APNs does not take a message for the device of `seat`; None: it does. `registration`: the target, as sent."""
    reason = state.apns_credential.reason
    if reason is not None:
        return third_party_fault(reason)
    bundle_id = seat.application.encode()
    topics = (bundle_id, *(bundle_id + suffix for suffix in TOPIC_SUFFIXES))
    link = Link.opened(None, seat.environment, ClientCertificate(topics, any_push_type=True))
    # A Live Activity has a token of its own, which stands beside the registration that the message is for.
    live_activity_token = message.apns and message.apns.live_activity_token
    token = live_activity_token.encode("utf-8", "replace") if live_activity_token else seat.token
    verdict = judge(_push(token, bundle_id, message, now_s), unseal(token), link, state.apns, now_s)
    if verdict.reason is None:
        return None
    return fault_of_apns(verdict.reason.status, verdict.reason.wire_name, registration)


def _push(token: bytes, bundle_id: bytes, message: Message, now_s: float) -> Request:
    """The request. What the message's `apns.headers` say wins over the defaults (B2); of these, those of APNs count."""
    payload = apns_payload(message)
    config = message.apns
    own = {
        lowered.encode("utf-8", "replace"): value.encode("utf-8", "replace")
        for name, value in ((config and config.headers) or {}).items()
        if (lowered := name.lower()).startswith("apns-")
    }
    push_type = _push_type(payload, live_activity=bool(config and config.live_activity_token))
    named = own.get(b"apns-push-type", push_type.wire_name)
    headers = {
        b"apns-topic": bundle_id + push_type.topic_suffix,
        b"apns-push-type": named,
        b"apns-priority": _BACKGROUND_PRIORITY if named == PushType.BACKGROUND.wire_name else _ALERT_PRIORITY,
        b"apns-expiration": b"%d" % (now_s + EXPIRATION_S),
        **own,
    }
    apns_id = headers.pop(b"apns-id", None)
    fields = ((b":method", b"POST"), (b":scheme", b"https"), (b":path", b""), *headers.items())
    return Request(1, Head(fields), (DEVICE_PATH_PREFIX + token, apns_id), msgspec.json.encode(payload))


def _push_type(payload: JsonObject, *, live_activity: bool) -> PushType:
    """What a message is unless it says so itself; FCM's own rule is not documented.

    [choice] Without an alert, badge or sound it is a background push: "data-only messages may only use priority 5". What is
    for the token of a Live Activity is of that type.
    """
    if live_activity:
        return PushType.LIVEACTIVITY
    aps = payload.get("aps")
    shown = isinstance(aps, dict) and aps.keys() & {"alert", "badge", "sound"}
    return PushType.ALERT if shown else PushType.BACKGROUND
