"""Rules of RFC 9113 whose breach ends the connection, as rows; each cites its section and the requirements it shows."""

from dataclasses import dataclass

import pytest

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import REQUEST, RESPONSE, data, headers
from wire import frames
from wire.errors import ErrorCode

PROTOCOL, SIZE, FLOW = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR, ErrorCode.FLOW_CONTROL_ERROR
CLOSED, COMPRESSION, CALM = ErrorCode.STREAM_CLOSED, ErrorCode.COMPRESSION_ERROR, ErrorCode.ENHANCE_YOUR_CALM
PADDED, END_HEADERS, END_STREAM = frames.PADDED, frames.END_HEADERS, frames.END_STREAM
WINDOW_FULL = frames.window_update_frame(1, 2**31 - 1 - 65_535)


@dataclass(frozen=True)
class Breach:
    """One broken rule: `spoilt` arrives behind a valid start. `shows`: requirements, of this section or with their own."""

    section: str
    claim: str
    spoilt: bytes
    code: ErrorCode
    shows: tuple[str | tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.section} {self.claim}"

    def case(self) -> object:
        """As one case of a test, marked with the requirements that it shows, of this section or of another one."""
        named = [(self.section, quote) if isinstance(quote, str) else quote for quote in self.shows]
        return pytest.param(self, id=str(self), marks=[requirement(HTTP2, *each, case=str(self)) for each in named])


AT_BOTH_ENDS = (
    Breach(
        "4.2",
        "a frame over MAX_FRAME_SIZE",
        frames.frame(99, 0, 0, bytes(16_385)),
        SIZE,
        shows=("MUST send an error code",),
    ),
    Breach(
        "4.2",
        "the header of a frame over MAX_FRAME_SIZE, before its payload",
        b"\x00\x40\x01\x00\x00" + bytes(4),
        SIZE,
        shows=("MUST send an error code",),
    ),
    Breach(
        "4.3",
        "a header block that cannot be decoded",
        frames.frame(1, END_HEADERS, 1, b"\x80"),
        COMPRESSION,
        shows=(
            "A decoding error",
            "MUST terminate the connection",
        ),
    ),
    Breach(
        "6.1",
        "DATA on stream 0",
        data(0, b"x"),
        PROTOCOL,
        shows=(
            "DATA frames MUST be associated",
            "If a DATA frame is received whose Stream",
        ),
    ),
    Breach(
        "6.1",
        "padding of DATA as long as the frame",
        frames.frame(0, PADDED, 1, b"\x02x"),
        PROTOCOL,
        shows=("If the length of the padding",),
    ),
    Breach(
        "4.2",
        "padded DATA without the padding's length",
        frames.frame(0, PADDED, 1),
        SIZE,
        shows=("MUST send an error code",),
    ),
    Breach(
        "6.2",
        "HEADERS on stream 0",
        headers(0, REQUEST),
        PROTOCOL,
        shows=(
            "HEADERS frames MUST be associated",
            "If a HEADERS frame is received",
        ),
    ),
    Breach(
        "6.2",
        "padding of HEADERS as long as the frame",
        frames.frame(1, PADDED | 4, 1, b"\x01"),
        PROTOCOL,
        shows=("If the length of the padding",),
    ),
    Breach("6.2", "padding over the priority fields", frames.frame(1, PADDED | 0x24, 1, b"\x01" + bytes(5)), PROTOCOL),
    Breach(
        "4.2",
        "HEADERS without the priority fields they announce",
        frames.frame(1, 0x24, 1, bytes(4)),
        SIZE,
        shows=(
            "MUST send an error code",
            "A frame size error in a frame that could",
        ),
    ),
    Breach(
        "4.2",
        "padded HEADERS without the padding's length",
        frames.frame(1, PADDED | 4, 1),
        SIZE,
        shows=("A frame size error in a frame that could",),
    ),
    Breach(
        "6.3",
        "PRIORITY on stream 0",
        frames.frame(2, 0, 0, bytes(5)),
        PROTOCOL,
        shows=("If a PRIORITY frame is received",),
    ),
    Breach("6.3", "a short PRIORITY on an idle stream, which cannot be reset", frames.frame(2, 0, 99, bytes(4)), SIZE),
    Breach(
        "RFC 7540, 5.3.1",
        "PRIORITY that makes an idle stream, which cannot be reset, depend on itself",
        frames.frame(2, 0, 99, b"\0\0\0\x63\0"),
        PROTOCOL,
    ),
    Breach(
        "6.4",
        "RST_STREAM on stream 0",
        frames.rst_stream_frame(0, 8),
        PROTOCOL,
        shows=(
            "RST_STREAM frames MUST be associated",
            "If a RST_STREAM frame is received with",
        ),
    ),
    Breach(
        "6.4",
        "RST_STREAM on an idle stream",
        frames.rst_stream_frame(99, 8),
        PROTOCOL,
        shows=("If a RST_STREAM frame identifying",),
    ),
    Breach(
        "6.4",
        "RST_STREAM on an idle stream of the other end",
        frames.rst_stream_frame(2, 8),
        PROTOCOL,
        shows=("If a RST_STREAM frame identifying",),
    ),
    Breach(
        "6.4",
        "RST_STREAM of another length than 4",
        frames.frame(3, 0, 1, bytes(5)),
        SIZE,
        shows=("A RST_STREAM frame with a length",),
    ),
    Breach(
        "6.5",
        "SETTINGS on a stream",
        frames.frame(4, 0, 1),
        PROTOCOL,
        shows=(
            "The stream identifier for a SETTINGS",
            "If an endpoint receives a SETTINGS frame whose",
        ),
    ),
    Breach(
        "6.5",
        "SETTINGS with ACK and a payload",
        frames.frame(4, frames.ACK, 0, bytes(6)),
        SIZE,
        shows=(
            "When this bit is set",
            "Receipt of a SETTINGS frame with the ACK",
        ),
    ),
    Breach(
        "6.5",
        "SETTINGS of a length that is no multiple of 6",
        frames.frame(4, 0, 0, bytes(5)),
        SIZE,
        shows=(
            "A SETTINGS frame with a length",
            ("4.2", "A frame size error in a frame that could"),
        ),
    ),
    Breach(
        "6.5.2",
        "ENABLE_PUSH of 2",
        frames.settings_frame({frames.ENABLE_PUSH: 2}),
        PROTOCOL,
        shows=(
            "Any value other than 0 or 1",
            ("6.5", "A badly formed"),
        ),
    ),
    Breach(
        "6.5.2",
        "INITIAL_WINDOW_SIZE of 2^31",
        frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 2**31}),
        FLOW,
        shows=("Values above the maximum",),
    ),
    Breach(
        "6.5.2",
        "MAX_FRAME_SIZE under 2^14",
        frames.settings_frame({frames.MAX_FRAME_SIZE: 16_383}),
        PROTOCOL,
        shows=("Values outside this range",),
    ),
    Breach(
        "6.5.2",
        "MAX_FRAME_SIZE of 2^24",
        frames.settings_frame({frames.MAX_FRAME_SIZE: 2**24}),
        PROTOCOL,
        shows=("Values outside this range",),
    ),
    Breach(
        "6.5.2",
        "a fault in a value that a later entry replaces",
        frames.frame(4, 0, 0, b"\0\2\0\0\0\2\0\2\0\0\0\0"),
        PROTOCOL,
    ),
    Breach(
        "6.6",
        "PUSH_PROMISE",
        frames.frame(5, END_HEADERS, 1, b"\x00\x00\x00\x02\x82"),
        PROTOCOL,
        shows=("An endpoint that has set this setting",),
    ),
    Breach(
        "6.7",
        "PING on a stream",
        frames.frame(6, 0, 1, bytes(8)),
        PROTOCOL,
        shows=("If a PING frame is received with a Stream",),
    ),
    Breach(
        "6.7",
        "PING of another length than 8",
        frames.frame(6, 0, 0, bytes(7)),
        SIZE,
        shows=(
            "Receipt of a PING frame with a length",
            "PING frames MUST contain",
        ),
    ),
    Breach(
        "6.8",
        "GOAWAY on a stream",
        frames.frame(7, 0, 1, bytes(8)),
        PROTOCOL,
        shows=("An endpoint MUST treat a GOAWAY",),
    ),
    Breach(
        "6.8",
        "GOAWAY without its error code",
        frames.frame(7, 0, 0, bytes(4)),
        SIZE,
        shows=(("4.2", "MUST send an error code"),),
    ),
    Breach(
        "6.9",
        "WINDOW_UPDATE by 0 on the connection",
        frames.window_update_frame(0, 0),
        PROTOCOL,
        shows=("A receiver MUST treat the receipt of a WINDOW_UPDATE",),
    ),
    Breach(
        "6.9",
        "WINDOW_UPDATE of another length than 4",
        frames.frame(8, 0, 1, bytes(3)),
        SIZE,
        shows=("A WINDOW_UPDATE frame with a length",),
    ),
    Breach(
        "5.1",
        "WINDOW_UPDATE on an idle stream",
        frames.window_update_frame(99, 1),
        PROTOCOL,
        shows=("Receiving any frame other than HEADERS or PRIORITY",),
    ),
    Breach(
        "6.9.1",
        "WINDOW_UPDATE over 2^31-1 on the connection",
        frames.window_update_frame(0, 2**31 - 1),
        FLOW,
        shows=("If a sender receives a WINDOW_UPDATE",),
    ),
    Breach(
        "6.9.2",
        "INITIAL_WINDOW_SIZE that takes a stream's window over 2^31-1",
        WINDOW_FULL + frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 65_536}),
        FLOW,
        shows=("MUST treat a change",),
    ),
    Breach(
        "6.10",
        "CONTINUATION without HEADERS",
        frames.frame(9, END_HEADERS, 1),
        PROTOCOL,
        shows=(
            "A CONTINUATION frame MUST be preceded",
            "A recipient that observes",
        ),
    ),
    Breach(
        "6.10",
        "another frame inside a header block",
        frames.frame(1, 0, 1) + frames.ping_frame(bytes(8)),
        PROTOCOL,
        shows=(
            "A receiver MUST treat the receipt",
            ("6.2", "A receiver MUST treat the receipt"),
            ("8.1", "Other frames"),
            ("6.10", "If the END_HEADERS flag"),
        ),
    ),
    Breach(
        "6.10",
        "an unknown frame inside a header block",
        frames.frame(1, 0, 1) + frames.frame(99, 0, 1),
        PROTOCOL,
        shows=(("5.5", "extension frames that appear"),),
    ),
    Breach(
        "6.10",
        "CONTINUATION of another stream",
        frames.frame(1, 0, 1) + frames.frame(9, END_HEADERS, 3),
        PROTOCOL,
        shows=(
            "A receiver MUST treat the receipt",
            ("6.2", "A HEADERS frame without the END_HEADERS"),
        ),
    ),
    Breach(
        "5.1",
        "DATA on an idle stream",
        data(99, b"x"),
        PROTOCOL,
        shows=("Receiving any frame other than HEADERS or PRIORITY",),
    ),
    Breach(
        "5.1",
        "DATA on an idle stream of the other end",
        data(2, b"x"),
        PROTOCOL,
        shows=("Receiving any frame other than HEADERS or PRIORITY",),
    ),
)

AT_A_SERVER = (
    Breach(
        "5.1.1",
        "HEADERS on an even stream",
        headers(2, REQUEST),
        PROTOCOL,
        shows=(
            "An endpoint that receives an unexpected",
            "Streams initiated by a client MUST",
            ("5.1", "then receiving a HEADERS"),
        ),
    ),
    Breach(
        "5.1.1",
        "HEADERS on a stream passed over",
        headers(9, REQUEST) + headers(5, REQUEST),
        PROTOCOL,
        shows=(
            "An endpoint that receives an unexpected",
            "The identifier of a newly",
        ),
    ),
    Breach("5.1", "DATA on a stream passed over", headers(9, REQUEST) + data(5, b"x"), CLOSED),
    Breach(
        "5.1", "HEADERS on a stream the client has reset", frames.rst_stream_frame(1, 8) + headers(1, REQUEST), CLOSED
    ),
    Breach("5.1", "DATA on a stream the client has reset", frames.rst_stream_frame(1, 8) + data(1, b"x"), CLOSED),
    Breach(
        "6.6",
        "PUSH_PROMISE of a client, even on stream 0",
        frames.frame(5, END_HEADERS, 0),
        PROTOCOL,
        shows=(
            "If the Stream Identifier field specifies",
            ("8.4", "servers MUST treat"),
        ),
    ),
    Breach(
        "4.3",
        "a request on the hot path that cannot be decoded",
        frames.frame(1, 4, 3, b"\x80") + data(3, b"x", end_stream=True),
        COMPRESSION,
        shows=("A decoding error",),
    ),
)

AT_A_CLIENT = (
    Breach(
        "6.5.2",
        "ENABLE_PUSH of 1 from a server",
        frames.settings_frame({frames.ENABLE_PUSH: 1}),
        PROTOCOL,
        shows=("A client MUST treat receipt",),
    ),
    Breach("5.1", "HEADERS on a stream never opened", headers(3, RESPONSE), PROTOCOL),
    Breach("5.1", "HEADERS on a stream of the server, which cannot push", headers(2, RESPONSE), PROTOCOL),
    Breach("5.1", "DATA behind the end of the response", headers(1, RESPONSE, end_stream=True) + data(1, b"x"), CLOSED),
    Breach(
        "5.1",
        "HEADERS behind the end of the response",
        headers(1, RESPONSE, end_stream=True) + headers(1, RESPONSE),
        CLOSED,
    ),
    Breach(
        "4.3",
        "a response on the hot path that cannot be decoded",
        frames.frame(1, 5, 1, b"\x80"),
        COMPRESSION,
        shows=("A decoding error",),
    ),
)
