"""From the body of `messages:send` to a record, or to all that is wrong with it as JSON (D4 7). Pure.

Two ways that agree. The fast one is msgspec's typed decoder, and takes what senders send. What it refuses goes to the
general reader, which alone decides: it takes everything that protobuf's JSON takes, and names every fault.
"""

from typing import Final

import msgspec

from simulator.fcm.errors import Fault
from simulator.fcm.message import SendRequest
from simulator.fcm.message_form import in_camel_case
from simulator.fcm.message_validation import DEPTH_MAX, read_and_explain

_decode = msgspec.json.Decoder(SendRequest).decode
_decode_camel_case = msgspec.json.Decoder(in_camel_case(SendRequest)).decode

_REFUSALS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_send(body: bytes) -> SendRequest | Fault:
    """The request of a body. Its names may be snake_case, lowerCamelCase, or some of each. Raises nothing."""
    try:
        send = _decode(body)
    except _REFUSALS:
        try:
            send = _decode_camel_case(body)
        except _REFUSALS:
            return read_and_explain(body)
    message = send.message
    if message is None:
        return send
    # msgspec knows neither the oneof nor a limit of depth; the latter matters where a message has free JSON.
    if message.fid is not None or message.topic is not None or message.condition is not None:
        targets = (message.token, message.fid, message.topic, message.condition)
        if targets.count(None) < 3:
            return read_and_explain(body)
    if (message.apns is not None or message.webpush is not None) and body.count(b"{") + body.count(b"[") > DEPTH_MAX:
        return read_and_explain(body)
    return send
