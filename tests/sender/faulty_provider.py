"""A provider on a real socket that misbehaves: the server end of `wire` in a thread of its own, in clear text."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from wire.frames import MAX_CONCURRENT_STREAMS
from wire.hpack import stateless_block
from wire.request import Request
from wire.server import ServerConnection

OK = stateless_block([(b":status", b"200")])
WINDOW_BYTES = 1 << 26


@dataclass
class Faults:
    """What goes wrong, each for every connection. None: nothing.

    `goaway_after`: requests answered before a GOAWAY that disowns the rest. `cut_after`: requests taken, of which the last
    half gets no answer before the socket is closed. `silent`: says nothing at all. `deaf_s`: reads nothing for so long
    after the first bytes. `streams_max`: as announced.
    """

    goaway_after: int | None = None
    cut_after: int | None = None
    silent: bool = False
    deaf_s: float = 0.0
    streams_max: int = 1_000


@dataclass
class FaultyProvider:
    """`seen`: path -> how often it was sent; `answered`: path -> how often it was answered."""

    faults: Faults
    url: str = ""
    connections: int = 0
    seen: Counter[bytes] = field(default_factory=Counter)
    answered: Counter[bytes] = field(default_factory=Counter)


class _Connection(asyncio.Protocol):
    def __init__(self, provider: FaultyProvider) -> None:
        self.provider = provider
        self.faults = provider.faults
        self.wire = ServerConnection({MAX_CONCURRENT_STREAMS: self.faults.streams_max})
        self.taken = 0
        self.leaving = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.provider.connections += 1
        self.wire.widen_window(WINDOW_BYTES)
        if not self.faults.silent:
            self.transport.write(self.wire.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self.faults.silent:
            return
        if self.faults.deaf_s:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(self.faults.deaf_s, self.transport.resume_reading)
            self.faults.deaf_s = 0.0
        for request in self.wire.receive_data(data):
            self.take(request)
        self.transport.write(self.wire.data_to_send())
        if self.leaving:
            self.transport.close()

    def take(self, request: Request) -> None:
        if self.leaving:
            return
        path = request.varying[0] or b""
        self.taken += 1
        self.provider.seen[path] += 1
        cut_after = self.faults.cut_after
        if cut_after is None or self.taken <= cut_after // 2:
            self.provider.answered[path] += 1
            self.wire.answer(request.stream_id, OK)
        if self.taken == self.faults.goaway_after:
            self.wire.goaway(last_stream_id=request.stream_id)
            self.leaving = True
        self.leaving = self.leaving or self.taken == cut_after


@contextmanager
def serving(faults: Faults) -> Iterator[FaultyProvider]:
    """Run a provider for the length of a `with` block."""
    provider = FaultyProvider(faults)
    loop = asyncio.new_event_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    provider.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = loop.run_until_complete(loop.create_server(lambda: _Connection(provider), sock=listening))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
