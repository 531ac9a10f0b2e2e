"""Windows of both directions (RFC 9113, 5.2 and 6.9): what may be sent, what is credited back, what changes in flight."""

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
from wire import frames
from wire.errors import ErrorCode, LocalProtocolError
from wire.events import StreamReset
from wire.frames import WINDOW_BYTES_DEFAULT, window_update_frame

OK = b"\x88"
NOT_ENDED, ENDED = 0, frames.END_STREAM


def _bodies(data_frames: list[Frame]) -> list[tuple[int, int, int]]:
    return [(frame.stream_id, len(frame.payload), frame.flags) for frame in data_frames]


@requirement(HTTP2, "5.2.1", "A sender MUST respect")
@requirement(HTTP2, "6.9.1", "The sender MUST NOT send a flow-controlled")
def test_an_answer_waits_for_the_window_of_its_stream_and_goes_on_when_it_opens() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 10})
    server.receive_data(request(1))
    server.answer(1, OK, b"x" * 25)
    assert _bodies(sent(server, frames.DATA)) == [(1, 10, NOT_ENDED)]
    assert not server.is_open(1)
    server.receive_data(window_update_frame(0, 100))
    assert server.data_to_send() == b""
    server.receive_data(window_update_frame(1, 14))
    assert _bodies(sent(server, frames.DATA)) == [(1, 14, NOT_ENDED)]
    server.receive_data(window_update_frame(1, 1))
    assert _bodies(sent(server, frames.DATA)) == [(1, 1, ENDED)]
    assert server.open_streams == 0


@requirement(HTTP2, "5.2.1", "A sender MUST respect")
@requirement(HTTP2, "6.9.1", "The sender MUST NOT send a flow-controlled")
def test_answers_wait_for_the_window_of_the_connection_and_go_on_in_order() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 2**31 - 1})
    server.receive_data(request(1) + request(3) + request(5))
    server.answer(1, OK, bytes(WINDOW_BYTES_DEFAULT - 5))
    server.answer(3, OK, bytes(10))
    server.answer(5, OK, bytes(10))
    assert server.outbound_window == 0
    assert _bodies(sent(server, frames.DATA))[-1] == (3, 5, NOT_ENDED)
    server.receive_data(window_update_frame(0, 8))
    assert _bodies(sent(server, frames.DATA)) == [(3, 5, ENDED), (5, 3, NOT_ENDED)]
    server.receive_data(window_update_frame(0, 8))
    assert _bodies(sent(server, frames.DATA)) == [(5, 7, ENDED)]
    assert server.outbound_window == 1


@requirement(HTTP2, "6.9.1", "The sender MUST NOT send a flow-controlled")
def test_a_stream_that_waits_for_its_own_window_does_not_hold_up_the_others() -> None:
    client = open_client(server_settings={frames.INITIAL_WINDOW_SIZE: 5})
    first, second = client.request(REQUEST, bytes(9)), client.request(REQUEST, bytes(5))
    assert _bodies(sent(client, frames.DATA)) == [(first, 5, NOT_ENDED), (second, 5, ENDED)]
    client.receive_data(window_update_frame(first, 4))
    assert _bodies(sent(client, frames.DATA)) == [(first, 4, ENDED)]


@requirement(HTTP2, "4.1", "MUST NOT be sent unless")
def test_frames_are_no_longer_than_the_peer_takes() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 100_000})
    server.receive_data(window_update_frame(0, 100_000) + request(1) + request(3))
    server.answer(1, OK, bytes(40_000))
    assert [size for _, size, _ in _bodies(sent(server, frames.DATA))] == [16_384, 16_384, 7_232]
    server.receive_data(frames.settings_frame({frames.MAX_FRAME_SIZE: 39_999}))
    server.answer(3, OK, bytes(40_000))
    assert [size for _, size, _ in _bodies(sent(server, frames.DATA))] == [39_999, 1]


@requirement(HTTP2, "6.9.2", "a receiver MUST adjust")
@requirement(HTTP2, "6.5.3", "the recipient of a SETTINGS frame in which the ACK")
def test_a_changed_initial_window_moves_all_windows_and_the_ack_goes_ahead_of_the_data() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 0})
    server.receive_data(request(1))
    server.answer(1, OK, b"x" * 8)
    server.data_to_send()
    server.receive_data(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 5}))
    ack, part = frames_of(server.data_to_send())
    assert (ack.kind, ack.flags) == (frames.SETTINGS, frames.ACK)
    assert part == Frame(frames.DATA, NOT_ENDED, 1, b"x" * 5)


@requirement(HTTP2, "6.9.2", "A sender MUST track")
@requirement(HTTP2, "6.9.2", "a receiver MUST adjust")
def test_a_lowered_initial_window_may_take_windows_below_zero() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 100})
    server.receive_data(request(1))
    server.answer(1, OK, b"x" * 150)
    server.data_to_send()
    server.receive_data(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 40}))  # the window is -60 now
    server.receive_data(window_update_frame(1, 60))
    assert sent(server, frames.DATA) == []
    server.receive_data(window_update_frame(1, 7))
    assert _bodies(sent(server, frames.DATA)) == [(1, 7, NOT_ENDED)]


def test_the_connections_window_is_opened_again_when_half_is_used() -> None:
    server = open_server()
    half = WINDOW_BYTES_DEFAULT // 2
    server.receive_data(request(1, bytes(16_000)) + request(3, bytes(16_000)))
    assert sent(server, frames.WINDOW_UPDATE) == []
    server.receive_data(request(5, bytes(half - 32_000 + 2)))
    assert sent(server, frames.WINDOW_UPDATE) == [Frame(frames.WINDOW_UPDATE, 0, 0, (half + 2).to_bytes(4))]
    assert server.inbound_window == WINDOW_BYTES_DEFAULT


@pytest.mark.parametrize("fast", [True, False])
def test_a_client_opens_the_connections_window_again_too(fast: bool) -> None:
    client = open_client(fast=fast)
    for number in range(3):
        client.request(REQUEST)
        client.data_to_send()
        at = 2 * number + 1
        client.receive_data(headers(at, RESPONSE) + data(at, bytes(16_000), end_stream=True))
    assert frames_of(client.data_to_send()) == [Frame(frames.WINDOW_UPDATE, 0, 0, (48_000).to_bytes(4))]


@pytest.mark.parametrize("why", ["reset by the server", "refused", "malformed", "above the last stream of a GOAWAY"])
@requirement(HTTP2, "6.9", "A receiver that receives a flow-controlled")
@requirement(HTTP2, "6.8", "DATA frames MUST be counted")
def test_data_on_a_stream_that_ended_here_is_still_credited_to_the_connection(why: str) -> None:
    server = open_server({frames.MAX_CONCURRENT_STREAMS: 1})
    if why == "refused":
        server.receive_data(headers(1, REQUEST))
    if why == "above the last stream of a GOAWAY":
        server.goaway()
    server.receive_data(headers(9, REQUEST if why != "malformed" else REQUEST[1:]))
    if why == "reset by the server":
        server.reset(9)
    server.data_to_send()
    for _ in range(2):
        server.receive_data(data(9, bytes(16_384)))
    padded = frames.frame(frames.DATA, frames.PADDED, 9, b"\xff" + bytes(255))
    server.receive_data(padded)
    assert server.failed is None
    assert frames_of(server.data_to_send()) == [Frame(frames.WINDOW_UPDATE, 0, 0, (2 * 16_384 + 256).to_bytes(4))]


def test_data_over_the_connections_window_ends_the_connection() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 2**20})
    block = headers(1, REQUEST) + data(1, bytes(16_384)) * 4
    server.receive_data(block[:-1])  # 3 * 16,384 bytes have come
    server.inbound_window = 16_383  # as if what was credited had not reached the client
    server.receive_data(block[-1:])
    assert server.failed is not None
    assert server.failed.code is ErrorCode.FLOW_CONTROL_ERROR
    assert "6.9.1" in server.failed.message


def test_the_window_of_a_long_body_is_opened_again_padding_included() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 1_000})
    server.receive_data(headers(1, REQUEST) + data(1, bytes(499)))
    assert server.data_to_send() == b""
    server.receive_data(frames.frame(frames.DATA, frames.PADDED, 1, b"\x00"))
    assert frames_of(server.data_to_send()) == [Frame(frames.WINDOW_UPDATE, 0, 1, (500).to_bytes(4))]


def test_the_end_of_a_body_opens_no_window() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 1_000})
    server.receive_data(headers(1, REQUEST) + data(1, bytes(1_000), end_stream=True))
    assert server.data_to_send() == b""


@requirement(HTTP2, "6.9.3", "the receiver MUST be prepared")
def test_until_the_ack_the_client_may_use_the_old_window_or_the_new() -> None:
    server = open_server()
    server.change_settings({frames.INITIAL_WINDOW_SIZE: 100})
    server.receive_data(headers(1, REQUEST) + data(1, bytes(16_384)))
    assert server.take_events() == []
    server.change_settings({frames.INITIAL_WINDOW_SIZE: 200_000})
    for _ in range(5):
        server.receive_data(data(1, bytes(16_384)))
    assert server.take_events() == []


@pytest.mark.parametrize("fast", [True, False])
def test_a_larger_window_may_be_used_before_its_ack_has_come(fast: bool) -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 10}, fast=fast)
    server.change_settings({frames.INITIAL_WINDOW_SIZE: 500})
    assert len(server.receive_data(request(1, bytes(500)) + headers(3, REQUEST) + data(3, bytes(400)))) == 1
    server.receive_data(frames.SETTINGS_ACK + data(3, bytes(100), end_stream=True))
    assert server.is_open(3)
    server.receive_data(request(5, bytes(501)))
    assert not server.is_open(5)


@requirement(HTTP2, "6.9.3", "the receiver MUST be prepared")
def test_a_window_lowered_in_flight_is_opened_again_at_the_ack_when_it_is_used_up() -> None:
    server = open_server()
    server.receive_data(headers(1, REQUEST) + data(1, bytes(16_384)))
    server.change_settings({frames.INITIAL_WINDOW_SIZE: 100})
    server.data_to_send()
    server.receive_data(frames.SETTINGS_ACK)
    # The client counts 100 - 16,384 bytes: without an update it would wait for ever.
    assert sent(server, frames.WINDOW_UPDATE) == [Frame(frames.WINDOW_UPDATE, 0, 1, (16_384).to_bytes(4))]
    server.receive_data(data(1, bytes(101)))
    assert [event.code for event in server.take_events() if isinstance(event, StreamReset)] == [
        ErrorCode.FLOW_CONTROL_ERROR
    ]


def test_a_window_of_zero_stalls_the_client_until_it_is_raised() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 0})
    server.receive_data(headers(1, REQUEST))
    assert server.data_to_send() == b""
    server.change_settings({frames.INITIAL_WINDOW_SIZE: 10})
    server.data_to_send()
    (received,) = server.receive_data(frames.SETTINGS_ACK + data(1, bytes(10), end_stream=True))
    assert received.body == bytes(10)


def test_an_empty_frame_may_end_a_body_whose_window_is_below_zero() -> None:
    server = open_server()
    server.receive_data(headers(1, REQUEST) + data(1, bytes(16_384)))
    server.change_settings({frames.INITIAL_WINDOW_SIZE: 0})
    server.receive_data(frames.SETTINGS_ACK)
    (received,) = server.receive_data(data(1, b"", end_stream=True))
    assert len(received.body) == 16_384


def test_a_request_on_the_hot_path_keeps_the_window_of_its_stream_too() -> None:
    server = open_server({frames.INITIAL_WINDOW_SIZE: 10})
    assert [len(message.body) for message in server.receive_data(request(1, bytes(10)) + request(3, bytes(11)))] == [10]
    assert [event.stream_id for event in server.take_events() if isinstance(event, StreamReset)] == [3]


def test_a_response_on_the_hot_path_keeps_the_window_of_its_stream_too() -> None:
    client = open_client({frames.INITIAL_WINDOW_SIZE: 10})
    for _ in range(2):
        client.request(REQUEST)
    arrived = b"".join(headers(at, RESPONSE) + data(at, bytes(9 + at), end_stream=True) for at in (1, 3))
    assert [len(message.body) for message in client.receive_data(arrived)] == [10]
    assert [event.stream_id for event in client.take_events() if isinstance(event, StreamReset)] == [3]


def test_the_owner_can_widen_the_connections_window_for_good() -> None:
    client = open_client({frames.INITIAL_WINDOW_SIZE: 2**20})
    client.widen_window(2**20 - WINDOW_BYTES_DEFAULT)
    assert sent(client, frames.WINDOW_UPDATE)[0].payload == (2**20 - WINDOW_BYTES_DEFAULT).to_bytes(4)
    client.request(REQUEST)
    client.data_to_send()
    client.receive_data(headers(1, RESPONSE))
    for _ in range(33):
        client.receive_data(data(1, bytes(16_384)))
    (update,) = [frame for frame in sent(client, frames.WINDOW_UPDATE) if frame.stream_id == 0]
    assert client.inbound_window == 2**20
    assert int.from_bytes(update.payload) == 33 * 16_384


@pytest.mark.parametrize("increment", [0, -1, 2**31 - WINDOW_BYTES_DEFAULT])
@requirement(HTTP2, "6.9.1", "A sender MUST NOT allow")
def test_the_connections_window_cannot_be_widened_by(increment: int) -> None:
    client = open_client()
    with pytest.raises(LocalProtocolError, match="cannot be widened"):
        client.widen_window(increment)
    assert client.data_to_send() == b""


@requirement(HTTP2, "5.1", "An endpoint MUST minimally process")
def test_an_answer_ahead_of_the_whole_request_asks_the_client_to_stop() -> None:
    server = open_server(client_settings={frames.INITIAL_WINDOW_SIZE: 3})
    server.receive_data(headers(1, REQUEST) + data(1, b"beginning"))
    assert server.is_open(1)
    server.answer(1, OK, b"early")
    assert [frame.kind for frame in frames_of(server.data_to_send())] == [frames.HEADERS, frames.DATA]
    server.receive_data(window_update_frame(1, 2))
    assert frames_of(server.data_to_send()) == [
        Frame(frames.DATA, ENDED, 1, b"ly"),
        Frame(frames.RST_STREAM, 0, 1, bytes(4)),
    ]
    assert server.receive_data(data(1, b"the rest", end_stream=True)) == []
    assert server.failed is None
    assert server.take_events() == []


def test_an_answer_without_a_body_ahead_of_the_whole_request_does_so_too() -> None:
    server = open_server()
    server.receive_data(headers(1, REQUEST))
    server.answer(1, OK)
    assert [frame.kind for frame in frames_of(server.data_to_send())] == [frames.HEADERS, frames.RST_STREAM]


@requirement(HTTP2, "6.9", "A receiver MUST NOT treat this")
@requirement(HTTP2, "8.1", "Clients MUST NOT discard")
def test_a_client_that_is_answered_early_stops_sending_and_takes_the_answer() -> None:
    client = open_client(server_settings={frames.INITIAL_WINDOW_SIZE: 3})
    client.request(REQUEST, b"a long body")
    client.data_to_send()
    early = headers(1, RESPONSE, end_stream=True)
    assert [message.stream_id for message in client.receive_data(early)] == [1]
    assert sent(client, frames.RST_STREAM) == [Frame(frames.RST_STREAM, 0, 1, int(ErrorCode.CANCEL).to_bytes(4))]
    client.receive_data(window_update_frame(1, 100) + frames.rst_stream_frame(1, 0))
    assert client.data_to_send() == b""
    assert client.take_events() == []
    assert client.open_streams == 0
