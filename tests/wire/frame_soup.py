"""Strategies for bytes that are nearly a conversation: valid frames of all kinds, broken rules, damage in places."""

from hypothesis import strategies as st

from tests.wire.peers import data, request_fields
from wire import frames
from wire.hpack import Encoder
from wire.request import Fields

_OTHERS: tuple[Fields, ...] = (
    ((b"apns-topic", b"com.example.app"), (b"authorization", b"bearer AAAA")),
    ((b"apns-topic", b"com.example.other"), (b"authorization", b"bearer AAAA")),
    ((b"apns-topic", b"com.example.app"), (b"apns-topic", b"com.example.app"), (b"apns-id", b"")),
    ((b"apns-topic", b"com.example.app"), (b"content-length", b"5")),
)
_SPOILED_OTHERS: tuple[Fields, ...] = (
    ((b"Upper", b"case"),),
    ((b"connection", b"close"),),
    ((b":path", b"/late"),),
    ((b"x", b" space"),),
)
_STREAMS = st.sampled_from([1, 3, 5, 7, 9, 2, 0, 101])
_INCREMENTS = st.sampled_from([0, 1, 1_000, 2**31 - 1, 2**31])


class _Writer:
    """Writes messages in the way of one client or server: with its encoder, on the next stream."""

    def __init__(self, draw: st.DrawFn, *, of_client: bool) -> None:
        self.draw = draw
        self.of_client = of_client
        style = draw(st.sampled_from(["stateless", "literal", "indexed", "coded", "never"]))
        unindexed = () if style == "indexed" else (b":path", b"apns-id")
        never_indexed = (b"authorization",) if style == "never" else ()
        coded = style in ("coded", "never")
        self.encoder = Encoder(coded=coded, unindexed=unindexed, never_indexed=never_indexed)
        self.stream_id = 1

    def message(self) -> bytes:
        """HEADERS, perhaps in several frames, with a body or without: usual ones far more often than odd ones."""
        draw = self.draw
        usual = draw(st.sampled_from([True, True, True, True, False]))
        others = draw(st.sampled_from(_OTHERS if usual else (*_OTHERS, *_SPOILED_OTHERS)))
        varying = draw(st.sampled_from([b"0a" * 32, b"0b" * 32, b"77" * 20, b" 0", b"\x01"]))
        apns_id = draw(st.sampled_from([None, b"id", b"eabeae54", b"d1"]))
        if self.of_client:
            fields = request_fields(varying if varying[0] < 33 else b"/3/device/" + varying, apns_id, others)
        else:
            status = draw(st.sampled_from([b"200", b"200", b"410", b"103", b"204"]))
            fields = ((b":status", status), *(() if apns_id is None else ((b"apns-id", apns_id),)), *others)
        block = self.encoder.encode(fields)
        body = draw(st.sampled_from([b"", b"12345", b"12345", b"x" * 300]))
        stream_id = self.stream_id if usual else draw(_STREAMS)
        self.stream_id += 2
        whole = headers_in_frames(draw, stream_id, block, end_stream=not body, plain=usual)
        if body and usual:
            return whole + data(stream_id, body, end_stream=True)
        if body:
            padded = bytes((draw(st.integers(0, 6)),)) + body
            return whole + frames.frame(frames.DATA, frames.PADDED | draw(st.integers(0, 1)), stream_id, padded)
        return whole


def headers_in_frames(draw: st.DrawFn, stream_id: int, block: bytes, *, end_stream: bool, plain: bool) -> bytes:
    """HEADERS: in one frame when `plain`, else perhaps padded, with priority, or continued."""
    flags = frames.END_STREAM if end_stream else 0
    if plain:
        return frames.frame(frames.HEADERS, flags | frames.END_HEADERS, stream_id, block)
    kind = draw(st.sampled_from(["padded", "priority", "continued", "both"]))
    at = draw(st.integers(0, len(block))) if kind in ("continued", "both") else len(block)
    first, rest = block[:at], block[at:]
    if kind in ("priority", "both"):
        flags |= frames.PRIORITY_FLAG
        first = b"\x80\x00\x00\x01\xff" + first
    if kind in ("padded", "both"):
        flags |= frames.PADDED
        first = b"\x03" + first + bytes(3)
    if kind in ("padded", "priority"):
        return frames.frame(frames.HEADERS, flags | frames.END_HEADERS, stream_id, first)
    return frames.frame(frames.HEADERS, flags, stream_id, first) + frames.frame(
        frames.CONTINUATION, frames.END_HEADERS, stream_id, rest
    )


def _other_frame(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["window", "reset", "ping", "settings", "ack", "goaway", "priority", "data", "any"]))
    stream_id = draw(_STREAMS)
    if kind == "window":
        return frames.window_update_frame(stream_id, draw(_INCREMENTS))
    if kind == "reset":
        return frames.rst_stream_frame(stream_id, draw(st.sampled_from([0, 7, 8, 99])))
    if kind == "ping":
        return frames.ping_frame(b"8 bytes.", ack=draw(st.booleans()))
    if kind == "settings":
        code, value = draw(
            st.sampled_from([(1, 0), (1, 4_096), (3, 5), (4, 0), (4, 70_000), (5, 16_384), (5, 5), (2, 0), (9, 9)])
        )
        return frames.settings_frame({code: value})
    if kind == "ack":
        return frames.SETTINGS_ACK
    if kind == "goaway":
        return frames.goaway_frame(draw(st.sampled_from([0, 3, 2**31 - 1])), draw(st.integers(0, 13)), b"why")
    if kind == "priority":
        return frames.frame(frames.PRIORITY, 0, stream_id, bytes(draw(st.sampled_from([5, 5, 4]))))
    if kind == "data":
        return data(stream_id, draw(st.sampled_from([b"", b"12345"])), end_stream=draw(st.booleans()))
    return frames.frame(draw(st.integers(0, 12)), draw(st.integers(0, 255)), stream_id, draw(st.binary(max_size=12)))


@st.composite
def soups(draw: st.DrawFn, *, of_client: bool) -> bytes:
    """What a client, or a server, might send behind its first SETTINGS."""
    writer = _Writer(draw, of_client=of_client)
    parts = []
    for kind in draw(st.lists(st.sampled_from(["message"] * 5 + ["other"]), min_size=1, max_size=12)):
        parts.append(writer.message() if kind == "message" else _other_frame(draw))
    whole = b"".join(parts)
    if draw(st.sampled_from([False, False, True])):
        at = draw(st.integers(0, len(whole) - 1))
        whole = whole[:at] + draw(st.binary(max_size=2)) + whole[at + 1 :]
    return whole
