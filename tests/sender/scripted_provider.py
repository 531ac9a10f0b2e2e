"""A provider for tests of the sender's core: the real server end of `wire`, whose answers the test dictates. No sockets."""

import random

from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.credential import Credential
from sender.delivery import Delivery
from sender.fcm.message_template import compile as compile_message
from sender.fcm.messages import FcmOptions
from sender.fcm.provider import FcmProvider
from sender.lane import Lane, LaneOptions
from sender.reaction import RetryPolicy
from sender.store.records import Due
from wire.frames import MAX_CONCURRENT_STREAMS
from wire.hpack import stateless_block
from wire.request import Request
from wire.server import ServerConnection

TOPIC = "com.example.app"
PAYLOAD = b'{"aps":{"alert":"hello"}}'
START_S = 1_760_000_000.0
CAMPAIGN_KEY = 0xD917CA4BAE9F4549


def due(device_id: int, attempts: int = 0) -> Due:
    return Due(device_id, f"{device_id:064x}", 1_750_000_000_000, attempts, b"{}")


def delivery(policy: RetryPolicy | None = None, token: list[bytes] | None = None) -> Delivery:
    """A delivery to APNs whose provider token is `token[0]`; renewing puts another one there."""
    provider = ApnsProvider(ApnsOptions(TOPIC, "provider.test"), CAMPAIGN_KEY, lambda due: PAYLOAD)
    credential = Listed(token if token is not None else [b"bearer first"])
    return Delivery(provider, credential, draw=random.Random(1).random, policy=policy)


MESSAGE = b'{"notification":{"title":"hello"},"data":{"campaign":"sale"}}'
PROJECT = "shop-1"


def fcm_delivery(credential: Credential | None = None, policy: RetryPolicy | None = None) -> Delivery:
    """A delivery to FCM. `credential`: None for one that always holds."""
    body_of = compile_message(MESSAGE).bodies(CAMPAIGN_KEY)
    provider = FcmProvider(FcmOptions(PROJECT, "provider.test"), body_of, personalised=False)
    return Delivery(provider, credential or Listed([b"Bearer first"]), draw=random.Random(1).random, policy=policy)


class Listed(Credential):
    """The first of `texts`; renewing puts another one there."""

    def __init__(self, texts: list[bytes]) -> None:
        self.texts = texts

    def text(self, now_s: float) -> bytes | None:
        return self.texts[0]

    def renew(self, refused: bytes, now_s: float) -> bool:
        if refused == self.texts[0]:
            self.texts[0] += b"+"
        return True


class ScriptedProvider:
    """One connection: a lane of the sender, and the server end it talks to."""

    def __init__(
        self, sender: Delivery, *, streams_max: int = 100, now_s: float = START_S, options: LaneOptions | None = None
    ) -> None:
        self.now_s = now_s
        self.lane = Lane(sender, options or LaneOptions(), now_s)
        self.server = ServerConnection({MAX_CONCURRENT_STREAMS: streams_max})
        self.unanswered: dict[int, Request] = {}
        self.exchange()

    def exchange(self) -> None:
        """Let bytes flow both ways until neither end has anything to say."""
        while True:
            to_server = self.lane.data_to_send()
            for request in self.server.receive_data(to_server) if to_server else ():
                self.unanswered[request.stream_id] = request
            to_client = self.server.data_to_send()
            if to_client:
                self.lane.received(to_client, self.now_s)
            if not to_server and not to_client:
                return

    def send(self) -> int:
        """Let the lane take what it can."""
        sent = self.lane.fill(self.now_s, 1 << 30)
        self.exchange()
        return sent

    def answer(self, stream_id: int, status: int = 200, body: bytes = b"", *fields: tuple[bytes, bytes]) -> None:
        """Answer one request, and let the sender see it."""
        del self.unanswered[stream_id]
        self.server.answer(stream_id, stateless_block([(b":status", b"%d" % status), *fields]), body)
        self.exchange()

    def reject(self, stream_id: int, status: int, reason: str, timestamp_ms: int | None = None) -> None:
        """Answer as APNs rejects."""
        extra = "" if timestamp_ms is None else f',"timestamp":{timestamp_ms}'
        self.answer(stream_id, status, f'{{"reason":"{reason}"{extra}}}'.encode())

    def first(self) -> int:
        """The oldest unanswered stream."""
        return next(iter(self.unanswered))
