"""The bounds of one message (RFC 9113, 10.5): header blocks over many frames, bodies, and frames that come in pieces."""

import pytest

from tests.wire.peers import REQUEST, RESPONSE, cut, data, frames_of, headers, open_client, open_server, request
from wire import frames
from wire.connection import CONTINUATIONS_MAX, HEADER_BLOCK_BYTES_MAX, Connection
from wire.errors import ErrorCode
from wire.hpack import stateless_block
from wire.request import whole_fields

BLOCK = stateless_block(REQUEST)


def _continued(parts: list[bytes]) -> bytes:
    """A request whose header block comes in these parts."""
    kinds = [frames.HEADERS] + [frames.CONTINUATION] * (len(parts) - 1)
    last = len(parts) - 1
    return b"".join(
        frames.frame(kind, (frames.END_HEADERS if at == last else 0) | (kind == frames.HEADERS), 1, part)
        for at, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    )


def _failure(connection: Connection) -> ErrorCode | None:
    return connection.failed.code if connection.failed is not None else None


@pytest.mark.parametrize("size", [1, 7, 60, len(BLOCK)])
@pytest.mark.parametrize("pieces", [[], [1], [10, 3]])
def test_a_header_block_may_come_in_any_parts(size: int, pieces: list[int]) -> None:
    server = open_server()
    parts = [BLOCK[at : at + size] for at in range(0, len(BLOCK), size)][: CONTINUATIONS_MAX + 1]
    parts[-1] += BLOCK[sum(map(len, parts)) :]
    received = [message for piece in cut(_continued(parts), pieces) for message in server.receive_data(piece)]
    assert [whole_fields(message, server.varying) for message in received] == [REQUEST]


@pytest.mark.parametrize(("continuations", "taken"), [(CONTINUATIONS_MAX, True), (CONTINUATIONS_MAX + 1, False)])
def test_continuation_frames_have_a_bound_empty_ones_included(continuations: int, taken: bool) -> None:
    server = open_server()
    received = server.receive_data(_continued([BLOCK] + [b""] * continuations))
    assert bool(received) is taken
    assert _failure(server) is (None if taken else ErrorCode.ENHANCE_YOUR_CALM)


def test_a_header_block_has_a_bound_over_all_its_frames() -> None:
    server = open_server()
    parts = [bytes(16_384)] * (HEADER_BLOCK_BYTES_MAX // 16_384)
    server.receive_data(_continued([*parts, b""])[: -frames.FRAME_HEADER_BYTES])
    assert server.failed is None
    server.receive_data(frames.frame(frames.CONTINUATION, 0, 1, b"\x00"))
    assert _failure(server) is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("fast", [True, False])
def test_a_header_block_has_the_same_bound_in_one_large_frame(fast: bool) -> None:
    block = bytes(HEADER_BLOCK_BYTES_MAX + 1)
    large = {frames.MAX_FRAME_SIZE: 200_000}
    server, client = open_server(large, fast=fast), open_client(large, fast=fast)
    server.receive_data(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block) + data(1, b"x", end_stream=True))
    client.request(REQUEST)
    client.receive_data(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block))
    assert _failure(server) is _failure(client) is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size", [99, 100, 101, 300])
def test_a_body_is_kept_up_to_its_bound_and_counted_beyond_it(fast: bool, size: int) -> None:
    server, client = open_server(fast=fast, body_bytes_max=100), open_client(fast=fast, body_bytes_max=100)
    length = (b"content-length", b"%d" % size)
    (message,) = server.receive_data(request(1, bytes(size), (*REQUEST, length)))
    assert message.body == bytes(min(size, 100))
    client.request(REQUEST)
    whole = headers(1, (*RESPONSE, length)) + data(1, bytes(size), end_stream=True)
    (response,) = client.receive_data(whole)
    assert response.body == bytes(min(size, 100))


def test_a_body_in_many_frames_is_kept_up_to_its_bound() -> None:
    server = open_server(body_bytes_max=100)
    server.receive_data(headers(1, REQUEST))
    for _ in range(50):
        server.receive_data(data(1, b"123"))
    assert len(server._receiving[1].body) == 100
    (message,) = server.receive_data(data(1, b"", end_stream=True))
    assert message.body == (b"123" * 50)[:100]


def test_of_an_incomplete_frame_no_more_than_the_frame_is_kept() -> None:
    server = open_server()
    whole = headers(1, REQUEST) + data(1, bytes(16_384), end_stream=True)
    for piece in cut(whole[:-1], [500]):
        assert server.receive_data(piece) == []
        assert len(server._rest) <= 16_384 + frames.FRAME_HEADER_BYTES
    assert len(server.receive_data(whole[-1:])) == 1
    assert server._rest == b""


def test_an_answer_whose_header_block_is_longer_than_a_frame_is_continued() -> None:
    server = open_server()
    server.receive_data(request(1))
    block = stateless_block([(b":status", b"200"), (b"x", b"v" * 40_000)])
    server.answer(1, block, b"body")
    first, *more, body = frames_of(server.data_to_send())
    assert (first.kind, first.flags, len(first.payload)) == (frames.HEADERS, 0, 16_384)
    assert [frame.kind for frame in more] == [frames.CONTINUATION] * 2
    assert [frame.flags for frame in more] == [0, frames.END_HEADERS]
    assert first.payload + b"".join(frame.payload for frame in more) == block
    assert (body.kind, body.flags) == (frames.DATA, frames.END_STREAM)


def test_a_request_whose_header_block_is_longer_than_a_frame_is_continued() -> None:
    client, server = open_client(), open_server()
    fields = (*REQUEST, (b"x", b"v" * 40_000))
    client.request(fields)
    client.send(client.prepare(fields), b"/", b"id", b"{}")
    received = server.receive_data(client.data_to_send())
    assert [len(message.head.value(b"x") or b"") for message in received] == [40_000, 40_000]


def test_nothing_is_taken_twice() -> None:
    server = open_server()
    server.ping(b"12345678")
    assert server.data_to_send()
    assert server.data_to_send() == b""
    server.receive_data(frames.settings_frame({}))
    assert server.take_events()
    assert server.take_events() == []
