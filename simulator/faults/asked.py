"""What a fault may know of one request: who it is for, and which it is of its connection. Pure."""

from dataclasses import dataclass
from typing import Final

from simulator.apns.request import DEVICE_PATH_PREFIX
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import unseal_fid, unseal_registration
from simulator.devices.token_space import unseal
from simulator.fcm.message import SendRequest
from simulator.fcm.message_reading import read_send
from wire.request import Request

SEND_PATH_END: Final = b"/messages:send"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request before a fault.

    - `send`: it is a notification, and no other call such as one for an access token.
    - `key`: what shares are drawn by: the device token, else the topic, condition or path; b"" where there is none.
    - `device`: seed and index of a token that was minted; None for others. `fate`: what is sealed into it.
    - `topic`: `apns-topic` with APNs, the message's topic with FCM.
    - `connection`: its number since the simulator started. `number`: which request of its connection this is, from 1.
    - `apns_id`: what an answer of APNs to it carries; b"" with FCM.
    - `project_number`: of the simulator's project of FCM, which some of its texts name.
    - `now_s`: by the simulator's clock.
    - `credential`: what `authorization` says, whatever it is worth; b"" for nothing.
    - `stream`: where it came in; 0 over HTTP/1.1.
    """

    provider: Provider
    send: bool
    path: bytes
    key: bytes
    device: tuple[int, int] | None
    fate: Fate | None
    topic: bytes | None
    connection: int
    number: int
    apns_id: bytes
    project_number: str
    now_s: float
    credential: bytes = b""
    stream: int = 0


def asked_of_apns(request: Request, connection: int, number: int, apns_id: bytes, now_s: float) -> Asked:
    """What faults may know of a request to APNs."""
    path = request.varying[0] or b""
    send = path.startswith(DEVICE_PATH_PREFIX)
    token = path[len(DEVICE_PATH_PREFIX) :].lower() if send else b""
    sealed = unseal(token)
    device, fate = (None, None) if sealed is None else ((sealed.seed, sealed.index), sealed.fate)
    topic = request.head.value(b"apns-topic")
    return Asked(
        Provider.APNS,
        send,
        path,
        token or path,
        device,
        fate,
        topic,
        connection,
        number,
        apns_id,
        "",
        now_s,
        request.head.value(b"authorization") or b"",
        request.stream_id,
    )


def asked_of_fcm(request: Request, connection: int, number: int, project_number: str, now_s: float) -> Asked:
    """What faults may know of a request to one of Google's services."""
    path = request.varying[0] or b""
    send = path.partition(b"?")[0].endswith(SEND_PATH_END)
    read = read_send(request.body) if send else None
    message = read.message if isinstance(read, SendRequest) else None
    credential = request.head.value(b"authorization") or b""
    if message is None:
        return Asked(
            Provider.FCM,
            send,
            path,
            path,
            None,
            None,
            None,
            connection,
            number,
            b"",
            project_number,
            now_s,
            credential,
            request.stream_id,
        )
    text = message.token or message.fid or message.topic or message.condition or ""
    key = text.encode("utf-8", "surrogatepass")
    sealed = unseal_registration(key) if message.token else unseal_fid(key) if message.fid else None
    device, fate = (None, None) if sealed is None else ((sealed.seed, sealed.index), sealed.fate)
    topic = key if message.topic and not (message.token or message.fid) else None
    return Asked(
        Provider.FCM,
        True,
        path,
        key or path,
        device,
        fate,
        topic,
        connection,
        number,
        b"",
        project_number,
        now_s,
        credential,
        request.stream_id,
    )
