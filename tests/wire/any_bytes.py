"""Bytes that are nearly a conversation: properties of reading them, drawn from soups and from recordings that are spoiled.

Each input ends in messages and events or in one connection error, the same on the hot path and the general way and at every
split; and it costs no more than its length allows, in memory and in calls.
"""

import sys
import tracemalloc
from functools import cache
from types import FrameType
from typing import Literal

import msgspec
from hypothesis import strategies as st

from tests.fuzz.property import Property
from tests.wire.conversation import Announce, Answer, Conversation, Deliver, Ping, Prioritise, Script, Send
from tests.wire.frame_soup import soups
from tests.wire.header_blocks import fill_huffman_rows
from tests.wire.peers import cut, cuts, open_server, whole_frame_bytes
from tests.wire.stories import REQUESTS_SENT, limited_client, limited_server, story
from wire import frames
from wire.client import ClientConnection
from wire.server import ServerConnection

# What a connection may keep and use, calibrated at twice what the costliest bytes have shown: a stream opened by a dozen bytes
# costs a few hundred, and each answer some calls.
KEPT_BYTES_MAX, KEPT_BYTES_PER_BYTE_MAX = 64_000, 60
CALLS_MAX, CALLS_PER_BYTE_MAX = 3_000, 12
FRAME_BYTES_WIDE = 200_000
PIECE_BYTES_MIN = 64


class Arrival(msgspec.Struct, frozen=True):
    """Bytes that arrive at one end. `parts`: in hexadecimal, put together, one that ends in `*n` n times over; `pieces`: how
    they are cut on arrival. A wide server takes frames longer than any header block may be."""

    reader: Literal["server", "client", "fresh server", "fresh client", "wide server"]
    parts: list[str]
    pieces: list[int] = []
    answer: bool = False

    @property
    def data(self) -> bytes:
        """The bytes."""
        split = (part.partition("*") for part in self.parts)
        return b"".join(bytes.fromhex(part) * int(count or 1) for part, _, count in split)

    def open(self, fast: bool) -> ServerConnection | ClientConnection:
        """The end that reads them."""
        match self.reader:
            case "server":
                return limited_server(fast)
            case "client":
                return limited_client(fast)
            case "fresh server":
                return ServerConnection(fast=fast)
            case "fresh client":
                return ClientConnection(fast=fast)
            case "wide server":
                return open_server({frames.MAX_FRAME_SIZE: FRAME_BYTES_WIDE}, fast=fast)


def check_reading(arrival: Arrival) -> None:
    """Both ways, whole and cut, say the same, and keep the rules that `story` asserts."""
    data, answer = arrival.data, arrival.answer
    plain = story(arrival.open(False), data, arrival.pieces, answer=answer)
    assert story(arrival.open(True), data, arrival.pieces, answer=answer) == plain, "the hot path reads otherwise"
    if not answer:  # cut, an answer may go out ahead of a reset that the whole has told already
        assert story(arrival.open(True), data, []) == plain, "cut, the bytes are read otherwise"


def check_cost(arrival: Arrival) -> None:
    """What is kept after reading, and the calls it took, stay below a bound that grows with the length alone."""
    fill_huffman_rows()
    data = arrival.data
    end = arrival.open(True)
    end.take_events()
    end.data_to_send()
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    # Each read has a price of its own, which the length does not bound: byte by byte is for the other check.
    read_in = [max(size, PIECE_BYTES_MIN) for size in arrival.pieces]
    before_profile = sys.getprofile()
    sys.setprofile(count)
    try:
        for piece in cut(data, read_in):
            end.receive_data(piece)
            end.take_events()
            end.data_to_send()
    finally:
        sys.setprofile(before_profile)
    assert calls <= CALLS_MAX + CALLS_PER_BYTE_MAX * len(data), f"{calls} calls for {len(data)} bytes"
    end = arrival.open(True)
    end.take_events()
    end.data_to_send()
    tracemalloc.start()
    try:
        for piece in cut(data, read_in):
            end.receive_data(piece)
            end.take_events()
            end.data_to_send()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept <= KEPT_BYTES_MAX + KEPT_BYTES_PER_BYTE_MAX * len(data), f"{kept} bytes kept for {len(data)}"


# Recordings.


@cache
def recordings(of_client: bool) -> tuple[tuple[bytes, ...], ...]:
    """What one end has said in a few valid conversations, frame by frame, the preface left out."""
    recorded = []
    for ours in (("client", "server"), ("client",), ("server",)):
        for number, coded in enumerate((False, True)):
            conversation = Conversation(Script(ours, {}, {}, [], coded=coded, indexed=coded))
            said = b""
            for step in _steps(number):
                if isinstance(step, Deliver) and step.to_client is not of_client:
                    way = conversation.on_their_way[not of_client]
                    way += (conversation.client if of_client else conversation.server).take()
                    said += bytes(way)
                conversation.do(step)
            recorded.append(tuple(_frames(said)))
    return tuple(recorded)


def _steps(number: int) -> list[Send | Answer | Deliver | Announce | Ping | Prioritise]:
    others = [("apns-topic", "com.example.app"), ("authorization", "bearer AAAA")]
    steps: list[Send | Answer | Deliver | Announce | Ping | Prioritise] = [Deliver(False), Deliver(True)] * 2
    for at in range(REQUESTS_SENT):
        long = [("x-long", "v" * 20_000)] if at == 3 and number else []
        trailers = [("checksum", "1")] if at == 2 else []
        size = 4 * at + 4
        fields = others + long + ([("content-length", str(size))] if at % 2 else [])
        # Priority fields and CONTINUATION together are too much for `h2`.
        steps.append(Send("/3/device/00", "eabeae54", fields, size, not long, trailers, padding=at % 3))
        steps += [Deliver(False), Deliver(True)]
    steps += [Ping(True), Prioritise(1), Announce(True, {frames.INITIAL_WINDOW_SIZE: 70_000}), Deliver(False)]
    steps += [Ping(False), Announce(False, {frames.HEADER_TABLE_SIZE: 100}), Deliver(True), Deliver(False)]
    for at in range(REQUESTS_SENT):
        reply = Answer(status=200 + at % 2 * 210, body_bytes=at % 2 * 30, interim=at == 4, padding=at % 3)
        steps += [reply, Deliver(True), Deliver(False)]
    return steps


def _frames(said: bytes) -> list[bytes]:
    split = []
    while said:
        size = whole_frame_bytes(said)
        if not said.startswith(frames.PREFACE[:3]):
            split.append(said[:size])
        said = said[size:]
    return split


@st.composite
def spoiled_recordings(draw: st.DrawFn, of_client: bool) -> list[bytes]:
    """A recording with a few wounds, most of them small enough for the reader to live on and meet the next."""
    whole = list(draw(st.sampled_from(recordings(of_client))))
    if not of_client:
        whole = [each for each in whole if each[3] != frames.SETTINGS or draw(st.booleans())]
    for _ in range(draw(st.sampled_from([1, 1, 2, 3, 5]))):
        if not whole:
            break
        at = draw(st.integers(0, len(whole) - 1))
        header, payload = whole[at][: frames.FRAME_HEADER_BYTES], whole[at][frames.FRAME_HEADER_BYTES :]
        place = draw(st.integers(0, min(len(payload), 60)))
        match draw(
            st.sampled_from(["flip", "insert", "delete", "repeat", "drop", "swap", "flags", "header", "stream"])
        ):
            case "flip" if payload[place:]:
                payload = (
                    payload[:place] + bytes((payload[place] ^ 1 << draw(st.integers(0, 7)),)) + payload[place + 1 :]
                )
                whole[at] = header + payload
            case "insert":
                payload = payload[:place] + draw(st.binary(min_size=1, max_size=4)) + payload[place:]
                whole[at] = _lengthened(header, payload, draw(_rarely_wrong))
            case "delete":
                payload = payload[:place] + payload[place + draw(st.integers(1, 5)) :]
                whole[at] = _lengthened(header, payload, draw(_rarely_wrong))
            case "repeat":
                whole.insert(draw(st.integers(at, len(whole))), whole[at])
            case "drop":
                del whole[at]
            case "swap":
                to = draw(st.integers(0, len(whole) - 1))
                whole[at], whole[to] = whole[to], whole[at]
            case "flags":
                flags = header[4] ^ draw(st.sampled_from([0x1, 0x4, 0x8, 0x20, 0x2, 0x80]))
                whole[at] = header[:4] + bytes((flags,)) + header[5:] + payload
            case "header" if header:
                place = draw(st.integers(0, len(header) - 1))
                whole[at] = header[:place] + bytes((draw(st.integers(0, 255)),)) + header[place + 1 :] + payload
            case "stream":
                stream_id = draw(st.sampled_from([1, 3, 5, 7, 9, 11, 101, 2, 0, 2**31 - 1, 2**31 + 1]))
                whole[at] = header[:5] + stream_id.to_bytes(4) + payload
            case _:
                pass
    return whole


# How far the length that a frame names is from its own.
_rarely_wrong = st.sampled_from([0, 0, 0, 0, 1, -1])


def _lengthened(header: bytes, payload: bytes, wrong_by: int) -> bytes:
    """A frame that names the length of its payload, or nearly."""
    return max(0, len(payload) + wrong_by).to_bytes(3) + header[3:] + payload


def _hexes(parts: list[bytes]) -> list[str]:
    return [part.hex() for part in parts if part]


_soups = st.one_of(
    st.builds(Arrival, st.just("server"), soups(of_client=True).map(lambda raw: [raw.hex()]), cuts, st.booleans()),
    st.builds(Arrival, st.just("client"), soups(of_client=False).map(lambda raw: [raw.hex()]), cuts),
)
_spoiled = st.one_of(
    st.builds(
        Arrival,
        st.just("fresh server"),
        spoiled_recordings(True).map(lambda parts: _hexes([frames.PREFACE, *parts])),
        cuts,
        st.booleans(),
    ),
    st.builds(Arrival, st.just("client"), spoiled_recordings(False).map(_hexes), cuts),
)
_raw = st.binary(max_size=300).map(lambda raw: [raw.hex()])
_random = st.one_of(
    st.builds(Arrival, st.sampled_from(["server", "client", "fresh server", "fresh client"]), _raw, cuts),
    st.builds(Arrival, st.just("fresh server"), _raw.map(lambda parts: [frames.PREFACE.hex(), *parts]), cuts),
)

READINGS = [
    Property(name="spoiled-recording", record=Arrival, inputs=_spoiled, check=check_reading, examples=100),
    Property(name="frame-soup", record=Arrival, inputs=_soups, check=check_reading, examples=40),
    Property(name="random-bytes", record=Arrival, inputs=_random, check=check_reading, examples=60),
    Property(name="cost", record=Arrival, inputs=st.one_of(_spoiled, _soups, _random), check=check_cost, examples=40),
]
