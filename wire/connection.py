"""What both ends of an HTTP/2 connection share (RFC 9113): frames in, settings, header blocks, flow control. No I/O.

The owner feeds bytes with `receive_data` (of `ServerConnection` or `ClientConnection`), gets whole messages back, reads what
else happened from `take_events`, and writes what `data_to_send` returns. One call per read and one write per read: that is
what makes it fast, and what bounds the queues of events and of bytes to send. The hot loops of the two ends read the usual
pair HEADERS + DATA in place; everything else passes through `_frame` here. The tables of streams are in `wire.streams`.

Bytes of an incomplete frame wait in `_rest`: at most the largest MAX_FRAME_SIZE announced and a frame header.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wire import frames
from wire.budget import TRUSTING, Allowance, Budget, WireLimits, too_much
from wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from wire.events import (
    ConnectionFailed,
    Event,
    GoawayReceived,
    PingAcknowledged,
    SettingsAcknowledged,
    SettingsReceived,
)
from wire.heads import HeadReader, Varying
from wire.hpack import Decoder, HpackError
from wire.request import Head
from wire.settings import Announced, Settings, read_settings
from wire.streams import Receiving, Streams

_unpack_frame = frames.FRAME_HEADER.unpack_from

HEADER_LIST_BYTES_MAX = 65_536  # taken when the SETTINGS of this end name no bound
HEADER_BLOCK_BYTES_MAX = TRUSTING.header_block_bytes_max  # unless the owner says otherwise
CONTINUATIONS_MAX = TRUSTING.header_block_continuations_max
BODY_BYTES_MAX = 65_536  # kept of one body; the rest is counted and dropped

LENGTH_FAULT = "content-length says {} bytes and {} came (8.1.1)"
DEPENDENCY_FAULT = "a stream that depends on itself (RFC 7540, 5.3.1)"


@dataclass(slots=True)
class _HeaderBlock:
    """A header block of which CONTINUATION frames are still to come. `fault`: what its HEADERS frame did against its stream."""

    stream_id: int
    end_stream: bool
    fragments: bytearray
    fault: str | None
    continuations: int = 0


class Connection(Streams):
    """Common half of `ServerConnection` and `ClientConnection`; not used by itself.

    `settings`: entries announced at the start. `varying`: names of the two fields whose values differ between messages.
    `fast` False: every frame takes the general way. `body_bytes_max`: how much of one body is kept. `limits`: what the peer
    may do.
    """

    def __init__(
        self,
        *,
        settings: Mapping[int, int],
        varying: tuple[bytes, bytes],
        fault_of: Callable[[Sequence[tuple[bytes, bytes]]], str | None],
        fast: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
        limits: WireLimits = TRUSTING,
    ) -> None:
        super().__init__(Budget(limits))
        self.settings_received = False
        self.moved = False  # a frame has ended since somebody last made this False
        self.failed: RemoteProtocolError | None = None
        self.goaway_sent: int | None = None  # the last stream id it named
        self.goaway_received: int | None = None
        self.last_peer_stream_id = 0
        self.answers_pings = True  # False: for faults
        self.inbound_window = frames.WINDOW_BYTES_DEFAULT
        self.inbound_window_max = frames.WINDOW_BYTES_DEFAULT  # what WINDOW_UPDATE fills up to
        self.varying = varying
        self.body_bytes_max = body_bytes_max
        list_bytes_max = settings.get(frames.MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES_MAX)
        decoder = Decoder(
            list_bytes_max=list_bytes_max, varying=varying, fields_dropped_max=limits.header_fields_dropped_max
        )
        self._heads = HeadReader(decoder, varying, fault_of, budget=self.budget, fast=fast)
        self._limits = limits
        self._fast = fast
        self._announced = Announced()
        self._rest = b""
        self._block: _HeaderBlock | None = None
        self._window_held = False

    # What the owner asks for.

    @property
    def local(self) -> Settings:
        """The values of this end that the peer has acknowledged."""
        return self._announced.in_force

    @property
    def open_block(self) -> int | None:
        """The stream of a header block whose CONTINUATION frames have not all come."""
        return None if self._block is None else self._block.stream_id

    @property
    def in_frame(self) -> bool:
        """Whether a frame, or the preface, has begun and not ended."""
        return bool(self._rest)

    def data_to_send(self) -> bytes:
        """Everything queued since the last call, in order; b"" when there is nothing."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def take_events(self) -> list[Event]:
        """What happened besides messages, since the last call. To be taken after each read."""
        events, self.events = self.events, []
        return events

    def send_raw(self, data: bytes) -> None:
        """Queue any bytes as they are, without looking at them: for faults. State does not follow.

        A stream answered in this way stays open here until `abandon`. An ACK for SETTINGS sent in this way is taken for the
        ACK of the oldest ones of `change_settings` that are still open, and ignored when none are.
        """
        self._out.append(data)

    def change_settings(self, changed: Mapping[int, int]) -> None:
        """Announce new SETTINGS; they bind the peer once it has acknowledged them. Raises LocalProtocolError."""
        self._announced.announce(changed)
        self._out.append(frames.settings_frame(changed))
        self._settings_changed()

    def ping(self, opaque: bytes) -> None:
        """Ask for a PING with ACK; `opaque`: 8 bytes that come back in PingAcknowledged. Raises LocalProtocolError."""
        if len(opaque) != 8:
            raise LocalProtocolError(f"a PING carries 8 bytes, not {len(opaque)}")
        self._out.append(frames.ping_frame(opaque))

    def goaway(self, code: int = ErrorCode.NO_ERROR, *, last_stream_id: int | None = None, debug: bytes = b"") -> None:
        """Say goodbye. Streams of the peer above `last_stream_id` (default: the last seen) are ignored from now on."""
        last = self.last_peer_stream_id if last_stream_id is None else last_stream_id
        self.goaway_sent = last if self.goaway_sent is None else min(last, self.goaway_sent)
        self._out.append(frames.goaway_frame(self.goaway_sent, code, debug))

    def widen_window(self, increment: int) -> None:
        """Let the peer send `increment` more bytes on the connection, now and from then on. Raises LocalProtocolError."""
        if increment <= 0 or self.inbound_window_max + increment > frames.WINDOW_BYTES_MAX:
            raise LocalProtocolError(f"a window of {self.inbound_window_max} bytes cannot be widened by {increment}")
        self.inbound_window += increment
        self.inbound_window_max += increment
        self._out.append(frames.window_update_frame(0, increment))

    def hold_window(self, held: bool) -> None:
        """Leave the connection's window as it is used up, or open it again from now on: for faults."""
        self._window_held = held
        if not held:
            self._end_of_read()

    # What the two ends fill in.

    def _read_usual_frames(self, data: bytes, at: int, size: int) -> int:
        """The frames of usual messages; returns where the first frame starts that is another, or incomplete."""
        raise AssertionError("each end reads its own kind of message")

    def _header_block(self, stream_id: int, end_stream: bool, block: bytes, fault: str | None) -> None:
        """A whole header block. `fault`: what is wrong with its stream apart from its fields."""
        raise AssertionError("each end reads its own kind of message")

    def _complete(self, stream_id: int, receiving: Receiving) -> None:
        raise AssertionError("each end hands out its own kind of message")

    def _check_remote_settings(self, entries: Sequence[tuple[int, int]]) -> None:
        """What only one of the ends may announce."""

    def _table_limited(self, table_bytes_max: int) -> None:
        """The peer has named the size of its header table."""

    def _unprocessed(self, last_stream_id: int) -> tuple[int, ...]:
        """Streams this end opened that the peer's GOAWAY disowns."""
        return ()

    # Frames.

    def _read_frames(self, data: bytes, at: int, size: int) -> int:
        """All whole frames of `data` from `at` on; returns where the first incomplete one starts."""
        while True:
            if self._fast and self.settings_received and self._block is None:
                at = self._read_usual_frames(data, at, size)
            if size - at < 9:
                return at
            high, low, kind, flags, stream_id = _unpack_frame(data, at)
            start = at + 9
            end = start + (high << 16 | low)
            if end - start > self._announced.frame_bytes_max:
                raise self._too_long(end - start)
            if end > size:
                return at
            self._frame(kind, flags, stream_id & 0x7FFFFFFF, data, start, end)
            at = end

    def _fail(self, error: RemoteProtocolError) -> None:
        """Connection error (section 5.4.1): GOAWAY, and deaf from now on."""
        self.failed = error
        self._rest = b""
        self._block = None
        self.goaway(error.code, debug=error.message.encode())
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
        if kind > frames.HEADERS:
            self.budget.spend_frame(kind)
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
        largest = self._announced.frame_bytes_max
        return RemoteProtocolError(
            ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes, over MAX_FRAME_SIZE {largest} (4.2)"
        )

    @staticmethod
    def _unpad(flags: int, payload: bytes, prefix_bytes: int = 0) -> bytes:
        """The payload without padding; at its start are `prefix_bytes` that padding must leave alone (6.1, 6.2)."""
        if not flags & frames.PADDED:
            padding, content = 0, payload
        elif payload:
            padding, content = payload[0], payload[1:]
        else:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a padded frame without its padding's length (4.2)")
        if len(content) < prefix_bytes:
            raise RemoteProtocolError(
                ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority fields (4.2, 6.2)"
            )
        if padding > len(content) - prefix_bytes:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "padding as long as the frame or longer (6.1, 6.2)")
        return content[: len(content) - padding]

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0 (6.1)")
        self.inbound_window -= len(payload)  # whatever becomes of the stream; padding counts too (6.9.1)
        content = self._unpad(flags, payload)
        if not content and not flags & frames.END_STREAM:
            self.budget.spend(Allowance.EMPTY_DATA)
        receiving = self._receiving.get(stream_id)
        if receiving is None:
            self._unexpected(stream_id, "DATA")
            return
        receiving.window -= len(payload)
        tolerated = self._announced.window_bytes_max - self.local.window_bytes
        if receiving.window + tolerated < 0:
            self._stream_error(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "DATA over the window of the stream (6.9.1)")
            return
        receiving.body_bytes += len(content)
        room = self.body_bytes_max - len(receiving.body)
        receiving.body += content[:room] if room < len(content) else content
        if flags & frames.END_STREAM:
            self._end_of_message(stream_id, receiving)
        else:
            self._refill(stream_id, receiving)

    def _refill(self, stream_id: int, receiving: Receiving) -> None:
        """Open the window of a stream again when half of it is used."""
        full = self.local.window_bytes
        if receiving.window <= full // 2 and receiving.window < full:
            self._out.append(frames.window_update_frame(stream_id, full - receiving.window))
            receiving.window = full

    def _end_of_message(self, stream_id: int, receiving: Receiving) -> None:
        expected = receiving.head.content_length
        if expected is not None and expected != receiving.body_bytes:
            self._stream_error(
                stream_id,
                ErrorCode.PROTOCOL_ERROR,
                LENGTH_FAULT.format(expected, receiving.body_bytes),
            )
            return
        del self._receiving[stream_id]
        self._complete(stream_id, receiving)

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0 (6.2)")
        # Priority is deprecated: its fields are passed over (5.3.2), but for the one thing they were never allowed to say.
        priority_bytes = 5 if flags & frames.PRIORITY_FLAG else 0
        content = self._unpad(flags, payload, priority_bytes)
        fault = DEPENDENCY_FAULT if priority_bytes and _depends_on(content) == stream_id else None
        block = _HeaderBlock(stream_id, bool(flags & frames.END_STREAM), bytearray(), fault)
        self._fragment(block, flags, content[priority_bytes:])

    def _continuation(self, flags: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block (6.10)")
        block.continuations += 1
        self._fragment(block, flags, payload)

    def _fragment(self, block: _HeaderBlock, flags: int, fragment: bytes) -> None:
        block.fragments += fragment
        limits = self._limits
        if len(block.fragments) > limits.header_block_bytes_max:
            raise too_much("header_block_bytes_max", limits.header_block_bytes_max)
        if block.continuations > limits.header_block_continuations_max:
            raise too_much("header_block_continuations_max", limits.header_block_continuations_max)
        if flags & frames.END_HEADERS:
            self._block = None
            self._header_block(block.stream_id, block.end_stream, bytes(block.fragments), block.fault)
        else:
            self._block = block

    def _read_head(self, block: bytes) -> tuple[Head, Varying]:
        try:
            return self._heads.read(block)
        except HpackError as error:
            raise compression_error(error) from None

    def _trailers(self, stream_id: int, end_stream: bool, block: bytes, fault: str | None) -> bool:
        """A header block after a body: the end of its message when all is right; True then."""
        try:
            fault = self._heads.read_trailers(block) or fault
        except HpackError as error:
            raise compression_error(error) from None
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
            self._settings_acknowledged()
            return
        entries = read_settings(payload)
        self._check_remote_settings(entries)
        before, changed = self.remote.window_bytes, dict(entries)
        self.remote.apply(changed)
        self.settings_received = True
        for code, value in entries:
            if code == frames.HEADER_TABLE_SIZE:
                self._table_limited(value)
        self._out.append(frames.SETTINGS_ACK)
        self.events.append(SettingsReceived(changed))
        if self.remote.window_bytes != before:
            self._shift_windows(self.remote.window_bytes - before)
            self._flush()  # behind the ACK: peers open their windows when they read it

    def _settings_acknowledged(self) -> None:
        before = self.local.window_bytes
        acknowledged = self._announced.acknowledge()
        if frames.HEADER_TABLE_SIZE in acknowledged:
            self._heads.limit_table(acknowledged[frames.HEADER_TABLE_SIZE])
        if frames.MAX_HEADER_LIST_SIZE in acknowledged:
            self._heads.limit_list(acknowledged[frames.MAX_HEADER_LIST_SIZE])
        self._settings_changed()
        if self.local.window_bytes != before:
            for stream_id, receiving in self._receiving.items():
                receiving.window += self.local.window_bytes - before
                self._refill(stream_id, receiving)
        self.events.append(SettingsAcknowledged(acknowledged))

    def _settings_changed(self) -> None:
        """Until SETTINGS are acknowledged the peer may act on the old values as well as on the new."""
        self._heads.decoder.table_bytes_max = self._announced.header_table_bytes_max

    def _ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "PING on a stream (6.7)")
        if len(payload) != 8:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"PING of {len(payload)} bytes, not 8 (6.7)")
        if flags & frames.ACK:
            self.events.append(PingAcknowledged(payload))
        elif self.answers_pings:
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

    def _priority(self, stream_id: int, payload: bytes) -> None:
        """Ignored, as RFC 9113 deprecates it (5.3.2), but for its form."""
        if not stream_id:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0 (6.3)")
        if len(payload) != 5:
            code, why = ErrorCode.FRAME_SIZE_ERROR, f"PRIORITY of {len(payload)} bytes, not 5 (6.3)"
        elif _depends_on(payload) == stream_id:
            code, why = ErrorCode.PROTOCOL_ERROR, DEPENDENCY_FAULT
        else:
            return
        if self._is_idle(stream_id):  # which no RST_STREAM may name (6.4)
            raise RemoteProtocolError(code, why)
        if not self._is_ended_here(stream_id):
            self._stream_error(stream_id, code, why)

    def _end_of_read(self) -> None:
        """After each read: was the connection's window kept, and is it time to open it again."""
        if self.inbound_window < 0:
            raise RemoteProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "DATA over the window of the connection (6.9.1)")
        if self.inbound_window < self.inbound_window_max // 2 and not self._window_held:
            increment = self.inbound_window_max - self.inbound_window
            self.inbound_window = self.inbound_window_max
            self._out.append(frames.window_update_frame(0, increment))


def compression_error(error: HpackError) -> RemoteProtocolError:
    """What an undecoded block does to its connection (section 4.3)."""
    return RemoteProtocolError(ErrorCode.COMPRESSION_ERROR, str(error), limit=error.limit)


def _depends_on(priority: bytes) -> int:
    """The stream that priority fields name (RFC 7540, 6.3): the first 4 of their 5 bytes, without the exclusive bit."""
    return int.from_bytes(priority[:4]) & frames.STREAM_ID_MAX
