"""What no end may ever send, whatever it was sent: checks over all the bytes that an end has written.

Rules that depend on what the peer has allowed (windows, the limit of streams) have `h2` for a referee, in test_exchange.py.
"""

from dataclasses import dataclass, field

from tests.wire.peers import Frame, frames_of
from wire import frames
from wire.frames import ACK, END_HEADERS, END_STREAM

FLAGS_USED = {
    frames.DATA: END_STREAM,
    frames.HEADERS: END_STREAM | END_HEADERS,
    frames.RST_STREAM: 0,
    frames.SETTINGS: ACK,
    frames.PING: ACK,
    frames.GOAWAY: 0,
    frames.WINDOW_UPDATE: 0,
    frames.CONTINUATION: END_HEADERS,
}
OF_THE_CONNECTION = (frames.SETTINGS, frames.PING, frames.GOAWAY)
OF_A_STREAM = (frames.DATA, frames.HEADERS, frames.RST_STREAM, frames.CONTINUATION)


@dataclass
class Audit:
    """Reads what one end writes, in order. `frame_bytes_max`: the largest MAX_FRAME_SIZE its peer has announced."""

    frame_bytes_max: int = frames.FRAME_BYTES_DEFAULT
    begun: bool = False
    block_of: int | None = None  # the stream whose header block is not complete
    ended: set[int] = field(default_factory=set)  # by END_STREAM
    reset: set[int] = field(default_factory=set)
    opened: set[int] = field(default_factory=set)  # HEADERS were sent
    last_stream_id: int | None = None  # of the last GOAWAY

    def read(self, written: bytes) -> None:
        """Raises AssertionError at the first frame that no end may send."""
        for frame in frames_of(written):
            self._check(frame)

    def _check(self, frame: Frame) -> None:
        kind, flags, stream_id, payload = frame
        assert self.begun or (kind == frames.SETTINGS and not flags), "the first frame is SETTINGS without ACK"
        self.begun = True
        assert kind in FLAGS_USED, "no PUSH_PROMISE, no PRIORITY, nothing unknown"
        assert not flags & ~FLAGS_USED[kind], "flags without a meaning here, or padding"
        assert stream_id < 1 << 31, "the reserved bit"
        assert len(payload) <= self.frame_bytes_max
        assert (stream_id == 0) or kind not in OF_THE_CONNECTION
        assert stream_id or kind not in OF_A_STREAM
        assert (kind == frames.CONTINUATION) == (self.block_of is not None), "a header block is contiguous"
        assert self.block_of in (None, stream_id)
        assert stream_id not in self.reset, "nothing behind RST_STREAM"
        self._check_stream(frame)
        self._check_payload(frame)

    def _check_stream(self, frame: Frame) -> None:
        kind, flags, stream_id, _ = frame
        if kind in (frames.HEADERS, frames.CONTINUATION):
            self.block_of = None if flags & END_HEADERS else stream_id
            self.opened.add(stream_id)
        if kind in (frames.HEADERS, frames.DATA):
            assert stream_id in self.opened, "DATA behind HEADERS"
            assert stream_id not in self.ended, "nothing behind END_STREAM"
            if flags & END_STREAM:
                self.ended.add(stream_id)
        elif kind == frames.RST_STREAM:
            self.reset.add(stream_id)

    def _check_payload(self, frame: Frame) -> None:
        kind, flags, _, payload = frame
        number = int.from_bytes(payload[:4])
        match kind:
            case frames.SETTINGS:
                assert not len(payload) % 6
                assert not (flags and payload), "an ACK is empty"
                entries = [(payload[at : at + 2], payload[at + 2 : at + 6]) for at in range(0, len(payload), 6)]
                assert (b"\0\2", b"\0\0\0\1") not in entries, "ENABLE_PUSH 1"
            case frames.PING:
                assert len(payload) == 8
            case frames.RST_STREAM:
                assert len(payload) == 4
            case frames.WINDOW_UPDATE:
                assert len(payload) == 4
                assert 0 < number < 1 << 31
            case frames.GOAWAY:
                assert len(payload) >= 8
                assert self.last_stream_id is None or number <= self.last_stream_id, "GOAWAY never raises"
                self.last_stream_id = number
            case _:
                pass
