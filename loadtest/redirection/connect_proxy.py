"""An HTTP CONNECT proxy on loopback that leads to the simulator: for programs that Python's and Node.js's hooks are not for.

A shell around `connect_request`. TLS passes through untouched, so that the program still asks the simulator for the
certificate of the host that it means.
"""

import asyncio
import contextlib
from collections import Counter
from typing import Self

from loadtest.redirection.connect_request import ESTABLISHED, HEAD_BYTES_MAX, HEAD_END, Refusal, Refused, refusal_of

TUNNELS_MAX = 1_000  # or on their way to be one; what comes above it is told so
CONNECTIONS_A_TUNNEL = 2  # with those that wait to be gone, all told; what comes above that is closed without a word
HEAD_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0  # for an answer or a goodbye that nobody reads
CHUNK_BYTES = 65_536  # read at once in each direction; asyncio holds at most twice as much
ELSEWHERE_NAMES_MAX = 100  # refused targets that are remembered by name
REST = "others"


class ConnectProxy:
    """Listens on a free port of 127.0.0.1 for the length of an `async with` block.

    `rig_port`: of the simulator on 127.0.0.1. `refused_elsewhere`: how often programs asked for which other host.
    """

    def __init__(
        self, rig_port: int, *, tunnels_max: int = TUNNELS_MAX, head_timeout_s: float = HEAD_TIMEOUT_S
    ) -> None:
        self.refused_elsewhere: Counter[str] = Counter()
        self._rig_port = rig_port
        self._tunnels_max = tunnels_max
        self._head_timeout_s = head_timeout_s
        self._open: set[asyncio.Task[None]] = set()
        self._tunnels = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """As in HTTPS_PROXY."""
        assert self._server is not None, "inside `async with` only"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._tunnels_max * CONNECTIONS_A_TUNNEL:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A connection that breaks is the program's business, or the simulator's.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                refused = await self._bounded_tunnel(reader, writer)
                if refused is not None:
                    writer.write(refused.answer())
                    writer.write_eof()
                    # Closed while bytes are unread, a connection is reset, and the answer may be lost with it.
                    await asyncio.wait_for(_read_out(reader), CLOSE_TIMEOUT_S)
            finally:
                await _close(writer)

    async def _bounded_tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Refused | None:
        if self._tunnels >= self._tunnels_max:
            return Refused(Refusal.CROWDED, str(self._tunnels_max))
        self._tunnels += 1
        try:
            return await self._tunnel(reader, writer)
        finally:
            self._tunnels -= 1

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Refused | None:
        """Serve one tunnel to its end, or return why there is none."""
        try:
            head = await asyncio.wait_for(reader.readuntil(HEAD_END), self._head_timeout_s)
        except asyncio.LimitOverrunError:
            return Refused(Refusal.TOO_LARGE)
        except TimeoutError:
            return Refused(Refusal.TOO_SLOW)
        if len(head) > HEAD_BYTES_MAX:
            return Refused(Refusal.TOO_LARGE)
        refused = refusal_of(head, self._rig_port)
        if refused is not None:
            self._remember(refused)
            return refused
        try:
            connecting = asyncio.open_connection("127.0.0.1", self._rig_port, limit=CHUNK_BYTES)
            rig_reader, rig_writer = await asyncio.wait_for(connecting, CONNECT_TIMEOUT_S)
        except OSError as error:  # TimeoutError among them
            return Refused(Refusal.SIMULATOR_AWAY, error.strerror or "it took too long")
        try:
            writer.write(ESTABLISHED)
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(_pump(reader, rig_writer))
                both_ways.create_task(_pump(rig_reader, writer))
        except* OSError:
            pass
        finally:
            await _close(rig_writer)
        return None

    def _remember(self, refused: Refused) -> None:
        if refused.refusal is Refusal.ELSEWHERE:
            known = refused.asked in self.refused_elsewhere or len(self.refused_elsewhere) < ELSEWHERE_NAMES_MAX
            self.refused_elsewhere[refused.asked if known else REST] += 1


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until the end of them, and then the end. Reads no faster than the other side does."""
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


async def _read_out(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK_BYTES):
        pass


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # TimeoutError among them
        await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT_S)
