"""Where the streams of a connection stand, how they end, and bodies that wait for windows (RFC 9113, sections 5 and 6.9).

What a stream may do is said by the tables that hold it:

    idle                 its number is above all that were opened
    receiving            in `_receiving`: the peer's message has begun and not ended
    open for sending     in `_windows`, with the bytes the peer lets us send on it; the message of this end has not ended
    with unsent body     also in `_sending`: waits for windows
    reset by this end    in `_reset`: what the peer still sends on it is read and dropped
    closed               none of these

A client keeps a stream in `_windows` until the response is complete, so that the table counts open streams on both ends.
"""

from dataclasses import dataclass, field

from wire import frames
from wire.budget import Allowance, Budget
from wire.errors import ErrorCode, RemoteProtocolError
from wire.events import Event, StreamReset
from wire.heads import Varying
from wire.request import Head
from wire.settings import Settings
from wire.states import State

# Streams this end has reset, newest kept. Of older ones only the highest number is known: below it late frames are dropped
# without asking whose fault they are.
RESET_STREAMS_REMEMBERED_MAX = 1_024


@dataclass(slots=True)
class Receiving:
    """A message of the peer that has begun: its head, the body so far, and how much more may come on its stream.

    `window` counts from the INITIAL_WINDOW_SIZE that the peer has acknowledged; below zero while it acts on a larger one.
    """

    head: Head
    varying: Varying
    window: int
    body: bytearray = field(default_factory=bytearray)
    body_bytes: int = 0


class Streams:
    """The stream tables of one connection, and the frames that end streams or carry bodies; the base of `Connection`."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget  # of the peer
        self.remote = Settings()
        self.events: list[Event] = []
        self.outbound_window = frames.WINDOW_BYTES_DEFAULT
        self._out: list[bytes] = []
        self._receiving: dict[int, Receiving] = {}
        self._windows: dict[int, int] = {}
        self._sending: dict[int, bytes] = {}
        self._reset: dict[int, None] = {}
        self._reset_forgotten_id = 0  # the highest that left `_reset`

    @property
    def open_streams(self) -> int:
        """Streams on which this end may still send: for a server unanswered requests, for a client open ones."""
        return len(self._windows)

    def state_of(self, stream_id: int) -> State:
        """Where a stream stands (section 5.1), read off the tables that hold it."""
        if self._is_idle(stream_id):
            return State.IDLE
        if self._sends(stream_id):
            return State.OPEN if self._receives(stream_id) else State.HALF_CLOSED_REMOTE
        if self._receives(stream_id):
            return State.HALF_CLOSED_LOCAL
        return State.RESET if self._is_ended_here(stream_id) else State.CLOSED

    def reset(self, stream_id: int, code: int = ErrorCode.CANCEL) -> None:
        """End a stream with RST_STREAM; what the peer still sends on it is dropped."""
        self._out.append(frames.rst_stream_frame(stream_id, code))
        self.abandon(stream_id)

    def abandon(self, stream_id: int) -> None:
        """Take a stream as ended without a frame that says so: for faults that answer with `send_raw`, or never.

        What the peer still sends on it is dropped, and its place under the stream limit is free.
        """
        self._drop(stream_id)
        if self._is_idle(stream_id):
            return
        while len(self._reset) >= RESET_STREAMS_REMEMBERED_MAX:
            forgotten = next(iter(self._reset))
            del self._reset[forgotten]
            self._reset_forgotten_id = max(self._reset_forgotten_id, forgotten)
        self._reset[stream_id] = None

    def receiving_up_to(self, stream_id: int) -> tuple[int, ...]:
        """Streams up to this one whose message of the peer has not ended."""
        return tuple(each for each in self._receiving if each <= stream_id)

    def sending_up_to(self, stream_id: int) -> tuple[int, ...]:
        """Streams up to this one whose body waits for the peer to open windows."""
        return tuple(each for each in self._sending if each <= stream_id)

    # What each end knows.

    def _is_idle(self, stream_id: int) -> bool:
        raise AssertionError("each end knows its own stream numbers")

    def _sends(self, stream_id: int) -> bool:
        """Whether the message of this end on a stream has not ended."""
        raise AssertionError("each end knows when it has said all")

    def _receives(self, stream_id: int) -> bool:
        """Whether the message of the peer on a stream has not ended."""
        raise AssertionError("each end knows when its peer has said all")

    def _is_disowned(self, stream_id: int) -> bool:
        """Whether a GOAWAY has put this stream outside the connection (section 6.8)."""
        raise AssertionError("each end knows whose streams a GOAWAY speaks of")

    def _unexpected_while_open(self, stream_id: int, what: str) -> None:
        """A frame that does not fit on a stream this end has not finished with."""
        raise AssertionError("each end knows what its peer may send when")

    def _body_sent(self, stream_id: int) -> None:
        """The message of this end is complete on this stream."""

    # Ends and errors.

    def _is_ended_here(self, stream_id: int) -> bool:
        """Whether the peer may not know yet that this stream is over: what it sends is processed no further (5.1)."""
        return stream_id in self._reset or stream_id <= self._reset_forgotten_id or self._is_disowned(stream_id)

    def _unexpected(self, stream_id: int, what: str) -> None:
        """A frame on a stream that expects none: dropped when this end had reset it, else an error (section 5.1)."""
        if self._is_idle(stream_id):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, f"{what} on an idle stream (5.1)")
        if stream_id in self._windows:
            self._unexpected_while_open(stream_id, what)
        elif not self._is_ended_here(stream_id):
            raise RemoteProtocolError(ErrorCode.STREAM_CLOSED, f"{what} on a closed stream (5.1)")

    def _stream_error(self, stream_id: int, code: ErrorCode, why: str) -> None:
        """Stream error (section 5.4.2)."""
        self.budget.spend(Allowance.RESETS)
        self._take_back_work(stream_id)
        self.reset(stream_id, code)
        self.events.append(StreamReset(stream_id, code, local=True, why=why))

    def _take_back_work(self, stream_id: int) -> None:
        """A stream is reset: a request that was completed and will not be answered was no work after all."""
        if stream_id in self._windows and stream_id not in self._receiving:
            self.budget.work -= 1

    def _drop(self, stream_id: int) -> None:
        self._receiving.pop(stream_id, None)
        self._windows.pop(stream_id, None)
        self._sending.pop(stream_id, None)

    def _rst_stream(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"RST_STREAM of {len(payload)} bytes, not 4 (6.4)")
        if not stream_id or self._is_idle(stream_id):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on stream 0 or an idle stream (6.4)")
        known = stream_id in self._windows or stream_id in self._receiving
        self._take_back_work(stream_id)
        self._drop(stream_id)
        if known:
            self.events.append(StreamReset(stream_id, int.from_bytes(payload)))

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

    def _flush(self) -> None:
        """Send on, oldest first, what the windows now allow."""
        if self._sending and self.outbound_window > 0:
            for stream_id, body in list(self._sending.items()):
                if self._windows[stream_id] > 0:
                    self._send_body(stream_id, body)
                    if self.outbound_window <= 0:
                        break

    def _window_update(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise RemoteProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"WINDOW_UPDATE of {len(payload)} bytes, not 4 (6.9)")
        increment = int.from_bytes(payload) & frames.WINDOW_BYTES_MAX
        if stream_id:
            self._stream_window_update(stream_id, increment)
            return
        if not increment:
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0 (6.9)")
        self.outbound_window += increment
        if self.outbound_window > frames.WINDOW_BYTES_MAX:
            raise RemoteProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the connection (6.9.1)")
        self._flush()

    def _stream_window_update(self, stream_id: int, increment: int) -> None:
        if self._is_idle(stream_id):
            raise RemoteProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream (5.1)")
        window = self._windows.get(stream_id)
        if not increment:
            if window is not None or not self._is_ended_here(stream_id):
                self._stream_error(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0 (6.9)")
        elif window is None:
            return  # the peer has not yet read that the stream has ended here
        elif window + increment > frames.WINDOW_BYTES_MAX:
            self._stream_error(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the stream (6.9.1)")
        else:
            self._windows[stream_id] = window + increment
            if stream_id in self._sending:
                self._send_body(stream_id, self._sending[stream_id])

    def _shift_windows(self, shift: int) -> None:
        """INITIAL_WINDOW_SIZE changed: so do all windows of streams, maybe below zero (section 6.9.2)."""
        for stream_id, window in self._windows.items():
            if window + shift > frames.WINDOW_BYTES_MAX:
                raise RemoteProtocolError(
                    ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE overflows a window (6.9.2)"
                )
            self._windows[stream_id] = window + shift
