"""What the tests of `wire` share: open connections, frames written and read back, header lists, bytes cut at any place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from wire import frames
from wire.client import ClientConnection
from wire.connection import Connection
from wire.hpack import stateless_block
from wire.request import Fields
from wire.server import ServerConnection

# Failures print what reproduces them; the examples are drawn anew in each run.
checked = settings(deadline=None, print_blob=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
checked_long = settings(checked, max_examples=150)

REQUEST: Fields = (
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"localhost"),
    (b":path", b"/3/device/00fc13adff78512e"),
    (b"apns-topic", b"com.example.app"),
    (b"apns-id", b"eabeae54-14a8-11e5-b60b-1697f925ec7b"),
)
RESPONSE: Fields = ((b":status", b"200"), (b"apns-id", b"eabeae54-14a8-11e5-b60b-1697f925ec7b"))


class Frame(NamedTuple):
    """One frame as it stood on the wire."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def whole_frame_bytes(data: bytes) -> int:
    """How long the frame (or the preface) at the start of `data` is; 0 when it is not there whole."""
    size = len(frames.PREFACE)
    if not data.startswith(frames.PREFACE[:3]):
        if len(data) < frames.FRAME_HEADER_BYTES:
            return 0
        high, low, *_ = frames.FRAME_HEADER.unpack_from(data)
        size = frames.FRAME_HEADER_BYTES + (high << 16 | low)
    return size if len(data) >= size else 0


def frames_of(data: bytes) -> list[Frame]:
    """Read back what an end has queued; the client's preface is passed over."""
    read = []
    while data:
        size = whole_frame_bytes(data)
        assert size, "a frame is queued in part"
        if not data.startswith(frames.PREFACE[:3]):
            _, _, kind, flags, stream_id = frames.FRAME_HEADER.unpack_from(data)
            read.append(Frame(kind, flags, stream_id, data[frames.FRAME_HEADER_BYTES : size]))
        data = data[size:]
    return read


def sent(connection: Connection, kind: int) -> list[Frame]:
    """The queued frames of one type; all queued bytes are taken."""
    return [frame for frame in frames_of(connection.data_to_send()) if frame.kind == kind]


def headers(stream_id: int, fields: Iterable[tuple[bytes, bytes]], *, end_stream: bool = False) -> bytes:
    """A HEADERS frame that touches no dynamic table."""
    flags = frames.END_HEADERS | (frames.END_STREAM if end_stream else 0)
    return frames.frame(frames.HEADERS, flags, stream_id, stateless_block(tuple(fields)))


def data(stream_id: int, payload: bytes, *, end_stream: bool = False) -> bytes:
    """A DATA frame."""
    return frames.frame(frames.DATA, frames.END_STREAM if end_stream else 0, stream_id, payload)


def request(stream_id: int, body: bytes = b"{}", fields: Fields = REQUEST) -> bytes:
    """A whole request in two frames: what the hot path of a server reads."""
    return headers(stream_id, fields) + data(stream_id, body, end_stream=True)


def replaced(fields: Fields, **changes: bytes | None) -> Fields:
    """`fields` with other values: `status=b"404"` sets `:status`, `apns_id=None` leaves `apns-id` out."""
    names = {name.lstrip(b":").replace(b"-", b"_").decode(): name for name, _ in fields}
    values = {names[key]: value for key, value in changes.items()}
    kept = [(name, values.get(name, value)) for name, value in fields]
    return tuple((name, value) for name, value in kept if value is not None)


def open_server(
    settings: Mapping[int, int] | None = None,
    *,
    client_settings: Mapping[int, int] | None = None,
    fast: bool = True,
    body_bytes_max: int = 65_536,
) -> ServerConnection:
    """A server whose client has greeted it and acknowledged its SETTINGS."""
    server = ServerConnection(settings, fast=fast, body_bytes_max=body_bytes_max)
    greeting = frames.PREFACE + frames.settings_frame(client_settings or {}) + frames.SETTINGS_ACK
    assert server.receive_data(greeting) == []
    server.take_events()
    server.data_to_send()
    return server


def open_client(
    settings: Mapping[int, int] | None = None,
    *,
    server_settings: Mapping[int, int] | None = None,
    fast: bool = True,
    body_bytes_max: int = 65_536,
    first_stream_id: int = 1,
) -> ClientConnection:
    """A client whose server has sent its SETTINGS and acknowledged the client's."""
    client = ClientConnection(settings, fast=fast, body_bytes_max=body_bytes_max, first_stream_id=first_stream_id)
    assert client.receive_data(frames.settings_frame(server_settings or {}) + frames.SETTINGS_ACK) == []
    client.take_events()
    client.data_to_send()
    return client


def cut(whole: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """`whole` in pieces of these sizes, over and over; in one piece when there are none."""
    at = turn = 0
    while at < len(whole):
        size = sizes[turn % len(sizes)] if sizes else len(whole)
        yield whole[at : at + size]
        at, turn = at + size, turn + 1


_FORBIDDEN = bytes.maketrans(b"\x00\r\n", b"xyz")
_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
# Names with rules of their own; `host` must repeat `:authority`.
_RULED = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"host"}
_RULED |= {b"content-length", b"apns-id"}

values = st.one_of(
    st.sampled_from([b"", b"10", b"com.example.app", b"gzip, deflate", b"bearer " + b"A9_-" * 60]),
    st.binary(max_size=24).map(lambda raw: raw.translate(_FORBIDDEN).strip(b" \t")),
)
names = st.one_of(
    st.sampled_from([b"apns-topic", b"apns-push-type", b"authorization", b"accept-encoding", b"user-agent", b"cookie"]),
    st.text(_TOKEN, min_size=1, max_size=12).map(str.encode).filter(lambda name: name not in _RULED),
)
field_lists = st.lists(st.tuples(names, values), max_size=6).map(tuple)
apns_ids = st.one_of(st.none(), st.uuids().map(lambda uuid: str(uuid).encode()), values)
paths = st.one_of(st.binary(min_size=32, max_size=32).map(lambda raw: b"/3/device/" + raw.hex().encode()), values).map(
    lambda path: path or b"/"
)
# One piece, byte by byte, or anything between.
cuts: st.SearchStrategy[list[int]] = st.one_of(
    st.just([]), st.just([1]), st.lists(st.integers(1, 300), min_size=1, max_size=5)
)


def request_fields(path: bytes, apns_id: bytes | None, others: Fields) -> Fields:
    """A well-formed header section of a request."""
    tail = () if apns_id is None else ((b"apns-id", apns_id),)
    pseudo = ((b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", path))
    return (*pseudo, *others, *tail)


def patterns_at_once() -> AbstractContextManager[int]:
    """Have servers read by a pattern from the second request on, as they do after some hundreds."""
    patched: AbstractContextManager[int] = patch("wire.server.REQUESTS_BETWEEN", 1)
    return patched
