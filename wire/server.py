"""The server's end of an HTTP/2 connection, without I/O: bytes in, requests out, answers queued.

`receive_data` returns the requests completed by one read. Answers may be queued at once or later, in any order. Header blocks
of answers are built by `wire.hpack.stateless_block`, so one block serves all connections.
"""

from collections import deque
from collections.abc import Mapping

from wire import frames
from wire.budget import WireLimits
from wire.connection import BODY_BYTES_MAX, Connection, compression_error
from wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from wire.events import HeaderListRefused, StreamRefused, TrailersReceived
from wire.fields import request_fault
from wire.heads import Varying
from wire.hpack import HpackError, stateless_block
from wire.patterns import REQUESTS_BETWEEN, RequestPattern, request_pattern
from wire.request import Head, Request
from wire.streams import Receiving

# A client may open streams before it has read the limit; so many are served (the RFC's own advice is 100 at least).
STREAMS_BEFORE_ACK_MAX = 1_000
STREAMS_MAX_DEFAULT = 1_000  # announced when the owner names no limit
# Stretches of stream ids that a client passed over, newest kept: opening one of them later has an error of its own.
GAPS_REMEMBERED_MAX = 16
NO_TABLE = b"\x20"  # a table size update to 0 (RFC 7541, section 6.3)
FIELDS_TOO_LARGE = stateless_block([(b":status", b"431")])  # RFC 9113, section 10.5.1; RFC 6585, section 5

_FRAME = frames.FRAME_HEADER
_unpack_frame = _FRAME.unpack_from
_pack_frame = _FRAME.pack
_int_from_bytes = int.from_bytes


class ServerConnection(Connection):
    """One connection as its server sees it.

    `settings`: the first SETTINGS, queued at once; a limit of streams is always among them. `varying`: names of the two
    request fields that differ between requests. `limits`: what the client may do, see `wire.budget`.
    """

    def __init__(
        self,
        settings: Mapping[int, int] | None = None,
        *,
        varying: tuple[bytes, bytes] = (b":path", b"apns-id"),
        fast: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
        limits: WireLimits | None = None,
    ) -> None:
        settings = {frames.MAX_CONCURRENT_STREAMS: STREAMS_MAX_DEFAULT, **(settings or {})}
        super().__init__(
            settings=settings,
            varying=varying,
            fault_of=request_fault,
            fast=fast,
            body_bytes_max=body_bytes_max,
            limits=limits or WireLimits(),
        )
        self.streams_in_force = STREAMS_BEFORE_ACK_MAX  # the limit that binds new streams now
        self._requests: list[Request] = []
        self._pattern: RequestPattern | None = None
        self._read_otherwise = 0  # usual requests that did not fit the pattern, since it was made
        self._greeted = False
        self._acknowledged_once = False
        self._strict = False
        self._gaps: deque[tuple[int, int]] = deque(maxlen=GAPS_REMEMBERED_MAX)
        # What the next answer's header block has to begin with, see `_table_limited`; the size our peer's table has for it.
        self._block_start = b""
        self._table_bytes = frames.HEADER_TABLE_BYTES_DEFAULT
        self.change_settings(settings)

    def receive_data(self, data: bytes) -> list[Request]:
        """Read what arrived. Returns the requests it completed; errors of the connection end up in `failed`."""
        if self.failed is not None:
            return []
        if self._rest:
            data = self._rest + data
        requests = self._requests = []
        at, size = 0, len(data)
        try:
            if not self._greeted:
                at = self._greet(data)
                if not self._greeted:
                    self._rest = data
                    return requests
            at = self._read_frames(data, at, size)
            self._rest = data[at:] if at < size else b""
            if at:
                self.moved = True
            self.budget.work += len(requests)
            self._end_of_read()
        except RemoteProtocolError as error:
            self._fail(error)
        return requests

    def _read_usual_frames(self, data: bytes, at: int, size: int) -> int:
        """The frames of usual requests; returns where the first frame starts that is another, or incomplete.

        The hot path of the simulator. A usual request is HEADERS without padding or priority, and all of its body in one DATA
        frame: the next, or behind the heads of others, since some clients send the heads of a burst first. It passes from idle
        to half-closed without a record of its own but its send window.
        """
        if self.goaway_sent is not None:
            return at  # some of the streams are not looked at any more
        if self._pattern is not None:
            at = self._read_alike(self._pattern, data, at, size)
        windows, receiving, read_head, requests = self._windows, self._receiving, self._heads.read, self._requests
        # Only other frames change these.
        window_bytes, streams_max = self.remote.window_bytes, self.streams_in_force
        block_bytes_max = min(self._announced.frame_bytes_max, self._limits.header_block_bytes_max)
        body_bytes_max = min(self._announced.frame_bytes_max, self.local.window_bytes, self.body_bytes_max)
        next_stream_id, body_bytes = self._next_stream_id(), 0
        begun: dict[int, tuple[Head, Varying]] = {}  # messages of which the body is still to come
        block, read_before = b"", len(requests)
        try:
            while size - at >= 9:
                high, low, kind, flags, stream_id = _unpack_frame(data, at)
                start = at + 9
                end = start + low
                if end > size or high:
                    break
                if kind == 0:
                    if flags != 1 or low > body_bytes_max:
                        break
                    known = begun.get(stream_id)
                    if known is not None:
                        head, varying = known
                    else:  # of an earlier read
                        message = receiving.get(stream_id)
                        if message is None or message.body_bytes or low > message.window:
                            break
                        head, varying = message.head, message.varying
                    length = head.content_length
                    if length is not None and length != low:
                        break
                    del (receiving if known is None else begun)[stream_id]
                    body_bytes += low
                    requests.append(Request(stream_id, head, varying, data[start:end]))
                elif (
                    kind == 1
                    and flags == 4
                    and next_stream_id == stream_id < 0x80000000
                    and low <= block_bytes_max
                    and len(windows) < streams_max
                ):
                    block = data[start:end]
                    head, varying = read_head(block)
                    next_stream_id = stream_id + 2
                    if head.fault is None:
                        windows[stream_id] = window_bytes
                        begun[stream_id] = head, varying
                    else:
                        self.last_peer_stream_id = stream_id
                        self._refuse_message(stream_id, head, head.fault, end_stream=False)
                else:
                    break
                at = end
        except HpackError as error:
            raise compression_error(error) from None
        finally:
            if next_stream_id > 1:
                self.last_peer_stream_id = next_stream_id - 2
            self.inbound_window -= body_bytes
            for stream_id, (head, varying) in begun.items():
                receiving[stream_id] = Receiving(head, varying, self.local.window_bytes)
        self._read_otherwise += len(requests) - read_before
        if self._read_otherwise >= REQUESTS_BETWEEN:
            self._read_otherwise = 0
            shape = self._heads.shape_of(block)
            self._pattern = None if shape is None else request_pattern(shape, self._heads.generation)
        return at

    def _read_alike(self, pattern: RequestPattern, data: bytes, at: int, size: int) -> int:
        """Usual requests with bodies right behind their heads, while they fit the pattern; returns where the rest starts."""
        match, head, values, varying, generation = pattern
        if generation != self._heads.generation:
            self._pattern = None
            return at
        windows, requests = self._windows, self._requests
        window_bytes, streams_max = self.remote.window_bytes, self.streams_in_force
        body_bytes_max = min(self._announced.frame_bytes_max, self.local.window_bytes, self.body_bytes_max)
        next_stream_id, body_bytes = self._next_stream_id(), 0
        while (found := match(data, at)) is not None:
            if values == 2:
                stream, first, second, length = found.groups()
                varying = first, second
            elif values == 1:
                stream, first, length = found.groups()
                varying = first, None
            else:
                stream, length = found.groups()
            stream_id, low, start = _int_from_bytes(stream, "big"), _int_from_bytes(length, "big"), found.end()
            end = start + low
            if (
                end > size
                or low > body_bytes_max
                or not next_stream_id == stream_id < 0x80000000
                or len(windows) >= streams_max
            ):
                break
            windows[stream_id] = window_bytes
            next_stream_id = stream_id + 2
            body_bytes += low
            requests.append(Request(stream_id, head, varying, data[start:end]))
            at = end
        if next_stream_id > 1:
            self.last_peer_stream_id = next_stream_id - 2
        self.inbound_window -= body_bytes
        return at

    def _next_stream_id(self) -> int:
        """The stream that a client opens next when it passes none over."""
        return self.last_peer_stream_id + 2 if self.last_peer_stream_id else 1

    def answer(self, stream_id: int, block: bytes, body: bytes = b"") -> bool:
        """Queue a whole response. `block`: its encoded header fields; `body`: sent as windows allow, in order.

        False, and nothing is sent, when the stream has ended meanwhile, as by a reset of the client in the same read. Raises
        LocalProtocolError when the stream was never opened, or has an answer on its way.
        """
        window = self._windows.get(stream_id)
        if window is None or stream_id in self._sending:
            if window is None and not self._is_idle(stream_id):
                return False
            raise LocalProtocolError(f"stream {stream_id} is not waiting for an answer")
        if self._block_start:
            block = self._block_start + block
            self._block_start = b""
        size, frame_bytes_max = len(block), self.remote.frame_bytes_max
        if not body and size <= frame_bytes_max:  # an accepted push
            self._out.append(_pack_frame(size >> 16, size & 0xFFFF, 1, 5, stream_id) + block)
            del self._windows[stream_id]
            if stream_id in self._receiving:
                self._answered_early(stream_id)
            return True
        body_bytes = len(body)
        if size > frame_bytes_max:
            self._out.extend(
                frames.headers_frames(stream_id, block, end_stream=not body, frame_bytes_max=frame_bytes_max)
            )
        elif body_bytes <= window and body_bytes <= self.outbound_window and body_bytes <= frame_bytes_max:
            # Nearly always: both frames at once.
            self.outbound_window -= body_bytes
            self._out.append(
                _pack_frame(size >> 16, size & 0xFFFF, 1, 4, stream_id)
                + block
                + _pack_frame(body_bytes >> 16, body_bytes & 0xFFFF, 0, 1, stream_id)
                + body
            )
            body = b""
        else:
            self._out.append(_pack_frame(size >> 16, size & 0xFFFF, 1, 4, stream_id) + block)
        if body:
            self._send_body(stream_id, body)
        else:
            self._body_sent(stream_id)
        return True

    def begin_answer(self, stream_id: int, block: bytes) -> bool:
        """Queue the header fields of a response whose body comes with `continue_answer`: now, later, or never.

        False, and nothing is sent, when the stream has ended meanwhile. Raises LocalProtocolError as `answer` does.
        """
        if stream_id not in self._windows and not self._is_idle(stream_id):
            return False
        if not self.is_open(stream_id):
            raise LocalProtocolError(f"stream {stream_id} is not waiting for an answer")
        block, self._block_start = self._block_start + block, b""
        frame_bytes_max = self.remote.frame_bytes_max
        self._out.extend(frames.headers_frames(stream_id, block, end_stream=False, frame_bytes_max=frame_bytes_max))
        return True

    def continue_answer(self, stream_id: int, piece: bytes, *, end_stream: bool) -> bool:
        """Queue a part of the body of an answer that was begun, as one frame.

        False, and nothing is sent, when the stream has ended meanwhile, or when its windows or MAX_FRAME_SIZE leave no room:
        `is_open` tells which.
        """
        if not self.is_open(stream_id):
            return False
        if len(piece) > min(self._windows[stream_id], self.outbound_window, self.remote.frame_bytes_max):
            return False
        self._windows[stream_id] -= len(piece)
        self.outbound_window -= len(piece)
        self._out.append(frames.frame(frames.DATA, frames.END_STREAM if end_stream else 0, stream_id, piece))
        if end_stream:
            self._body_sent(stream_id)
        return True

    def is_open(self, stream_id: int) -> bool:
        """Whether the stream still waits for an answer: it may have been reset meanwhile."""
        return stream_id in self._windows and stream_id not in self._sending

    def _body_sent(self, stream_id: int) -> None:
        del self._windows[stream_id]
        if stream_id in self._receiving:
            self._answered_early(stream_id)

    def _answered_early(self, stream_id: int) -> None:
        """The whole answer is out while the request still comes: ask the client to stop (section 8.1)."""
        self.reset(stream_id, ErrorCode.NO_ERROR)

    def _greet(self, data: bytes) -> int:
        preface = frames.PREFACE
        if data[: len(preface)] == preface:
            self._greeted = True
            return len(preface)
        if not preface.startswith(data[: len(preface)]):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "the connection preface is not HTTP/2's (3.4)")
        return 0

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id % 2 == 0 or stream_id > self.last_peer_stream_id

    def _sends(self, stream_id: int) -> bool:
        return stream_id in self._windows

    def _receives(self, stream_id: int) -> bool:
        return stream_id in self._receiving

    def _is_disowned(self, stream_id: int) -> bool:
        return self.goaway_sent is not None and stream_id > self.goaway_sent

    def _unexpected_while_open(self, stream_id: int, what: str) -> None:
        self._stream_error(stream_id, ErrorCode.STREAM_CLOSED, f"{what} after the end of the message (5.1)")

    def _table_limited(self, table_bytes_max: int) -> None:
        # Answers use no table. Still a smaller one has to be confirmed in the next block (RFC 7541, section 4.2): by a size of
        # 0, which no later limit can undercut.
        if table_bytes_max < self._table_bytes:
            self._table_bytes = 0
            self._block_start = NO_TABLE

    def _settings_acknowledged(self) -> None:
        self._acknowledged_once = True
        super()._settings_acknowledged()

    def _settings_changed(self) -> None:
        super()._settings_changed()
        announced = self._announced.on_their_way(frames.MAX_CONCURRENT_STREAMS)
        if self._strict and announced:
            self.streams_in_force = announced[-1]
            return
        # A lower limit binds streams opened after its ACK; a higher one may be used as soon as it is on its way.
        in_force = self.local.streams_max if self._acknowledged_once else STREAMS_BEFORE_ACK_MAX
        self.streams_in_force = max(in_force, *announced, 0)

    def bind_streams_at_once(self) -> None:
        """Have limits of streams bind as soon as they are announced: for faults."""
        self._strict = True
        self._settings_changed()

    def _header_block(self, stream_id: int, end_stream: bool, block: bytes, fault: str | None) -> None:
        if stream_id in self._receiving:
            if self._trailers(stream_id, end_stream, block, fault):
                self.events.append(TrailersReceived(stream_id))
                self._end_of_message(stream_id, self._receiving[stream_id])
            return
        if stream_id % 2 == 0:
            raise RemoteProtocolError(
                ErrorCode.PROTOCOL_ERROR, f"a client opened stream {stream_id}, an even one (5.1.1)"
            )
        # Decoded whatever becomes of the stream: the table is shared by all (section 4.3).
        head, varying = self._read_head(block)
        if stream_id <= self.last_peer_stream_id:
            if any(low <= stream_id < high for low, high in self._gaps):
                raise RemoteProtocolError(
                    ErrorCode.PROTOCOL_ERROR,
                    f"stream {stream_id} opened after stream {self.last_peer_stream_id} (5.1.1)",
                )
            self._unexpected(stream_id, "HEADERS")
            return
        if stream_id != self._next_stream_id():
            self._gaps.append((self._next_stream_id(), stream_id))
        self.last_peer_stream_id = stream_id
        if self._is_disowned(stream_id):
            return
        if len(self._windows) >= self.streams_in_force:
            self.reset(stream_id, ErrorCode.REFUSED_STREAM)
            self.events.append(StreamRefused(stream_id))
            return
        fault = head.fault or fault
        if fault is not None:
            self._refuse_message(stream_id, head, fault, end_stream=end_stream)
            return
        self._windows[stream_id] = self.remote.window_bytes
        receiving = self._receiving[stream_id] = Receiving(head, varying, self.local.window_bytes)
        if end_stream:
            self._end_of_message(stream_id, receiving)

    def _refuse_message(self, stream_id: int, head: Head, why: str, *, end_stream: bool) -> None:
        """End the stream of a request that cannot be handed out: with status 431 over too many fields, else by RST_STREAM."""
        if not head.too_large:
            self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, why)
            return
        self._windows[stream_id] = self.remote.window_bytes
        self.answer(stream_id, FIELDS_TOO_LARGE)
        if not end_stream:
            self._answered_early(stream_id)
        self.events.append(HeaderListRefused(stream_id, why))

    def _complete(self, stream_id: int, receiving: Receiving) -> None:
        self._requests.append(Request(stream_id, receiving.head, receiving.varying, bytes(receiving.body)))
