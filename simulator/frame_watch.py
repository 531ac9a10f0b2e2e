"""Looks on at one HTTP/2 connection, byte for byte in both directions, and writes down what happened on it. No I/O.

It reads the frames anew, apart from `wire`, the planes and the faults: so it tells what was on the line, whoever put it there,
and none of them pays for it while nobody looks on. A connection has to be watched from its first byte, as header blocks lean
on those before them. What it cannot follow (a header block that does not decode, a frame too long) ends the watch, not the
connection.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct

from simulator.connection_watch import ConnectionWatch
from simulator.host_owner import HostOwner
from simulator.observation_records import (
    Answer,
    By,
    Goaway,
    Ping,
    PingAcknowledged,
    RequestSeen,
    Reset,
    SettingsAcknowledged,
    SettingsSent,
)
from simulator.observations import Observations
from simulator.request_facts import answer_facts, request_facts
from wire import frames
from wire.hpack import Decoder, HeaderListTooLarge, HpackError

FRAME_BYTES_MAX = 1 << 20  # no client may send any as long; the connection is ended for it
BLOCK_BYTES_MAX = 1 << 18
BODY_BYTES_KEPT_MAX = 1 << 18  # of one request or answer; what is longer is counted
SETTINGS_PENDING_MAX = 1_000  # unacknowledged; `wire` bears fewer
STREAMS_FOLLOWED_MAX = 10_000  # open at a time; those beyond are not followed
DEBUG_CHARACTERS_MAX = 200

SETTING_NAMES = {
    frames.HEADER_TABLE_SIZE: "header_table_size",
    frames.ENABLE_PUSH: "enable_push",
    frames.MAX_CONCURRENT_STREAMS: "max_concurrent_streams",
    frames.INITIAL_WINDOW_SIZE: "initial_window_size",
    frames.MAX_FRAME_SIZE: "max_frame_size",
    frames.MAX_HEADER_LIST_SIZE: "max_header_list_size",
}
_settings_of = Struct(">HI").iter_unpack
_NO_LIMIT = frames.STREAM_ID_MAX


@dataclass(slots=True)
class _Message:
    """A head and as much of its body as has come."""

    fields: list[tuple[bytes, bytes]]
    body: bytearray = field(default_factory=bytearray)
    body_bytes: int = 0

    def take(self, data: bytes) -> None:
        self.body_bytes += len(data)
        self.body += data[: BODY_BYTES_KEPT_MAX - len(self.body)]


@dataclass(slots=True)
class _Stream:
    """`streams_open`, `streams_max`: as they stood when it was opened."""

    opened_s: float
    streams_open: int
    streams_max: int | None
    request: _Message
    answer: _Message | None = None


class _Direction:
    """The frames of one side: cut out of its bytes, header blocks put together and decoded."""

    __slots__ = ("block", "block_stream", "by", "counts", "decoder", "end_stream", "rest")

    def __init__(self, by: By) -> None:
        self.by = by
        self.rest = b""
        self.counts: dict[str, int] = {}
        # The table may be as large as any that was announced: that it is not larger is `wire`'s to see to.
        self.decoder = Decoder(table_bytes_max=frames.WINDOW_BYTES_MAX, list_bytes_max=BLOCK_BYTES_MAX)
        self.block: bytearray | None = None
        self.block_stream = 0
        self.end_stream = False


class _Lost(Exception):  # noqa: N818  # no error: nobody did anything wrong by it
    """What came cannot be followed any further."""


class FrameWatch(ConnectionWatch):
    """One connection that speaks HTTP/2. `owner`: of the host that the client came to. `clock_s`: the simulator's clock."""

    def __init__(
        self,
        observations: Observations,
        connection: int,
        peer: str,
        owner: HostOwner | None,
        clock_s: Callable[[], float],
    ) -> None:
        super().__init__(observations, connection, peer)
        self._owner = owner
        self._clock_s = clock_s
        self._client = _Direction("client")
        self._simulator = _Direction("simulator")
        self._preface_left = len(frames.PREFACE)
        self._streams: dict[int, _Stream] = {}
        self._last_stream = 0
        self._limit: int | None = None  # of streams, as last acknowledged
        self._announced: list[int | None] = []  # by SETTINGS that the client has not acknowledged
        self.lost = False  # no longer followed

    @property
    def frames_in(self) -> dict[str, int]:
        return self._client.counts

    @property
    def frames_out(self) -> dict[str, int]:
        return self._simulator.counts

    @property
    def unanswered(self) -> tuple[int, ...]:
        return tuple(self._streams)

    def received(self, data: bytes) -> None:
        super().received(data)
        if self._preface_left:
            skipped = min(self._preface_left, len(data))
            self._preface_left -= skipped
            data = data[skipped:]
        self._follow(self._client, data)

    def sent(self, data: bytes) -> None:
        super().sent(data)
        self._follow(self._simulator, data)

    def _follow(self, side: _Direction, data: bytes) -> None:
        if self.lost or not data:
            return
        if side.rest:
            data = side.rest + data
        at, size = 0, len(data)
        unpack = frames.FRAME_HEADER.unpack_from
        try:
            while size - at >= frames.FRAME_HEADER_BYTES:
                high, low, kind, flags, stream = unpack(data, at)
                start = at + frames.FRAME_HEADER_BYTES
                end = start + (high << 16 | low)
                if end - start > FRAME_BYTES_MAX:
                    raise _Lost
                if end > size:
                    break
                at = end
                name = frames.FRAME_NAMES.get(kind, "UNKNOWN")
                side.counts[name] = side.counts.get(name, 0) + 1
                self._frame(side, kind, flags, stream & frames.STREAM_ID_MAX, data[start:end])
        except (_Lost, HpackError):
            self.lost = True
            side.rest = b""
            return
        side.rest = data[at:]

    def _frame(self, side: _Direction, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == frames.DATA:
            self._body(side, stream, _unpadded(flags, payload), end=bool(flags & frames.END_STREAM))
        elif kind == frames.HEADERS:
            skipped = 5 if flags & frames.PRIORITY_FLAG else 0
            side.block, side.block_stream = bytearray(_unpadded(flags, payload)[skipped:]), stream
            side.end_stream = bool(flags & frames.END_STREAM)
            self._block(side, flags)
        elif kind == frames.CONTINUATION and side.block is not None:
            side.block += payload
            self._block(side, flags)
        elif kind == frames.RST_STREAM and len(payload) == 4:
            self._streams.pop(stream, None)
            code = int.from_bytes(payload)
            self._observations.record(
                Reset(
                    at_s=self._observations.now_s(), connection=self._connection, by=side.by, stream=stream, code=code
                )
            )
        elif kind == frames.SETTINGS:
            self._settings(side, flags, payload)
        elif kind == frames.PING:
            record = PingAcknowledged if flags & frames.ACK else Ping
            self._observations.record(
                record(at_s=self._observations.now_s(), connection=self._connection, by=side.by, opaque=payload.hex())
            )
        elif kind == frames.GOAWAY and len(payload) >= 8:
            self._goaway(side, payload)

    # Messages

    def _block(self, side: _Direction, flags: int) -> None:
        assert side.block is not None
        if len(side.block) > BLOCK_BYTES_MAX:
            raise _Lost
        if not flags & frames.END_HEADERS:
            return
        block, side.block = bytes(side.block), None
        try:
            fields = side.decoder.decode(block)
        except HeaderListTooLarge:
            fields = []
        stream = side.block_stream
        if side.by == "client":
            self._asked(stream, fields)
        else:
            followed = self._streams.get(stream)
            if followed is not None and followed.answer is None:
                followed.answer = _Message(fields)
        if side.end_stream:
            self._end(side, stream)

    def _asked(self, stream: int, fields: list[tuple[bytes, bytes]]) -> None:
        if stream <= self._last_stream or len(self._streams) >= STREAMS_FOLLOWED_MAX:
            return  # trailers; or more than anybody is allowed
        self._last_stream = stream
        self._streams[stream] = _Stream(
            self._observations.now_s(), len(self._streams) + 1, self._streams_max(), _Message(fields)
        )

    def _body(self, side: _Direction, stream: int, data: bytes, *, end: bool) -> None:
        followed = self._streams.get(stream)
        if followed is None:
            return
        message = followed.request if side.by == "client" else followed.answer
        if message is not None:
            message.take(data)
        if end:
            self._end(side, stream)

    def _end(self, side: _Direction, stream: int) -> None:
        followed = self._streams.get(stream)
        if followed is None:
            return
        if side.by == "client":
            request = followed.request
            self._observations.record(
                RequestSeen(
                    at_s=self._observations.now_s(),
                    connection=self._connection,
                    stream=stream,
                    opened_s=followed.opened_s,
                    streams_open=followed.streams_open,
                    streams_max=followed.streams_max,
                    body_bytes=request.body_bytes,
                    **request_facts(request.fields, bytes(request.body), self._owner)._asdict(),
                )
            )
            return
        del self._streams[stream]
        answer = followed.answer
        if answer is not None:
            self._observations.record(
                Answer(
                    at_s=self._observations.now_s(),
                    connection=self._connection,
                    stream=stream,
                    body_bytes=answer.body_bytes,
                    **answer_facts(answer.fields, bytes(answer.body), self._clock_s)._asdict(),
                )
            )

    # The connection

    def _settings(self, side: _Direction, flags: int, payload: bytes) -> None:
        if flags & frames.ACK:
            if side.by == "client" and self._announced:
                limit = self._announced.pop(0)
                if limit is not None:
                    self._limit = limit
                elif self._limit is None:
                    self._limit = _NO_LIMIT
            self._observations.record(
                SettingsAcknowledged(
                    at_s=self._observations.now_s(),
                    connection=self._connection,
                    by=side.by,
                    streams_max=self._streams_max() if side.by == "client" else None,
                )
            )
            return
        if len(payload) % 6:
            raise _Lost
        values = dict(_settings_of(payload))
        if side.by == "simulator":
            if len(self._announced) >= SETTINGS_PENDING_MAX:
                raise _Lost
            self._announced.append(values.get(frames.MAX_CONCURRENT_STREAMS))
        named = {SETTING_NAMES.get(code, f"unknown_{code:x}"): value for code, value in values.items()}
        self._observations.record(
            SettingsSent(at_s=self._observations.now_s(), connection=self._connection, by=side.by, values=named)
        )

    def _streams_max(self) -> int | None:
        """The limit that binds a stream opened now: a higher one may be used as soon as it is on its way."""
        if self._limit is None:
            return None
        most = max(self._limit, *(each for each in self._announced if each is not None), 0)
        return None if most >= _NO_LIMIT else most

    def _goaway(self, side: _Direction, payload: bytes) -> None:
        last = int.from_bytes(payload[:4]) & frames.STREAM_ID_MAX
        debug = payload[8 : 8 + DEBUG_CHARACTERS_MAX].decode("ascii", "replace")
        self._observations.record(
            Goaway(
                at_s=self._observations.now_s(),
                connection=self._connection,
                by=side.by,
                last_stream_id=last,
                code=int.from_bytes(payload[4:8]),
                debug=debug,
            )
        )


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & frames.PADDED or not payload:
        return payload
    return payload[1 : max(1, len(payload) - payload[0])]
