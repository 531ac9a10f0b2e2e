"""SETTINGS of both ends (RFC 9113, section 6.5): what binds whom from when, and what is refused."""

import pytest

from tests.wire.conformance.requirement import HPACK, HTTP2, requirement
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
from wire import frames
from wire.client import ClientConnection
from wire.errors import ErrorCode, LocalProtocolError
from wire.events import HeaderListRefused, SettingsAcknowledged, SettingsReceived, StreamRefused
from wire.hpack import Encoder, integer
from wire.server import NO_TABLE, STREAMS_BEFORE_ACK_MAX, STREAMS_MAX_DEFAULT, ServerConnection
from wire.settings import SETTINGS_ENTRIES_MAX, SETTINGS_UNACKNOWLEDGED_MAX, Announced

STREAMS = frames.MAX_CONCURRENT_STREAMS
OK = b"\x88"


@requirement(HTTP2, "3.4", "This sequence MUST be followed")
@requirement(HTTP2, "3.4", "a potentially empty SETTINGS frame")
@requirement(HTTP2, "6.5", "A SETTINGS frame MUST be sent by both")
def test_both_ends_begin_with_settings() -> None:
    server, client = ServerConnection({STREAMS: 7}), ClientConnection({frames.HEADER_TABLE_SIZE: 0})
    assert frames_of(server.data_to_send())[0].payload == b"\x00\x03\x00\x00\x00\x07"
    greeting = client.data_to_send()
    assert greeting.startswith(frames.PREFACE)
    assert frames_of(greeting)[0].payload == b"\x00\x02\x00\x00\x00\x00" + b"\x00\x01\x00\x00\x00\x00"


def test_a_server_always_announces_a_limit_of_streams() -> None:
    server = open_server()
    assert server.local.streams_max == STREAMS_MAX_DEFAULT
    assert server.streams_in_force == STREAMS_MAX_DEFAULT


@requirement(HTTP2, "6.5.3", "Once all values")
@requirement(HTTP2, "6.5.3", "Unsupported settings MUST")
@requirement(HTTP2, "6.5.2", "An endpoint that receives a SETTINGS frame with any unknown")
@requirement(HTTP2, "3.4", "The SETTINGS frames received from a peer")
def test_settings_are_acknowledged_and_told() -> None:
    server = open_server()
    server.receive_data(frames.settings_frame({frames.MAX_FRAME_SIZE: 20_000, 0xF00D: 5}))
    assert frames_of(server.data_to_send()) == [Frame(frames.SETTINGS, frames.ACK, 0, b"")]
    assert server.take_events() == [SettingsReceived({frames.MAX_FRAME_SIZE: 20_000, 0xF00D: 5})]
    assert server.remote.frame_bytes_max == 20_000


@requirement(HTTP2, "6.5.3", "The values in the SETTINGS frame MUST be processed")
def test_of_a_repeated_setting_the_last_value_counts() -> None:
    server = open_server()
    server.receive_data(frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\5" + b"\0\4\0\0\0\7"))
    assert server.remote.window_bytes == 7


def test_own_settings_bind_in_the_order_of_their_acks() -> None:
    server = open_server()
    server.change_settings({frames.MAX_HEADER_LIST_SIZE: 100})
    server.change_settings({STREAMS: 2})
    server.receive_data(frames.SETTINGS_ACK)
    assert server.take_events() == [SettingsAcknowledged({frames.MAX_HEADER_LIST_SIZE: 100})]
    assert (server.local.header_list_bytes_max, server.local.streams_max) == (100, STREAMS_MAX_DEFAULT)
    server.receive_data(frames.SETTINGS_ACK)
    assert server.local.streams_max == 2


def test_an_ack_of_settings_sent_raw_is_ignored() -> None:
    server = open_server()
    server.send_raw(frames.settings_frame({frames.ENABLE_PUSH: 1}))
    server.receive_data(frames.SETTINGS_ACK + request(1))
    assert server.failed is None
    assert server.take_events() == [SettingsAcknowledged({})]
    assert server.is_open(1)


@pytest.mark.parametrize(
    "changed",
    [
        {frames.ENABLE_PUSH: 1},
        {frames.ENABLE_PUSH: 2},
        {frames.INITIAL_WINDOW_SIZE: 2**31},
        {frames.MAX_FRAME_SIZE: 16_383},
        {frames.MAX_FRAME_SIZE: 2**24},
        {STREAMS: 2**32},
        {STREAMS: -1},
        {2**16: 0},
    ],
)
@requirement(HTTP2, "6.5.2", "A server MUST NOT explicitly")
@requirement(HTTP2, "6.5.2", "if a server does include")
@requirement(HTTP2, "6.5.2", "The value advertised")
def test_settings_that_break_the_protocol_are_not_announced(changed: dict[int, int]) -> None:
    server = open_server()
    with pytest.raises(LocalProtocolError):
        server.change_settings(changed)
    assert server.data_to_send() == b""
    with pytest.raises(LocalProtocolError):
        ClientConnection(changed)


def test_settings_are_announced_up_to_a_bound_of_unacknowledged_ones() -> None:
    server = open_server()
    for number in range(SETTINGS_UNACKNOWLEDGED_MAX):
        server.change_settings({STREAMS: number})
    server.data_to_send()
    with pytest.raises(LocalProtocolError, match="not acknowledged the last 64"):
        server.change_settings({STREAMS: 1})
    assert server.data_to_send() == b""
    server.receive_data(frames.SETTINGS_ACK)
    server.change_settings({STREAMS: 1})


@pytest.mark.parametrize(("entries", "taken"), [(SETTINGS_ENTRIES_MAX, True), (SETTINGS_ENTRIES_MAX + 1, False)])
def test_settings_of_the_peer_have_a_bound_of_entries(entries: int, taken: bool) -> None:
    server = open_server()
    server.receive_data(frames.settings_frame({0x100 + number: 1 for number in range(entries)}))
    assert (server.failed is None) is taken
    assert server.failed is None or server.failed.code is ErrorCode.ENHANCE_YOUR_CALM


def test_until_the_ack_the_largest_value_under_way_is_tolerated() -> None:
    announced = Announced()
    announced.announce({frames.MAX_FRAME_SIZE: 50_000, frames.INITIAL_WINDOW_SIZE: 10})
    announced.announce({frames.MAX_FRAME_SIZE: 20_000, frames.HEADER_TABLE_SIZE: 9_000})
    assert (announced.frame_bytes_max, announced.window_bytes_max) == (50_000, 65_535)
    assert announced.header_table_bytes_max == 9_000
    announced.acknowledge()
    assert (announced.frame_bytes_max, announced.window_bytes_max) == (50_000, 10)
    announced.acknowledge()
    assert announced.frame_bytes_max == 20_000
    assert announced.acknowledge() == {}


def test_frames_up_to_the_announced_size_are_taken_on_both_ways() -> None:
    for fast in (True, False):
        server = open_server({frames.MAX_FRAME_SIZE: 100_000, frames.INITIAL_WINDOW_SIZE: 100_000}, fast=fast)
        server.widen_window(100_000)
        assert [len(message.body) for message in server.receive_data(request(1, bytes(65_536)))] == [65_536]
        server.receive_data(request(3, bytes(100_001)))
        assert server.failed is not None
        assert server.failed.code is ErrorCode.FRAME_SIZE_ERROR


@pytest.mark.parametrize("fast", [True, False])
def test_the_high_byte_of_a_frames_length_counts(fast: bool) -> None:
    large = {frames.MAX_FRAME_SIZE: 100_000, frames.INITIAL_WINDOW_SIZE: 100_000}
    server = open_server(large, fast=fast, body_bytes_max=100_000)
    client = open_client(large, fast=fast, body_bytes_max=100_000)
    for end in (server, client):
        end.widen_window(100_000)
    client.request(REQUEST)
    body = bytes(2**16 + 5)
    assert [len(message.body) for message in server.receive_data(request(1, body))] == [len(body)]
    response = headers(1, RESPONSE) + data(1, body, end_stream=True)
    assert [len(message.body) for message in client.receive_data(response)] == [len(body)]


# The limit of streams.


@requirement(HTTP2, "5.1.2", "An endpoint that receives a HEADERS")
def test_streams_over_the_limit_are_refused_and_their_blocks_decoded() -> None:
    server, encoder = open_server({STREAMS: 2}), Encoder(unindexed=[b":path", b"apns-id"])
    blocks = [encoder.encode((*REQUEST, (b"x", b"%d" % number))) for number in range(4)]
    opened = [
        frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 2 * number + 1, block)
        for number, block in enumerate(blocks)
    ]
    assert [message.stream_id for message in server.receive_data(b"".join(opened[:3]))] == [1, 3]
    assert server.take_events() == [StreamRefused(5)]
    (reset,) = sent(server, frames.RST_STREAM)
    assert (reset.stream_id, reset.payload) == (5, int(ErrorCode.REFUSED_STREAM).to_bytes(4))
    server.answer(1, OK)
    (message,) = server.receive_data(opened[3])
    assert message.head.fields == (*((n, b"" if n in server.varying else v) for n, v in REQUEST), (b"x", b"3"))


@requirement(HTTP2, "5.1.2", "An endpoint that receives a HEADERS")
def test_on_the_hot_path_the_limit_counts_as_well() -> None:
    server = open_server({STREAMS: 2})
    assert [message.stream_id for message in server.receive_data(request(1) + request(3) + request(5))] == [1, 3]
    assert server.take_events() == [StreamRefused(5)]


def test_a_lower_limit_binds_after_its_ack_and_a_higher_one_at_once() -> None:
    server = open_server({STREAMS: 2})
    server.change_settings({STREAMS: 1})
    assert len(server.receive_data(request(1) + request(3))) == 2
    server.answer(3, OK)
    server.receive_data(frames.SETTINGS_ACK + request(5))
    assert StreamRefused(5) in server.take_events()
    server.change_settings({STREAMS: 3})
    assert len(server.receive_data(request(7) + request(9))) == 2


@pytest.mark.parametrize("fast", [True, False])
def test_before_its_first_ack_a_client_may_open_a_bounded_number_of_streams(fast: bool) -> None:
    server = ServerConnection({STREAMS: 1}, fast=fast)
    server.receive_data(frames.PREFACE + frames.settings_frame({}))
    opened = b"".join(request(2 * number + 1) for number in range(STREAMS_BEFORE_ACK_MAX + 1))
    assert len(server.receive_data(opened)) == STREAMS_BEFORE_ACK_MAX
    assert StreamRefused(2 * STREAMS_BEFORE_ACK_MAX + 1) in server.take_events()


@requirement(HTTP2, "5.1.2", "Endpoints MUST NOT exceed")
def test_a_client_keeps_the_limit_of_the_server() -> None:
    client = open_client(server_settings={STREAMS: 2})
    client.request(REQUEST)
    client.request(REQUEST)
    assert client.streams_free == 0
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="no stream is free"):
            client.request(REQUEST)
        with pytest.raises(LocalProtocolError, match="no stream is free"):
            client.send(client.prepare(REQUEST), b"/", b"id", b"")
    client.receive_data(headers(1, RESPONSE, end_stream=True))
    assert client.streams_free == 1
    client.receive_data(frames.settings_frame({STREAMS: 0}))
    assert client.streams_free == 0


# The size of the header table.


@requirement(HTTP2, "4.3.1", "its HPACK encoder MUST")
@requirement(HPACK, "4.2", "This dynamic table size update MUST")
def test_a_lowered_table_is_confirmed_by_the_first_answer_and_by_no_other() -> None:
    server = open_server()
    server.receive_data(request(1) + request(3) + frames.settings_frame({frames.HEADER_TABLE_SIZE: 100}))
    server.answer(1, OK)
    server.answer(3, OK)
    assert [frame.payload for frame in sent(server, frames.HEADERS)] == [NO_TABLE + OK, OK]
    server.receive_data(request(5) + frames.settings_frame({frames.HEADER_TABLE_SIZE: 50}))
    server.answer(5, OK)
    assert [frame.payload for frame in sent(server, frames.HEADERS)] == [OK]


@requirement(HTTP2, "4.3.1", "its HPACK encoder MUST")
@requirement(HPACK, "4.2", "the smallest maximum")
def test_a_table_lowered_and_raised_in_one_frame_is_confirmed_by_its_lowest_size() -> None:
    settings = frames.frame(frames.SETTINGS, 0, 0, b"\0\1\0\0\0\5" + b"\0\1\0\0\x20\0")
    server = open_server()
    server.receive_data(request(1) + settings)
    server.answer(1, OK)
    assert sent(server, frames.HEADERS)[0].payload == NO_TABLE + OK
    client = open_client()
    client.receive_data(settings)
    client.request(REQUEST)
    assert sent(client, frames.HEADERS)[0].payload.startswith(integer(5, 0x1F, 0x20) + integer(4_096, 0x1F, 0x20))


def test_a_raised_table_needs_no_confirmation() -> None:
    server, client = open_server(), open_client()
    server.receive_data(request(1) + frames.settings_frame({frames.HEADER_TABLE_SIZE: 65_536}))
    server.answer(1, OK)
    assert sent(server, frames.HEADERS)[0].payload == OK
    client.receive_data(frames.settings_frame({frames.HEADER_TABLE_SIZE: 65_536}))
    client.request(REQUEST)
    assert sent(client, frames.HEADERS)[0].payload[0] & 0xE0 != 0x20


@pytest.mark.parametrize("fast", [True, False])
@requirement(HTTP2, "4.3.1", "MUST treat a field block")
def test_after_the_ack_of_a_smaller_table_a_block_that_does_not_confirm_it_is_refused(fast: bool) -> None:
    server = open_server(fast=fast)
    assert len(server.receive_data(request(1) + request(3))) == 2
    server.change_settings({frames.HEADER_TABLE_SIZE: 100})
    assert len(server.receive_data(request(5))) == 1
    server.receive_data(frames.SETTINGS_ACK)
    server.receive_data(request(7))
    assert server.failed is not None
    assert server.failed.code is ErrorCode.COMPRESSION_ERROR


def test_a_larger_table_may_be_used_before_its_ack_has_come() -> None:
    server = open_server()
    server.change_settings({frames.HEADER_TABLE_SIZE: 10_000})
    block = integer(10_000, 0x1F, 0x20) + Encoder().encode(REQUEST)
    server.receive_data(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block))
    assert server.is_open(1)


@pytest.mark.parametrize("fast", [True, False])
def test_a_changed_bound_of_header_lists_holds_from_its_ack(fast: bool) -> None:
    server = open_server(fast=fast)
    server.change_settings({frames.MAX_HEADER_LIST_SIZE: 150})
    assert len(server.receive_data(request(1) + request(3))) == 2
    assert server.receive_data(frames.SETTINGS_ACK + request(5)) == []
    assert [event.stream_id for event in server.take_events() if isinstance(event, HeaderListRefused)] == [5]


def test_settings_of_the_server_do_not_touch_what_the_client_has_announced() -> None:
    client = open_client({frames.MAX_FRAME_SIZE: 30_000})
    client.receive_data(frames.settings_frame({frames.MAX_FRAME_SIZE: 16_384}))
    client.request(REQUEST)
    client.receive_data(headers(1, RESPONSE) + data(1, bytes(30_000)))
    assert client.failed is None
