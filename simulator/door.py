"""Where connections come in: listening sockets, and what has been accepted and is not yet established.

asyncio's own servers hide connections until their TLS handshake is over, so that nobody can bound those that never end. Here
they are known: beyond a bound the one that has waited longest is cut, so that a client that is quick gets in all the same.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence

from simulator.counters import Counters
from simulator.limits import Limits
from simulator.observation_records import Accepted, HandshakeFailed
from simulator.observations import Observations

CLOSE_TIMEOUT_S = 5.0
ACCEPTS_A_TURN_MAX = 16  # of the event loop, so that a crowd at the door does not stop those inside
FILE_DESCRIPTORS = "file_descriptors"  # the one limit that the system sets; counted under this name
ACCEPT_RETRY_S = 0.1  # once no file descriptor is free


def listening_sockets(host: str, port: int, backlog: int) -> list[socket.socket]:
    """One socket for each address of `host`, all on one port. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            if family not in (socket.AF_INET, socket.AF_INET6):
                continue
            taken = sockets[0].getsockname()[1] if sockets else port  # port 0: whatever the first was given
            place = (address[0], taken, *address[2:])
            sockets.append(socket.create_server(place, family=family, backlog=backlog))
            sockets[-1].setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


class Door:
    """One port. `make_connection`: the protocol of a new connection. `open_count`: how many are established.

    `pending` are the connections accepted and not established, oldest first. `counters`: where limits reached are counted.
    `observations`: where it is written down who came, and whose handshake failed.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        tls: ssl.SSLContext | None,
        make_connection: Callable[[], asyncio.Protocol],
        open_count: Callable[[], int],
        limits: Limits,
        counters: Counters,
        observations: Observations,
    ) -> None:
        self.sockets = sockets
        self.pending: dict[asyncio.Task[None], socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds on to none
        self._tls = tls
        self._make_connection = make_connection
        self._open_count = open_count
        self._limits = limits
        self._counters = counters
        self._observations = observations
        loop = asyncio.get_running_loop()
        self._accepting = [loop.create_task(self._accept(each)) for each in sockets]

    def close(self) -> None:
        """Accept no more, and cut what is not established."""
        for task in self._accepting:
            task.cancel()
        while self.pending:
            self._cut_oldest()
        for each in self.sockets:
            each.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(ACCEPTS_A_TURN_MAX):
                try:
                    accepted, _ = await loop.sock_accept(listening)
                except ConnectionError:
                    continue  # gone before it was accepted
                except OSError:
                    # No file descriptor is free: the oldest of those outside gives up its own.
                    self._counters.limits_reached[FILE_DESCRIPTORS] += 1
                    self._cut_oldest()
                    await asyncio.sleep(ACCEPT_RETRY_S)
                    continue
                self._take(accepted)
            await asyncio.sleep(0)

    def _take(self, accepted: socket.socket) -> None:
        # asyncio does this for sockets that name their protocol; accepted ones do not. Without it an answer waits up to
        # 40 ms for the client to acknowledge the one before.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._observations.on:
            self._observations.record(Accepted(at_s=self._observations.now_s(), peer=peer_of(accepted)))
        if self._open_count() >= self._limits.connections_max:
            self._counters.limits_reached["connections_max"] += 1
            accepted.close()
            return
        if len(self.pending) >= self._limits.handshakes_pending_max:
            self._counters.limits_reached["handshakes_pending_max"] += 1
            self._cut_oldest()
        task = asyncio.get_running_loop().create_task(self._establish(accepted))
        self.pending[task] = accepted
        self._tasks.add(task)
        task.add_done_callback(self._established)

    def _established(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.pending.pop(task, None)

    def _cut_oldest(self) -> None:
        """To asyncio it looks as if the client had left, which is the one way that it clears up after in every state."""
        oldest = next(iter(self.pending), None)
        if oldest is not None:
            with contextlib.suppress(OSError):
                self.pending.pop(oldest).shutdown(socket.SHUT_RDWR)

    async def _establish(self, accepted: socket.socket) -> None:
        loop, tls = asyncio.get_running_loop(), self._tls
        peer = peer_of(accepted) if self._observations.on else ""
        try:
            await loop.connect_accepted_socket(
                self._make_connection,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._limits.handshake_timeout_s,
                ssl_shutdown_timeout=None if tls is None else CLOSE_TIMEOUT_S,
            )
        except ConnectionAbortedError:  # asyncio's word for a handshake that took too long
            self._counters.limits_reached["handshake_timeout_s"] += 1
            self._handshake_failed(peer, "it took too long")
        except OSError as error:  # TLS's errors among them; the TLS object has counted those
            self._handshake_failed(peer, _reason_of(error))

    def _handshake_failed(self, peer: str, why: str) -> None:
        if self._observations.on:
            self._observations.record(HandshakeFailed(at_s=self._observations.now_s(), peer=peer, why=why))


def _reason_of(error: OSError) -> str:
    if isinstance(error, ConnectionError):
        return "the client has gone"
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


def peer_of(accepted: socket.socket) -> str:
    """The address and port of the client; empty for one that has gone."""
    try:
        return peer_text(accepted.getpeername())
    except OSError:
        return ""


def peer_text(address: object) -> str:
    """An address of asyncio or a socket as text."""
    match address:
        case (str(host), int(port), *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return ""
