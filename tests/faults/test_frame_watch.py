"""Looking on at a connection: what is written down of two real ends that talk, at every split of their bytes."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.frame_watch import (
    BLOCK_BYTES_MAX,
    BODY_BYTES_KEPT_MAX,
    FRAME_BYTES_MAX,
    SETTINGS_PENDING_MAX,
    STREAMS_FOLLOWED_MAX,
    FrameWatch,
)
from simulator.observation_records import (
    Answer,
    Closed,
    Goaway,
    Observation,
    Opened,
    Ping,
    PingAcknowledged,
    RequestSeen,
    Reset,
    SettingsAcknowledged,
    SettingsSent,
)
from simulator.observations import Observations
from wire import frames
from wire.client import ClientConnection
from wire.hpack import Encoder, stateless_block
from wire.server import ServerConnection

TOKEN = b"ab" * 32
APNS_ID = b"D917CA4B-AE9F-4549-45F7-0D2E8C1BAF33"
FIELDS = (
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"api.push.apple.com"),
    (b":path", b""),
    (b"authorization", b"bearer one"),
    (b"apns-topic", b"com.example.app"),
    (b"apns-id", b""),
)
ACCEPTED = stateless_block([(b":status", b"200"), (b"apns-id", APNS_ID)])
GONE = stateless_block([(b":status", b"410"), (b"apns-id", APNS_ID)])
BUSY = stateless_block([(b":status", b"429"), (b"retry-after", b"7")])

Record = TypeVar("Record", bound=msgspec.Struct)


class Line:
    """A client and a server of ours, and the watch between them. `cut`: hands bytes to the watch in pieces of that size."""

    def __init__(self, streams_max: int = 1, cut: int = 1 << 20) -> None:
        self.now_s = 100.0
        self.observations = Observations(lambda: self.now_s)
        self.observations.begin()
        self.watch = FrameWatch(self.observations, 7, "127.0.0.1:5", None, lambda: 1_000.0)
        self.client = ClientConnection()
        self.server = ServerConnection({frames.MAX_CONCURRENT_STREAMS: streams_max})
        self.prepared = self.client.prepare(FIELDS)
        self._cut = cut

    def _shown(self, data: bytes, look: Callable[[bytes], None]) -> bytes:
        for start in range(0, len(data), self._cut):
            look(data[start : start + self._cut])
        return data

    def client_speaks(self) -> None:
        self.server.receive_data(self._shown(self.client.data_to_send(), self.watch.received))

    def server_speaks(self) -> None:
        self.client.receive_data(self._shown(self.server.data_to_send(), self.watch.sent))

    def greet(self) -> None:
        self.server_speaks()
        self.client_speaks()
        self.server_speaks()

    def ask(self, body: bytes = b'{"aps":{}}', apns_id: bytes = APNS_ID) -> int:
        stream = self.client.send(self.prepared, b"/3/device/" + TOKEN, apns_id, body)
        self.client_speaks()
        return stream

    def answer(self, stream: int, block: bytes = ACCEPTED, body: bytes = b"") -> None:
        self.server.answer(stream, block, body)
        self.server_speaks()

    def seen(self, kind: type[Record]) -> list[Record]:
        return [each for each in self.records if isinstance(each, kind)]

    @property
    def records(self) -> list[Observation]:
        return list(self.observations.page(0, 10_000))


def greeted(streams_max: int = 100) -> Line:
    line = Line(streams_max)
    line.greet()
    return line


def test_a_request_and_its_answer_are_told_with_what_they_are_about() -> None:
    line = greeted()
    stream = line.ask()
    line.now_s += 2
    line.answer(stream, GONE, b'{"reason":"Unregistered","timestamp":1700000000000}')
    (request,), (answer,) = line.seen(RequestSeen), line.seen(Answer)
    assert request == RequestSeen(
        at_s=0.0,
        connection=7,
        stream=1,
        opened_s=0.0,
        streams_open=1,
        streams_max=100,
        provider="apns",
        method="POST",
        path="/3/device/" + TOKEN.decode(),
        token=TOKEN.decode(),
        target=None,
        notification_id=APNS_ID.decode().lower(),
        topic="com.example.app",
        credential=request.credential,
        body_bytes=10,
    )
    assert request.credential is not None
    assert answer == Answer(
        at_s=2.0,
        connection=7,
        stream=1,
        status=410,
        reason="Unregistered",
        message_id=APNS_ID.decode().lower(),
        retry_after=None,
        retry_after_s=None,
        timestamp_ms=1_700_000_000_000,
        body_bytes=51,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40))
def test_the_pieces_that_bytes_come_in_change_nothing(cut: int) -> None:
    def play(line: Line) -> list[Observation]:
        line.greet()
        for _ in range(3):
            line.answer(line.ask())
        line.server.ping(b"12345678")
        line.server_speaks()
        line.client_speaks()
        line.server.goaway(0, debug=b'{"reason":"Shutdown"}')
        line.server_speaks()
        line.watch.closed("client", "end")
        return line.records

    assert play(Line(cut=cut)) == play(Line())


def test_a_stream_is_open_from_its_head_to_the_end_of_its_answer() -> None:
    line = greeted()
    first, second = line.ask(), line.ask()
    line.answer(first)
    third = line.ask()
    assert [each.streams_open for each in line.seen(RequestSeen)] == [1, 2, 2]
    assert line.watch.unanswered == (second, third)


def test_a_reset_ends_a_stream_whoever_sends_it() -> None:
    line = greeted()
    first, second = line.ask(), line.ask()
    line.client.reset(first, 8)
    line.client_speaks()
    line.server.reset(second, 7)
    line.server_speaks()
    assert [(each.by, each.stream, each.code) for each in line.seen(Reset)] == [
        ("client", first, 8),
        ("simulator", second, 7),
    ]
    assert line.watch.unanswered == ()
    assert not line.seen(Answer)


def test_a_head_without_an_end_is_no_answer() -> None:
    line = greeted()
    stream = line.ask()
    line.watch.sent(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, BUSY))
    assert not line.seen(Answer)
    line.watch.sent(frames.frame(frames.DATA, frames.END_STREAM, stream, b""))
    (answer,) = line.seen(Answer)
    assert (answer.status, answer.retry_after, answer.retry_after_s) == (429, "7", 7.0)


def test_padding_and_priority_are_no_part_of_a_message() -> None:
    line = greeted()
    block = stateless_block([(b":method", b"POST"), (b":path", b"/3/device/ab")])
    padded, flags = b"\x02" + b"\0\0\0\0\x0f" + block + b"\0\0", frames.PADDED | frames.PRIORITY_FLAG
    line.watch.received(frames.frame(frames.HEADERS, frames.END_HEADERS | flags, 1, padded))
    line.watch.received(frames.frame(frames.DATA, frames.PADDED | frames.END_STREAM, 1, b"\x03{}\0\0\0"))
    (request,) = line.seen(RequestSeen)
    assert (request.path, request.body_bytes) == ("/3/device/ab", 2)


def test_of_a_body_the_beginning_is_kept_and_all_is_counted() -> None:
    line = greeted()
    stream = line.ask()
    line.watch.sent(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, BUSY))
    piece = b" " * (BODY_BYTES_KEPT_MAX // 2)
    for each in (b'{"reason":"Early"', piece, piece, b"}"):
        line.watch.sent(frames.frame(frames.DATA, 0, stream, each))
    kept = line.watch._streams[stream].answer
    assert kept is not None
    assert len(kept.body) == BODY_BYTES_KEPT_MAX
    line.watch.sent(frames.frame(frames.DATA, frames.END_STREAM, stream, b""))
    (answer,) = line.seen(Answer)
    assert (answer.reason, answer.body_bytes) == (None, len(b'{"reason":"Early"}') + BODY_BYTES_KEPT_MAX)


# The limit of streams


def limits_of(line: Line) -> list[int | None]:
    return [each.streams_max for each in line.seen(RequestSeen)]


def test_no_limit_binds_before_the_client_has_acknowledged_one() -> None:
    line = Line(streams_max=1)
    line.watch.received(frames.PREFACE)
    line.watch.sent(frames.settings_frame({frames.MAX_CONCURRENT_STREAMS: 1}))
    block = Encoder().encode([(b":method", b"POST"), (b":path", b"/3/device/ab")])
    line.watch.received(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block))
    line.watch.received(frames.SETTINGS_ACK)
    line.watch.received(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, block))
    assert limits_of(line) == [None, 1]
    assert [each.streams_max for each in line.seen(SettingsAcknowledged)] == [1]


def test_a_higher_limit_counts_as_soon_as_it_is_on_its_way_and_a_lower_one_once_acknowledged() -> None:
    line = greeted(streams_max=1)
    line.server.change_settings({frames.MAX_CONCURRENT_STREAMS: 1_000})
    line._shown(line.server.data_to_send(), line.watch.sent)  # and the client has not read it yet
    line.answer(line.ask())
    line.client.receive_data(frames.settings_frame({frames.MAX_CONCURRENT_STREAMS: 1_000}))
    line.client_speaks()
    line.watch.sent(frames.settings_frame({frames.MAX_CONCURRENT_STREAMS: 2}))
    line.answer(line.ask())
    line.watch.received(frames.SETTINGS_ACK)
    line.answer(line.ask())
    assert limits_of(line) == [1_000, 1_000, 2]


def test_settings_that_name_no_limit_leave_it_as_it_is() -> None:
    line = greeted(streams_max=5)
    line.watch.sent(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
    line.watch.received(frames.SETTINGS_ACK)
    line.ask()
    assert limits_of(line) == [5]
    assert line.seen(SettingsSent)[-1].values == {"initial_window_size": 0}


def test_settings_without_any_limit_are_none() -> None:
    line = Line()
    line.watch.received(frames.PREFACE)
    line.watch.sent(frames.settings_frame({}))
    line.watch.received(frames.SETTINGS_ACK)
    assert line.seen(SettingsAcknowledged)[0].streams_max is None


# The connection


def test_pings_and_goaways_are_told_of_both_sides() -> None:
    line = greeted()
    line.server.ping(b"12345678")
    line.server_speaks()
    line.client_speaks()
    line.client.ping(b"abcdefgh")
    line.client_speaks()
    line.server_speaks()
    line.server.goaway(11, debug=b'{"reason":"Bad\xff"}', last_stream_id=3)
    line.server_speaks()
    assert [(each.by, each.opaque) for each in line.seen(Ping)] == [
        ("simulator", b"12345678".hex()),
        ("client", b"abcdefgh".hex()),
    ]
    assert [(each.by, each.opaque) for each in line.seen(PingAcknowledged)] == [
        ("client", b"12345678".hex()),
        ("simulator", b"abcdefgh".hex()),
    ]
    (goaway,) = line.seen(Goaway)
    assert (goaway.by, goaway.last_stream_id, goaway.code, goaway.debug) == (
        "simulator",
        3,
        11,
        '{"reason":"Bad\ufffd"}',
    )


def test_its_end_tells_bytes_frames_and_what_was_not_answered() -> None:
    line = greeted()
    line.watch.opened("HTTP/2", "api.push.apple.com", "TLSv1.3", "h2")
    stream = line.ask()
    line.watch.closed("simulator", "reset")
    (opened,), (closed,) = line.seen(Opened), line.seen(Closed)
    assert (opened.spoken, opened.host, opened.tls, opened.alpn) == ("HTTP/2", "api.push.apple.com", "TLSv1.3", "h2")
    assert (closed.by, closed.how, closed.unanswered) == ("simulator", "reset", (stream,))
    assert closed.frames_in == {"SETTINGS": 2, "HEADERS": 1, "DATA": 1}
    assert closed.frames_out == {"SETTINGS": 2}
    assert closed.bytes_in > 100
    assert closed.bytes_out > 9


def test_the_least_goaway_there_is_has_no_debug_data() -> None:
    line = greeted()
    line.watch.sent(frames.goaway_frame(0, 2))
    (goaway,) = line.seen(Goaway)
    assert (goaway.last_stream_id, goaway.code, goaway.debug) == (0, 2, "")


def test_settings_that_nobody_acknowledges_are_remembered_up_to_a_bound() -> None:
    line = greeted()
    change = frames.settings_frame({frames.MAX_CONCURRENT_STREAMS: 1})
    line.watch.sent(change * SETTINGS_PENDING_MAX)
    assert not line.watch.lost
    line.watch.sent(change)
    assert line.watch.lost


# What cannot be followed


@pytest.mark.parametrize(
    "breach",
    [
        frames.frame(frames.HEADERS, frames.END_HEADERS, 9, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        frames.frame(frames.SETTINGS, 0, 0, b"odd"),
        frames.FRAME_HEADER.pack((FRAME_BYTES_MAX + 1) >> 16, (FRAME_BYTES_MAX + 1) & 0xFFFF, 0, 0, 1),
        frames.frame(frames.HEADERS, 0, 9, b"")
        + frames.frame(frames.CONTINUATION, 0, 9, bytes(BLOCK_BYTES_MAX // 2)) * 3,
    ],
)
def test_a_breach_ends_the_watch_quietly(breach: bytes) -> None:
    line = greeted()
    line.watch.received(breach)
    before = line.records
    line.ask()
    assert line.watch.lost
    assert line.records == before


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=120)), max_size=8))
def test_no_bytes_raise_anything(pieces: list[tuple[bool, bytes]]) -> None:
    line = greeted()
    for inbound, data in pieces:
        (line.watch.received if inbound else line.watch.sent)(data)


FRAME = st.builds(
    frames.frame, st.integers(0, 10), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=24)
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), FRAME), max_size=12))
def test_no_frames_raise_anything(pieces: list[tuple[bool, bytes]]) -> None:
    line = greeted()
    for inbound, data in pieces:
        (line.watch.received if inbound else line.watch.sent)(data)


def test_streams_beyond_the_bound_are_not_followed() -> None:
    line = greeted()
    block = stateless_block([(b":method", b"POST")])
    opening = b"".join(
        frames.frame(frames.HEADERS, frames.END_HEADERS, 2 * number + 1, block)
        for number in range(STREAMS_FOLLOWED_MAX + 5)
    )
    line.watch.received(opening)
    assert len(line.watch.unanswered) == STREAMS_FOLLOWED_MAX
    assert not line.watch.lost
