"""What both ends of an HTTP/2 connection share (RFC 9113): frames, settings, flow control, stream bookkeeping. No I/O.

The owner feeds bytes with `receive_data` (of `ServerConnection` or `ClientConnection`), gets whole messages back, reads what
else happened from `take_events`, and writes what `data_to_send` returns. One call per read and one write per read: that is
what makes it fast. The hot loops of the two ends read the usual pair HEADERS + DATA in place; everything else passes through
`_frame` here.

Where a stream stands is said by the tables that hold it:

    idle                 its number is above all that were opened
    receiving            in `_receiving`: the peer's message has begun and not ended
    open for sending     in `_windows`, with the bytes the peer lets us send on it; the message of this end has not ended
    with unsent body     also in `_sending`: waits for windows
    reset by this end    in `_reset`: what the peer still sends on it is read and dropped
    closed               none of these
"""

import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wire import frames
from wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from wire.events import (
    ConnectionFailed,
    Event,
    GoawayReceived,
    PingAcknowledged,
    SettingsAcknowledged,
    SettingsReceived,
    StreamReset,
)
from wire.heads import HeadReader, Varying
from wire.hpack import Decoder, HpackError
from wire.request import Head
from wire.settings import Settings, read_settings

HEADER_LIST_BYTES_MAX = 65_536  # taken when the SETTINGS of this end name no bound
HEADER_BLOCK_BYTES_MAX = 131_072  # one block over all its CONTINUATION frames
CONTINUATIONS_MAX = 64  # of one block; empty ones count as well
BODY_BYTES_MAX = 65_536  # kept of one body; the rest is counted and dropped
RESET_STREAMS_REMEMBERED_MAX = 1_024
SETTINGS_UNACKNOWLEDGED_MAX = 64


@dataclass(slots=True)
class _Receiving:
    """A message of the peer that has begun: its head, the body so far, and how much more may come on its stream."""

    head: Head
    varying: Varying
    window: int
    body: bytearray = field(default_factory=bytearray)
    body_bytes: int = 0


@dataclass(slots=True)
class _HeaderBlock:
    """A header block of which CONTINUATION frames are still to come."""

    stream_id: int
    end_stream: bool
    fragments: bytearray
    continuations: int = 0


class Connection:
    """Common half of `ServerConnection` and `ClientConnection`; not used by itself.

    `settings`: entries announced at the start. `varying`: names of the two fields whose values differ between messages.
    `fast` False: every frame takes the general way. `body_bytes_max`: how much of one body is kept.
    """

    def __init__(
        self,
        *,
        settings: Mapping[int, int],
        varying: tuple[bytes, bytes],
        fault_of: Callable[[Sequence[tuple[bytes, bytes]]], str | None],
        fast: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        self.local = Settings()  # what the peer has acknowledged
        self.remote = Settings()
        self.settings_received = False
        self.events: list[Event] = []
        self.failed: RemoteProtocolError | None = None
        self.goaway_sent: int | None = None  # the last stream id it named
        self.goaway_received: int | None = None
        self.last_peer_stream_id = 0
        self.outbound_window = frames.WINDOW_BYTES_DEFAULT
        self.inbound_window = frames.WINDOW_BYTES_DEFAULT
        self.inbound_window_max = frames.WINDOW_BYTES_DEFAULT  # what WINDOW_UPDATE fills up to
        self.varying = varying
        self.body_bytes_max = body_bytes_max
        list_bytes_max = settings.get(frames.MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES_MAX)
        decoder = Decoder(list_bytes_max=list_bytes_max, varying=varying)
        self._heads = HeadReader(decoder, varying, fault_of, fast=fast)
        self._fast = fast
        self._out: list[bytes] = []
        self._rest = b""
        self._unacknowledged: deque[dict[int, int]] = deque()
        self._receiving: dict[int, _Receiving] = {}
        self._windows: dict[int, int] = {}
        self._sending: dict[int, bytes] = {}
        self._reset: dict[int, None] = {}
        self._block: _HeaderBlock | None = None
        # The largest values the peer may still act upon: those in force and those on their way.
        self._frame_bytes_max = frames.FRAME_BYTES_DEFAULT
        self._stream_window_max = frames.WINDOW_BYTES_DEFAULT

    # What the owner asks for.

    def data_to_send(self) -> bytes:
        """Everything queued since the last call, in order; b"" when there is nothing."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def take_events(self) -> list[Event]:
        """What happened besides messages, since the last call."""
        events, self.events = self.events, []
        return events

    @property
    def open_streams(self) -> int:
        """Streams on which this end may still send: for a server unanswered requests, for a client open ones."""
        return len(self._windows)

    def send_raw(self, data: bytes) -> None:
        """Queue any bytes as they are, without looking at them: for faults. State does not follow."""
        self._out.append(data)

    def change_settings(self, changed: Mapping[int, int]) -> None:
        """Announce new SETTINGS; they bind the peer once it has acknowledged them. Raises LocalProtocolError."""
        if len(self._unacknowledged) >= SETTINGS_UNACKNOWLEDGED_MAX:
            raise LocalProtocolError(f"the peer has not acknowledged the last {SETTINGS_UNACKNOWLEDGED_MAX} SETTINGS")
        self._unacknowledged.append(dict(changed))
        self._out.append(frames.settings_frame(changed))
        self._widen()

    def ping(self, opaque: bytes) -> None:
        """Ask for a PING with ACK; `opaque`: 8 bytes that come back in PingAcknowledged."""
        if len(opaque) != 8:
            raise LocalProtocolError(f"a PING carries 8 bytes, not {len(opaque)}")
        self._out.append(frames.ping_frame(opaque))

    def goaway(self, code: int = ErrorCode.NO_ERROR, *, last_stream_id: int | None = None, debug: bytes = b"") -> None:
        """Say goodbye. Streams of the peer above `last_stream_id` (default: the last seen) are ignored from now on."""
        last = self.last_peer_stream_id if last_stream_id is None else last_stream_id
        self.goaway_sent = last if self.goaway_sent is None else min(last, self.goaway_sent)
        self._out.append(frames.goaway_frame(self.goaway_sent, code, debug))

    def reset(self, stream_id: int, code: int = ErrorCode.CANCEL) -> None:
        """End a stream with RST_STREAM; what the peer still sends on it is dropped."""
        self._out.append(frames.rst_stream_frame(stream_id, code))
        self._drop(stream_id)
        while len(self._reset) >= RESET_STREAMS_REMEMBERED_MAX:
            del self._reset[next(iter(self._reset))]
        self._reset[stream_id] = None

    def widen_window(self, increment: int) -> None:
        """Let the peer send `increment` more bytes on the connection, now and from then on."""
        self.inbound_window += increment
        self.inbound_window_max += increment
        self._out.append(frames.window_update_frame(0, increment))

    # What the two ends fill in.

    def _is_idle(self, stream_id: int) -> bool:
        raise AssertionError("each end knows its own stream numbers")

    def _header_block(self, stream_id: int, end_stream: bool, block: bytes) -> None:
        raise AssertionError("each end reads its own kind of message")

    def _complete(self, stream_id: int, receiving: _Receiving) -> None:
        raise AssertionError("each end hands out its own kind of message")

    def _may_receive_first(self, kind: int) -> bool:
        return kind == frames.SETTINGS

    # Frames.

    def _fail(self, error: RemoteProtocolError) -> None:
        """Connection error (section 5.4.1): GOAWAY, and deaf from now on."""
        self.failed = error
        self._rest = b""
        self._out.append(frames.goaway_frame(self.last_peer_stream_id, error.code, error.message.encode()))
        self.events.append(ConnectionFailed(error))

    def _frame(self, kind: int, flags: int, stream_id: int, data: bytes, start: int, end: int) -> None:
        """One frame the general way. `data[start:end]` is its payload. Raises RemoteProtocolError."""
        if self._block is not None and (kind != frames.CONTINUATION or stream_id != self._block.stream_id):
            raise RemoteProtocolError(
                ErrorCode.PROTOCOL_ERROR, f"a frame of type {kind} inside a header block (RFC 9113, 6.10)"
            )
        if not self.settings_received and (kind != frames.SETTINGS or flags & frames.ACK):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS (RFC 9113, 3.4)")
        payload = data[start:end]
        if kind == frames.DATA:
            self._data(flags, stream_id, payload)
        elif kind == frames.HEADERS:
            self._headers(flags, stream_id, payload)
        elif kind == frames.CONTINUATION:
            self._continuation(flags, payload)
        elif kind == frames.SETTINGS:
            self._settings(flags, stream_id, payload)
        elif kind == frames.WINDOW_UPDATE:
            self._window_update(stream_id, payload)
        elif kind == frames.RST_STREAM:
            self._rst_stream(stream_id, payload)
        elif kind == frames.PING:
            self._ping(flags, stream_id, payload)
        elif kind == frames.GOAWAY:
            self._goaway(stream_id, payload)
        elif kind == frames.PRIORITY:
            self._priority(stream_id, payload)
        elif kind == frames.PUSH_PROMISE:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE, which this end never allowed (6.6)")
        # Unknown types are ignored (section 5.5).

    def _too_long(self, length: int) -> RemoteProtocolError:
        return RemoteProtocolError(
            ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes, over MAX_FRAME_SIZE {self._frame_bytes_max} (4.2)"
        )

    @staticmethod
    def _unpad(flags: int, payload: bytes) -> bytes:
        if not flags & frames.PADDED:
            return payload
        if not payload or payload[0] >= len(payload):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "padding as long as the frame or longer (6.1, 6.2)")
        return payload[1 : len(payload) - payload[0]]

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0 (6.1)")
        self.inbound_window -= len(payload)
        content = self._unpad(flags, payload)
        receiving = self._receiving.get(stream_id)
        if receiving is None:
            self._unexpected(stream_id, "DATA")
            return
        receiving.window -= len(payload)
        if receiving.window < 0:
            self._stream_error(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "DATA over the window of the stream (6.9.1)")
            return
        receiving.body_bytes += len(content)
        room = self.body_bytes_max - len(receiving.body)
        receiving.body += content[:room] if room < len(content) else content
        if flags & frames.END_STREAM:
            self._end_of_message(stream_id, receiving)
        elif receiving.window < self._stream_window_max // 2:
            increment = self._stream_window_max - receiving.window
            receiving.window += increment
            self._out.append(frames.window_update_frame(stream_id, increment))

    def _end_of_message(self, stream_id: int, receiving: _Receiving) -> None:
        expected = receiving.head.content_length
        if expected is not None and expected != receiving.body_bytes:
            self._stream_error(
                stream_id,
                ErrorCode.PROTOCOL_ERROR,
                f"content-length says {expected} bytes and {receiving.body_bytes} came (8.1.1)",
            )
            return
        del self._receiving[stream_id]
        self._complete(stream_id, receiving)

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0 (6.2)")
        fragment = self._unpad(flags, payload)
        if flags & frames.PRIORITY_FLAG:
            if len(fragment) < 5:
                raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority fields (6.2)")
            fragment = fragment[5:]
        end_stream = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            self._header_block(stream_id, end_stream, fragment)
        else:
            self._block = _HeaderBlock(stream_id, end_stream, bytearray(fragment))

    def _continuation(self, flags: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block (6.10)")
        block.fragments += payload
        block.continuations += 1
        if len(block.fragments) > HEADER_BLOCK_BYTES_MAX or block.continuations > CONTINUATIONS_MAX:
            raise RemoteProtocolError(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a header block of over {HEADER_BLOCK_BYTES_MAX:,} bytes or {CONTINUATIONS_MAX} CONTINUATION frames",
            )
        if flags & frames.END_HEADERS:
            self._block = None
            self._header_block(block.stream_id, block.end_stream, bytes(block.fragments))

    def _read_head(self, block: bytes) -> tuple[Head, Varying]:
        try:
            return self._heads.read(block)
        except HpackError as error:
            raise RemoteProtocolError(ErrorCode.COMPRESSION_ERROR, str(error)) from None

    def _trailers(self, stream_id: int, end_stream: bool, block: bytes) -> bool:
        """A header block after a body: the end of its message when all is right; True then."""
        try:
            fault = self._heads.read_trailers(block)
        except HpackError as error:
            raise RemoteProtocolError(ErrorCode.COMPRESSION_ERROR, str(error)) from None
        if not end_stream:
            fault = "a header section within a body (8.1)"
        if fault is not None:
            self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, fault)
            return False
        return True

    def _settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream (6.5)")
        if flags & frames.ACK:
            if payload:
                raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS with ACK and a payload (6.5)")
            if not self._unacknowledged:
                raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "an ACK for SETTINGS that were never sent (6.5.3)")
            acknowledged = self._unacknowledged.popleft()
            self._acknowledge(acknowledged)
            self.events.append(SettingsAcknowledged(acknowledged))
            return
        changed = read_settings(payload)
        self._check_remote_settings(changed)
        before = self.remote.window_bytes
        self.remote.apply(changed)
        self.settings_received = True
        if self.remote.window_bytes != before:
            self._shift_windows(self.remote.window_bytes - before)
        self._table_limited(changed)
        self._out.append(frames.SETTINGS_ACK)
        self.events.append(SettingsReceived(changed))

    def _check_remote_settings(self, changed: dict[int, int]) -> None:
        """What only one of the ends may announce."""

    def _table_limited(self, changed: dict[int, int]) -> None:
        """The peer has named the size of its header table."""

    def _acknowledge(self, acknowledged: dict[int, int]) -> None:
        before = self.local.window_bytes
        self.local.apply(acknowledged)
        shift = self.local.window_bytes - before
        if shift:
            for receiving in self._receiving.values():
                receiving.window += shift
        if frames.HEADER_TABLE_SIZE in acknowledged:
            self._heads.decoder.limit_table(acknowledged[frames.HEADER_TABLE_SIZE])
        self._widen()

    def _widen(self) -> None:
        """Until SETTINGS are acknowledged the peer may act on the old values as well as on the new."""
        in_question = [self.local.frame_bytes_max, *self._values(frames.MAX_FRAME_SIZE)]
        self._frame_bytes_max = max(in_question)
        self._stream_window_max = max(self.local.window_bytes, *self._values(frames.INITIAL_WINDOW_SIZE), 0)

    def _values(self, code: int) -> list[int]:
        return [changed[code] for changed in self._unacknowledged if code in changed]

    def _shift_windows(self, shift: int) -> None:
        """INITIAL_WINDOW_SIZE changed: so do all windows of streams, maybe below zero (section 6.9.2)."""
        for stream_id, window in self._windows.items():
            if window + shift > frames.WINDOW_BYTES_MAX:
                raise RemoteProtocolError(
                    ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE overflows a window (6.9.2)"
                )
            self._windows[stream_id] = window + shift
        self._flush()

    def _window_update(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"WINDOW_UPDATE of {len(payload)} bytes, not 4 (6.9)")
        increment = int.from_bytes(payload) & frames.WINDOW_BYTES_MAX
        if not stream_id:
            if not increment:
                raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0 (6.9)")
            self.outbound_window += increment
            if self.outbound_window > frames.WINDOW_BYTES_MAX:
                raise RemoteProtocolError(
                    ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the connection (6.9.1)"
                )
            self._flush()
            return
        window = self._windows.get(stream_id)
        if window is None:
            if self._is_idle(stream_id):
                raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream (5.1)")
            if not increment:
                # The stream has ended here, and still the increment breaks 6.9.
                self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0 (6.9)")
            return
        if not increment:
            self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0 (6.9)")
        elif window + increment > frames.WINDOW_BYTES_MAX:
            self._stream_error(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the stream (6.9.1)")
        else:
            self._windows[stream_id] = window + increment
            self._flush()

    def _rst_stream(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"RST_STREAM of {len(payload)} bytes, not 4 (6.4)")
        if not stream_id or self._is_idle(stream_id):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on stream 0 or an idle stream (6.4)")
        known = stream_id in self._windows or stream_id in self._receiving
        self._drop(stream_id)
        if known:
            self.events.append(StreamReset(stream_id, int.from_bytes(payload)))

    def _ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "PING on a stream (6.7)")
        if len(payload) != 8:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"PING of {len(payload)} bytes, not 8 (6.7)")
        if flags & frames.ACK:
            self.events.append(PingAcknowledged(payload))
        else:
            self._out.append(frames.ping_frame(payload, ack=True))

    def _goaway(self, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream (6.8)")
        if len(payload) < 8:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"GOAWAY of {len(payload)} bytes (6.8)")
        last, code = struct.unpack_from(">II", payload)
        last &= frames.STREAM_ID_MAX
        # A second GOAWAY may lower the number, never raise it (6.8); a peer that raises it is held to the first.
        last = last if self.goaway_received is None else min(last, self.goaway_received)
        self.goaway_received = last
        unprocessed = self._unprocessed(last)
        for stream in unprocessed:
            self._drop(stream)
        self.events.append(GoawayReceived(last, code, payload[8:], unprocessed))

    def _unprocessed(self, last_stream_id: int) -> tuple[int, ...]:
        """Streams this end opened that the peer's GOAWAY disowns."""
        return ()

    def _priority(self, stream_id: int, payload: bytes) -> None:
        """Ignored, as RFC 9113 deprecates it (5.3.2), but for its form."""
        if not stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0 (6.3)")
        if len(payload) != 5:
            self._stream_error(stream_id, ErrorCode.FRAME_SIZE_ERROR, f"PRIORITY of {len(payload)} bytes, not 5 (6.3)")

    # Streams.

    def _unexpected(self, stream_id: int, what: str) -> None:
        """A frame on a stream that expects none: dropped when this end had reset it, else an error (section 5.1)."""
        if self._is_idle(stream_id):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, f"{what} on an idle stream (5.1)")
        if stream_id in self._reset or (self.goaway_sent is not None and stream_id > self.goaway_sent):
            return
        if stream_id in self._windows:
            self._stream_error(stream_id, ErrorCode.STREAM_CLOSED, f"{what} after the end of the message (5.1)")
            return
        raise RemoteProtocolError(ErrorCode.STREAM_CLOSED, f"{what} on a closed stream (5.1)")

    def _stream_error(self, stream_id: int, code: ErrorCode, why: str) -> None:
        """Stream error (section 5.4.2)."""
        self.reset(stream_id, code)
        self.events.append(StreamReset(stream_id, code, local=True, why=why))

    def _drop(self, stream_id: int) -> None:
        self._receiving.pop(stream_id, None)
        self._windows.pop(stream_id, None)
        self._sending.pop(stream_id, None)

    def _end_of_read(self) -> None:
        """After each read: was the connection's window kept, and is it time to open it again."""
        if self.inbound_window < 0:
            raise RemoteProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "DATA over the window of the connection (6.9.1)")
        if self.inbound_window < self.inbound_window_max // 2:
            increment = self.inbound_window_max - self.inbound_window
            self.inbound_window = self.inbound_window_max
            self._out.append(frames.window_update_frame(0, increment))

    # Bodies that wait for windows.

    def _send_body(self, stream_id: int, body: bytes) -> None:
        """Send the last part of a message as far as windows allow; the rest waits in `_sending`."""
        at = 0
        while at < len(body):
            room = min(self.outbound_window, self._windows[stream_id], self.remote.frame_bytes_max)
            if room <= 0:
                self._sending[stream_id] = body[at:]
                return
            piece = body[at : at + room]
            at += len(piece)
            self.outbound_window -= len(piece)
            self._windows[stream_id] -= len(piece)
            self._out.append(frames.frame(frames.DATA, frames.END_STREAM if at == len(body) else 0, stream_id, piece))
        self._sending.pop(stream_id, None)
        self._body_sent(stream_id)

    def _body_sent(self, stream_id: int) -> None:
        """The message of this end is complete on this stream."""

    def _flush(self) -> None:
        if self._sending and self.outbound_window > 0:
            for stream_id, body in list(self._sending.items()):
                if self._windows[stream_id] > 0:
                    self._send_body(stream_id, body)
                    if self.outbound_window <= 0:
                        break
