"""The frames of one side of an HTTP/2 connection in words, for people: a line for each, with its header fields decoded. Pure.

What proves a credential is not among the words, nor are the bodies of requests; a body of an answer is where it tells an error.
"""

import re
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from simulator.credential_hash import credential_hash
from wire import frames
from wire.errors import code_name
from wire.hpack import Decoder, HeaderListTooLarge, HpackError

FRAME_BYTES_MAX: Final = 1 << 20
"""Ours: of a frame that is followed. No client may send one as long; a longer one ends the reading of its side."""

HEADER_BLOCK_BYTES_MAX: Final = 1 << 18
"""Ours: of one header block over all its frames, and of the list that it decodes to; a longer one ends it too."""

ERRORS_FOLLOWED_MAX: Final = 1_024
"""Ours: answers with an error whose body is still to come. The body of the oldest is then told by its length alone."""

VALUE_CHARACTERS_MAX: Final = 200
"""Ours: of one field's value, one debug text or one piece of a body; the rest is told by its length."""

FIELDS_SHOWN_MAX: Final = 64
"""Ours: of one header list; the others are counted."""

_SECRET_FIELDS: Final = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))
_SECRET_PARAMETER: Final = re.compile(rb"([?&](?:access_token|oauth_token|key)=)[^&]*")
_WITHHELD: Final = rb"\1(withheld)"
_SETTINGS: Final = Struct(">HI")

SETTING_NAMES: Final = {
    frames.HEADER_TABLE_SIZE: "HEADER_TABLE_SIZE",
    frames.ENABLE_PUSH: "ENABLE_PUSH",
    frames.MAX_CONCURRENT_STREAMS: "MAX_CONCURRENT_STREAMS",
    frames.INITIAL_WINDOW_SIZE: "INITIAL_WINDOW_SIZE",
    frames.MAX_FRAME_SIZE: "MAX_FRAME_SIZE",
    frames.MAX_HEADER_LIST_SIZE: "MAX_HEADER_LIST_SIZE",
}


class FrameText(NamedTuple):
    """One frame in words. `stream`: 0 for the connection."""

    stream: int
    text: str


class _LostError(Exception):
    """What comes cannot be followed any further; the message says why."""


class FrameReader:
    """One side of a connection, from its first byte on: the client's, which begins with the preface, or the simulator's."""

    __slots__ = (
        "_block",
        "_block_flags",
        "_block_stream",
        "_decoder",
        "_errors",
        "_from_client",
        "_lost",
        "_preface",
        "_rest",
    )

    def __init__(self, *, from_client: bool) -> None:
        self._from_client = from_client
        self._preface = frames.PREFACE if from_client else b""  # what of it is still to come
        self._rest = b""
        self._lost = False
        # The table may be as large as any that was announced: that it is not larger is `wire`'s to see to.
        self._decoder = Decoder(table_bytes_max=frames.WINDOW_BYTES_MAX, list_bytes_max=HEADER_BLOCK_BYTES_MAX)
        self._block: bytearray | None = None
        self._block_stream = 0
        self._block_flags = 0
        self._errors: dict[int, None] = {}  # streams whose answer is an error, until its body has ended

    @property
    def unfinished_bytes(self) -> int:
        """Of a frame that has begun and not ended."""
        return len(self._rest)

    def read(self, data: bytes) -> Iterator[FrameText]:
        """The frames that these bytes complete. To be read to the end before the next call."""
        if self._lost:
            return
        if self._preface:
            yield from self._read_preface(data)
            data = self._rest
            if self._preface or self._lost:
                return
        elif self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        try:
            while size - at >= frames.FRAME_HEADER_BYTES:
                high, low, kind, flags, stream = frames.FRAME_HEADER.unpack_from(data, at)
                start = at + frames.FRAME_HEADER_BYTES
                end = start + (high << 16 | low)
                if end - start > FRAME_BYTES_MAX:
                    raise _LostError(f"a frame of {end - start:,} bytes")
                if end > size:
                    break
                at = end
                stream &= frames.STREAM_ID_MAX
                yield FrameText(stream, self._frame(kind, flags, stream, data[start:end]))
        except (_LostError, HpackError) as error:
            self._lost = True
            self._rest = b""
            yield FrameText(0, f"(not read any further: {error})")
            return
        self._rest = data[at:]

    def _read_preface(self, data: bytes) -> Iterator[FrameText]:
        come = min(len(self._preface), len(data))
        if data[:come] != self._preface[:come]:
            self._lost = True
            yield FrameText(0, "(not read any further: no preface of HTTP/2)")
            return
        self._preface, self._rest = self._preface[come:], data[come:]
        if not self._preface:
            yield FrameText(0, "preface")

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> str:
        if kind == frames.DATA:
            return self._data(flags, stream, payload)
        if kind == frames.HEADERS:
            skipped = 5 if flags & frames.PRIORITY_FLAG else 0
            self._block = bytearray(_unpadded(flags, payload)[skipped:])
            self._block_stream, self._block_flags = stream, flags
            return f"HEADERS {_flags_text(flags, _HEADERS_FLAGS)}{self._fields(flags)}"
        if kind == frames.CONTINUATION:
            if self._block is None:
                return f"CONTINUATION of no header block, {len(payload)} bytes"
            self._block += payload
            return f"CONTINUATION {_flags_text(flags, _CONTINUATION_FLAGS)}{self._fields(flags)}"
        if kind == frames.RST_STREAM and len(payload) == 4:
            self._errors.pop(stream, None)
            return f"RST_STREAM {code_name(int.from_bytes(payload))}"
        if kind == frames.SETTINGS:
            return _settings_text(flags, payload)
        if kind == frames.PING:
            return f"PING {'ack ' if flags & frames.ACK else ''}{payload.hex()}"
        if kind == frames.GOAWAY and len(payload) >= 8:
            last, code = int.from_bytes(payload[:4]) & frames.STREAM_ID_MAX, int.from_bytes(payload[4:8])
            debug = f" {shown(payload[8:])}" if payload[8:] else ""
            return f"GOAWAY last stream {last}, {code_name(code)}{debug}"
        if kind == frames.WINDOW_UPDATE and len(payload) == 4:
            return f"WINDOW_UPDATE +{int.from_bytes(payload) & frames.WINDOW_BYTES_MAX}"
        return f"{frames.FRAME_NAMES.get(kind, f'type {kind:#x}')} {len(payload)} bytes"

    def _data(self, flags: int, stream: int, payload: bytes) -> str:
        content = _unpadded(flags, payload)
        padding = f" and {len(payload) - len(content)} of padding" if len(content) < len(payload) else ""
        text = f"DATA {_flags_text(flags, _DATA_FLAGS)}{len(content)} bytes{padding}"
        if stream not in self._errors:
            return text
        if flags & frames.END_STREAM:
            del self._errors[stream]
        return f"{text} {shown(content)}"

    def _fields(self, flags: int) -> str:
        """The fields of the block, once it is whole."""
        assert self._block is not None
        if len(self._block) > HEADER_BLOCK_BYTES_MAX:
            raise _LostError(f"a header block of {len(self._block):,} bytes")
        if not flags & frames.END_HEADERS:
            return f"{len(self._block)} bytes so far"
        block, self._block = bytes(self._block), None
        try:
            fields = self._decoder.decode(block)
        except HeaderListTooLarge as error:
            return str(error)
        self._note_error(fields)
        more = f" | and {len(fields) - FIELDS_SHOWN_MAX} fields more" if len(fields) > FIELDS_SHOWN_MAX else ""
        return " | ".join(field_text(name, value) for name, value in fields[:FIELDS_SHOWN_MAX]) + more

    def _note_error(self, fields: list[tuple[bytes, bytes]]) -> None:
        # No error carries a credential; the answers of the token endpoint do.
        if self._from_client or self._block_flags & frames.END_STREAM or not fields or fields[0][0] != b":status":
            return
        if fields[0][1] >= b"4":
            if len(self._errors) >= ERRORS_FOLLOWED_MAX:
                del self._errors[next(iter(self._errors))]
            self._errors[self._block_stream] = None


_END_STREAM = (frames.END_STREAM, "end_stream ")
_END_HEADERS = (frames.END_HEADERS, "end_headers ")
_PADDED = (frames.PADDED, "padded ")
_DATA_FLAGS = (_END_STREAM, _PADDED)
_HEADERS_FLAGS = (_END_STREAM, _END_HEADERS, _PADDED, (frames.PRIORITY_FLAG, "priority "))
_CONTINUATION_FLAGS = (_END_HEADERS,)


def _flags_text(flags: int, known: tuple[tuple[int, str], ...]) -> str:
    return "".join(name for bit, name in known if flags & bit)


def _settings_text(flags: int, payload: bytes) -> str:
    if flags & frames.ACK:
        return "SETTINGS ack"
    if len(payload) % _SETTINGS.size:
        return f"SETTINGS of {len(payload)} bytes, no multiple of {_SETTINGS.size}"
    entries = _SETTINGS.iter_unpack(payload)
    return " ".join(("SETTINGS", *(f"{SETTING_NAMES.get(code, f'{code:#x}')}={value}" for code, value in entries)))


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & frames.PADDED or not payload:
        return payload
    return payload[1 : max(1, len(payload) - payload[0])]


def field_text(name: bytes, value: bytes) -> str:
    """One header field, without what is secret about it."""
    if name in _SECRET_FIELDS:
        scheme, space, credential = value.partition(b" ")
        kind = f"{shown_plain(scheme)} " if space else ""
        # The hash is the one that observations have: it tells two credentials apart.
        withheld = f"(withheld: {len(credential if space else value)} bytes, hash {credential_hash(value)})"
        return f"{shown_plain(name)}: {kind}{withheld}"
    if name == b":path":
        value = without_secrets(value)
    return f"{shown_plain(name)}: {shown_plain(value)}"


def without_secrets(target: bytes) -> bytes:
    """A path whose query may carry a credential, without that."""
    return _SECRET_PARAMETER.sub(_WITHHELD, target) if b"=" in target else target


def shown_plain(value: bytes) -> str:
    """Bytes as text of one line, cut at the bound; what is not printable is escaped."""
    cut = value[:VALUE_CHARACTERS_MAX]
    text = cut.decode("latin-1")
    if not text.isascii() or not text.isprintable():
        text = "".join(each if " " <= each <= "~" else f"\\x{ord(each):02x}" for each in text)
    return text if len(cut) == len(value) else f"{text}… ({len(value)} bytes)"


def shown(value: bytes) -> str:
    """The same between quotation marks: for texts with spaces."""
    return f"“{shown_plain(value)}”"
