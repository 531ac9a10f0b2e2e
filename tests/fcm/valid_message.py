"""A send request that FCM takes, to be spoiled one thing at a time."""

import json
from typing import Any

from simulator.fcm.errors import Fault
from simulator.fcm.message import Message, SendRequest
from simulator.fcm.message_reading import read_send

TOKEN = "cXr1vEq0Qm2_abcdefghij:APA91b" + "x" * 134


def body_with(**message: object) -> bytes:
    """A body of a message to one registration token, its fields replaced and added to; None takes one out."""
    fields = {"token": TOKEN, "data": {"kind": "order"}, **message}
    return json.dumps({"message": {name: value for name, value in fields.items() if value is not None}}).encode()


def send_with(**message: object) -> SendRequest:
    """What a body of `body_with` reads as."""
    send = read_send(body_with(**message))
    assert isinstance(send, SendRequest), send
    return send


def message_with(**message: object) -> Message:
    """The message in it."""
    read = send_with(**message).message
    assert read is not None
    return read


def faults_of(body: bytes | dict[str, Any]) -> list[tuple[str, str]]:
    """Paths and texts of what is wrong with a body."""
    fault = read_send(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(fault, Fault), fault
    assert fault.message == "\n".join(each.description for each in fault.violations)
    return [(each.field, each.description) for each in fault.violations]
