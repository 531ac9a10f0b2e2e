"""A provider on a real socket (HTTP/2 in clear text) that misbehaves as a test tells it. The protocol itself is `wire`'s."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

from wire.frames import MAX_CONCURRENT_STREAMS, goaway_frame
from wire.hpack import stateless_block
from wire.request import Request
from wire.server import ServerConnection

OK = stateless_block([(b":status", b"200")])


class FaultyProvider:
    """Serves from a thread of its own for the length of a `with` block.

    `behave(connection, requests)` gets the requests of each read and answers what it likes; `processed` counts, by apns-id,
    what a real provider would have delivered. `refuse_first`: connections closed before a word. `goaway_first`: connections
    that get GOAWAY in place of SETTINGS.
    """

    def __init__(
        self,
        behave: Callable[["FaultyConnection", Sequence[Request]], None],
        *,
        streams_max: int = 100,
        refuse_first: int = 0,
        goaway_first: int = 0,
    ) -> None:
        self.behave = behave
        self.streams_max = streams_max
        self.refuse_first = refuse_first
        self.goaway_first = goaway_first
        self.processed: Counter[bytes] = Counter()
        self.connections = 0
        self.streams_seen_max = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        async def main() -> None:
            server = await self._loop.create_server(lambda: FaultyConnection(self), "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            self._ready.set()
            await self._stop.wait()
            server.close()

        self._loop.run_until_complete(main())
        self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


class FaultyConnection(asyncio.Protocol):
    """One client of the provider. `number` counts from 1."""

    def __init__(self, provider: FaultyProvider) -> None:
        self.provider = provider
        self.seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.provider.connections += 1
        self.number = self.provider.connections
        self.wire = ServerConnection({MAX_CONCURRENT_STREAMS: self.provider.streams_max})
        if self.number <= self.provider.refuse_first:
            transport.abort()
        elif self.number <= self.provider.refuse_first + self.provider.goaway_first:
            transport.write(goaway_frame(0, 0, b'{"reason":"Shutdown"}'))
            transport.close()
        else:
            transport.write(self.wire.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        requests = self.wire.receive_data(data)
        self.provider.streams_seen_max = max(self.provider.streams_seen_max, self.wire.open_streams)
        if requests:
            self.seen += len(requests)
            self.provider.behave(self, requests)
        self.transport.write(self.wire.data_to_send())

    # What a behaviour does with a request.

    def accept(self, request: Request) -> None:
        """Deliver, and say so."""
        self.deliver(request)
        self.wire.answer(request.stream_id, OK)

    def deliver(self, request: Request) -> None:
        """Deliver and say nothing: the answer is lost or late."""
        self.provider.processed[request.varying[1] or b""] += 1

    def reject(self, request: Request, status: int, reason: str, *fields: tuple[bytes, bytes]) -> None:
        """Refuse, as APNs words it."""
        block = stateless_block([(b":status", b"%d" % status), *fields])
        self.wire.answer(request.stream_id, block, b'{"reason":"%b"}' % reason.encode())
