"""Four ends of a connection with the same face, two of `wire` and two of the referee `h2`, so that any two can be joined.

A client end is given requests and keeps the answers; a server end keeps the requests and gives each the answer of its plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import hpack

from tests.wire.peers import cut, whole_frame_bytes
from wire.budget import TRUSTING
from wire.client import ClientConnection
from wire.hpack import Encoder, stateless_block
from wire.prepared import PreparedRequest
from wire.request import Fields, whole_fields
from wire.server import ServerConnection

ROUNDS_MAX = 20_000


@dataclass(frozen=True)
class Message:
    """A request or a response. What only `h2` can send, and ours takes without handing it on: trailers, padding, interim
    responses. `prepared`: our client sends it by `PreparedRequest` where the fields allow."""

    fields: Fields
    body: bytes = field(default=b"", repr=False)
    trailers: Fields = ()
    padding: int = 0
    interim: bool = False
    prepared: bool = True


class End(Protocol):
    """One end of a connection."""

    def receive(self, data: bytes) -> None:
        """Bytes from the other end."""

    def take(self) -> bytes:
        """Bytes for the other end, after sending whatever may be sent now."""

    def change_settings(self, changed: dict[int, int]) -> None:
        """Announce new SETTINGS."""


class OurClient:
    """`wire`'s client. `requests`: sent in order, as streams are free."""

    def __init__(self, settings: dict[int, int], requests: Sequence[Message], encoder: Encoder, fast: bool) -> None:
        self.connection = ClientConnection(settings, encoder=encoder, fast=fast)
        self.waiting = list(requests)
        self.prepared: dict[Fields, PreparedRequest] = {}
        self.numbers: dict[int, int] = {}
        self.answers: dict[int, tuple[Fields, bytes]] = {}

    def change_settings(self, changed: dict[int, int]) -> None:
        self.connection.change_settings(changed)

    def receive(self, data: bytes) -> None:
        for response in self.connection.receive_data(data):
            fields = whole_fields(response, self.connection.varying)
            assert self.numbers[response.stream_id] not in self.answers
            self.answers[self.numbers[response.stream_id]] = (fields, response.body)
        assert self.connection.failed is None

    def take(self) -> bytes:
        connection = self.connection
        while self.waiting and connection.settings_received and connection.streams_free:
            message = self.waiting.pop(0)
            names = [name for name, _ in message.fields]
            if message.prepared and names.count(b":path") == 1 and names.count(b"apns-id") <= 1:
                found = dict(message.fields)
                shared = tuple(
                    (name, b"" if name in (b":path", b"apns-id") else value) for name, value in message.fields
                )
                prepared = self.prepared.setdefault(shared, connection.prepare(shared))
                stream_id = connection.send(prepared, found[b":path"], found.get(b"apns-id"), message.body)
            else:
                stream_id = connection.request(message.fields, message.body)
            self.numbers[stream_id] = len(self.numbers)
        return connection.data_to_send()


class OurServer:
    """`wire`'s server. `answers`: of the first request opened, the second and so on."""

    def __init__(self, settings: dict[int, int], answers: Sequence[Message], fast: bool) -> None:
        self.connection = ServerConnection(settings, fast=fast, limits=TRUSTING)
        self.answers = answers
        self.requests: dict[int, tuple[Fields, bytes]] = {}

    def change_settings(self, changed: dict[int, int]) -> None:
        self.connection.change_settings(changed)

    def receive(self, data: bytes) -> None:
        for request in self.connection.receive_data(data):
            number = request.stream_id // 2
            assert number not in self.requests
            self.requests[number] = (whole_fields(request, self.connection.varying), request.body)
            answer = self.answers[number]
            assert self.connection.answer(request.stream_id, stateless_block(answer.fields), answer.body)
        assert self.connection.failed is None

    def take(self) -> bytes:
        return self.connection.data_to_send()


@dataclass
class _Incoming:
    fields: Fields = ()
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False


class _Referee:
    """What the two ends of `h2` share: bodies sent in pieces as windows allow, all streams in turn."""

    def __init__(self, client: bool, settings: dict[int, int], piece_bytes_max: int) -> None:
        config = h2.config.H2Configuration(
            client_side=client,
            header_encoding=False,
            normalize_outbound_headers=False,
            normalize_inbound_headers=False,
        )
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        # One ACK makes `h2` apply values of later SETTINGS as well: they go out one by one.
        self.changes = [settings]
        self.acknowledged = False
        self.piece_bytes_max = piece_bytes_max
        self.settings_received = False
        self.arrived = b""
        self.incoming: dict[int, _Incoming] = {}
        self.outgoing: dict[int, tuple[Message, int]] = {}

    def change_settings(self, changed: dict[int, int]) -> None:
        self.changes.append(changed)

    def _start(self, stream_id: int, message: Message) -> None:
        fields = [
            hpack.NeverIndexedHeaderTuple(*field) if field[0] == b"authorization" else field for field in message.fields
        ]
        if message.interim:
            self.connection.send_headers(stream_id, [(b":status", b"103"), (b"link", b"</a>")])
        self.connection.send_headers(stream_id, fields, end_stream=not message.body and not message.trailers)
        if message.body or message.trailers:
            self.outgoing[stream_id] = (message, 0)

    def _send_bodies(self) -> None:
        for stream_id, (message, at) in list(self.outgoing.items()):
            padding = message.padding + 1 if message.padding else 0
            room = self.connection.local_flow_control_window(stream_id) - padding
            room = min(room, self.connection.max_outbound_frame_size - padding, self.piece_bytes_max)
            piece = message.body[at : at + max(room, 0)]
            end = at + len(piece) == len(message.body)
            if piece:
                self.connection.send_data(
                    stream_id, piece, end_stream=end and not message.trailers, pad_length=message.padding or None
                )
                self.outgoing[stream_id] = (message, at + len(piece))
            if end:
                if message.trailers:
                    self.connection.send_headers(stream_id, list(message.trailers), end_stream=True)
                del self.outgoing[stream_id]

    def receive(self, data: bytes) -> None:
        # Frame by frame: within one call, `h2` does not honour a MAX_FRAME_SIZE that an ACK has just put in force.
        self.arrived += data
        while size := whole_frame_bytes(self.arrived):
            self._receive_frame(self.arrived[:size])
            self.arrived = self.arrived[size:]

    def _receive_frame(self, frame: bytes) -> None:
        for event in self.connection.receive_data(frame):
            match event:
                case h2.events.RemoteSettingsChanged():
                    self.settings_received = True
                case h2.events.SettingsAcknowledged():
                    self.acknowledged = True
                    self._open_used_windows()
                case h2.events.RequestReceived() | h2.events.ResponseReceived():
                    self.incoming[event.stream_id] = _Incoming(tuple((name, value) for name, value in event.headers))
                case h2.events.DataReceived():
                    self.incoming[event.stream_id].body += event.data
                    if event.flow_controlled_length:
                        self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self.incoming[event.stream_id].ended = True
                    self._ended(event.stream_id)
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    raise AssertionError(f"nothing was wrong, and yet: {event}")
                case _:
                    pass

    def _ended(self, stream_id: int) -> None:
        raise NotImplementedError

    def _open_used_windows(self) -> None:
        """What `h2` does not do by itself: a lowered INITIAL_WINDOW_SIZE may have used up the windows of streams."""
        for stream_id, incoming in self.incoming.items():
            if not incoming.ended and (window := self.connection.remote_flow_control_window(stream_id)) <= 0:
                self.connection.increment_flow_control_window(1_000 - window, stream_id)

    def take(self) -> bytes:
        if self.acknowledged and self.changes:
            self.connection.update_settings(self.changes.pop(0))
            self.acknowledged = False
        self._send_bodies()
        return self.connection.data_to_send()


class RefereeClient(_Referee):
    """The client of `h2`."""

    def __init__(self, settings: dict[int, int], requests: Sequence[Message], piece_bytes_max: int) -> None:
        super().__init__(True, settings, piece_bytes_max)
        self.waiting = list(requests)
        self.answers: dict[int, tuple[Fields, bytes]] = {}

    def _ended(self, stream_id: int) -> None:
        incoming = self.incoming[stream_id]
        self.answers[stream_id // 2] = (incoming.fields, bytes(incoming.body))

    def take(self) -> bytes:
        limit = self.connection.remote_settings.max_concurrent_streams
        while self.waiting and self.settings_received and self.connection.open_outbound_streams < limit:
            self._start(self.connection.get_next_available_stream_id(), self.waiting.pop(0))
        return super().take()


class RefereeServer(_Referee):
    """The server of `h2`."""

    def __init__(self, settings: dict[int, int], answers: Sequence[Message], piece_bytes_max: int) -> None:
        super().__init__(False, settings, piece_bytes_max)
        self.answers = answers
        self.requests: dict[int, tuple[Fields, bytes]] = {}

    def _ended(self, stream_id: int) -> None:
        incoming = self.incoming[stream_id]
        self.requests[stream_id // 2] = (incoming.fields, bytes(incoming.body))
        self._start(stream_id, self.answers[stream_id // 2])


def join(client: End, server: End, pieces: Sequence[int], changes: Sequence[tuple[bool, dict[int, int]]]) -> None:
    """Carry bytes between two ends, cut into `pieces`, until neither has anything to say.

    `changes`: SETTINGS announced one after the other, one each time the bytes have gone around; True: by the client.
    """
    remaining = list(changes)
    for _ in range(ROUNDS_MAX):
        if remaining:
            of_client, changed = remaining.pop(0)
            (client if of_client else server).change_settings(changed)
        there = client.take()
        for piece in cut(there, pieces):
            server.receive(piece)
        back = server.take()
        for piece in cut(back, pieces):
            client.receive(piece)
        if not there and not back and not remaining:
            return
    raise AssertionError(f"no end after {ROUNDS_MAX} rounds")
