"""A readable record of the frames on the simulator's connections: one line each, the recent ones kept, and all in a file.

Off unless somebody asks, and then each read and each write of a connection costs one look at an empty tuple. What went over
the line is read anew from its bytes, so that faults show as they were sent. Connections that were open before are not followed.

    #  seconds  connection     frame
    1  0.001204          3  <  SETTINGS MAX_CONCURRENT_STREAMS=1
    2  0.002310          3  >  stream 1  HEADERS end_headers :method: POST | :path: /3/device/…

`>` is from the client, `<` to it, `-` what happened to the connection itself.
"""

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple, Protocol

from simulator.faults.engine import Played
from simulator.frame_text import FrameReader, FrameText, shown_plain, without_secrets

RECENT_LINES_MAX: Final = 20_000
"""Ours: lines kept for whoever asks, the newest; a line has a few hundred bytes."""

FILE_BYTES_MAX: Final = 256 << 20
"""Ours: written to the file; its last line says that it ends there, and the recent lines go on."""

FIRST_LINE: Final = "# pushrig frame log, seconds from "
_LEGEND: Final = "# seconds  connection  > from the client, < to it, - about the connection  frame\n"
_HTTP1_START: Final = re.compile(rb"([A-Z]+ )([^ \r\n]+)( HTTP/1\.[01])\r?\n|HTTP/1\.[01] [0-9]{3}[^\r\n]*")

Direction = Literal[">", "<", "-"]


class FrameLine(NamedTuple):
    """One line. `number`: from 1. `at_s`: since the log began. `connection`: 0 for what has no number. `stream`: 0 for none."""

    number: int
    at_s: float
    connection: int
    direction: Direction
    stream: int
    text: str

    def __str__(self) -> str:
        stream = f"stream {self.stream}  " if self.stream else ""
        return f"{self.at_s:12.6f} {self.connection:6}  {self.direction}  {stream}{self.text}"


class Sink(Protocol):
    """Where lines go for good: a text file that is open for writing."""

    def write(self, text: str) -> object:
        """Raises OSError."""

    def flush(self) -> object:
        """Raises OSError."""


class FrameLog:
    """The log of one simulator. `monotonic_s`: any clock that only goes forward.

    `begun`: how often a log began. `began_s`: when the present one did, by that clock.
    """

    __slots__ = (
        "_began_at",
        "_file_bytes_left",
        "_file_bytes_max",
        "_lines",
        "_number",
        "_sink",
        "began_s",
        "begun",
        "monotonic_s",
        "on",
        "trouble",
    )

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        *,
        recent_lines_max: int = RECENT_LINES_MAX,
        file_bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        self.on = False
        self.trouble: str | None = None  # why the file does not have it all
        self.monotonic_s = monotonic_s
        self.begun = 0
        self.began_s = 0.0
        self._number = 0
        self._lines: deque[FrameLine] = deque(maxlen=recent_lines_max)
        self._file_bytes_max = self._file_bytes_left = file_bytes_max
        self._sink: Sink | None = None
        self._began_at = ""

    def begin(self, began_at: str, sink: Sink | None = None, *, began_s: float | None = None) -> None:
        """Write down all connections that are opened from now on; what was kept is forgotten.

        `began_at`: this moment, for readers. `sink`: takes every line besides; None: none does. `began_s`: when the log began
        elsewhere, which seconds count from; None: now.
        """
        self.drop()
        self.trouble = None
        self.begun += 1
        self.began_s = self.monotonic_s() if began_s is None else began_s
        self._began_at = began_at
        self._sink = None
        if sink is not None:
            self.write_to(sink)
        self.on = True

    def write_to(self, sink: Sink) -> None:
        """Have every line from now on taken by a sink besides."""
        self._sink, self._file_bytes_left = sink, self._file_bytes_max
        self._write(f"{FIRST_LINE}{self._began_at}\n{_LEGEND}")

    def drop(self) -> None:
        """Forget all lines and count from 1 again, in a process that has only taken over the log of another."""
        self._lines.clear()
        self._number = 0

    def forget(self) -> None:
        """Keep none of the lines so far; numbers and the file go on."""
        self._lines.clear()

    def end(self) -> None:
        """Write down nothing any more; what was kept can still be read."""
        self.on = False
        self.flush()
        self._sink = None

    def connection(self, number: int, peer: str, *, http2: bool) -> "ConnectionLog":
        """The log of a new connection, to be told of all its bytes."""
        return _Http2Log(self, number, peer) if http2 else _Http1Log(self, number, peer)

    def note(self, connection: int, text: str) -> None:
        """Write down what happened to a connection; 0: to one that has no number."""
        self.add(connection, "-", (FrameText(0, text),))

    def played(self, played: Played) -> None:
        """Write down an effect of a fault."""
        stage = "" if played.stage is None else f" {played.stage.value}"
        texts = (FrameText(played.stream or 0, f"fault {played.number} plays: {played.name}{stage}"),)
        self.add(played.connection or 0, "-", texts)

    def add(self, connection: int, direction: Direction, texts: Iterable[FrameText]) -> None:
        """Write down frames of one moment."""
        at_s = self.monotonic_s() - self.began_s
        for stream, text in texts:
            if not self.on:
                continue  # the reader is to see all bytes
            self._number += 1
            line = FrameLine(self._number, at_s, connection, direction, stream, text)
            self._lines.append(line)
            if self._sink is not None:
                self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        if self._sink is None:
            return
        size = len(text.encode("utf-8", "replace"))
        if size > self._file_bytes_left:
            self._stop_file(f"FILE_BYTES_MAX of {self._file_bytes_max:,} bytes is reached; later frames are not here")
            return
        self._file_bytes_left -= size
        try:
            self._sink.write(text)
        except (OSError, ValueError) as error:
            self._sink = None
            self.trouble = f"it cannot be written ({error})"

    def _stop_file(self, why: str) -> None:
        sink, self._sink = self._sink, None
        assert sink is not None
        self.trouble = why
        try:
            sink.write(f"# ends here: {why}\n")
            sink.flush()
        except (OSError, ValueError) as error:
            self.trouble = f"it cannot be written ({error})"

    def flush(self) -> None:
        """Have the file hold all lines so far."""
        if self._sink is None:
            return
        try:
            self._sink.flush()
        except (OSError, ValueError) as error:
            self._sink = None
            self.trouble = f"it cannot be written ({error})"

    def recent(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        connection: int | None = None,
        stream: int | None = None,
        lines_max: int = 1_000,
    ) -> list[FrameLine]:
        """The lines behind number `after` and up to `until` that are still kept, oldest first, at most `lines_max`.

        `connection`, `stream`: of these alone. Frames of the whole connection belong to each of its streams.
        """
        found: list[FrameLine] = []
        for line in self._lines:
            if until is not None and line.number > until:
                break
            if (
                line.number > after
                and (connection is None or line.connection == connection)
                and (stream is None or line.stream in (0, stream))
            ):
                found.append(line)
                if len(found) >= lines_max:
                    break
        return found

    @property
    def lines(self) -> int:
        """How many lines there were since the log began."""
        return self._number


class ConnectionLog(ABC):
    """The lines of one connection; what it speaks decides how its bytes are read."""

    __slots__ = ("_log", "_number", "_peer")

    def __init__(self, log: FrameLog, number: int, peer: str) -> None:
        self._log = log
        self._number = number
        self._peer = peer

    def opened(self, spoken: str, host: str | None, tls: str | None, alpn: str | None) -> None:
        """The connection is established. `host`: by SNI; `tls`, `alpn`: as agreed upon."""
        over = f"{tls}, ALPN {alpn or 'none'}, for {host or 'no host'}" if tls else "cleartext"
        self._log.note(self._number, f"opened by {self._peer}: {spoken} over {over}")

    @abstractmethod
    def received(self, data: bytes) -> None:
        """The client sent these bytes; told before anything answers them."""

    @abstractmethod
    def sent(self, data: bytes) -> None:
        """These bytes are being written to the client."""

    def closed(self, by: str, how: str) -> None:
        """The connection has ended."""
        self._log.note(self._number, f"ended by the {by}: {how}")


class _Http2Log(ConnectionLog):
    """See `ConnectionLog`."""

    __slots__ = ("_client", "_simulator")

    def __init__(self, log: FrameLog, number: int, peer: str) -> None:
        super().__init__(log, number, peer)
        self._client = FrameReader(from_client=True)
        self._simulator = FrameReader(from_client=False)

    def received(self, data: bytes) -> None:
        self._log.add(self._number, ">", self._client.read(data))

    def sent(self, data: bytes) -> None:
        self._log.add(self._number, "<", self._simulator.read(data))


class _Http1Log(ConnectionLog):
    """See `ConnectionLog`: a line for each read and write, with the start of the message where one begins there."""

    __slots__ = ()

    def received(self, data: bytes) -> None:
        self._log.add(self._number, ">", (_http1_text(data),))

    def sent(self, data: bytes) -> None:
        self._log.add(self._number, "<", (_http1_text(data),))


def _http1_text(data: bytes) -> FrameText:
    start = _HTTP1_START.match(data)
    if start is None:
        return FrameText(0, f"{len(data)} bytes")
    method, target, version = start.groups()
    line = start[0].rstrip() if method is None else method + without_secrets(target) + version
    return FrameText(0, f"{shown_plain(line)} ({len(data)} bytes)")
