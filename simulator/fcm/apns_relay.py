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
from simulator.fcm.message import Message
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
    topic = seat.application.encode()
    topics = (topic, *(topic + suffix for suffix in TOPIC_SUFFIXES))
    link = Link.opened(None, seat.environment, ClientCertificate(topics, any_push_type=True))
    # A Live Activity has a token of its own, which stands beside the registration that the message is for.
    live_activity_token = message.apns and message.apns.live_activity_token
    token = live_activity_token.encode("utf-8", "replace") if live_activity_token else seat.token
    verdict = judge(_push(token, topic, message, now_s), unseal(token), link, state.apns, now_s)
    if verdict.reason is None:
        return None
    return fault_of_apns(verdict.reason.status, verdict.reason.wire_name, registration)


def _push(token: bytes, topic: bytes, message: Message, now_s: float) -> Request:
    """The request. What the message's `apns.headers` say wins over the defaults (B2)."""
    # [choice] Without a notification and without an alert of its own a message is a background push: "data-only messages
    # may only use priority 5".
    payload = apns_payload(message)
    aps = payload.get("aps")
    background = not (isinstance(aps, dict) and aps.keys() & {"alert", "badge", "sound"})
    headers = {
        b"apns-topic": topic,
        b"apns-push-type": (PushType.BACKGROUND if background else PushType.ALERT).wire_name,
        b"apns-priority": _BACKGROUND_PRIORITY if background else _ALERT_PRIORITY,
        b"apns-expiration": b"%d" % (now_s + EXPIRATION_S),
    }
    own = (message.apns and message.apns.headers) or {}
    headers.update(
        (name.lower().encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in own.items()
    )
    apns_id = headers.pop(b"apns-id", None)
    fields = ((b":method", b"POST"), (b":scheme", b"https"), (b":path", b""), *headers.items())
    return Request(1, Head(fields), (DEVICE_PATH_PREFIX + token, apns_id), msgspec.json.encode(payload))
