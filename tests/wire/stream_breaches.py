"""Rules of RFC 9113 whose breach ends one stream, as rows; each cites its section and the requirements it shows."""

from dataclasses import dataclass

import pytest

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import (
    REQUEST,
    RESPONSE,
    data,
    headers,
    replaced,
    request,
)
from wire import frames
from wire.errors import ErrorCode
from wire.hpack import stateless_block
from wire.request import Fields

PROTOCOL, SIZE, FLOW = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR, ErrorCode.FLOW_CONTROL_ERROR
CLOSED = ErrorCode.STREAM_CLOSED
OPEN = headers(1, REQUEST)
TOO_LARGE = b"\x08\x03431"  # :status 431, without indexing


@dataclass(frozen=True)
class Breach:
    """One broken rule of stream 1. `why`: part of what the event says about it. `shows`: requirements, of this section or
    with their own."""

    section: str
    claim: str
    spoilt: bytes
    code: ErrorCode
    why: str
    shows: tuple[str | tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.section} {self.claim}"

    def case(self) -> object:
        """As one case of a test, marked with the requirements that it shows, of this section or of another one."""
        named = [(self.section, quote) if isinstance(quote, str) else quote for quote in self.shows]
        return pytest.param(self, id=str(self), marks=[requirement(HTTP2, *each, case=str(self)) for each in named])


def with_length(fields: Fields, length: bytes) -> Fields:
    return (*fields, (b"content-length", length))


def with_priority(stream_id: int, depends_on: int, fields: Fields = REQUEST, *, flags: int = 0) -> bytes:
    """HEADERS with priority fields, exclusive and of the greatest weight."""
    fragment = (depends_on | 1 << 31).to_bytes(4) + b"\xff" + stateless_block(fields)
    return frames.frame(frames.HEADERS, frames.END_HEADERS | frames.PRIORITY_FLAG | flags, stream_id, fragment)


INTERIM: Fields = ((b":status", b"103"),)

AT_A_SERVER = (
    Breach(
        "5.1",
        "DATA behind the end of the request",
        request(1) + data(1, b"x"),
        CLOSED,
        "DATA after the end",
        shows=(
            "If an endpoint receives additional frames",
            ("6.1", "If a DATA frame is received whose stream is not"),
        ),
    ),
    Breach(
        "5.1",
        "HEADERS behind the end",
        request(1) + headers(1, REQUEST),
        CLOSED,
        "HEADERS after the end",
        shows=("If an endpoint receives additional frames",),
    ),
    Breach(
        "6.3",
        "PRIORITY of another length than 5",
        OPEN + frames.frame(2, 0, 1, bytes(4)),
        SIZE,
        "PRIORITY of 4",
        shows=("A PRIORITY frame with a length",),
    ),
    Breach(
        "6.9",
        "WINDOW_UPDATE by 0",
        OPEN + frames.window_update_frame(1, 0),
        PROTOCOL,
        "by 0",
        shows=("A receiver MUST treat the receipt of a WINDOW_UPDATE",),
    ),
    Breach(
        "6.9.1",
        "a window over 2^31-1",
        OPEN + frames.window_update_frame(1, 2**31 - 1),
        FLOW,
        "overflows the stream",
        shows=("If a sender receives a WINDOW_UPDATE",),
    ),
    Breach(
        "8.1",
        "a second header section within a body",
        OPEN + headers(1, REQUEST),
        PROTOCOL,
        "within a body",
        shows=("An endpoint that receives a HEADERS frame without",),
    ),
    Breach(
        "8.1",
        "trailers with pseudo-header fields",
        OPEN + headers(1, REQUEST, end_stream=True),
        PROTOCOL,
        "8.3",
        shows=(
            "An endpoint that receives pseudo-header",
            "Trailers MUST NOT include",
            ("8.3", "Pseudo-header fields MUST NOT appear in a trailer"),
        ),
    ),
    Breach(
        "8.2.1",
        "trailers with an upper-case name",
        OPEN + headers(1, ((b"X", b""),), end_stream=True),
        PROTOCOL,
        "8.2.1",
        shows=("A request or response that contains a field that violates",),
    ),
    Breach(
        "8.1.1",
        "a body shorter than its length",
        request(1, b"1234", with_length(REQUEST, b"5")),
        PROTOCOL,
        "says 5 bytes and 4",
        shows=("Malformed requests or responses",),
    ),
    Breach(
        "8.1.1",
        "a body longer than its length",
        request(1, b"123456", with_length(REQUEST, b"5")),
        PROTOCOL,
        "says 5 bytes and 6",
        shows=("Malformed requests or responses",),
    ),
    Breach(
        "8.1.1",
        "a length and no body",
        headers(1, with_length(REQUEST, b"5"), end_stream=True),
        PROTOCOL,
        "says 5 bytes and 0",
        shows=("Malformed requests or responses",),
    ),
    Breach(
        "8.1.1",
        "a body in two frames shorter than its length",
        headers(1, with_length(REQUEST, b"5")) + data(1, b"12") + data(1, b"34", end_stream=True),
        PROTOCOL,
        "says 5 bytes and 4",
    ),
    Breach(
        "8.1.1",
        "a body that ends with trailers shorter than its length",
        headers(1, with_length(REQUEST, b"5")) + data(1, b"12") + headers(1, ((b"x", b""),), end_stream=True),
        PROTOCOL,
        "says 5 bytes and 2",
    ),
    Breach(
        "RFC 9110, 8.6", "a length that is no number", request(1, b"1", with_length(REQUEST, b"+1")), PROTOCOL, "8.6"
    ),
    Breach(
        "8.3.1",
        "a request without :path",
        request(1, b"{}", replaced(REQUEST, path=None)),
        PROTOCOL,
        "missing",
        shows=(
            "All HTTP/2 requests MUST",
            ("8.1.1", "Malformed requests or responses"),
        ),
    ),
    Breach(
        "RFC 7540, 5.3.1",
        "HEADERS that depend on their own stream",
        with_priority(1, 1),
        PROTOCOL,
        "depends on itself",
    ),
    Breach(
        "RFC 7540, 5.3.1",
        "trailers that depend on their own stream",
        OPEN + with_priority(1, 1, ((b"x", b""),), flags=frames.END_STREAM),
        PROTOCOL,
        "depends on itself",
    ),
    Breach(
        "RFC 7540, 5.3.1",
        "PRIORITY that makes a stream depend on itself",
        OPEN + frames.frame(2, 0, 1, b"\x80\0\0\1\0"),
        PROTOCOL,
        "depends on itself",
    ),
)

AT_A_CLIENT = (
    Breach(
        "6.3",
        "PRIORITY of another length than 5",
        frames.frame(2, 0, 1, bytes(4)),
        SIZE,
        "PRIORITY of 4",
        shows=("A PRIORITY frame with a length",),
    ),
    Breach(
        "6.9",
        "WINDOW_UPDATE by 0",
        frames.window_update_frame(1, 0),
        PROTOCOL,
        "by 0",
        shows=("A receiver MUST treat the receipt of a WINDOW_UPDATE",),
    ),
    Breach(
        "6.9.1",
        "a window over 2^31-1",
        frames.window_update_frame(1, 2**31 - 1),
        FLOW,
        "overflows the stream",
        shows=("If a sender receives a WINDOW_UPDATE",),
    ),
    Breach("8.1", "DATA before the head of the response", data(1, b"x"), PROTOCOL, "DATA before the head"),
    Breach(
        "8.1",
        "DATA behind an interim response",
        headers(1, INTERIM) + data(1, b"x", end_stream=True),
        PROTOCOL,
        "DATA before the head",
    ),
    Breach(
        "8.1",
        "an interim response that ends the stream",
        headers(1, INTERIM, end_stream=True),
        PROTOCOL,
        "informational",
    ),
    Breach(
        "8.1",
        "a second header section within a body",
        headers(1, RESPONSE) + headers(1, RESPONSE),
        PROTOCOL,
        "within a body",
        shows=("An endpoint that receives a HEADERS frame without",),
    ),
    Breach(
        "8.1",
        "trailers with pseudo-header fields",
        headers(1, RESPONSE) + headers(1, RESPONSE, end_stream=True),
        PROTOCOL,
        "8.3",
        shows=(
            "An endpoint that receives pseudo-header",
            "Trailers MUST NOT include",
            ("8.3", "Pseudo-header fields MUST NOT appear in a trailer"),
        ),
    ),
    Breach(
        "8.1.1",
        "a body of another length",
        headers(1, with_length(RESPONSE, b"5")) + data(1, b"1", end_stream=True),
        PROTOCOL,
        "says 5 bytes and 1",
        shows=(
            "Malformed requests or responses",
            "Clients MUST NOT accept",
        ),
    ),
    Breach(
        "8.1.1",
        "a length and no body",
        headers(1, with_length(RESPONSE, b"5"), end_stream=True),
        PROTOCOL,
        "says 5 bytes and 0",
        shows=("Malformed requests or responses",),
    ),
    Breach(
        "RFC 7540, 5.3.1",
        "a response that depends on its own stream",
        with_priority(1, 1, RESPONSE),
        PROTOCOL,
        "depends on itself",
    ),
    Breach(
        "8.3.2",
        "a response without :status",
        headers(1, RESPONSE[1:], end_stream=True),
        PROTOCOL,
        ":status",
        shows=(
            "This pseudo-header field MUST",
            ("8.1.1", "Clients MUST NOT accept"),
        ),
    ),
)
