"""How streams and connections end (RFC 9113, sections 5.1, 5.4, 6.4, 6.8), and frames that faults send at any time."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import (
    REQUEST,
    RESPONSE,
    Frame,
    checked,
    data,
    frames_of,
    headers,
    open_client,
    open_server,
    request,
    sent,
)
from wire import frames
from wire.client import ClientConnection
from wire.errors import ErrorCode, LocalProtocolError, code_name
from wire.events import GoawayReceived, PingAcknowledged, StreamReset, TrailersReceived
from wire.server import GAPS_REMEMBERED_MAX, ServerConnection
from wire.streams import RESET_STREAMS_REMEMBERED_MAX

OK = b"\x88"


def _client_with(streams: int, body: bytes = b"") -> ClientConnection:
    client = open_client()
    for _ in range(streams):
        client.request(REQUEST, body)
    client.data_to_send()
    return client


# Goodbyes.


def test_a_goaway_names_the_streams_that_are_safe_to_send_elsewhere() -> None:
    client = _client_with(4)
    assert client.receive_data(headers(1, RESPONSE, end_stream=True) + frames.goaway_frame(3, 0, b"why"))
    assert client.take_events() == [GoawayReceived(3, 0, b"why", (5, 7))]
    assert client.closing
    assert client.open_streams == 1
    assert [message.stream_id for message in client.receive_data(headers(3, RESPONSE, end_stream=True))] == [3]
    assert client.open_streams == 0


def test_answers_on_streams_that_a_goaway_disowned_are_dropped_and_the_rest_goes_on() -> None:
    client = _client_with(3, b"body")
    late = headers(5, RESPONSE) + data(5, b"late", end_stream=True) + headers(3, RESPONSE, end_stream=True)
    received = client.receive_data(frames.goaway_frame(3, 0) + late)
    assert [message.stream_id for message in received] == [3]
    assert client.failed is None


def test_a_second_goaway_may_lower_the_last_stream_and_never_raise_it() -> None:
    client = _client_with(3)
    client.receive_data(frames.goaway_frame(2**31 - 1, 0) + frames.goaway_frame(3, 0) + frames.goaway_frame(5, 2))
    assert client.take_events() == [
        GoawayReceived(2**31 - 1, 0, b"", ()),
        GoawayReceived(3, 0, b"", (5,)),
        GoawayReceived(3, 2, b"", ()),
    ]


@pytest.mark.parametrize("by_the_server", [True, False])
@requirement(HTTP2, "6.8", "Receivers of a GOAWAY")
def test_after_a_goaway_of_either_end_no_request_leaves(by_the_server: bool) -> None:
    client = open_client()
    prepared = client.prepare(REQUEST)
    if by_the_server:
        client.receive_data(frames.goaway_frame(2**31 - 1, 0))
    else:
        client.goaway()
    client.data_to_send()
    with pytest.raises(LocalProtocolError):
        client.send(prepared, b"/", b"id", b"{}")
    with pytest.raises(LocalProtocolError):
        client.request(REQUEST)
    assert client.data_to_send() == b""


def test_a_client_that_has_said_goodbye_still_takes_its_answers() -> None:
    client = _client_with(1)
    client.goaway()
    assert sent(client, frames.GOAWAY) == [Frame(frames.GOAWAY, 0, 0, bytes(8))]
    assert [message.stream_id for message in client.receive_data(headers(1, RESPONSE, end_stream=True))] == [1]


@pytest.mark.parametrize("fast", [True, False])
def test_streams_above_the_last_of_a_goaway_are_ignored_and_those_below_are_served(fast: bool) -> None:
    server = open_server(fast=fast)
    assert len(server.receive_data(request(1) + headers(3, REQUEST))) == 1
    server.goaway(debug=b'{"reason":"Shutdown"}')
    assert sent(server, frames.GOAWAY) == [Frame(frames.GOAWAY, 0, 0, b"\0\0\0\3\0\0\0\0" + b'{"reason":"Shutdown"}')]
    received = server.receive_data(request(5) + data(3, b"{}", end_stream=True) + data(5, b"") + headers(5, REQUEST))
    assert [message.stream_id for message in received] == [3]
    assert server.failed is None
    assert server.answer(1, OK)


@pytest.mark.parametrize("fast", [True, False])
@requirement(HTTP2, "6.8", "Endpoints MUST NOT increase")
def test_a_goaway_ahead_of_time_leaves_the_connection_in_use(fast: bool) -> None:
    server = open_server(fast=fast)
    server.goaway(last_stream_id=2**31 - 1)
    assert [message.stream_id for message in server.receive_data(request(1) + request(3))] == [1, 3]
    server.goaway()
    assert [frame.payload[:4] for frame in sent(server, frames.GOAWAY)] == [b"\x7f\xff\xff\xff", b"\0\0\0\3"]


def test_a_goaway_below_streams_in_flight_lets_them_be_answered_all_the_same() -> None:
    server = open_server()
    server.receive_data(request(1) + request(3) + headers(5, REQUEST))
    server.goaway(last_stream_id=1)
    assert [message.stream_id for message in server.receive_data(data(5, b"", end_stream=True))] == [5]
    assert server.answer(3, OK)
    assert server.answer(5, OK)


def test_a_server_told_goodbye_finishes_its_answers() -> None:
    server = open_server()
    server.receive_data(request(1) + frames.goaway_frame(0, 0))
    assert server.take_events() == [GoawayReceived(0, 0, b"", ())]
    assert server.answer(1, OK)


# Resets.


@requirement(HTTP2, "6.4", "After receiving a RST_STREAM")
def test_a_stream_reset_by_the_client_is_told_and_no_longer_answered() -> None:
    server = open_server()
    received = server.receive_data(request(1) + frames.rst_stream_frame(1, 8) + request(3))
    assert [message.stream_id for message in received] == [1, 3]
    assert server.take_events() == [StreamReset(1, 8)]
    assert not server.is_open(1)
    assert server.answer(1, OK) is False
    assert server.data_to_send() == b""
    assert server.answer(3, OK) is True


@requirement(HTTP2, "6.4", "After receiving a RST_STREAM")
def test_a_reset_in_the_middle_of_a_body_takes_back_what_was_to_come() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 1})
    server.receive_data(request(1))
    server.answer(1, OK, b"body")
    server.receive_data(frames.rst_stream_frame(1, 5) + frames.window_update_frame(1, 10))
    assert [frame.payload for frame in sent(server, frames.DATA)] == [b"b"]
    assert server.open_streams == 0


def test_only_streams_that_were_opened_and_not_yet_answered_can_be_answered() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 1})
    for stream_id in (1, 2):
        with pytest.raises(LocalProtocolError, match=f"stream {stream_id} is not waiting"):
            server.answer(stream_id, OK)
    server.receive_data(request(1))
    server.answer(1, OK, b"body")
    with pytest.raises(LocalProtocolError, match="stream 1 is not waiting"):
        server.answer(1, OK)


@requirement(HTTP2, "6.4", "after sending the RST_STREAM")
@requirement(HTTP2, "5.4.2", "The peer that sends")
@requirement(HTTP2, "5.4.2", "an endpoint MUST NOT send a RST_STREAM in response")
@requirement(HTTP2, "5.1", "An endpoint MUST minimally process")
def test_a_reset_of_a_request_by_its_client_frees_its_stream() -> None:
    client = open_client(server_settings={frames.MAX_CONCURRENT_STREAMS: 1})
    client.request(REQUEST)
    client.reset(1)
    assert sent(client, frames.RST_STREAM) == [Frame(frames.RST_STREAM, 0, 1, int(ErrorCode.CANCEL).to_bytes(4))]
    assert client.streams_free == 1
    late = headers(1, RESPONSE) + data(1, b"x") + headers(1, ((b"x", b""),), end_stream=True)
    assert client.receive_data(late + frames.rst_stream_frame(1, 8)) == []
    assert (client.failed, client.take_events()) == (None, [])


@requirement(HTTP2, "5.4.2", "The peer that sends")
def test_late_frames_of_more_reset_streams_than_are_remembered_do_no_harm() -> None:
    server = open_server()
    last = 2 * RESET_STREAMS_REMEMBERED_MAX + 3
    for stream_id in range(1, last + 1, 2):
        server.receive_data(headers(stream_id, REQUEST))
        server.reset(stream_id)
        server.data_to_send()
    assert len(server._reset) == RESET_STREAMS_REMEMBERED_MAX
    assert 1 not in server._reset
    for stream_id in (1, 3, last):
        server.receive_data(data(stream_id, b"late") + headers(stream_id, REQUEST))
    assert (server.failed, server.take_events(), server.data_to_send()) == (None, [], b"")


def test_stretches_of_ids_passed_over_are_remembered_up_to_a_bound() -> None:
    server = open_server()
    for number in range(GAPS_REMEMBERED_MAX + 5):
        server.receive_data(headers(4 * number + 3, REQUEST))
    assert len(server._gaps) == GAPS_REMEMBERED_MAX
    server.receive_data(headers(1, REQUEST))  # beyond memory: an error still, with the code of any closed stream
    assert server.failed is not None
    assert server.failed.code is ErrorCode.STREAM_CLOSED


def test_an_abandoned_stream_is_free_again_without_a_frame() -> None:
    server = open_server({frames.MAX_CONCURRENT_STREAMS: 1})
    server.receive_data(request(1))
    server.send_raw(b"whatever a fault sends")
    server.abandon(1)
    assert server.data_to_send() == b"whatever a fault sends"
    assert [message.stream_id for message in server.receive_data(data(1, b"late") + request(3))] == [3]
    assert server.failed is None


def test_a_reset_ahead_of_its_stream_does_not_close_it() -> None:
    server = open_server()
    server.reset(1)
    assert [message.stream_id for message in server.receive_data(request(1))] == [1]


# Stream ids.


@requirement(HTTP2, "5.1.1", "The identifier of a newly")
def test_the_last_stream_id_is_served_and_none_follows() -> None:
    last = 2**31 - 1
    client = open_client(first_stream_id=last - 2)
    assert client.streams_free == 2
    assert client.request(REQUEST) == last - 2
    assert client.streams_free == 1
    assert client.request(REQUEST) == last
    assert client.closing
    with pytest.raises(LocalProtocolError):
        client.request(REQUEST)
    server = open_server()
    greeting = client.data_to_send()
    assert [message.stream_id for message in server.receive_data(greeting)] == [last - 2, last]
    server.answer(last, OK)
    assert [message.stream_id for message in client.receive_data(server.data_to_send())] == [last]
    # What follows in the count would be stream 1 with its reserved bit set: used up long ago.
    server.receive_data(request(1 | 1 << 31))
    assert server.failed is not None


@pytest.mark.parametrize("first", [0, 2, -1, 2**31, 2**31 + 1])
@requirement(HTTP2, "5.1.1", "Streams initiated by a client MUST")
def test_a_client_cannot_begin_with_a_stream_that_is_not_its_own(first: int) -> None:
    with pytest.raises(LocalProtocolError, match=r"odd numbers up to 2\^31-1"):
        ClientConnection(first_stream_id=first)


# Messages with interim responses and trailers.


def test_interim_responses_are_passed_over_and_trailers_told() -> None:
    client = _client_with(1)
    interim = headers(1, ((b":status", b"103"), (b"link", b"</a>"))) * 2
    (message,) = client.receive_data(
        interim + headers(1, RESPONSE) + data(1, b"body") + headers(1, ((b"checksum", b"1"),), end_stream=True)
    )
    assert (message.head.value(b":status"), message.body) == (b"200", b"body")
    assert client.take_events() == [TrailersReceived(1)]


def test_a_response_to_a_conditional_request_may_announce_a_length_without_a_body() -> None:
    client = _client_with(1)
    not_modified = headers(1, ((b":status", b"304"), (b"content-length", b"500")), end_stream=True)
    assert [message.stream_id for message in client.receive_data(not_modified)] == [1]


# Anything, at any time.


def test_error_codes_have_the_names_of_the_rfc_and_others_their_number() -> None:
    assert (code_name(7), code_name(0xDEAD)) == ("REFUSED_STREAM", "0xdead")


@requirement(HTTP2, "6.7", "Receivers of a PING")
@requirement(HTTP2, "6.7", "An endpoint MUST set this flag")
@requirement(HTTP2, "6.7", "An endpoint MUST NOT respond to PING")
@requirement(HTTP2, "6.7", "PING frames MUST contain")
def test_pings_are_answered_and_answers_told() -> None:
    server = open_server()
    server.ping(b"12345678")
    server.receive_data(frames.ping_frame(b"abcdefgh") + frames.ping_frame(b"12345678", ack=True))
    assert [(frame.flags, frame.payload) for frame in sent(server, frames.PING)] == [
        (0, b"12345678"),
        (frames.ACK, b"abcdefgh"),
    ]
    assert server.take_events() == [PingAcknowledged(b"12345678")]
    with pytest.raises(LocalProtocolError, match="8 bytes"):
        server.ping(b"1234567")


FAULTS: list[Callable[[ServerConnection], object]] = [
    lambda server: server.send_raw(frames.frame(0, 0, 1, b"data out of the blue")),
    lambda server: server.send_raw(b"\x00\x00"),
    lambda server: server.reset(1),
    lambda server: server.reset(99, ErrorCode.REFUSED_STREAM),
    lambda server: server.reset(0, 0xDEAD),
    lambda server: server.abandon(3),
    lambda server: server.goaway(ErrorCode.ENHANCE_YOUR_CALM),
    lambda server: server.goaway(last_stream_id=2**31 - 1),
    lambda server: server.ping(b"12345678"),
    lambda server: server.change_settings({frames.INITIAL_WINDOW_SIZE: 0}),
    lambda server: server.change_settings({frames.MAX_CONCURRENT_STREAMS: 0, frames.HEADER_TABLE_SIZE: 0}),
    lambda server: server.widen_window(1_000),
]


@checked
@given(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 400)), max_size=12), st.booleans())
def test_a_server_may_send_any_frame_between_any_bytes_and_still_reads(
    faults: list[tuple[Callable[[ServerConnection], object], int]], fast: bool
) -> None:
    conversation = b"".join(
        headers(at, REQUEST) + data(at, b"12") + data(at, b"3", end_stream=True) for at in (1, 3, 5)
    )
    server, at = open_server(fast=fast), 0
    for fault, size in faults:
        for message in server.receive_data(conversation[at : at + size]):
            server.answer(message.stream_id, OK, b"answer")
        at += size
        fault(server)
    for message in server.receive_data(conversation[at:]):
        server.answer(message.stream_id, OK, b"answer")
    assert server.failed is None
    server.data_to_send()
    server.receive_data(frames.ping_frame(b"whether "))
    assert frames_of(server.data_to_send()) == [Frame(frames.PING, frames.ACK, 0, b"whether ")]
