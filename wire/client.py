"""The client's end of an HTTP/2 connection, without I/O: requests queued, bytes in, responses out.

Requests that repeat all but two field values are sent through a `PreparedRequest`: after the first of them, a request is a
constant prefix, the two values and the body.
"""

from collections.abc import Mapping, Sequence

from wire import frames
from wire.connection import BODY_BYTES_MAX, HEADER_BLOCK_BYTES_MAX, LENGTH_FAULT, Connection
from wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from wire.events import TrailersReceived
from wire.fields import content_length, request_fault, response_fault
from wire.hpack import Encoder, literal_name, string
from wire.request import Head, Response
from wire.streams import Receiving

_unpack_frame = frames.FRAME_HEADER.unpack_from
_pack_frame = frames.FRAME_HEADER.pack
# String literals shorter than this say their length in one byte (RFC 7541, section 5.1).
_LENGTH_BYTES = [bytes((length,)) for length in range(127)]
_NEVER = object()
INFORMATIONAL_ENDS = "an informational response ends the stream (8.1)"
EARLY_FAULT = "{} before the head of the response (8.1)"


class PreparedRequest:
    """Header fields of requests that differ in two values alone, with their encoding for one connection at a time.

    `fields`: in sending order; the values of the varying names are left out (b""). `takes_second`: whether the second varying
    name is among them. Used on another connection it is encoded anew: right, but slow when they take turns.
    """

    __slots__ = ("after", "before", "between", "fields", "generation", "takes_second")

    def __init__(self, fields: Sequence[tuple[bytes, bytes]], *, takes_second: bool) -> None:
        self.fields = tuple(fields)
        self.takes_second = takes_second
        self.generation = _NEVER
        self.before = self.between = self.after = b""


class ClientConnection(Connection):
    """One connection as its client sees it.

    `settings`: the first SETTINGS, queued at once behind the preface. `varying`: names of the two response fields that
    differ between responses. `request_varying`: the two request fields that prepared requests leave open. `first_stream_id`:
    an odd one; above 1 only to come near the end of the stream ids. Raises LocalProtocolError when SETTINGS or id cannot be.
    """

    def __init__(
        self,
        settings: Mapping[int, int] | None = None,
        *,
        varying: tuple[bytes, bytes] = (b"apns-id", b"apns-unique-id"),
        request_varying: tuple[bytes, bytes] = (b":path", b"apns-id"),
        encoder: Encoder | None = None,
        fast: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
        first_stream_id: int = 1,
    ) -> None:
        if first_stream_id % 2 == 0 or not 0 < first_stream_id <= frames.STREAM_ID_MAX:
            raise LocalProtocolError(f"a client's streams have odd numbers up to 2^31-1, not {first_stream_id} (5.1.1)")
        settings = {frames.ENABLE_PUSH: 0, **(settings or {})}
        super().__init__(
            settings=settings, varying=varying, fault_of=response_fault, fast=fast, body_bytes_max=body_bytes_max
        )
        self.request_varying = request_varying
        self._encoder = encoder or Encoder(unindexed=request_varying)
        self._responses: list[Response] = []
        self._next_stream_id = first_stream_id
        self._out.append(frames.PREFACE)
        self.change_settings(settings)

    # Sending.

    @property
    def closing(self) -> bool:
        """No new request can be sent: either end has said goodbye, the connection failed, or stream ids are used up."""
        return (
            self.goaway_received is not None
            or self.goaway_sent is not None
            or self.failed is not None
            or self._next_stream_id > frames.STREAM_ID_MAX
        )

    @property
    def streams_free(self) -> int:
        """How many more streams the peer's limit, and the stream ids that are left, allow now; 0 when closing."""
        if self.closing:
            return 0
        ids_left = (frames.STREAM_ID_MAX - self._next_stream_id) // 2 + 1
        return max(0, min(self.remote.streams_max - len(self._windows), ids_left))

    def prepare(self, fields: Sequence[tuple[bytes, bytes]]) -> PreparedRequest:
        """Fields for `send`: with `request_varying[0]` once and `request_varying[1]` at most once, behind it.

        Raises LocalProtocolError when they stand otherwise, or are no well-formed request. The two values themselves are
        not looked at, neither here nor in `send`: the caller answers for them.
        """
        names = [name for name, _ in fields if name in self.request_varying]
        if names not in (list(self.request_varying), [self.request_varying[0]]):
            raise LocalProtocolError(f"a prepared request needs {self.request_varying}, in this order; it has {names}")
        _check([(name, b"/" if name in names else value) for name, value in fields])
        return PreparedRequest(fields, takes_second=len(names) == 2)

    def send(self, prepared: PreparedRequest, first: bytes, second: bytes | None, body: bytes) -> int:
        """Send a prepared request with a body; returns its stream id.

        The caller has looked at `streams_free`. Parts of the body that no window allows are sent later. Raises
        LocalProtocolError when the connection is closing or the peer's limit is reached.
        """
        stream_id = self._next_stream_id
        if len(self._windows) >= self.remote.streams_max or self.closing:
            raise LocalProtocolError("no stream is free on this connection")
        if (second is not None) is not prepared.takes_second:
            raise LocalProtocolError(f"{self.request_varying[1]!r} needs a value where it was prepared, and only there")
        if prepared.generation is not self._encoder.generation:
            self._encode(prepared)
        if second is None:
            if len(first) >= 127:
                block = prepared.before + string(first) + prepared.between
            else:
                block = prepared.before + _LENGTH_BYTES[len(first)] + first + prepared.between
        elif len(first) >= 127 or len(second) >= 127:
            block = prepared.before + string(first) + prepared.between + string(second) + prepared.after
        else:
            block = b"".join(
                (
                    prepared.before,
                    _LENGTH_BYTES[len(first)],
                    first,
                    prepared.between,
                    _LENGTH_BYTES[len(second)],
                    second,
                    prepared.after,
                )
            )
        size, head_size, window = len(body), len(block), self.remote.window_bytes
        if (
            not 0 < size <= self.outbound_window
            or size > window
            or size > 0xFFFF
            or size > self.remote.frame_bytes_max
            or head_size > 0x3FFF
        ):
            return self._send_block(block, body)
        self._out.append(
            b"".join((_pack_frame(0, head_size, 1, 4, stream_id), block, _pack_frame(0, size, 0, 1, stream_id), body))
        )
        self.outbound_window -= size
        self._windows[stream_id] = window - size
        self._next_stream_id = stream_id + 2
        return stream_id

    def request(self, fields: Sequence[tuple[bytes, bytes]], body: bytes = b"") -> int:
        """Send any request but HEAD and CONNECT, whose answers end by other rules; returns its stream id.

        Raises LocalProtocolError as `send` does, and for fields that are no well-formed request with this body.
        """
        if not self.streams_free:
            raise LocalProtocolError("no stream is free on this connection")
        if (b":method", b"HEAD") in fields or (b":method", b"CONNECT") in fields:
            raise LocalProtocolError("this client sends neither HEAD nor CONNECT")
        _check(fields, len(body))
        return self._send_block(self._encoder.encode(fields), body)

    def _send_block(self, block: bytes, body: bytes) -> int:
        stream_id = self._next_stream_id
        self._next_stream_id += 2
        self._out.extend(
            frames.headers_frames(stream_id, block, end_stream=not body, frame_bytes_max=self.remote.frame_bytes_max)
        )
        self._windows[stream_id] = self.remote.window_bytes
        if body:
            self._send_body(stream_id, body)
        return stream_id

    def _encode(self, prepared: PreparedRequest) -> None:
        """Bring a prepared request's encoding up to date with the table.

        The first time this puts the fields into the table, so that the encoding serves this one block; the next call finds
        them there, and its encoding stands until the table changes.
        """
        first_name, second_name = self.request_varying
        names = [name for name, _ in prepared.fields]
        first_at = names.index(first_name)
        second_at = names.index(second_name) if second_name in names else len(names)
        encode, generation = self._encoder.encode, self._encoder.generation
        prepared.before = encode(prepared.fields[:first_at]) + literal_name(first_name)
        prepared.between = encode(prepared.fields[first_at + 1 : second_at])
        prepared.after = b""
        if second_at < len(names):
            prepared.between += literal_name(second_name)
            prepared.after = encode(prepared.fields[second_at + 1 :])
        prepared.generation = generation  # out of date at once when encoding has changed the table

    # Receiving.

    def receive_data(self, data: bytes) -> list[Response]:
        """Read what arrived. Returns the responses it completed; errors of the connection end up in `failed`."""
        if self.failed is not None:
            return []
        if self._rest:
            data = self._rest + data
        responses = self._responses = []
        size = len(data)
        try:
            at = self._read_frames(data, size, responses)
            self._rest = data[at:] if at < size else b""
            self._end_of_read()
        except RemoteProtocolError as error:
            self._fail(error)
        return responses

    def _read_frames(self, data: bytes, size: int, responses: list[Response]) -> int:
        """All whole frames of `data`; returns where the first incomplete one starts. The hot path of the sender."""
        windows, receiving, sending, read_head = self._windows, self._receiving, self._sending, self._heads.read
        plain, frame_bytes_max, block_bytes_max = self._plain()
        at = 0
        while size - at >= 9:
            high, low, kind, flags, stream_id = _unpack_frame(data, at)
            start = at + 9
            end = start + (high << 16 | low)
            if end > size:
                if end - start > frame_bytes_max:
                    raise self._too_long(end - start)
                break
            # The usual answers: HEADERS that end the stream, and HEADERS with the whole body in the DATA frame behind it.
            if (
                kind == 1
                and (flags == 5 or flags == 4)
                and plain
                and stream_id in windows
                and stream_id not in receiving
                and stream_id not in sending
                and end - start <= block_bytes_max
            ):
                body_end = end if flags == 5 else self._whole_body(data, end, size, stream_id)
                if body_end:
                    try:
                        head, varying = read_head(data[start:end])
                    except ValueError as error:
                        raise RemoteProtocolError(ErrorCode.COMPRESSION_ERROR, str(error)) from None
                    body = data[end + 9 : body_end]
                    length = head.content_length
                    self.inbound_window -= len(body)
                    at = body_end
                    if head.fault is None and head.fields[0][1] >= b"2" and (length is None or length == len(body)):
                        del windows[stream_id]
                        responses.append(Response(stream_id, head, varying, body))
                    else:
                        why = head.fault or self._fault_of_whole(head, len(body), flags)
                        self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, why)
                    continue
            if end - start > frame_bytes_max:
                raise self._too_long(end - start)
            self._frame(kind, flags, stream_id & 0x7FFFFFFF, data, start, end)
            plain, frame_bytes_max, block_bytes_max = self._plain()
            at = end
        return at

    @staticmethod
    def _fault_of_whole(head: Head, body_bytes: int, flags: int) -> str:
        """What the general way would have said of a response read in place, whose head is well formed."""
        if head.fields[0][1] >= b"2":
            return LENGTH_FAULT.format(head.content_length, body_bytes)
        return INFORMATIONAL_ENDS if flags & frames.END_STREAM else EARLY_FAULT.format("DATA")

    def _plain(self) -> tuple[bool, int, int]:
        """What the hot path has to know, and what only other frames can change: whether it may be taken, the longest frame,
        the longest header block."""
        frame_bytes_max = self._announced.frame_bytes_max
        plain = self._fast and self.settings_received and self._block is None
        return plain, frame_bytes_max, min(frame_bytes_max, HEADER_BLOCK_BYTES_MAX)

    def _whole_body(self, data: bytes, at: int, size: int, stream_id: int) -> int:
        """Where the DATA frame at `at` ends, if it is there whole, carries all of this stream's body, and fits; else 0."""
        if size - at < 9:
            return 0
        high, low, kind, flags, of_stream = _unpack_frame(data, at)
        end = at + 9 + int(low)
        if (
            kind == 0
            and flags == 1
            and of_stream == stream_id
            and not high
            and end <= size
            and low <= self._announced.frame_bytes_max
            and low <= self.local.window_bytes
            and low <= self.body_bytes_max
        ):
            return end
        return 0

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id % 2 == 0 or stream_id >= self._next_stream_id

    def _sends(self, stream_id: int) -> bool:
        return stream_id in self._sending

    def _receives(self, stream_id: int) -> bool:
        return stream_id in self._windows

    def _is_disowned(self, stream_id: int) -> bool:
        return self.goaway_received is not None and stream_id > self.goaway_received

    def _unexpected_while_open(self, stream_id: int, what: str) -> None:
        self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, EARLY_FAULT.format(what))

    def _check_remote_settings(self, entries: Sequence[tuple[int, int]]) -> None:
        if (frames.ENABLE_PUSH, 1) in entries:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "a server announced ENABLE_PUSH 1 (6.5.2)")

    def _table_limited(self, table_bytes_max: int) -> None:
        # More than the default would cost memory and bring nothing: a sender's fields fit.
        self._encoder.limit_table(min(table_bytes_max, frames.HEADER_TABLE_BYTES_DEFAULT))

    def _unprocessed(self, last_stream_id: int) -> tuple[int, ...]:
        return tuple(stream_id for stream_id in self._windows if stream_id > last_stream_id)

    def _header_block(self, stream_id: int, end_stream: bool, block: bytes, fault: str | None) -> None:
        receiving = self._receiving.get(stream_id)
        if receiving is not None:
            if self._trailers(stream_id, end_stream, block, fault):
                self.events.append(TrailersReceived(stream_id))
                self._end_of_message(stream_id, receiving)
            return
        head, varying = self._read_head(block)
        if stream_id not in self._windows:
            self._unexpected(stream_id, "HEADERS")
            return
        fault = head.fault or fault
        if fault is None and head.fields[0][1] < b"2":
            if not end_stream:
                return  # informational; the response itself is still to come (section 8.1)
            fault = INFORMATIONAL_ENDS
        if fault is not None:
            self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, fault)
            return
        receiving = self._receiving[stream_id] = Receiving(head, varying, self.local.window_bytes)
        if end_stream:
            self._end_of_message(stream_id, receiving)

    def _complete(self, stream_id: int, receiving: Receiving) -> None:
        if stream_id in self._sending:
            # The server has answered without waiting for the whole request: the rest of it serves nobody.
            self.reset(stream_id, ErrorCode.CANCEL)
        self._windows.pop(stream_id, None)
        self._responses.append(Response(stream_id, receiving.head, receiving.varying, bytes(receiving.body)))


def _check(fields: Sequence[tuple[bytes, bytes]], body_bytes: int | None = None) -> None:
    """Raise LocalProtocolError unless the fields are a well-formed request; `body_bytes` None: of a body of any length."""
    fault = request_fault(fields)
    if fault is None:
        length, fault = content_length(fields)
        if fault is None and None not in (length, body_bytes) and length != body_bytes:
            fault = LENGTH_FAULT.format(length, body_bytes)
    if fault is not None:
        raise LocalProtocolError(f"these fields make no request: {fault}")
