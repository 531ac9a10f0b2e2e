"""Four talkers, two of `wire` and two of the referee `h2`, that do one thing at a time: what a conversation is made of.

Unlike the ends of `tests.wire.ends`, which carry out a plan, these wait to be told what to do next, and break off as well.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import hpack

from tests.wire.ends import Message
from tests.wire.peers import patterns_at_once, whole_frame_bytes
from wire import frames
from wire.budget import TRUSTING
from wire.client import ClientConnection
from wire.connection import Connection
from wire.events import GoawayReceived, PingAcknowledged, SettingsAcknowledged, StreamReset
from wire.hpack import Encoder, stateless_block
from wire.prepared import PreparedRequest
from wire.request import Fields, Request, whole_fields
from wire.server import ServerConnection

Settings = dict[int, int]


@dataclass
class Heard:
    """What has come to a talker, in order of arrival. `messages`: stream, fields, body."""

    messages: list[tuple[int, Fields, bytes]] = field(default_factory=list)
    resets: set[int] = field(default_factory=set)
    pongs: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    goodbyes: int = 0


class Talker(Protocol):
    """One end of a conversation."""

    heard: Heard

    def receive(self, data: bytes) -> None:
        """Bytes from the other end."""

    def take(self) -> bytes:
        """Bytes for the other end."""

    def can_open(self) -> bool:
        """Client: whether a request may be sent now."""

    def open(self, message: Message) -> int:
        """Client: send a request; returns its stream."""

    def early(self) -> list[int]:
        """Server: streams whose request has begun and may be answered before its end."""

    def answer(self, stream_id: int, message: Message) -> bool:
        """Server: False when the stream has ended meanwhile."""

    def send_more(self, bytes_max: int) -> None:
        """Send on with bodies that this talker sends in parts."""

    def reset(self, stream_id: int) -> bool:
        """False when this talker cannot reset that stream now."""

    def ping(self, opaque: bytes) -> None:
        """Ask for a PING back."""

    def announce(self, changed: Settings) -> None:
        """Announce new SETTINGS."""

    def widen(self, increment: int) -> None:
        """Open the connection's window further."""

    def prioritise(self, stream_id: int) -> None:
        """Send PRIORITY, where this talker knows it."""

    def goodbye(self) -> None:
        """GOAWAY."""

    def windows(self) -> tuple[int, int]:
        """Of the connection: what this end may send, what it takes."""


class _Ours:
    """What the two ends of `wire` share."""

    connection: Connection

    def __init__(self) -> None:
        self.heard = Heard()

    def _note(self, messages: list[Request]) -> None:
        connection, heard = self.connection, self.heard
        for message in messages:
            heard.messages.append((message.stream_id, whole_fields(message, connection.varying), message.body))
        assert connection.failed is None, connection.failed
        for event in connection.take_events():
            match event:
                case PingAcknowledged():
                    heard.pongs.append(event.opaque)
                case SettingsAcknowledged():
                    heard.acknowledged += 1
                case StreamReset():
                    assert not event.local, event
                    heard.resets.add(event.stream_id)
                case GoawayReceived():
                    heard.goodbyes += 1
                case _:
                    pass

    def take(self) -> bytes:
        return self.connection.data_to_send()

    def send_more(self, bytes_max: int) -> None:
        """Ours sends all that windows allow at once."""

    def reset(self, stream_id: int) -> bool:
        self.connection.reset(stream_id)
        return True

    def ping(self, opaque: bytes) -> None:
        self.connection.ping(opaque)

    def announce(self, changed: Settings) -> None:
        self.connection.change_settings(changed)

    def widen(self, increment: int) -> None:
        self.connection.widen_window(increment)

    def prioritise(self, stream_id: int) -> None:
        """Ours has no priorities; the frame all the same."""
        self.connection.send_raw(frames.frame(frames.PRIORITY, 0, stream_id, b"\x00\x00\x00\x00\x0f"))

    def goodbye(self) -> None:
        self.connection.goaway()

    def windows(self) -> tuple[int, int]:
        return self.connection.outbound_window, self.connection.inbound_window


class OurClientTalker(_Ours):
    """`wire`'s client. `coded`: its encoder uses Huffman's code; `indexed`: and puts every field into the table."""

    def __init__(self, settings: Settings, *, coded: bool, indexed: bool, fast: bool) -> None:
        super().__init__()
        unindexed = () if indexed else (b":path", b"apns-id")
        self.encoder = Encoder(coded=coded, unindexed=unindexed, never_indexed=(b"authorization",) if coded else ())
        self.connection: ClientConnection = ClientConnection(settings, encoder=self.encoder, fast=fast)
        self.prepared: dict[Fields, PreparedRequest] = {}

    def receive(self, data: bytes) -> None:
        self._note(list(self.connection.receive_data(data)))

    def can_open(self) -> bool:
        return self.connection.settings_received and self.connection.streams_free > 0

    def open(self, message: Message) -> int:
        if not message.prepared:
            return self.connection.request(message.fields, message.body)
        values = dict(message.fields)
        shared = tuple((name, b"" if name in (b":path", b"apns-id") else value) for name, value in message.fields)
        prepared = self.prepared.setdefault(shared, self.connection.prepare(shared))
        return self.connection.send(prepared, values[b":path"], values.get(b"apns-id"), message.body)

    def early(self) -> list[int]:
        return []

    def answer(self, stream_id: int, message: Message) -> bool:
        raise AssertionError("a client does not answer")


class OurServerTalker(_Ours):
    """`wire`'s server."""

    def __init__(self, settings: Settings, *, fast: bool) -> None:
        super().__init__()
        self.connection: ServerConnection = ServerConnection(settings, fast=fast, limits=TRUSTING)

    def receive(self, data: bytes) -> None:
        with patterns_at_once():
            self._note(list(self.connection.receive_data(data)))

    def can_open(self) -> bool:
        return False

    def open(self, message: Message) -> int:
        raise AssertionError("a server sends no requests")

    def early(self) -> list[int]:
        return [stream_id for stream_id in self.connection._receiving if self.connection.is_open(stream_id)]

    def answer(self, stream_id: int, message: Message) -> bool:
        return self.connection.answer(stream_id, stateless_block(message.fields), message.body)

    def reset(self, stream_id: int) -> bool:
        if self.connection._is_idle(stream_id):
            return False  # of a stream that is still to come it would be a fault
        return super().reset(stream_id)


@dataclass
class _Incoming:
    fields: Fields
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False


class _Referee:
    """What the two ends of `h2` share."""

    def __init__(self, settings: Settings, *, client: bool) -> None:
        config = h2.config.H2Configuration(
            client_side=client,
            header_encoding=False,
            normalize_outbound_headers=False,
            normalize_inbound_headers=False,
        )
        self.heard = Heard()
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.announced = 1
        self.settings_received = False
        # One ACK makes `h2` apply values of later SETTINGS as well: they go out one by one.
        self.changes: deque[Settings] = deque([settings])
        self.incoming: dict[int, _Incoming] = {}
        self.outgoing: dict[int, tuple[Message, int]] = {}
        self.arrived = b""

    def receive(self, data: bytes) -> None:
        # Frame by frame: within one call, `h2` does not honour a MAX_FRAME_SIZE that an ACK has just put in force.
        self.arrived += data
        while size := whole_frame_bytes(self.arrived):
            whole, self.arrived = self.arrived[:size], self.arrived[size:]
            for event in self.connection.receive_data(whole):
                self._note(event)

    def _note(self, event: h2.events.Event) -> None:
        heard = self.heard
        match event:
            case h2.events.RemoteSettingsChanged():
                self.settings_received = True
            case h2.events.SettingsAcknowledged():
                heard.acknowledged += 1
                self._open_used_windows()
                self._announce_next()
            case h2.events.RequestReceived() | h2.events.ResponseReceived():
                self.incoming[event.stream_id] = _Incoming(tuple((name, value) for name, value in event.headers))
            case h2.events.DataReceived():
                self.incoming[event.stream_id].body += event.data
                if event.flow_controlled_length:
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                incoming = self.incoming[event.stream_id]
                incoming.ended = True
                heard.messages.append((event.stream_id, incoming.fields, bytes(incoming.body)))
            case h2.events.StreamReset():
                heard.resets.add(event.stream_id)
                self._forget(event.stream_id)
            case h2.events.PingAckReceived():
                heard.pongs.append(event.ping_data)
            case h2.events.ConnectionTerminated():
                heard.goodbyes += 1
            case _:
                pass

    def _forget(self, stream_id: int) -> None:
        self.outgoing.pop(stream_id, None)
        if stream_id in self.incoming:
            self.incoming[stream_id].ended = True

    def _open_used_windows(self) -> None:
        """What `h2` does not do by itself: a lowered INITIAL_WINDOW_SIZE may have used up the windows of streams."""
        for stream_id, incoming in self.incoming.items():
            if not incoming.ended and (window := self.connection.remote_flow_control_window(stream_id)) <= 0:
                self.connection.increment_flow_control_window(1_000 - window, stream_id)

    def take(self) -> bytes:
        return self.connection.data_to_send()

    def start(self, stream_id: int, message: Message) -> None:
        """HEADERS; the body goes out in parts."""
        fields = [
            hpack.NeverIndexedHeaderTuple(*each) if each[0] == b"authorization" else each for each in message.fields
        ]
        if message.interim:
            self.connection.send_headers(stream_id, [(b":status", b"103"), (b"link", b"</a>")])
        ends = not message.body and not message.trailers
        priority = message.prepared and self.connection.config.client_side
        self.connection.send_headers(stream_id, fields, end_stream=ends, priority_weight=17 if priority else None)
        if not ends:
            self.outgoing[stream_id] = (message, 0)

    def send_more(self, bytes_max: int) -> None:
        for stream_id, (message, at) in list(self.outgoing.items()):
            padding = message.padding + 1 if message.padding else 0
            room = self.connection.local_flow_control_window(stream_id) - padding
            room = min(room, self.connection.max_outbound_frame_size - padding, bytes_max)
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

    def reset(self, stream_id: int) -> bool:
        stream = self.connection.streams.get(stream_id)
        if stream is None or stream.closed:
            return False
        self.connection.reset_stream(stream_id, 8)
        self._forget(stream_id)
        return True

    def ping(self, opaque: bytes) -> None:
        self.connection.ping(opaque)

    def announce(self, changed: Settings) -> None:
        self.changes.append(changed)
        self._announce_next()

    def _announce_next(self) -> None:
        if self.changes and self.heard.acknowledged == self.announced:
            self.connection.update_settings(self.changes.popleft())
            self.announced += 1

    def widen(self, increment: int) -> None:
        self.connection.increment_flow_control_window(increment)

    def prioritise(self, stream_id: int) -> None:
        if self.connection.config.client_side:
            self.connection.prioritize(stream_id, weight=99, exclusive=True)

    def goodbye(self) -> None:
        self.connection.close_connection()

    def windows(self) -> tuple[int, int]:
        return self.connection.outbound_flow_control_window, self.connection.inbound_flow_control_window


class RefereeClientTalker(_Referee):
    """The client of `h2`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, client=True)

    def can_open(self) -> bool:
        limit = self.connection.remote_settings.max_concurrent_streams
        return self.settings_received and self.connection.open_outbound_streams < limit

    def open(self, message: Message) -> int:
        stream_id = self.connection.get_next_available_stream_id()
        self.start(stream_id, message)
        return stream_id

    def early(self) -> list[int]:
        return []

    def answer(self, stream_id: int, message: Message) -> bool:
        raise AssertionError("a client does not answer")


class RefereeServerTalker(_Referee):
    """The server of `h2`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, client=False)

    def can_open(self) -> bool:
        return False

    def open(self, message: Message) -> int:
        raise AssertionError("a server sends no requests")

    def early(self) -> list[int]:
        return [stream_id for stream_id, incoming in self.incoming.items() if not incoming.ended]

    def answer(self, stream_id: int, message: Message) -> bool:
        stream = self.connection.streams.get(stream_id)
        if stream is None or stream.closed:
            return False
        self.start(stream_id, message)
        return True
