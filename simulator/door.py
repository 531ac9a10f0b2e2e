"""Where connections come in: listening sockets, and what has been accepted and is not yet established.

Where faults meet those who come, they do it here: before TLS, with another certificate, or behind a port that is closed.

asyncio's own servers hide connections until their TLS handshake is over, so that nobody can bound those that never end. Here
they are known: beyond a bound the one that has waited longest is cut, so that a client that is quick gets in all the same.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence

from simulator.counters import Counters
from simulator.faults.line import USUAL_HANDSHAKE, Handshake
from simulator.limits import Limits
from simulator.observation_records import Accepted, HandshakeFailed
from simulator.observations import Observations
from simulator.provider_tls import ProviderTls

CLOSE_TIMEOUT_S = 5.0
ACCEPTS_A_TURN_MAX = 16  # of the event loop, so that a crowd at the door does not stop those inside
FILE_DESCRIPTORS = "file_descriptors"  # the one limit that the system sets; counted under this name
ACCEPT_RETRY_S = 0.1  # once no file descriptor is free
HELLO_BYTES_MAX = 1 << 16  # read of a client that gets an alert in place of a handshake
HANDSHAKE_FAILURE_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # fatal, handshake_failure (RFC 8446, section 6)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, and not a second to wait


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


def _usual_meeting() -> Handshake:
    return USUAL_HANDSHAKE


def _nothing() -> None:
    pass


class Door:
    """One port. `make_connection`: the protocol of a new connection. `open_count`: how many are established.

    `pending` are the connections accepted and not established, oldest first. `counters`: where limits reached are counted.
    `observations`: where it is written down who came, and whose handshake failed. `meet`: asked how the next client is met.
    `wait`: such as `asyncio.sleep`. `left`: called for each client that goes before it is established.
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
        meet: Callable[[], Handshake] = _usual_meeting,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
        left: Callable[[], None] = _nothing,
        *,
        backlog: int,
    ) -> None:
        self.sockets = list(sockets)
        self.pending: dict[asyncio.Task[None], socket.socket] = {}
        self.shut = False
        self._held: set[asyncio.Task[None]] = set()  # of the pending, those that a fault keeps waiting
        self._meet = meet
        self.wait = wait
        self._left = left
        self._backlog = backlog
        self._places = [(each.family, each.getsockname()) for each in sockets]
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds on to none
        self._tls = tls
        self._make_connection = make_connection
        self._open_count = open_count
        self._limits = limits
        self._counters = counters
        self._observations = observations
        self._accepting: list[asyncio.Task[None]] = []
        self._accept_all()

    def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        self._accepting = [loop.create_task(self._accept(each)) for each in self.sockets]

    def close(self) -> None:
        """Accept no more, and cut what is not established."""
        for task in self._accepting:
            task.cancel()
        self.cut_pending()
        for each in self.sockets:
            each.close()

    def cut_pending(self) -> None:
        """Cut what is not established."""
        while self.pending:
            self._cut_oldest()

    def refuse(self) -> None:
        """Have the system refuse connections from now on. The port is bound again and not listened at, so that it is given to
        nobody who asks for any; only who insists on it may take it."""
        if self.shut:
            return
        self.shut = True
        loop = asyncio.get_running_loop()
        for task, each in zip(self._accepting, self.sockets, strict=True):
            task.cancel()
            loop.remove_reader(each.fileno())
            each.close()
        self._accepting, self.sockets = [], []
        self._bind_again()

    def accept_again(self) -> bool:
        """Let connections in again; False: somebody else has taken the port meanwhile. To be tried again later then."""
        if not self.shut:
            return True
        if not self._bind_again():
            return False
        for each in self.sockets:
            each.listen(self._backlog)
        self.shut = False
        self._accept_all()
        return True

    def _bind_again(self) -> bool:
        if self.sockets:
            return True
        bound: list[socket.socket] = []
        try:
            for family, place in self._places:
                bound.append(socket.socket(family, socket.SOCK_STREAM))
                bound[-1].setblocking(False)
                bound[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    bound[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                bound[-1].bind(place)
        except OSError:
            for each in bound:
                each.close()
            return False
        self.sockets = bound
        return True

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
                self.take(accepted)
            await asyncio.sleep(0)

    def take(
        self,
        accepted: socket.socket,
        handshake: Handshake | None = None,
        make_connection: Callable[[], asyncio.Protocol] | None = None,
    ) -> None:
        """Take in a client that has been accepted. `handshake`: how it is met, where that is known already. `make_connection`:
        the protocol of its connection, where it is another than usual."""
        # asyncio does this for sockets that name their protocol; accepted ones do not. Without it an answer waits up to
        # 40 ms for the client to acknowledge the one before.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._observations.on:
            self._observations.record(Accepted(at_s=self._observations.now_s(), peer=peer_of(accepted)))
        if self._open_count() >= self._limits.connections_max:
            self._counters.limits_reached["connections_max"] += 1
            accepted.close()
            self._left()
            return
        if len(self.pending) >= self._limits.handshakes_pending_max:
            self._counters.limits_reached["handshakes_pending_max"] += 1
            self._cut_oldest()
        establishing = self._establish(accepted, handshake or self._meet(), make_connection or self._make_connection)
        task = asyncio.get_running_loop().create_task(establishing)
        self.pending[task] = accepted
        self._tasks.add(task)
        task.add_done_callback(self._established)

    def _established(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._held.discard(task)
        self.pending.pop(task, None)

    def _cut_oldest(self) -> None:
        """To asyncio it looks as if the client had left, which is the one way that it clears up after in every state."""
        oldest = next(iter(self.pending), None)
        if oldest is not None:
            with contextlib.suppress(OSError):
                self.pending.pop(oldest).shutdown(socket.SHUT_RDWR)
            if oldest in self._held:
                oldest.cancel()

    async def _establish(
        self, accepted: socket.socket, handshake: Handshake, make_connection: Callable[[], asyncio.Protocol]
    ) -> None:
        established = False
        try:
            established = await self._try_to_establish(accepted, handshake, make_connection)
        finally:
            if not established:
                self._left()

    async def _try_to_establish(
        self, accepted: socket.socket, handshake: Handshake, make_connection: Callable[[], asyncio.Protocol]
    ) -> bool:
        loop, tls = asyncio.get_running_loop(), self._tls
        peer = peer_of(accepted) if self._observations.on else ""
        if handshake is not USUAL_HANDSHAKE:
            if not await self._let_on(accepted, handshake, peer):
                return False
            if isinstance(tls, ProviderTls):
                tls = await asyncio.to_thread(tls.variant, handshake.certificate, alpn=handshake.alpn)
        try:
            await loop.connect_accepted_socket(
                make_connection,
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
        else:
            return True
        return False

    async def _let_on(self, accepted: socket.socket, handshake: Handshake, peer: str) -> bool:
        """Do to a client what a fault does before TLS; False: that was the end of it."""
        task = asyncio.current_task()
        assert task is not None
        self._held.add(task)
        goes_on = False
        try:
            if handshake.delay_s:
                await self.wait(handshake.delay_s)
            goes_on = handshake.manner == "go-on"
            match handshake.manner:
                case "silent":
                    await self.wait(handshake.silent_s)
                case "reset":
                    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                case "alert":
                    with contextlib.suppress(OSError):
                        await self._send_alert(accepted)
        finally:
            self._held.discard(task)
            if not goes_on:
                accepted.close()
                self._counters.handshake_failed()
                self._handshake_failed(peer, f"a fault: {handshake.manner}")
        return goes_on

    async def _send_alert(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        # Unread bytes would turn the end into a reset, which may overtake the alert.
        async with asyncio.timeout(self._limits.handshake_timeout_s):
            await loop.sock_recv(accepted, HELLO_BYTES_MAX)
        await loop.sock_sendall(accepted, HANDSHAKE_FAILURE_ALERT)
        accepted.shutdown(socket.SHUT_WR)

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
