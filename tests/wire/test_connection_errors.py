"""Rules of RFC 9113 whose breach ends the connection: a valid start, one thing spoilt, GOAWAY with the right code.

Each row cites its section. The rows of both ends stand in `AT_BOTH_ENDS`; there stream 1 is open: the server has read its
HEADERS and waits for the body, the client waits for the response.
"""

from collections.abc import Sequence

import pytest

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.connection_breaches import (
    AT_A_CLIENT,
    AT_A_SERVER,
    AT_BOTH_ENDS,
    CLOSED,
    END_HEADERS,
    END_STREAM,
    PADDED,
    PROTOCOL,
    Breach,
)
from tests.wire.peers import REQUEST, RESPONSE, data, headers, open_client, open_server, request, sent
from wire import frames
from wire.client import ClientConnection
from wire.connection import Connection
from wire.events import ConnectionFailed
from wire.server import ServerConnection


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
