"""Rules of RFC 9113 whose breach ends the connection: a valid start, one thing spoilt, GOAWAY with the right code.

Each row cites its section. The rows of both ends stand in `AT_BOTH_ENDS`; there stream 1 is open: the server has read its
HEADERS and waits for the body, the client waits for the response.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import REQUEST, RESPONSE, data, headers, open_client, open_server, request, sent
from wire import frames
from wire.client import ClientConnection
from wire.connection import Connection
from wire.errors import ErrorCode
from wire.events import ConnectionFailed
from wire.server import ServerConnection

PROTOCOL, SIZE, FLOW = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR, ErrorCode.FLOW_CONTROL_ERROR
CLOSED, COMPRESSION, CALM = ErrorCode.STREAM_CLOSED, ErrorCode.COMPRESSION_ERROR, ErrorCode.ENHANCE_YOUR_CALM
PADDED, END_HEADERS, END_STREAM = frames.PADDED, frames.END_HEADERS, frames.END_STREAM
WINDOW_FULL = frames.window_update_frame(1, 2**31 - 1 - 65_535)


@dataclass(frozen=True)
class Breach:
    """One broken rule: `spoilt` arrives behind a valid start. `shows`: requirements, of this section or with their own."""

    section: str
    claim: str
    spoilt: bytes
    code: ErrorCode
    shows: tuple[str | tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.section} {self.claim}"

    def case(self) -> object:
        """As one case of a test, marked with the requirements that it shows, of this section or of another one."""
        named = [(self.section, quote) if isinstance(quote, str) else quote for quote in self.shows]
        return pytest.param(self, id=str(self), marks=[requirement(HTTP2, *each, case=str(self)) for each in named])


AT_BOTH_ENDS = (
    Breach(
        "4.2",
        "a frame over MAX_FRAME_SIZE",
        frames.frame(99, 0, 0, bytes(16_385)),
        SIZE,
        shows=("MUST send an error code",),
    ),
    Breach(
        "4.2",
        "the header of a frame over MAX_FRAME_SIZE, before its payload",
        b"\x00\x40\x01\x00\x00" + bytes(4),
        SIZE,
        shows=("MUST send an error code",),
    ),
    Breach(
        "4.3",
        "a header block that cannot be decoded",
        frames.frame(1, END_HEADERS, 1, b"\x80"),
        COMPRESSION,
        shows=(
            "A decoding error",
            "MUST terminate the connection",
        ),
    ),
    Breach(
        "6.1",
        "DATA on stream 0",
        data(0, b"x"),
        PROTOCOL,
        shows=(
            "DATA frames MUST be associated",
            "If a DATA frame is received whose Stream",
        ),
    ),
    Breach(
        "6.1",
        "padding of DATA as long as the frame",
        frames.frame(0, PADDED, 1, b"\x02x"),
        PROTOCOL,
        shows=("If the length of the padding",),
    ),
    Breach(
        "4.2",
        "padded DATA without the padding's length",
        frames.frame(0, PADDED, 1),
        SIZE,
        shows=("MUST send an error code",),
    ),
    Breach(
        "6.2",
        "HEADERS on stream 0",
        headers(0, REQUEST),
        PROTOCOL,
        shows=(
            "HEADERS frames MUST be associated",
            "If a HEADERS frame is received",
        ),
    ),
    Breach(
        "6.2",
        "padding of HEADERS as long as the frame",
        frames.frame(1, PADDED | 4, 1, b"\x01"),
        PROTOCOL,
        shows=("If the length of the padding",),
    ),
    Breach("6.2", "padding over the priority fields", frames.frame(1, PADDED | 0x24, 1, b"\x01" + bytes(5)), PROTOCOL),
    Breach(
        "4.2",
        "HEADERS without the priority fields they announce",
        frames.frame(1, 0x24, 1, bytes(4)),
        SIZE,
        shows=(
            "MUST send an error code",
            "A frame size error in a frame that could",
        ),
    ),
    Breach(
        "4.2",
        "padded HEADERS without the padding's length",
        frames.frame(1, PADDED | 4, 1),
        SIZE,
        shows=("A frame size error in a frame that could",),
    ),
    Breach(
        "6.3",
        "PRIORITY on stream 0",
        frames.frame(2, 0, 0, bytes(5)),
        PROTOCOL,
        shows=("If a PRIORITY frame is received",),
    ),
    Breach("6.3", "a short PRIORITY on an idle stream, which cannot be reset", frames.frame(2, 0, 99, bytes(4)), SIZE),
    Breach(
        "RFC 7540, 5.3.1",
        "PRIORITY that makes an idle stream, which cannot be reset, depend on itself",
        frames.frame(2, 0, 99, b"\0\0\0\x63\0"),
        PROTOCOL,
    ),
    Breach(
        "6.4",
        "RST_STREAM on stream 0",
        frames.rst_stream_frame(0, 8),
        PROTOCOL,
        shows=(
            "RST_STREAM frames MUST be associated",
            "If a RST_STREAM frame is received with",
        ),
    ),
    Breach(
        "6.4",
        "RST_STREAM on an idle stream",
        frames.rst_stream_frame(99, 8),
        PROTOCOL,
        shows=("If a RST_STREAM frame identifying",),
    ),
    Breach(
        "6.4",
        "RST_STREAM on an idle stream of the other end",
        frames.rst_stream_frame(2, 8),
        PROTOCOL,
        shows=("If a RST_STREAM frame identifying",),
    ),
    Breach(
        "6.4",
        "RST_STREAM of another length than 4",
        frames.frame(3, 0, 1, bytes(5)),
        SIZE,
        shows=("A RST_STREAM frame with a length",),
    ),
    Breach(
        "6.5",
        "SETTINGS on a stream",
        frames.frame(4, 0, 1),
        PROTOCOL,
        shows=(
            "The stream identifier for a SETTINGS",
            "If an endpoint receives a SETTINGS frame whose",
        ),
    ),
    Breach(
        "6.5",
        "SETTINGS with ACK and a payload",
        frames.frame(4, frames.ACK, 0, bytes(6)),
        SIZE,
        shows=(
            "When this bit is set",
            "Receipt of a SETTINGS frame with the ACK",
        ),
    ),
    Breach(
        "6.5",
        "SETTINGS of a length that is no multiple of 6",
        frames.frame(4, 0, 0, bytes(5)),
        SIZE,
        shows=(
            "A SETTINGS frame with a length",
            ("4.2", "A frame size error in a frame that could"),
        ),
    ),
    Breach(
        "6.5.2",
        "ENABLE_PUSH of 2",
        frames.settings_frame({frames.ENABLE_PUSH: 2}),
        PROTOCOL,
        shows=(
            "Any value other than 0 or 1",
            ("6.5", "A badly formed"),
        ),
    ),
    Breach(
        "6.5.2",
        "INITIAL_WINDOW_SIZE of 2^31",
        frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 2**31}),
        FLOW,
        shows=("Values above the maximum",),
    ),
    Breach(
        "6.5.2",
        "MAX_FRAME_SIZE under 2^14",
        frames.settings_frame({frames.MAX_FRAME_SIZE: 16_383}),
        PROTOCOL,
        shows=("Values outside this range",),
    ),
    Breach(
        "6.5.2",
        "MAX_FRAME_SIZE of 2^24",
        frames.settings_frame({frames.MAX_FRAME_SIZE: 2**24}),
        PROTOCOL,
        shows=("Values outside this range",),
    ),
    Breach(
        "6.5.2",
        "a fault in a value that a later entry replaces",
        frames.frame(4, 0, 0, b"\0\2\0\0\0\2\0\2\0\0\0\0"),
        PROTOCOL,
    ),
    Breach(
        "6.6",
        "PUSH_PROMISE",
        frames.frame(5, END_HEADERS, 1, b"\x00\x00\x00\x02\x82"),
        PROTOCOL,
        shows=("An endpoint that has set this setting",),
    ),
    Breach(
        "6.7",
        "PING on a stream",
        frames.frame(6, 0, 1, bytes(8)),
        PROTOCOL,
        shows=("If a PING frame is received with a Stream",),
    ),
    Breach(
        "6.7",
        "PING of another length than 8",
        frames.frame(6, 0, 0, bytes(7)),
        SIZE,
        shows=(
            "Receipt of a PING frame with a length",
            "PING frames MUST contain",
        ),
    ),
    Breach(
        "6.8",
        "GOAWAY on a stream",
        frames.frame(7, 0, 1, bytes(8)),
        PROTOCOL,
        shows=("An endpoint MUST treat a GOAWAY",),
    ),
    Breach(
        "6.8",
        "GOAWAY without its error code",
        frames.frame(7, 0, 0, bytes(4)),
        SIZE,
        shows=(("4.2", "MUST send an error code"),),
    ),
    Breach(
        "6.9",
        "WINDOW_UPDATE by 0 on the connection",
        frames.window_update_frame(0, 0),
        PROTOCOL,
        shows=("A receiver MUST treat the receipt of a WINDOW_UPDATE",),
    ),
    Breach(
        "6.9",
        "WINDOW_UPDATE of another length than 4",
        frames.frame(8, 0, 1, bytes(3)),
        SIZE,
        shows=("A WINDOW_UPDATE frame with a length",),
    ),
    Breach(
        "5.1",
        "WINDOW_UPDATE on an idle stream",
        frames.window_update_frame(99, 1),
        PROTOCOL,
        shows=("Receiving any frame other than HEADERS or PRIORITY",),
    ),
    Breach(
        "6.9.1",
        "WINDOW_UPDATE over 2^31-1 on the connection",
        frames.window_update_frame(0, 2**31 - 1),
        FLOW,
        shows=("If a sender receives a WINDOW_UPDATE",),
    ),
    Breach(
        "6.9.2",
        "INITIAL_WINDOW_SIZE that takes a stream's window over 2^31-1",
        WINDOW_FULL + frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 65_536}),
        FLOW,
        shows=("MUST treat a change",),
    ),
    Breach(
        "6.10",
        "CONTINUATION without HEADERS",
        frames.frame(9, END_HEADERS, 1),
        PROTOCOL,
        shows=(
            "A CONTINUATION frame MUST be preceded",
            "A recipient that observes",
        ),
    ),
    Breach(
        "6.10",
        "another frame inside a header block",
        frames.frame(1, 0, 1) + frames.ping_frame(bytes(8)),
        PROTOCOL,
        shows=(
            "A receiver MUST treat the receipt",
            ("6.2", "A receiver MUST treat the receipt"),
            ("8.1", "Other frames"),
            ("6.10", "If the END_HEADERS flag"),
        ),
    ),
    Breach(
        "6.10",
        "an unknown frame inside a header block",
        frames.frame(1, 0, 1) + frames.frame(99, 0, 1),
        PROTOCOL,
        shows=(("5.5", "extension frames that appear"),),
    ),
    Breach(
        "6.10",
        "CONTINUATION of another stream",
        frames.frame(1, 0, 1) + frames.frame(9, END_HEADERS, 3),
        PROTOCOL,
        shows=(
            "A receiver MUST treat the receipt",
            ("6.2", "A HEADERS frame without the END_HEADERS"),
        ),
    ),
    Breach(
        "5.1",
        "DATA on an idle stream",
        data(99, b"x"),
        PROTOCOL,
        shows=("Receiving any frame other than HEADERS or PRIORITY",),
    ),
    Breach(
        "5.1",
        "DATA on an idle stream of the other end",
        data(2, b"x"),
        PROTOCOL,
        shows=("Receiving any frame other than HEADERS or PRIORITY",),
    ),
)

AT_A_SERVER = (
    Breach(
        "5.1.1",
        "HEADERS on an even stream",
        headers(2, REQUEST),
        PROTOCOL,
        shows=(
            "An endpoint that receives an unexpected",
            "Streams initiated by a client MUST",
            ("5.1", "then receiving a HEADERS"),
        ),
    ),
    Breach(
        "5.1.1",
        "HEADERS on a stream passed over",
        headers(9, REQUEST) + headers(5, REQUEST),
        PROTOCOL,
        shows=(
            "An endpoint that receives an unexpected",
            "The identifier of a newly",
        ),
    ),
    Breach("5.1", "DATA on a stream passed over", headers(9, REQUEST) + data(5, b"x"), CLOSED),
    Breach(
        "5.1", "HEADERS on a stream the client has reset", frames.rst_stream_frame(1, 8) + headers(1, REQUEST), CLOSED
    ),
    Breach("5.1", "DATA on a stream the client has reset", frames.rst_stream_frame(1, 8) + data(1, b"x"), CLOSED),
    Breach(
        "6.6",
        "PUSH_PROMISE of a client, even on stream 0",
        frames.frame(5, END_HEADERS, 0),
        PROTOCOL,
        shows=(
            "If the Stream Identifier field specifies",
            ("8.4", "servers MUST treat"),
        ),
    ),
    Breach(
        "4.3",
        "a request on the hot path that cannot be decoded",
        frames.frame(1, 4, 3, b"\x80") + data(3, b"x", end_stream=True),
        COMPRESSION,
        shows=("A decoding error",),
    ),
)

AT_A_CLIENT = (
    Breach(
        "6.5.2",
        "ENABLE_PUSH of 1 from a server",
        frames.settings_frame({frames.ENABLE_PUSH: 1}),
        PROTOCOL,
        shows=("A client MUST treat receipt",),
    ),
    Breach("5.1", "HEADERS on a stream never opened", headers(3, RESPONSE), PROTOCOL),
    Breach("5.1", "HEADERS on a stream of the server, which cannot push", headers(2, RESPONSE), PROTOCOL),
    Breach("5.1", "DATA behind the end of the response", headers(1, RESPONSE, end_stream=True) + data(1, b"x"), CLOSED),
    Breach(
        "5.1",
        "HEADERS behind the end of the response",
        headers(1, RESPONSE, end_stream=True) + headers(1, RESPONSE),
        CLOSED,
    ),
    Breach(
        "4.3",
        "a response on the hot path that cannot be decoded",
        frames.frame(1, 5, 1, b"\x80"),
        COMPRESSION,
        shows=("A decoding error",),
    ),
)


def _check(end: Connection, messages: Sequence[object], breach: Breach) -> None:
    assert messages == [] or breach.code is CLOSED
    assert end.failed is not None
    assert end.failed.code is breach.code, end.failed
    (event,) = [event for event in end.take_events() if isinstance(event, ConnectionFailed)]
    assert event.error is end.failed
    (goaway,) = sent(end, frames.GOAWAY)
    assert goaway.payload[4:8] == breach.code.to_bytes(4)
    assert goaway.payload[8:] == end.failed.message.encode()


def _waiting_server(fast: bool) -> ServerConnection:
    server = open_server(fast=fast)
    assert server.receive_data(headers(1, REQUEST)) == []
    return server


def _waiting_client(fast: bool) -> ClientConnection:
    client = open_client(fast=fast)
    client.request(REQUEST)
    client.data_to_send()
    return client


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "general"])
@pytest.mark.parametrize("breach", [breach.case() for breach in AT_BOTH_ENDS + AT_A_SERVER])
@requirement(HTTP2, "5.4", "If a frame causes a connection error")
def test_a_server_ends_the_connection_over(breach: Breach, fast: bool) -> None:
    server = _waiting_server(fast)
    _check(server, server.receive_data(breach.spoilt), breach)
    assert server.receive_data(request(3)) == []


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "general"])
@pytest.mark.parametrize("breach", [breach.case() for breach in AT_BOTH_ENDS + AT_A_CLIENT])
@requirement(HTTP2, "5.4", "If a frame causes a connection error")
def test_a_client_ends_the_connection_over(breach: Breach, fast: bool) -> None:
    client = _waiting_client(fast)
    _check(client, client.receive_data(breach.spoilt), breach)
    assert client.closing
    assert client.streams_free == 0


def test_the_valid_start_itself_is_fine() -> None:
    server, client = _waiting_server(True), _waiting_client(True)
    assert [message.stream_id for message in server.receive_data(data(1, b"x", end_stream=True))] == [1]
    assert [message.stream_id for message in client.receive_data(headers(1, RESPONSE, end_stream=True))] == [1]


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"GET / HTTP/1.1\r\n", id="3.4 the preface of HTTP/1.1"),
        pytest.param(frames.PREFACE[:23] + b"x", id="3.4 a preface that ends wrong"),
        pytest.param(frames.PREFACE + frames.ping_frame(bytes(8)), id="3.4 a first frame that is not SETTINGS"),
        pytest.param(frames.PREFACE + frames.SETTINGS_ACK, id="3.4 an ACK in place of the first SETTINGS"),
        pytest.param(frames.PREFACE + request(1), id="3.4 a request before SETTINGS"),
    ],
)
@requirement(HTTP2, "3.4", "Clients and servers MUST treat")
def test_a_server_refuses(start: bytes) -> None:
    server = ServerConnection()
    assert server.receive_data(start) == []
    assert server.failed is not None
    assert server.failed.code is PROTOCOL


@pytest.mark.parametrize("first", [frames.ping_frame(bytes(8)), frames.SETTINGS_ACK, headers(1, RESPONSE)])
@requirement(HTTP2, "3.4", "Clients and servers MUST treat")
def test_a_client_refuses_a_first_frame_that_is_not_settings(first: bytes) -> None:
    client = ClientConnection()
    client.request(REQUEST)
    assert client.receive_data(first) == []
    assert client.failed is not None
    assert client.failed.code is PROTOCOL


def test_requests_completed_before_the_breach_are_handed_out() -> None:
    server = open_server()
    received = server.receive_data(request(1) + request(3) + data(0, b"x") + request(5))
    assert [message.stream_id for message in received] == [1, 3]
    assert server.failed is not None
    assert server.answer(1, b"\x88")


@requirement(HTTP2, "6.8", "Endpoints MUST NOT increase")
def test_the_goaway_of_a_failure_never_raises_the_last_stream_of_an_earlier_one() -> None:
    server = open_server()
    server.receive_data(request(1) + request(3) + request(5))
    server.goaway(last_stream_id=1)
    server.receive_data(data(0, b"x"))
    assert [int.from_bytes(frame.payload[:4]) for frame in sent(server, frames.GOAWAY)] == [1, 1]


@pytest.mark.parametrize("flags", [0, END_STREAM, 0xFF])
@requirement(HTTP2, "4.1", "Implementations MUST ignore and discard")
@requirement(HTTP2, "5.5", "Implementations MUST discard frames")
@requirement(HTTP2, "5.5", "Implementations MUST ignore unknown")
def test_frames_of_unknown_types_are_ignored_on_any_stream(flags: int) -> None:
    server = open_server()
    for stream_id in (0, 1, 2, 99):
        assert server.receive_data(frames.frame(0xBE, flags, stream_id, b"whatever")) == []
    assert server.failed is None
    assert server.data_to_send() == b""


@requirement(HTTP2, "4.1", "Unused flags MUST be")
@requirement(HTTP2, "4.1", "the bit MUST remain unset")
def test_undefined_flags_and_the_reserved_bit_are_ignored() -> None:
    server = open_server()
    block = headers(1, REQUEST)[9:]
    received = server.receive_data(
        frames.frame(frames.HEADERS, 0xD2 & ~PADDED & ~frames.PRIORITY_FLAG | END_HEADERS, 1 | 1 << 31, block)
        + frames.frame(frames.DATA, 0xF6 | END_STREAM, 1 | 1 << 31, b"{}")
    )
    assert [message.stream_id for message in received] == [1]
