"""A ruler: the least that a push sender over TLS and HTTP/2 can do in plain Python. It checks almost nothing.

It keeps the peer's stream limit and the connection's window, counts the answers that are 200, and knows nothing of errors,
retries, timeouts, results or stores. Its requests are right: a real provider token, and device token, apns-id and payload of
their own for each notification, so that the simulator takes them with every check on.

Header fields are coded in one of three ways (see `ENCODINGS`). The literal way costs next to nothing and is done on the fly;
the others are coded before the clock starts, since what they are for is the work they make for the server.

Run as `python -m loadtest.bench.ruler_sender TASK`, see `task`.
"""

import asyncio
import struct
from collections.abc import Callable, Iterator
from itertools import chain, pairwise, repeat

from loadtest.bench.task import SendTask, answer_async, payload, provider_token, read_task, trusting
from sender.apns.messages import PATH_PREFIX, ApnsOptions, header_fields
from sender.notification_id import notification_id_prefix
from sender.pool import Endpoint
from wire.frames import FRAME_HEADER, PREFACE, SETTINGS_ACK, settings_frame, window_update_frame
from wire.hpack import Encoder, integer, literal_name

STREAMS_MAX = 250
GREETING = PREFACE + settings_frame({2: 0}) + window_update_frame(0, 1 << 30)

# A request: its header block and its payload.
Request = tuple[bytes, bytes]

ENCODINGS: dict[str, Callable[[], Encoder]] = {
    # Ours: no Huffman; `:path` and `apns-id`, which never come again, stay out of the table.
    "literal": lambda: Encoder(unindexed=(b":path", b"apns-id")),
    # As the library `h2` does: Huffman, everything into the table.
    "h2": lambda: Encoder(coded=True),
    # As nghttp2 does (Node, curl, h2load): Huffman, `:path` never into the table, `authorization` never indexed by anybody.
    "nghttp2": lambda: Encoder(coded=True, unindexed=(b":path",), never_indexed=(b"authorization",)),
}


class RulerSender(asyncio.Protocol):
    """One connection, from its first request to its last answer."""

    def __init__(self, requests: Iterator[Request], count: int) -> None:
        self._requests = requests
        self._left = count  # not yet sent
        self._open = 0
        self._streams_max = 0  # until the server has said
        self._window_bytes = 65_535
        self._next_stream_id = 1
        self._rest = b""
        self._transport: asyncio.Transport
        self.accepted = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(GREETING)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at, size = 0, len(data)
        out: list[bytes] = []
        while size - at >= 9:
            high, low, kind, flags, stream_id = FRAME_HEADER.unpack_from(data, at)
            start = at + 9
            end = start + (high << 16 | low)
            if end > size:
                break
            if kind == 1:  # HEADERS; the first byte 0x88 is `:status: 200` (RFC 7541, appendix A)
                self.accepted += data[start] == 0x88
                self._open -= flags & 1
            elif kind == 0:  # DATA
                self._open -= flags & 1
            elif kind == 8 and not stream_id:  # WINDOW_UPDATE of the connection
                self._window_bytes += int.from_bytes(data[start:end])
            elif kind == 4 and not flags & 1:  # SETTINGS
                self._streams_max = self._streams_max or STREAMS_MAX
                for code, value in struct.iter_unpack(">HI", data[start:end]):
                    if code == 3:
                        self._streams_max = min(value, STREAMS_MAX)
                out.append(SETTINGS_ACK)
            at = end
        self._rest = data[at:]
        if self._left:
            self._fill(out)
        elif not self._open and not self.done.done():
            self.done.set_result(None)
        if out:
            self._transport.write(b"".join(out))

    def _fill(self, out: list[bytes]) -> None:
        pack = FRAME_HEADER.pack
        # The longest payload decides: the ruler never puts a request back.
        while self._open < self._streams_max and self._left and self._window_bytes >= 256:
            block, body = next(self._requests)
            stream_id, size = self._next_stream_id, len(body)
            out.append(pack(0, len(block), 1, 4, stream_id) + block + pack(0, size, 0, 1, stream_id) + body)
            self._next_stream_id = stream_id + 2
            self._window_bytes -= size
            self._open += 1
            self._left -= 1


def requests_of(task: SendTask, start: int, stop: int, authorization: bytes) -> Iterator[Request]:
    """The requests of one connection, to devices `start` to before `stop`."""
    fields = header_fields(ApnsOptions(task.topic, Endpoint.parse(task.url).authority), authorization)
    numbers = range(start, stop)
    tokens = (PATH_PREFIX + minted.token.encode() for minted in task.population.mint_range(start, stop))
    id_prefix = notification_id_prefix(task.population_seed)
    if task.encoding == "literal":
        # The tokens are minted before the clock starts, as the store of a sender has them.
        return _literal(fields, numbers, list(tokens), id_prefix)
    encode = ENCODINGS[task.encoding]().encode
    ready = [
        (
            encode([(name, _open_value(name, value, path, id_prefix + b"%012x" % number)) for name, value in fields]),
            payload(number),
        )
        for number, path in zip(numbers, tokens, strict=True)
    ]
    return iter(ready)


def _open_value(name: bytes, value: bytes, path: bytes, apns_id: bytes) -> bytes:
    return path if name == b":path" else apns_id if name == b"apns-id" else value


def _literal(
    fields: list[tuple[bytes, bytes]], numbers: range, paths: list[bytes], id_prefix: bytes
) -> Iterator[Request]:
    """Constant bytes, the path, constant bytes, the id: `apns-id` is the last of `header_fields`."""
    path_at = [name for name, _ in fields].index(b":path")
    path_start = literal_name(b":path") + integer(len(paths[0]) if paths else 0, 0x7F, 0)
    id_start = literal_name(b"apns-id") + integer(len(id_prefix) + 12, 0x7F, 0) + id_prefix
    encode = ENCODINGS["literal"]().encode
    # The first request puts the fields into the table, the second and all later ones find them there.
    first, later = (
        (encode(fields[:path_at]) + path_start, encode(fields[path_at + 1 : -1]) + id_start) for _ in range(2)
    )
    each = chain([first], repeat(later))
    for number, path, (before, between) in zip(numbers, paths, each, strict=False):
        yield before + path + between + b"%012x" % number, payload(number)


async def send(task: SendTask, requests: list[tuple[Iterator[Request], int]]) -> int:
    """Send over as many connections as there are iterators; returns how many were accepted."""
    loop, endpoint, tls = asyncio.get_running_loop(), Endpoint.parse(task.url), trusting(task.ca_file)
    connections = []
    for each, count in requests:
        _, connection = await loop.create_connection(
            lambda each=each, count=count: RulerSender(each, count),  # type: ignore[misc]
            endpoint.host,
            endpoint.port,
            ssl=tls,
        )
        connections.append(connection)
    await asyncio.gather(*(connection.done for connection in connections))
    return sum(connection.accepted for connection in connections)


def main() -> None:
    """Prepare, say so, send, answer."""
    task = read_task()
    authorization = provider_token(task)
    bounds = [task.start + task.count * part // task.connections for part in range(task.connections + 1)]
    shares = [
        (requests_of(task, start, stop, authorization), stop - start)
        for start, stop in pairwise(bounds)
        if start < stop
    ]
    answer_async(lambda: send(task, shares))


if __name__ == "__main__":
    main()
