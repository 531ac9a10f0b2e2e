"""The client's end of an HTTP/2 connection, without I/O: requests queued, bytes in, responses out.

Requests that repeat all but two field values are sent through a `PreparedRequest`: after the first of them, a request is a
constant prefix, the two values and the body.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wire import frames
from wire.connection import BODY_BYTES_MAX, HEADER_BLOCK_BYTES_MAX, LENGTH_FAULT, Connection, compression_error
from wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from wire.events import TrailersReceived
from wire.fields import content_length, request_fault, response_fault
from wire.heads import Varying
from wire.hpack import Encoder, HpackError
from wire.patterns import AnswerRun, answer_run
from wire.prepared import PreparedRequest
from wire.request import Head, Response
from wire.streams import Receiving

_unpack_frame = frames.FRAME_HEADER.unpack_from
INFORMATIONAL_ENDS = "an informational response ends the stream (8.1)"
EARLY_FAULT = "{} before the head of the response (8.1)"

# The two values and the body of one prepared request.
Varied = tuple[bytes, bytes | None, bytes]


class Alike(NamedTuple):
    """Responses that share their head, by stream, in order of arrival. `bodies`: of each, or none where they have none."""

    head: Head
    stream_ids: list[int]
    bodies: list[bytes]


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
        self._alike: list[Alike] | None = None
        self._run: AnswerRun | None = None
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
        return PreparedRequest(fields, self.request_varying)

    def send(self, prepared: PreparedRequest, first: bytes, second: bytes | None, body: bytes) -> int:
        """Send a prepared request with a body; returns its stream id.

        The caller has looked at `streams_free`. Parts of the body that no window allows are sent later. Raises
        LocalProtocolError when the connection is closing or the peer's limit is reached.
        """
        return self.send_all(prepared, [(first, second, body)])

    def send_all(self, prepared: PreparedRequest, requests: Sequence[Varied]) -> int:
        """Send a request for each of `requests`, as `send` does; returns the first stream id, the other odd ones follow it.

        Raises LocalProtocolError as `send` does; none is sent when they are more than `streams_free`.
        """
        if len(requests) > self.streams_free:
            raise LocalProtocolError("no stream is free on this connection")
        first_id, at = self._next_stream_id, 0
        while at < len(requests):
            first, second, body = requests[at]
            if (
                prepared.generation is not self._encoder.generation
                or len(first) != prepared.first_bytes
                or (None if second is None else len(second)) != prepared.second_bytes
            ):
                prepared.fit(self._encoder, first, second)
            sent = self._send_usual(prepared, requests[at:])
            if not sent:
                start, middle, end = prepared.parts
                self._send_block(b"".join((start, first, middle, second or b"", end)), body)
            at += sent or 1
        return first_id

    def _send_usual(self, prepared: PreparedRequest, requests: Sequence[Varied]) -> int:
        """Send those that begin `requests`, as far as they are like the ones that `prepared` was fitted to; returns how many.

        The hot path of the sender. A usual request is HEADERS and one DATA frame with all of the body.
        """
        remote, outbound_window = self.remote, self.outbound_window
        window, frame_bytes_max = remote.window_bytes, remote.frame_bytes_max
        if prepared.generation is not self._encoder.generation or prepared.block_bytes > frame_bytes_max:
            return 0
        append, windows, first_id = self._out.append, self._windows, self._next_stream_id
        body_bytes_max = min(window, frame_bytes_max, 0xFFFF)
        first_bytes, second_bytes = prepared.first_bytes, prepared.second_bytes
        pack, frame_start, (start, middle, end) = prepared.pack, prepared.frame_start, prepared.parts
        stream_id = first_id
        for first, second, body in requests:
            size = len(body)
            if (
                len(first) != first_bytes
                or (None if second is None else len(second)) != second_bytes
                or not 0 < size <= body_bytes_max
                or size > outbound_window
            ):
                break
            append(pack(frame_start, stream_id, start, first, middle, second or b"", end, size, 1, stream_id) + body)
            outbound_window -= size
            windows[stream_id] = window - size
            stream_id += 2
        self.outbound_window, self._next_stream_id = outbound_window, stream_id
        return (stream_id - first_id) // 2

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

    # Receiving.

    def receive_data(self, data: bytes, alike: list[Alike] | None = None) -> list[Response]:
        """Read what arrived. Returns the responses it completed; errors of the connection end up in `failed`.

        `alike`: a list that takes what it can of them instead, for callers that look at no varying values.
        """
        if self.failed is not None:
            return []
        if self._rest:
            data = self._rest + data
        responses = self._responses = []
        self._alike = alike
        size = len(data)
        try:
            at = self._read_frames(data, 0, size)
            self._rest = data[at:] if at < size else b""
            self._end_of_read()
        except RemoteProtocolError as error:
            self._fail(error)
        return responses

    def _read_usual_frames(self, data: bytes, at: int, size: int) -> int:
        """The frames of usual answers; returns where the first frame starts that is another, or incomplete.

        The hot path of the sender. A usual answer is HEADERS that end the stream, or HEADERS and one DATA frame with all of the
        body.
        """
        windows, receiving, sending, read_head = self._windows, self._receiving, self._sending, self._heads.read
        responses, alike = self._responses, self._alike
        # Only other frames change these.
        block_bytes_max = min(self._announced.frame_bytes_max, HEADER_BLOCK_BYTES_MAX)
        body_bytes_max = min(self._announced.frame_bytes_max, self.local.window_bytes, self.body_bytes_max)
        body_bytes = 0
        begun: dict[int, tuple[Head, Varying]] = {}  # messages of which the body is still to come
        final: Head | None = None  # the last head that began a response
        in_runs = alike is not None and self._run is not None
        # Of the last answer that was not read in a run: its block, and the length of its body if it has one.
        unlike: tuple[bytes, int | None] | None = None
        begun_last, block = 0, b""  # the last answer of which the body is still to come
        try:
            while size - at >= 9:
                high, low, kind, flags, stream_id = _unpack_frame(data, at)
                start = at + 9
                end = start + low
                if end > size or high:
                    break
                if kind == 1:
                    if (
                        (flags != 5 and flags != 4)
                        or low > block_bytes_max
                        or stream_id not in windows
                        or stream_id in sending
                        or stream_id in receiving
                        or stream_id in begun
                    ):
                        break
                    head, varying = read_head(data[start:end])
                    if head is not final:
                        if not self._begins_response(stream_id, head, None, end_stream=flags == 5):
                            at = end
                            continue
                        final = head
                    if in_runs and not begun:
                        run, end = self._read_run(data, at, head, body_bytes_max)
                        if run is not None and alike is not None:
                            alike.append(run)
                            body_bytes += sum(map(len, run.bodies))
                            at = end
                            continue
                        end = start + low
                    if flags == 4:
                        begun[stream_id] = head, varying
                        begun_last, block = stream_id, data[start:end]
                    elif head.content_length:
                        why = LENGTH_FAULT.format(head.content_length, 0)
                        self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, why)
                    else:
                        unlike = data[start:end], None
                        del windows[stream_id]
                        responses.append(Response(stream_id, head, varying, b""))
                elif kind == 0 and flags == 1 and stream_id in begun and low <= body_bytes_max:
                    head, varying = begun[stream_id]
                    length = head.content_length
                    if length is not None and length != low:
                        break
                    del begun[stream_id], windows[stream_id]
                    body_bytes += low
                    responses.append(Response(stream_id, head, varying, data[start:end]))
                    if stream_id == begun_last:
                        unlike = block, low
                else:
                    break
                at = end
        except HpackError as error:
            raise compression_error(error) from None
        finally:
            self.inbound_window -= body_bytes
            for stream_id, (head, varying) in begun.items():
                receiving[stream_id] = Receiving(head, varying, self.local.window_bytes)
        if alike is not None and not alike and unlike is not None:
            # For the next read, so that each read learns one at most.
            block, size_of_body = unlike
            self._run = answer_run(self._heads.shape_of(block), size_of_body, self._heads.generation)
        return at

    def _read_run(self, data: bytes, at: int, head: Head, body_bytes_max: int) -> tuple[Alike | None, int]:
        """End the streams of the answers from `at` on that follow each other and differ in values and bodies alone.

        Returns them, None where there is not one, and where the next frame starts. A push provider says the same to nearly
        every request. The caller has read `head`, that of the first.
        """
        run, windows = self._run, self._windows
        if run is None or run.generation != self._heads.generation or self._receiving or self._sending:
            return None, at
        found = run.frames.match(data, at)
        if found is None or (run.body_bytes or 0) > body_bytes_max:
            return None, at
        stream_ids: list[int] = []
        bodies: list[bytes] = []
        for stream_id, *body in run.answers.iter_unpack(found[0]):
            if windows.pop(stream_id, None) is None:
                break  # the general way says what is wrong with it
            stream_ids.append(stream_id)
            bodies += body
        if not stream_ids:
            return None, at
        return Alike(head, stream_ids, bodies), at + len(stream_ids) * run.answers.size

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
        if self._begins_response(stream_id, head, fault, end_stream=end_stream):
            receiving = self._receiving[stream_id] = Receiving(head, varying, self.local.window_bytes)
            if end_stream:
                self._end_of_message(stream_id, receiving)

    def _begins_response(self, stream_id: int, head: Head, fault: str | None, *, end_stream: bool) -> bool:
        """Whether a header section is the head of a response. A malformed one ends its stream, informational ones go by."""
        fault = head.fault or fault
        if fault is None and head.fields[0][1] < b"2":
            if not end_stream:
                return False  # the response itself is still to come (section 8.1)
            fault = INFORMATIONAL_ENDS
        if fault is not None:
            self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, fault)
        return fault is None

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
