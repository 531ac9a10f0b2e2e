"""Any bytes at all, cut anywhere: the hot path and the general way say the same, and nothing but values comes out.

Every input ends in messages and events, or in one connection error; no other exception, and no queue without bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wire.frame_soup import soups
from tests.wire.peers import REQUEST, checked_long, cut, cuts, frames_of, request
from wire import frames
from wire.client import ClientConnection
from wire.events import ConnectionFailed, Event
from wire.request import Fields, Request, whole_fields
from wire.server import ServerConnection

REQUESTS_SENT = 5


@dataclass(frozen=True)
class Story:
    """All that an end has said about the bytes it was given."""

    messages: list[tuple[int, Fields, bytes]]
    events: list[Event]
    failed: str | None
    rest: bytes
    out: bytes


def _server(fast: bool) -> ServerConnection:
    # A low limit of streams and short bodies, so that their bounds are met as well.
    server = ServerConnection({frames.MAX_CONCURRENT_STREAMS: 4}, fast=fast, body_bytes_max=200)
    server.receive_data(frames.PREFACE + frames.settings_frame({}) + frames.SETTINGS_ACK)
    return server


def _client(fast: bool) -> ClientConnection:
    client = ClientConnection(fast=fast, body_bytes_max=200)
    client.receive_data(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 10}) + frames.SETTINGS_ACK)
    for number in range(REQUESTS_SENT):
        client.request(REQUEST, b"x" * 4 * number)  # two of them wait for windows
    return client


def _story(
    end: ServerConnection | ClientConnection, data: bytes, pieces: Sequence[int], *, answer: bool = False
) -> Story:
    messages: list[tuple[int, Fields, bytes]] = []
    out = [end.data_to_send()]
    for piece in cut(data, pieces):
        received: Sequence[Request] = end.receive_data(piece)
        for message in received:
            messages.append((message.stream_id, whole_fields(message, end.varying), message.body))
            if answer and isinstance(end, ServerConnection):
                end.answer(message.stream_id, b"\x88", b"answer")
        out.append(end.data_to_send())
        assert len(end._rest) <= end._announced.frame_bytes_max + frames.FRAME_HEADER_BYTES
    events = end.take_events()
    failures = [event for event in events if isinstance(event, ConnectionFailed)]
    assert [failure.error for failure in failures] == ([end.failed] if end.failed else [])
    written = b"".join(out)
    goaways = [frame for frame in frames_of(written) if frame.kind == frames.GOAWAY]
    assert len(goaways) == len(failures)
    if end.failed:
        assert end.receive_data(request(201)) == []
        assert end.data_to_send() == b""
        assert goaways[0].payload[4:8] == end.failed.code.to_bytes(4)
    # Errors compare by identity, and each end has its own.
    told: list[Event] = [event for event in events if not isinstance(event, ConnectionFailed)]
    return Story(messages, told, str(end.failed) if end.failed else None, end._rest, written)


@settings(checked_long, max_examples=250)
@given(soups(of_client=True), cuts, st.booleans())
def test_a_server_reads_the_same_on_the_hot_path_and_the_general_way(
    data: bytes, pieces: list[int], answer: bool
) -> None:
    assert _story(_server(True), data, pieces, answer=answer) == _story(_server(False), data, pieces, answer=answer)


@settings(checked_long, max_examples=250)
@given(soups(of_client=False), cuts)
def test_a_client_reads_the_same_on_the_hot_path_and_the_general_way(data: bytes, pieces: list[int]) -> None:
    assert _story(_client(True), data, pieces) == _story(_client(False), data, pieces)


@settings(checked_long, max_examples=200)
@given(soups(of_client=True), cuts)
def test_a_server_reads_the_same_wherever_the_bytes_are_cut(data: bytes, pieces: list[int]) -> None:
    whole, in_pieces = _story(_server(True), data, []), _story(_server(True), data, pieces)
    assert whole == in_pieces


@settings(checked_long, max_examples=200)
@given(soups(of_client=False), cuts)
def test_a_client_reads_the_same_wherever_the_bytes_are_cut(data: bytes, pieces: list[int]) -> None:
    whole, in_pieces = _story(_client(True), data, []), _story(_client(True), data, pieces)
    assert whole == in_pieces


@checked_long
@given(st.binary(max_size=200), cuts, st.sampled_from([b"", frames.PREFACE, frames.PREFACE[:10]]))
@example(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", [], b"")
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [1], b"")
def test_a_fresh_server_survives_any_bytes(raw: bytes, pieces: list[int], start: bytes) -> None:
    _story(ServerConnection(), start + raw, pieces)


@checked_long
@given(st.binary(max_size=200), cuts)
@example(b"HTTP/1.1 400 Bad Request\r\n\r\n", [])
def test_a_fresh_client_survives_any_bytes(raw: bytes, pieces: list[int]) -> None:
    client = ClientConnection()
    client.data_to_send()
    _story(client, raw, pieces)


@checked_long
@given(st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 7, 9, 2**31 - 1]), st.binary(max_size=30))
def test_any_single_frame_is_read_alike_by_both_ways_of_both_ends(
    kind: int, flags: int, stream_id: int, payload: bytes
) -> None:
    frame = frames.frame(kind, flags, stream_id, payload)
    opening = request(1) + request(3)
    assert _story(_server(True), opening + frame, []) == _story(_server(False), opening + frame, [])
    assert _story(_client(True), frame, []) == _story(_client(False), frame, [])
