"""RFC 9113, sections 4 to 7: frames that have to be taken, and some that have to be refused, by both ends."""

import pytest

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import (
    REQUEST,
    RESPONSE,
    frames_of,
    headers,
    open_client,
    open_server,
    replaced,
    request,
    sent,
)
from wire import frames
from wire.client import ClientConnection
from wire.errors import ErrorCode
from wire.events import GoawayReceived, StreamReset
from wire.frames import END_HEADERS, END_STREAM, FRAME_BYTES_DEFAULT
from wire.hpack import Encoder, literal_name, stateless_block, string
from wire.server import ServerConnection


def _waiting(fast: bool = True) -> tuple[ServerConnection, ClientConnection]:
    """A server that has read the head of stream 1, and a client that has sent it."""
    server, client = open_server(fast=fast), open_client(fast=fast)
    server.receive_data(headers(1, REQUEST))
    client.request(REQUEST)
    client.data_to_send()
    return server, client


def _block_of(size: int, fields: bytes) -> bytes:
    """A header block of exactly so many bytes."""
    start = fields + literal_name(b"x")
    for length in range(size - len(start), 0, -1):
        block = start + string(b"v" * length)
        if len(block) == size:
            return block
    raise AssertionError(f"no block of {size} bytes")


LARGEST = (
    frames.frame(frames.DATA, 0, 1, bytes(FRAME_BYTES_DEFAULT)),
    frames.frame(frames.GOAWAY, 0, 0, (1).to_bytes(4) + bytes(FRAME_BYTES_DEFAULT - 4)),
    frames.frame(0xBE, 0xFF, 1, bytes(FRAME_BYTES_DEFAULT)),
)


@requirement(HTTP2, "4.2", "All implementations MUST be capable")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("frame", LARGEST, ids=["DATA", "GOAWAY", "unknown"])
def test_frames_of_16384_bytes_are_taken(frame: bytes, fast: bool) -> None:
    server, client = _waiting(fast)
    client.receive_data(headers(1, RESPONSE))
    for end in (server, client):
        end.receive_data(frame)
        assert (end.failed, end.open_streams) == (None, 1)


@requirement(HTTP2, "4.2", "All implementations MUST be capable")
@pytest.mark.parametrize("fast", [True, False])
def test_headers_and_continuation_of_16384_bytes_are_taken(fast: bool) -> None:
    first = _block_of(FRAME_BYTES_DEFAULT, stateless_block(REQUEST[:4]))
    rest = _block_of(FRAME_BYTES_DEFAULT, b"")
    server = open_server(fast=fast)
    (message,) = server.receive_data(
        frames.frame(frames.HEADERS, END_STREAM, 1, first) + frames.frame(frames.CONTINUATION, END_HEADERS, 1, rest)
    )
    assert len(message.head.fields) == 6


@requirement(HTTP2, "6.5", "Implementations MUST support all of the settings")
def test_all_six_settings_of_the_peer_are_heeded() -> None:
    announced = {
        frames.HEADER_TABLE_SIZE: 100,
        frames.ENABLE_PUSH: 0,
        frames.MAX_CONCURRENT_STREAMS: 5,
        frames.INITIAL_WINDOW_SIZE: 7,
        frames.MAX_FRAME_SIZE: 20_000,
        frames.MAX_HEADER_LIST_SIZE: 9_000,
    }
    for end in (open_server(client_settings=announced), open_client(server_settings=announced)):
        heeded = end.remote
        assert (heeded.header_table_bytes, heeded.push_enabled, heeded.streams_max) == (100, False, 5)
        assert (heeded.window_bytes, heeded.frame_bytes_max, heeded.header_list_bytes_max) == (7, 20_000, 9_000)
    client = open_client(server_settings=announced)
    assert client.streams_free == 5
    client.request(REQUEST, b"longer than the window")
    head, body = frames_of(client.data_to_send())
    assert head.payload.startswith(b"\x3f\x45")  # a table size update to 100
    assert len(body.payload) == 7


PUSH = frames.frame(frames.PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02\x82")


@requirement(HTTP2, "6.5.2", "A client that has both set this parameter")
@requirement(HTTP2, "6.6", "An endpoint that has set this setting")
def test_a_client_whose_refusal_of_pushes_is_acknowledged_ends_the_connection_over_a_push() -> None:
    _, client = _waiting()
    assert client.local.push_enabled is False
    client.receive_data(PUSH)
    assert client.failed is not None
    assert client.failed.code is ErrorCode.PROTOCOL_ERROR


@requirement(HTTP2, "6.6", "A receiver MUST treat the receipt of a PUSH_PROMISE on a stream that is neither")
@pytest.mark.parametrize("stream_id", [1, 3], ids=["closed", "idle"])
def test_a_push_on_a_closed_or_an_idle_stream_ends_the_connection(stream_id: int) -> None:
    _, client = _waiting()
    client.receive_data(headers(1, RESPONSE, end_stream=True))
    client.receive_data(frames.frame(frames.PUSH_PROMISE, END_HEADERS, stream_id, b"\x00\x00\x00\x02\x82"))
    assert client.failed is not None
    assert client.failed.code is ErrorCode.PROTOCOL_ERROR


@requirement(HTTP2, "6.8", "HEADERS, PUSH_PROMISE, and CONTINUATION frames MUST be minimally processed")
@pytest.mark.parametrize("fast", [True, False])
def test_header_blocks_behind_a_goaway_still_feed_the_table(fast: bool) -> None:
    server, encoder = open_server(fast=fast), Encoder(unindexed=[b":path", b"apns-id"])
    client, answers = open_client(fast=fast), Encoder(unindexed=[b"apns-id"])
    server.receive_data(headers(1, REQUEST))
    for _ in range(2):
        client.request(REQUEST)
    server.goaway()
    client.receive_data(frames.goaway_frame(1, 0))
    ignored, trailers = encoder.encode((*REQUEST, (b"x", b"y"))), encoder.encode([(b"x", b"y"), (b"z", b"")])
    assert server.receive_data(frames.frame(frames.HEADERS, END_HEADERS, 3, ignored)) == []
    assert len(server.receive_data(frames.frame(frames.HEADERS, END_HEADERS | END_STREAM, 1, trailers))) == 1
    late = answers.encode((*RESPONSE, (b"x", b"y")))
    client.receive_data(frames.frame(frames.HEADERS, END_HEADERS | END_STREAM, 3, late))
    kept = answers.encode((*RESPONSE, (b"x", b"y")))
    (message,) = client.receive_data(frames.frame(frames.HEADERS, END_HEADERS | END_STREAM, 1, kept))
    assert message.head.value(b"x") == b"y"
    assert (server.failed, client.failed) == (None, None)


@requirement(HTTP2, "6.9", "Frames that are exempt from flow control")
@pytest.mark.parametrize("fast", [True, False])
def test_with_all_windows_used_up_every_frame_but_data_is_taken(fast: bool) -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 10}, fast=fast)
    server.receive_data(headers(1, REQUEST))
    server.inbound_window = server.inbound_window_max = 0
    arriving = [
        headers(3, REQUEST, end_stream=True),
        frames.frame(frames.PRIORITY, 0, 3, bytes(5)),
        frames.settings_frame({frames.MAX_FRAME_SIZE: 20_000}),
        frames.ping_frame(b"12345678"),
        frames.window_update_frame(1, 5),
        frames.frame(0xBE, 0, 1, bytes(100)),
        frames.rst_stream_frame(3, 8),
        frames.goaway_frame(0, 0),
        headers(1, ((b"x", b""),), end_stream=True),
    ]
    assert [message.stream_id for frame in arriving for message in server.receive_data(frame)] == [3, 1]
    assert server.failed is None


@requirement(HTTP2, "6.10", "CONTINUATION frames MUST be associated")
@requirement(HTTP2, "6.10", "If a CONTINUATION frame is received with a Stream")
@pytest.mark.parametrize("begun", [b"", frames.frame(frames.HEADERS, 0, 3)], ids=["alone", "behind HEADERS"])
def test_continuation_on_stream_0_ends_the_connection(begun: bytes) -> None:
    for end in _waiting():
        end.receive_data(begun + frames.frame(frames.CONTINUATION, END_HEADERS, 0))
        assert end.failed is not None
        assert end.failed.code is ErrorCode.PROTOCOL_ERROR


@requirement(HTTP2, "7", "Unknown or unsupported error codes")
@pytest.mark.parametrize("code", [0xE, 0xBEEF, 2**32 - 1])
def test_an_unknown_error_code_ends_what_any_code_ends_and_nothing_else(code: int) -> None:
    for end in _waiting():
        end.receive_data(frames.rst_stream_frame(1, code) + frames.goaway_frame(1, code))
        events = end.take_events()
        assert events == [StreamReset(1, code), GoawayReceived(1, code, b"", ())]
        assert (end.failed, end.open_streams) == (None, 0)


@requirement(HTTP2, "6.9.1", "If a sender receives a WINDOW_UPDATE")
@requirement(HTTP2, "6.9.1", "A sender MUST NOT allow")
def test_a_window_may_reach_2_31_less_1_and_no_more() -> None:
    server, _ = _waiting()
    room = 2**31 - 1 - frames.WINDOW_BYTES_DEFAULT
    server.receive_data(frames.window_update_frame(1, room) + frames.window_update_frame(0, room))
    assert (server.failed, server.take_events(), server.outbound_window) == (None, [], 2**31 - 1)
    server.receive_data(frames.window_update_frame(1, 1))
    (reset,) = sent(server, frames.RST_STREAM)
    assert (reset.stream_id, reset.payload) == (1, int(ErrorCode.FLOW_CONTROL_ERROR).to_bytes(4))
    server.receive_data(frames.window_update_frame(0, 1))
    assert server.failed is not None
    assert server.failed.code is ErrorCode.FLOW_CONTROL_ERROR


@requirement(HTTP2, "8.5", 'The ":scheme" and ":path" pseudo-header fields MUST be omitted')
@pytest.mark.parametrize("without", [{"scheme": None}, {"path": None}, {}])
def test_a_connect_with_a_scheme_or_a_path_is_malformed(without: dict[str, bytes | None]) -> None:
    server = open_server()
    assert server.receive_data(request(1, b"", replaced(REQUEST, method=b"CONNECT", **without))) == []
    assert [event.code for event in server.take_events() if isinstance(event, StreamReset)] == [
        ErrorCode.PROTOCOL_ERROR
    ]
    good = replaced(REQUEST, method=b"CONNECT", scheme=None, path=None)
    (message,) = server.receive_data(request(3, b"", good))
    assert message.head.value(b":method") == b"CONNECT"
