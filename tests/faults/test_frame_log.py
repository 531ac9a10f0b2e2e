"""The frame log: a readable line for each frame, secrets shortened, bounds kept."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.credential_hash import credential_hash
from simulator.frame_log import FIRST_LINE, FrameLog
from simulator.frame_text import (
    ERRORS_FOLLOWED_MAX,
    FIELDS_SHOWN_MAX,
    FRAME_BYTES_MAX,
    HEADER_BLOCK_BYTES_MAX,
    VALUE_CHARACTERS_MAX,
    FrameReader,
    FrameText,
)
from wire import frames
from wire.hpack import Encoder, stateless_block

JWT = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJBQkMifQ.c2lnbmF0dXJlLW9mLTY0LWJ5dGVz"
HEAD = [
    (b":method", b"POST"),
    (b":path", b"/3/device/" + b"ab" * 32),
    (b"authorization", b"bearer " + JWT),
]
BLOCK = Encoder().encode(HEAD)
GREETING = frames.PREFACE + frames.settings_frame({frames.MAX_CONCURRENT_STREAMS: 5, 0xF00: 7})
REQUEST = (
    GREETING
    + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, BLOCK)
    + frames.frame(frames.DATA, frames.END_STREAM, 1, b'{"aps":{}}')
)


def texts(data: bytes, *, from_client: bool = True) -> list[str]:
    return [text for _, text in FrameReader(from_client=from_client).read(data)]


def answer(status: bytes, body: bytes, stream: int = 1) -> bytes:
    block = stateless_block([(b":status", status)])
    return frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block) + frames.frame(
        frames.DATA, frames.END_STREAM, stream, body
    )


SHOWN: list[tuple[bytes, str]] = [
    (frames.SETTINGS_ACK, "SETTINGS ack"),
    (frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 1}), "SETTINGS INITIAL_WINDOW_SIZE=1"),
    (frames.frame(frames.SETTINGS, 0, 0, b"12345"), "SETTINGS of 5 bytes, no multiple of 6"),
    (frames.ping_frame(b"12345678"), "PING 3132333435363738"),
    (frames.ping_frame(b"12345678", ack=True), "PING ack 3132333435363738"),
    (frames.goaway_frame(5, 0), "GOAWAY last stream 5, NO_ERROR"),
    (frames.goaway_frame(0, 11, b'{"reason":"X"}\n'), 'GOAWAY last stream 0, ENHANCE_YOUR_CALM “{"reason":"X"}\\x0a”'),
    (frames.rst_stream_frame(3, 7), "RST_STREAM REFUSED_STREAM"),
    (frames.rst_stream_frame(3, 0x99), "RST_STREAM 0x99"),
    (frames.window_update_frame(3, 10), "WINDOW_UPDATE +10"),
    (frames.frame(frames.PRIORITY, 0, 3, b"12345"), "PRIORITY 5 bytes"),
    (frames.frame(0x7F, 0, 3, b"12345"), "type 0x7f 5 bytes"),
    (frames.frame(frames.CONTINUATION, 0, 3, b"12"), "CONTINUATION of no header block, 2 bytes"),
    (
        frames.frame(frames.DATA, frames.PADDED | frames.END_STREAM, 3, b"\x02abc\0\0"),
        "DATA end_stream padded 3 bytes and 3 of padding",
    ),
]


@pytest.mark.parametrize(("data", "text"), SHOWN, ids=[text[:30] for _, text in SHOWN])
def test_each_frame_is_a_line(data: bytes, text: str) -> None:
    assert texts(data, from_client=False) == [text]


def test_a_request_is_shown_with_its_fields_and_without_its_secrets_or_body() -> None:
    preface, settings, head, body = FrameReader(from_client=True).read(REQUEST)
    assert preface == FrameText(0, "preface")
    assert settings == FrameText(0, "SETTINGS MAX_CONCURRENT_STREAMS=5 0xf00=7")
    assert head.stream == 1
    assert head.text.startswith(
        f"HEADERS end_headers :method: POST | :path: /3/device/{'ab' * 32} | authorization: bearer "
    )
    assert head.text.endswith(f"(withheld: {len(JWT)} bytes, hash {credential_hash(b'Bearer ' + JWT)})")
    assert JWT.decode()[:10] not in head.text
    assert body == FrameText(1, "DATA end_stream 10 bytes")


@pytest.mark.parametrize(
    "field",
    [
        (b"authorization", JWT),
        (b"authorization", b"key=" + JWT),
        (b"proxy-authorization", b"Basic " + JWT),
        (b"cookie", JWT),
        (b":path", b"/v1/x?access_token=" + JWT + b"&alt=json"),
        (b":path", b"/v1/x?alt=json&oauth_token=" + JWT),
    ],
)
def test_no_credential_is_written_down_wherever_it_stands(field: tuple[bytes, bytes]) -> None:
    data = frames.PREFACE + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, Encoder(coded=True).encode([field]))
    shown = " ".join(texts(data))
    assert JWT.decode()[5:20] not in shown
    assert "withheld" in shown
    assert ("alt=json" in shown) == (b"alt=json" in field[1])


def test_bodies_of_errors_are_shown_and_others_told_by_their_length() -> None:
    reader = FrameReader(from_client=False)
    shown = [text for _, text in reader.read(answer(b"200", b'{"access_token":"ya29.x"}', 1))]
    shown += [text for _, text in reader.read(answer(b"400", b'{"reason":"BadDeviceToken"}', 3))]
    assert shown == [
        "HEADERS end_headers :status: 200",
        "DATA end_stream 25 bytes",
        "HEADERS end_headers :status: 400",
        'DATA end_stream 27 bytes “{"reason":"BadDeviceToken"}”',
    ]


def test_a_block_over_several_frames_is_shown_once_it_is_whole() -> None:
    pieces = list(frames.headers_frames(1, BLOCK, end_stream=True, frame_bytes_max=50))
    shown = texts(frames.PREFACE + b"".join(pieces))[1:]
    assert shown[0] == "HEADERS end_stream 50 bytes so far"
    assert all(text.startswith("CONTINUATION ") for text in shown[1:])
    assert shown[-1].startswith("CONTINUATION end_headers :method: POST | ")


@given(st.lists(st.integers(1, len(REQUEST) - 1), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_lines(cuts: list[int]) -> None:
    reader, places = FrameReader(from_client=True), [0, *sorted(set(cuts)), len(REQUEST)]
    shown = [text for start, end in itertools.pairwise(places) for _, text in reader.read(REQUEST[start:end])]
    assert shown == texts(REQUEST)
    assert reader.unfinished_bytes == 0


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_end_in_lines_of_printable_text(data: bytes, from_client: bool) -> None:
    for text in texts(GREETING + data if from_client else data, from_client=from_client):
        assert text.isprintable()


LOST: list[tuple[bytes, str]] = [
    (frames.frame(frames.DATA, 0, 1, b"x" * (FRAME_BYTES_MAX + 1)), f"a frame of {FRAME_BYTES_MAX + 1:,} bytes"),
    (
        frames.frame(frames.HEADERS, 0, 1, b"x" * (HEADER_BLOCK_BYTES_MAX + 1)),
        f"a header block of {HEADER_BLOCK_BYTES_MAX + 1:,} bytes",
    ),
    (frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\xff"), "a header block ends within an integer"),
]


@pytest.mark.parametrize(("data", "why"), LOST, ids=[why for _, why in LOST])
def test_what_cannot_be_followed_ends_the_reading_of_its_side(data: bytes, why: str) -> None:
    assert texts(data + frames.SETTINGS_ACK, from_client=False) == [f"(not read any further: {why})"]


def test_a_client_without_preface_is_not_read() -> None:
    reader = FrameReader(from_client=True)
    shown = [text for piece in (b"PRI * HT", b"GET / HTTP/1.1\r\n", b"more") for _, text in reader.read(piece)]
    assert shown == ["(not read any further: no preface of HTTP/2)"]


def test_values_fields_and_errors_are_bounded() -> None:
    long = Encoder().encode([(b"x", b"v" * (VALUE_CHARACTERS_MAX + 1))])
    [shown] = texts(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, long), from_client=False)
    assert shown == f"HEADERS end_headers x: {'v' * VALUE_CHARACTERS_MAX}… ({VALUE_CHARACTERS_MAX + 1} bytes)"
    many = Encoder().encode([(b"x", b"%d" % at) for at in range(FIELDS_SHOWN_MAX + 2)])
    [shown] = texts(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, many), from_client=False)
    assert shown.endswith(f"x: {FIELDS_SHOWN_MAX - 1} | and 2 fields more")
    reader = FrameReader(from_client=False)
    error = stateless_block([(b":status", b"500")])
    for at in range(ERRORS_FOLLOWED_MAX + 1):
        list(reader.read(frames.frame(frames.HEADERS, frames.END_HEADERS, 2 * at + 1, error)))
    forgotten, kept = (frames.frame(frames.DATA, frames.END_STREAM, stream, b"why") for stream in (1, 3))
    assert [text for _, text in reader.read(forgotten + kept)] == [
        "DATA end_stream 3 bytes",
        "DATA end_stream 3 bytes “why”",
    ]


class Sink:
    """Takes lines, and fails when told."""

    def __init__(self) -> None:
        self.written = ""
        self.full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        self.written += text
        return len(text)

    def flush(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")


def ticking() -> Callable[[], float]:
    return itertools.count(100.0, 0.5).__next__


def test_lines_tell_time_connection_direction_and_stream() -> None:
    log, sink = FrameLog(ticking()), Sink()
    log.begin("2025-11-25T20:20:00+00:00", sink)
    connection = log.connection(7, "127.0.0.1:5000", http2=True)
    connection.opened("HTTP/2", "localhost", "TLSv1.3", "h2")
    connection.received(REQUEST)
    connection.sent(frames.rst_stream_frame(1, 7))
    connection.closed("simulator", "reset")
    first, legend, *lines = sink.written.splitlines()
    assert first == FIRST_LINE + "2025-11-25T20:20:00+00:00"
    assert legend.startswith("# seconds")
    assert lines[0] == ("    0.500000      7  -  opened by 127.0.0.1:5000: HTTP/2 over TLSv1.3, ALPN h2, for localhost")
    assert lines[-2:] == [
        "    1.500000      7  <  stream 1  RST_STREAM REFUSED_STREAM",
        "    2.000000      7  -  ended by the simulator: reset",
    ]
    assert lines == [str(each) for each in log.recent()]
    assert log.lines == len(lines)


def test_http1_is_told_by_first_lines_and_lengths() -> None:
    log = FrameLog(ticking())
    log.begin("now")
    connection = log.connection(1, "", http2=False)
    connection.received(b"POST /v1/x?access_token=abc HTTP/1.1\r\nauthorization: Bearer abc\r\n\r\n")
    connection.received(b'{"body":1}')
    connection.sent(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n")
    assert [each.text for each in log.recent()] == [
        "POST /v1/x?access_token=(withheld) HTTP/1.1 (67 bytes)",
        "10 bytes",
        "HTTP/1.1 200 (36 bytes)",
    ]


def test_recent_lines_are_the_newest_and_are_chosen_by_connection_and_stream() -> None:
    log = FrameLog(ticking(), recent_lines_max=5)
    log.begin("now")
    for connection, stream in ((1, 0), (1, 1), (2, 1), (1, 3), (1, 1), (2, 3)):
        log.add(connection, ">", [FrameText(stream, f"{connection}/{stream}")])
    assert [each.number for each in log.recent()] == [2, 3, 4, 5, 6]
    assert [each.number for each in log.recent(connection=1)] == [2, 4, 5]
    assert [each.number for each in log.recent(connection=1, stream=1)] == [2, 5]
    assert [each.number for each in log.recent(after=3, lines_max=2)] == [4, 5]
    assert [each.number for each in log.recent(after=3, until=5)] == [4, 5]
    log.note(1, "about all of it")
    assert [each.number for each in log.recent(connection=1, stream=3)] == [4, 7]


def test_another_process_goes_on_with_a_file_and_numbers_of_its_own_and_the_same_beginning() -> None:
    log, sink = FrameLog(ticking()), Sink()
    log.begin("then")
    log.note(0, "elsewhere")
    log.drop()
    log.write_to(sink)
    log.note(1, "here")
    first, _, line = sink.written.splitlines()
    assert first == FIRST_LINE + "then"
    assert line == "    1.000000      1  -  here"
    assert [each.number for each in log.recent()] == [1]


def test_a_log_that_began_elsewhere_counts_seconds_from_there() -> None:
    log = FrameLog(ticking())
    log.begin("then", began_s=40.0)
    log.note(1, "here")
    assert [each.at_s for each in log.recent()] == [60.0]


def test_the_file_ends_at_its_bound_and_says_so_and_the_recent_lines_go_on() -> None:
    log, sink = FrameLog(ticking(), file_bytes_max=400), Sink()
    log.begin("now", sink)
    for _ in range(20):
        log.note(1, "x" * 30)
    last = sink.written.splitlines()[-1]
    assert last == "# ends here: FILE_BYTES_MAX of 400 bytes is reached; later frames are not here"
    assert len(sink.written) - len(last) - 1 <= 400
    assert log.trouble == last.removeprefix("# ends here: ")
    assert len(log.recent()) == 20


@pytest.mark.parametrize("by", ["write", "flush"])
def test_a_file_that_cannot_be_written_is_given_up_and_the_recent_lines_go_on(by: str) -> None:
    log, sink = FrameLog(ticking()), Sink()
    log.begin("now", sink)
    sink.full = True
    if by == "write":
        log.note(1, "x")
    else:
        log.flush()
    assert log.trouble == "it cannot be written ([Errno 28] No space left on device)"
    sink.full = False
    log.note(1, "y")
    assert "y" not in sink.written
    assert log.recent()[-1].text == "y"


def test_an_ended_log_keeps_its_lines_and_writes_no_more() -> None:
    log, sink = FrameLog(ticking()), Sink()
    log.begin("now", sink)
    connection = log.connection(1, "", http2=True)
    log.note(1, "x")
    log.end()
    connection.received(REQUEST)
    log.note(1, "y")
    assert [each.text for each in log.recent()] == ["x"]
    log.begin("later")
    assert log.recent() == []
    log.note(1, "z")
    assert log.recent()[0].number == 1
    log.forget()
    assert (log.recent(), log.lines) == ([], 1)
