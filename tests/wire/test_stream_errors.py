"""Rules of RFC 9113 whose breach ends one stream: a valid message, one thing spoilt, RST_STREAM; the next stream goes on."""

import pytest

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import (
    REQUEST,
    RESPONSE,
    Frame,
    data,
    frames_of,
    headers,
    open_client,
    open_server,
    request,
    sent,
)
from tests.wire.stream_breaches import AT_A_CLIENT, AT_A_SERVER, FLOW, PROTOCOL, TOO_LARGE, Breach, with_length
from wire import frames
from wire.connection import HEADER_LIST_BYTES_MAX, Connection
from wire.errors import ErrorCode
from wire.events import HeaderListRefused, StreamRefused, StreamReset
from wire.hpack import Encoder
from wire.request import Fields
from wire.server import NO_TABLE


def _check(end: Connection, breach: Breach) -> None:
    assert end.failed is None
    (reset,) = [event for event in end.take_events() if isinstance(event, StreamReset)]
    assert (reset.stream_id, reset.code, reset.local) == (1, breach.code, True)
    assert breach.why in reset.why
    assert sent(end, frames.RST_STREAM) == [Frame(frames.RST_STREAM, 0, 1, breach.code.to_bytes(4))]
    assert end.open_streams == 0
    assert not end._receiving
    assert not end._sending


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "general"])
@pytest.mark.parametrize("breach", [breach.case() for breach in AT_A_SERVER])
def test_a_server_ends_the_stream_over(breach: Breach, fast: bool) -> None:
    server = open_server({frames.MAX_HEADER_LIST_SIZE: 8_000}, fast=fast)
    server.receive_data(breach.spoilt)
    _check(server, breach)
    # What the client had already sent on that stream is dropped, without a second RST_STREAM.
    late = data(1, b"late") + frames.window_update_frame(1, 0) + headers(1, REQUEST) + frames.frame(2, 0, 1, bytes(4))
    late += frames.rst_stream_frame(1, 8)
    assert [message.stream_id for message in server.receive_data(late + request(3))] == [3]
    assert server.data_to_send() == b""
    assert server.take_events() == []


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "general"])
@pytest.mark.parametrize("breach", [breach.case() for breach in AT_A_CLIENT])
def test_a_client_ends_the_stream_over(breach: Breach, fast: bool) -> None:
    client = open_client(fast=fast)
    client.request(REQUEST)
    client.data_to_send()
    assert client.receive_data(breach.spoilt) == []
    _check(client, breach)
    late = headers(1, RESPONSE) + data(1, b"late") + frames.window_update_frame(1, 0) + frames.frame(2, 0, 1, bytes(4))
    late += frames.rst_stream_frame(1, 8)
    assert client.receive_data(late) == []
    assert client.data_to_send() == b""
    assert client.take_events() == []
    assert client.request(REQUEST) == 3
    assert [message.stream_id for message in client.receive_data(headers(3, RESPONSE, end_stream=True))] == [3]


def test_the_same_message_unspoilt_is_fine() -> None:
    server = open_server()
    server.receive_data(request(1, b"12345", with_length(REQUEST, b"5")) + headers(3, REQUEST))
    received = server.receive_data(data(3, b"x") + headers(3, ((b"x-checksum", b"1"),), end_stream=True))
    assert [(message.stream_id, message.body) for message in received] == [(3, b"x")]
    assert [frame.kind for frame in frames_of(server.data_to_send())] == []


def test_data_over_the_window_of_a_stream_ends_the_stream() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 10})
    assert server.receive_data(headers(1, REQUEST) + data(1, b"x" * 11)) == []
    (reset,) = [event for event in server.take_events() if isinstance(event, StreamReset)]
    assert (reset.code, reset.local) == (FLOW, True)
    assert "6.9.1" in reset.why
    assert server.failed is None


def test_padding_counts_against_the_window_of_a_stream() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 10})
    padded = frames.frame(frames.DATA, frames.PADDED, 1, b"\x09x" + bytes(9))
    server.receive_data(headers(1, REQUEST) + padded)
    assert [event.code for event in server.take_events() if isinstance(event, StreamReset)] == [FLOW]


@requirement(HTTP2, "10.5.1", "The field block MUST be")
def test_the_header_block_of_an_ended_stream_still_feeds_the_table() -> None:
    server, encoder = open_server(), Encoder(unindexed=[b":path", b"apns-id"])
    first = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, encoder.encode((*REQUEST, (b"Bad", b"name"))))
    second = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, encoder.encode(REQUEST))
    (message,) = server.receive_data(first + second)
    assert message.head.value(b"apns-topic") == b"com.example.app"


def test_a_header_list_has_a_bound_even_when_settings_name_none() -> None:
    server = open_server()
    block = Encoder().encode((*REQUEST, *[(b"x", b"v" * 4_000)] * (HEADER_LIST_BYTES_MAX // 4_000 + 1)))
    assert len(block) < 16_384
    server.receive_data(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block))
    (refused,) = server.take_events()
    assert isinstance(refused, HeaderListRefused)
    assert "at most 65,536" in refused.why
    assert frames_of(server.data_to_send()) == [
        Frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, TOO_LARGE)
    ]


LARGE: Fields = (*REQUEST, (b"x", b"1" * 16_000))


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "general"])
@pytest.mark.parametrize(
    "rest", [b"", data(1, b"{}", end_stream=True), data(1, b"part")], ids=["later", "whole", "part"]
)
def test_a_request_whose_header_list_is_over_the_bound_is_answered_431_and_the_rest_of_it_dropped(
    fast: bool, rest: bytes
) -> None:
    server = open_server({frames.MAX_HEADER_LIST_SIZE: 8_000}, fast=fast)
    assert server.receive_data(headers(1, LARGE) + rest) == []
    answer, reset = frames_of(server.data_to_send())
    assert answer == Frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, TOO_LARGE)
    assert reset == Frame(frames.RST_STREAM, 0, 1, int(ErrorCode.NO_ERROR).to_bytes(4))
    assert [type(event) for event in server.take_events()] == [HeaderListRefused]
    assert server.open_streams == 0
    late = data(1, b"late") + headers(1, ((b"x", b""),), end_stream=True) + frames.window_update_frame(1, 0)
    assert [message.stream_id for message in server.receive_data(late + request(3))] == [3]
    assert (server.failed, server.take_events(), server.data_to_send()) == (None, [], b"")


@requirement(HTTP2, "10.5.1", "The field block MUST be")
def test_a_refused_header_list_still_feeds_the_table_and_confirms_a_lowered_one() -> None:
    server, encoder = open_server({frames.MAX_HEADER_LIST_SIZE: 210}), Encoder(unindexed=[b":path"])
    large = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, encoder.encode(REQUEST))
    small = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, encoder.encode(REQUEST[:4]))
    table = frames.settings_frame({frames.HEADER_TABLE_SIZE: 0})
    assert [message.stream_id for message in server.receive_data(table + large + small)] == [3]
    server.answer(3, b"\x88")
    assert [frame.payload for frame in sent(server, frames.HEADERS)] == [NO_TABLE + TOO_LARGE, b"\x88"]


def test_a_header_list_over_the_bound_and_over_the_stream_limit_is_refused_as_a_stream() -> None:
    server = open_server({frames.MAX_HEADER_LIST_SIZE: 8_000, frames.MAX_CONCURRENT_STREAMS: 1})
    server.receive_data(request(1) + headers(3, LARGE, end_stream=True))
    assert server.take_events() == [StreamRefused(3)]


def test_a_response_whose_header_list_is_over_the_bound_ends_its_stream() -> None:
    client = open_client({frames.MAX_HEADER_LIST_SIZE: 100})
    client.request(REQUEST)
    client.data_to_send()
    assert client.receive_data(headers(1, (*RESPONSE, (b"x", b"1" * 100)), end_stream=True)) == []
    (reset,) = client.take_events()
    assert isinstance(reset, StreamReset)
    assert (reset.code, reset.local) == (PROTOCOL, True)
    assert "at most 100" in reset.why
