"""Requests read by a pattern are those that are read frame by frame, and no others."""

import re
from collections.abc import Sequence
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.peers import REQUEST, checked_long, open_server, patterns_at_once
from tests.wire.stories import story
from wire import frames, patterns
from wire.hpack import Encoder, stateless_block
from wire.patterns import BLOCK_BYTES_MAX, REQUESTS_BETWEEN
from wire.server import ServerConnection


class Sender:
    """Writes requests as a push sender does. `unindexed`: the fields that stay out of the table."""

    def __init__(self, unindexed: Sequence[bytes] = (b":path", b"apns-id"), *, coded: bool = False) -> None:
        self.encoder = Encoder(unindexed=unindexed, coded=coded)
        self.next_stream_id = 1

    def request(self, body: bytes = b"{}", fields: Sequence[tuple[bytes, bytes]] = REQUEST) -> bytes:
        stream_id = self.next_stream_id
        self.next_stream_id += 2
        block = self.encoder.encode(fields)
        return frames.frame(frames.HEADERS, frames.END_HEADERS, stream_id, block) + frames.frame(
            frames.DATA, frames.END_STREAM, stream_id, body
        )

    def numbered(self, number: int) -> bytes:
        """One of a thousand requests that are alike."""
        path, apns_id = b"/3/device/%016x" % number, b"eabeae54-14a8-11e5-b60b-%012x" % number
        values = {b":path": path, b"apns-id": apns_id}
        return self.request(b'{"number":%d}' % number, [(name, values.get(name, value)) for name, value in REQUEST])


def by_pattern(server: ServerConnection, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets how many requests each pattern of a connection has read."""
    counts: list[int] = []
    read_alike = ServerConnection._read_alike

    def counted(self: ServerConnection, pattern: patterns.RequestPattern, data: bytes, at: int, size: int) -> int:
        before = len(self._requests)
        try:
            return read_alike(self, pattern, data, at, size)
        finally:
            counts.append(len(self._requests) - before)

    monkeypatch.setattr(ServerConnection, "_read_alike", counted)
    return counts


def test_requests_that_are_alike_are_read_by_a_pattern_once_there_were_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, plain, sender = open_server(), open_server(fast=False), Sender()
    counts = by_pattern(server, monkeypatch)
    for count, read in ((REQUESTS_BETWEEN - 1, []), (1, []), (40, [40]), (3, [40, 3])):
        data = b"".join(sender.numbered(number) for number in range(count))
        found = [(each.stream_id, each.head.fields, each.varying, each.body) for each in server.receive_data(data)]
        assert found == [
            (each.stream_id, each.head.fields, each.varying, each.body) for each in plain.receive_data(data)
        ]
        assert counts == read
        for end in (server, plain):
            for stream_id, *_ in found:
                end.answer(stream_id, b"\x88")
    assert (server.inbound_window, server.last_peer_stream_id) == (plain.inbound_window, plain.last_peer_stream_id)


@pytest.mark.parametrize(
    ("fields", "unindexed"),
    [
        (REQUEST, (b":path", b"apns-id")),
        (REQUEST[:-1], (b":path", b"apns-id")),
        (REQUEST[:-1], ()),
    ],
    ids=["two values", "the path alone", "nothing"],
)
def test_however_many_values_vary_they_are_the_same(
    fields: Sequence[tuple[bytes, bytes]], unindexed: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, sender = open_server(), Sender(unindexed)
    counts = by_pattern(server, monkeypatch)
    with patterns_at_once():
        for _ in range(3):
            server.receive_data(sender.request(fields=fields) + sender.request(fields=fields))
        (request,) = server.receive_data(sender.request(b"[]", fields))
    assert counts[-1] == 1
    assert (request.stream_id, request.body) == (13, b"[]")
    assert request.varying == (dict(fields)[b":path"], dict(fields).get(b"apns-id"))


spoilt_bytes = st.tuples(st.integers(0, 2_000), st.integers(0, 255))
others = st.sampled_from(
    [
        frames.window_update_frame(0, 1),
        frames.ping_frame(b"12345678"),
        frames.settings_frame({frames.HEADER_TABLE_SIZE: 0}),
        frames.rst_stream_frame(1, 8),
        frames.frame(frames.DATA, 1, 3, b"late"),
        frames.frame(99, 0, 0, b"unknown"),
    ]
)


@checked_long
@given(
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    between=st.lists(others, max_size=3),
    spoilt=st.lists(spoilt_bytes, max_size=2),
    pieces=st.lists(st.integers(1, 300), max_size=4),
    values=st.sampled_from((REQUEST, REQUEST[:-1])),
)
def test_spoilt_requests_are_read_as_frame_by_frame(
    counts: list[int],
    between: list[bytes],
    spoilt: list[tuple[int, int]],
    pieces: list[int],
    values: Sequence[tuple[bytes, bytes]],
) -> None:
    """Whatever byte of whatever frame is another, and wherever reads end."""
    sender = Sender()
    start = b"".join(sender.request(fields=values) for _ in range(3))  # the last of them gives the pattern
    parts = [b"".join(sender.request(fields=values) for _ in range(count)) for count in counts]
    data = bytearray(b"".join(part + other for part, other in zip(parts, [*between, *[b""] * 4], strict=False)))
    for at, byte in spoilt:
        data[at % len(data)] = byte
    whole, sizes = start + bytes(data), [len(start), *pieces]
    quick, plain = (
        story(open_server({frames.MAX_CONCURRENT_STREAMS: 12}, fast=fast), whole, sizes) for fast in (True, False)
    )
    assert quick == plain


@pytest.mark.parametrize("value", [b"with a blank", b"caf\xc3\xa9", b"", b"\ttab", b"a\nb"])
def test_values_that_are_not_plainly_visible_are_left_to_the_checks(value: bytes) -> None:
    path = value.ljust(26, b"/") if value else b""
    fields = [(name, path if name == b":path" else each) for name, each in REQUEST]
    stories = []
    for fast in (True, False):
        sender = Sender()
        data = b"".join([sender.request() for _ in range(4)] + [sender.request(fields=fields)])
        stories.append(story(open_server(fast=fast), data, [len(data) // 2]))
    assert stories[0] == stories[1]


def test_a_pattern_ends_with_the_table_that_it_was_made_of() -> None:
    """Each new value takes the index that the last one had: the blocks are the same bytes, and mean something else."""
    found = []
    for fast in (True, False):
        server, sender = open_server(fast=fast), Sender((b":path", b"apns-id", b":authority"))
        topics: list[bytes | None] = []
        for turn, topic in enumerate((b"one", b"one", b"one", b"two", b"two", b"two", b"one", b"one")):
            fields = [(name, topic if name == b"apns-topic" else each) for name, each in REQUEST]
            with patterns_at_once() if turn < 3 else nullcontext():
                (request,) = server.receive_data(sender.request(fields=fields))
            topics.append(request.head.value(b"apns-topic"))
        found.append(topics)
    assert found[0] == found[1] == [b"one"] * 3 + [b"two"] * 3 + [b"one"] * 2


@pytest.mark.parametrize("stream_id", [1, 3, 6, 9, 2**31 + 7])
def test_a_pattern_opens_no_stream_but_the_next(stream_id: int) -> None:
    stories = []
    for fast in (True, False):
        sender = Sender()
        start = b"".join(sender.request() for _ in range(3))
        sender.next_stream_id = stream_id & 0x7FFFFFFF
        spoilt = sender.request().replace((stream_id & 0x7FFFFFFF).to_bytes(4, "big"), stream_id.to_bytes(4, "big"))
        sender.next_stream_id = 7
        stories.append(story(open_server(fast=fast), start + spoilt + sender.request(), [len(start)]))
    assert stories[0] == stories[1]


def test_patterns_are_made_after_so_many_requests_and_not_of_long_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    compiled = re.compile

    def counted(pattern: bytes, flags: int = 0) -> re.Pattern[bytes]:
        made.append(len(pattern))
        return compiled(pattern, flags)

    monkeypatch.setattr("wire.patterns.re.compile", counted)
    server, sender = open_server(), Sender()
    for turn in range(
        REQUESTS_BETWEEN * 2
    ):  # two shapes take turns, each of which the pattern of the other does not fit
        fields = REQUEST if turn % 2 else REQUEST[:-1]
        for request in server.receive_data(sender.request(fields=fields)):
            server.answer(request.stream_id, b"\x88")
    assert len(made) <= 3
    long = (*REQUEST, (b"x-long", b"x" * BLOCK_BYTES_MAX))
    server, made[:] = open_server(), []
    block = stateless_block(long)
    with patterns_at_once():
        for turn in range(3):
            data = frames.frame(frames.HEADERS, frames.END_HEADERS, 2 * turn + 1, block)
            server.receive_data(data + frames.frame(frames.DATA, frames.END_STREAM, 2 * turn + 1, b"{}"))
    assert made == []
