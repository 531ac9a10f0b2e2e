"""Clients that mean harm: bytes that flood a server, and connections that send them beside a sender that behaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from simulator.credentials import Credentials
from simulator.listener import ProviderPlane
from tests.end_to_end.provider_port import Client, connected
from wire import frames
from wire.hpack import integer, stateless_block, string

GREETING = frames.PREFACE + frames.settings_frame({})
REQUEST = stateless_block(
    [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"localhost"),
        (b":path", b"/3/device/" + b"ab" * 32),
    ]
)
FILLER = b"x" * 4_000
STREAMS_A_BATCH = 10  # of the sender that behaves

Flood = Callable[[int], bytes]
"""The nth piece of a flood, from 0; to be sent behind GREETING."""


def stream_id(n: int) -> int:
    """Of the nth request."""
    return 2 * n + 1


def head(n: int, block: bytes = REQUEST, *, end_stream: bool = False) -> bytes:
    """HEADERS of the nth request."""
    return frames.frame(frames.HEADERS, frames.END_HEADERS | end_stream, stream_id(n), block)


def opened_first(piece: bytes) -> Flood:
    """Stream 1 with its body still to come, then always this."""
    return lambda n: piece if n else head(0) + piece


def closed_first(piece: bytes) -> Flood:
    """Stream 1 opened and reset, then always this."""
    return lambda n: piece if n else head(0) + frames.rst_stream_frame(1, 8) + piece


def refused_first(piece: bytes) -> Flood:
    """A malformed request, which the server resets, then always this on its stream."""
    return lambda n: piece if n else head(0, stateless_block([(b":method", b"POST")])) + piece


def continuations(fragment: bytes) -> Flood:
    """One header block without end."""
    start = frames.frame(frames.HEADERS, 0, 1, REQUEST)
    piece = frames.frame(frames.CONTINUATION, 0, 1, fragment)
    return lambda n: piece if n else start + piece


def many_continued(n: int) -> bytes:
    """A request in many small pieces."""
    start = frames.frame(frames.HEADERS, frames.END_STREAM, stream_id(n), REQUEST)
    empty = frames.frame(frames.CONTINUATION, 0, stream_id(n))
    return start + 60 * empty + frames.frame(frames.CONTINUATION, frames.END_HEADERS, stream_id(n))


def thrashing(n: int) -> bytes:
    """A request with sixty fields that were never seen before, all for the header table."""
    fields = b"".join(b"\x40" + string(b"x") + string(b"%d-%d" % (n, at)) for at in range(60))
    return head(n, REQUEST + fields, end_stream=True)


def _bomb(references: int) -> Flood:
    planted = b"\x40" + string(b"x") + string(FILLER)
    reference = integer(62, 0x7F, 0x80)
    return lambda n: head(n, REQUEST + (reference * references if n else planted), end_stream=True)


hpack_bomb = _bomb(15_000)  # 60 MB of header fields in a frame of 15 KB
small_bombs = _bomb(3)


@asynccontextmanager
async def beside_a_sender(plane: ProviderPlane, credentials: Credentials, port: int) -> AsyncIterator[Client]:
    """A sender that pushes as long as the block runs. At its end each of its pushes has been answered 200, and some were sent
    while the attack was on."""
    certificate = (credentials.client_certificate_file, credentials.client_key_file)
    async with connected(credentials, port, *certificate) as sender:

        async def push() -> int:
            responses = await sender.push(count=STREAMS_A_BATCH)
            assert [response.head.value(b":status") for response in responses] == [b"200"] * STREAMS_A_BATCH
            return len(responses)

        async def push_on() -> None:
            while True:
                await push()

        accepted_before = await push()
        pushing = asyncio.create_task(push_on())
        try:
            yield sender
        finally:
            assert not pushing.done(), pushing
            accepted = plane.rig.counters.accepted
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing
        assert accepted > accepted_before
        assert sender.goaway is None


async def until_ended(reader: asyncio.StreamReader) -> bytes:
    """All that a server still sends until it ends the connection, in good order or not."""
    came = bytearray()
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            came += data
    return bytes(came)


async def send_all(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send; the server may end the connection before all of it is gone."""
    with contextlib.suppress(OSError):
        writer.write(data)
        await writer.drain()
