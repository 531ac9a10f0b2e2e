"""The provider plane's sockets under asyncio: bytes of a read in, one write out. The sessions do the rest."""

import asyncio
import contextlib
import gc
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from itertools import count

from simulator.apns.answer import RandomIds
from simulator.apns.certificate import UNREADABLE, ClientCertificate, read_client_certificate
from simulator.apns.link import Link
from simulator.connection_watch import ConnectionWatch, End, Onlooker
from simulator.deadlines import Overdue
from simulator.devices.token_space import Environment
from simulator.door import CLOSE_TIMEOUT_S, RESET_ON_CLOSE, Door, peer_text
from simulator.doors import BACKLOG, Doors
from simulator.faults.line import Ending
from simulator.fcm.service import FcmService
from simulator.frame_watch import FrameWatch
from simulator.host_owner import HostOwner, owner_of
from simulator.http1_session import Http1Session
from simulator.http2_session import Http2Session
from simulator.limits import Limits
from simulator.opening import Spoken, spoken_on
from simulator.provider_tls import ServerNames
from simulator.rig import Rig
from simulator.session import Session, SessionParts

TICK_S = 1.0  # between looks at the deadlines of all connections
# Looked at in one go; a look takes 2 us, and nothing may hold the event loop for long.
CONNECTIONS_A_TICK_MAX = 1_000
TICK_SLICE_S = 0.02  # between parts of a look at more connections than that
# asyncio leaves some 300 KB in a cycle for each connection that fails (the traceback of its error holds the TLS buffers),
# and at the pace that `serve` sets for the garbage collector hundreds of MB would gather. A look takes about a millisecond.
CONNECTIONS_BETWEEN_COLLECTIONS = 64


class ProviderPlane:
    """What all provider connections of one simulator share. `environment`: of connections whose host names none."""

    def __init__(
        self,
        rig: Rig,
        environment: Environment,
        server_names: ServerNames,
        random_bytes: Callable[[int], bytes],
        limits: Limits,
        monotonic_s: Callable[[], float],
    ) -> None:
        self.rig = rig
        self.environment = environment
        self.server_names = server_names
        self.google = FcmService(rig, random_bytes)
        self.parts = SessionParts(rig, limits, limits.of_wire(), RandomIds(random_bytes), self.google, monotonic_s)
        self.limits = limits
        self.monotonic_s = monotonic_s
        self.connection_numbers = count(1)
        self.open: set[ProviderConnection] = set()
        self._accepted = 0
        self._ticking: asyncio.TimerHandle | None = None
        self._to_look_at: list[ProviderConnection] = []
        self._delivering: asyncio.Handle | None = None
        self.doors = Doors(rig, limits, self.make_connection, lambda: len(self.open), self._end_all)

    def make_connection(self, number: int | None = None) -> "ProviderConnection":
        """A protocol for one accepted socket: the factory that asyncio's servers ask for. `number`: of the connection, where it
        has one already."""
        self._accepted += 1
        if self._accepted % CONNECTIONS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        return ProviderConnection(self, number)

    async def listen(
        self, host: str, port: int, tls: ssl.SSLContext | None, *, backlog: int = BACKLOG
    ) -> tuple[Door, int]:
        """Open a port; returns its door and the port (which `port` 0 leaves to the system). Raises OSError, UnicodeError."""
        opened = await self.doors.listen(host, port, tls, backlog)
        self.begin_to_tick()
        return opened

    def begin_to_tick(self) -> None:
        """Look at all deadlines from now on."""
        if self._ticking is None:
            self._tick_later()

    def _end_all(self, how: Ending) -> None:
        for connection in list(self.open):
            connection.end(how)

    def _tick_later(self) -> None:
        wait_s = TICK_SLICE_S if self._to_look_at else TICK_S
        self._ticking = asyncio.get_running_loop().call_later(wait_s, self._tick_and_go_on)

    def _tick_and_go_on(self) -> None:
        self.doors.look_where_it_matters()
        self.rig.frame_log.flush()
        waiting = self._to_look_at or list(self.open)
        self._to_look_at = waiting[CONNECTIONS_A_TICK_MAX:]
        self._look_at(waiting[:CONNECTIONS_A_TICK_MAX])
        self._tick_later()

    def tick(self) -> None:
        """Look at the deadlines of all connections, and at the ports."""
        self.doors.look_where_it_matters()
        self._look_at(list(self.open))

    def _look_at(self, connections: "Sequence[ProviderConnection]") -> None:
        now_s = self.monotonic_s()
        for connection in connections:
            connection.tick(now_s)

    def deliver_later(self) -> None:
        """Deliver what waits for the registrations of topics, a slice in each turn of the event loop."""
        if self._delivering is None:
            self._delivering = asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivering = None
        self.google.deliver_slice()
        if self.google.delivering:
            self.deliver_later()

    def close_connections(self) -> None:
        """Say goodbye on every connection (GOAWAY with `Shutdown`) and close it."""
        self.doors.leave_alone()
        if self._ticking is not None:
            self._ticking.cancel()
        if self._delivering is not None:
            self._delivering.cancel()
        for connection in list(self.open):
            connection.shut_down()


def certificate_of(tls: ssl.SSLObject | None) -> ClientCertificate | None:
    """What the client's certificate says, which TLS has found trusted and in date; None where the client sent none."""
    der = None if tls is None else tls.getpeercert(binary_form=True)
    if der is None:
        return None
    try:
        return read_client_certificate(der)
    except ValueError:
        return UNREADABLE


class ProviderConnection(asyncio.Protocol):
    """One client. What it speaks may have to be told by its first bytes; until then they are kept in `_first_bytes`."""

    def __init__(self, plane: ProviderPlane, number: int | None = None) -> None:
        self._shared = plane
        self._number = number
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None
        self._first_bytes = b""
        self._opened_s = 0.0
        self._closing_s: float | None = None  # since when a tick has found the transport closing
        self.reading_paused = False  # nothing is read from the client until it has read
        self._onlookers: tuple[Onlooker, ...] = ()  # where somebody asked for observations or frames
        self._client_ended = False
        self._aborted = False
        self._stalled = False  # a fault has nothing read from the client
        self._half_closed_s: float | None = None  # since when nothing is written to it any more
        self._waking: asyncio.TimerHandle | None = None  # where the session waits for a time
        self._wakes_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        shared = self._shared
        counters = shared.rig.counters
        if len(shared.open) >= shared.limits.connections_max:
            counters.limits_reached["connections_max"] += 1
            transport.abort()
            return
        counters.connections_open += 1
        counters.connections_total += 1
        shared.open.add(self)
        self._transport = transport
        self._opened_s = shared.monotonic_s()
        transport.set_write_buffer_limits(high=shared.limits.send_buffer_bytes_max)
        self._begin(transport)
        self._flush()

    def _begin(self, transport: asyncio.Transport) -> None:
        """Begin the session if it is known by now what the client speaks."""
        shared, tls = self._shared, _tls_of(transport)
        host = shared.server_names.name_of(tls)
        owner = owner_of(host)
        alpn = None if tls is None else tls.selected_alpn_protocol()
        spoken = spoken_on(alpn, owner, self._first_bytes)
        if spoken is Spoken.UNKNOWN:
            return
        number = next(shared.connection_numbers) if self._number is None else self._number
        now_s, faults = shared.monotonic_s(), shared.rig.faults
        faults.connections = max(faults.connections, number)
        if shared.rig.observations.on or shared.rig.frame_log.on:
            self._let_look_on(transport, number, spoken, owner, host)
        if spoken is Spoken.HTTP2:
            certificate = None if owner is HostOwner.GOOGLE else certificate_of(tls)
            link = Link.opened(host, shared.environment, certificate, number)
            self._session = Http2Session(shared.parts, link, owner, number, now_s)
        else:
            self._session = Http1Session(shared.parts, owner, number, now_s, time.time, secure=tls is not None)

    def _let_look_on(
        self, transport: asyncio.Transport, number: int, spoken: Spoken, owner: HostOwner | None, host: str | None
    ) -> None:
        rig, tls = self._shared.rig, _tls_of(transport)
        peer, http2 = peer_text(transport.get_extra_info("peername")), spoken is Spoken.HTTP2
        onlookers: list[Onlooker] = []
        if rig.observations.on and http2:
            onlookers.append(FrameWatch(rig.observations, number, peer, owner, rig.clock.now_s))
        elif rig.observations.on:
            onlookers.append(ConnectionWatch(rig.observations, number, peer))
        if rig.frame_log.on:
            onlookers.append(rig.frame_log.connection(number, peer, http2=http2))
        self._onlookers = tuple(onlookers)
        version, alpn = (None, None) if tls is None else (tls.version(), tls.selected_alpn_protocol())
        for onlooker in onlookers:
            onlooker.opened(spoken.value, host, version, alpn)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._shared.rig.counters.bytes_in += len(data)
        session = self._session
        if session is None:
            self._first_bytes += data
            self._begin(self._transport)
            session, data = self._session, self._first_bytes
            if session is None:
                return
            self._first_bytes = b""
        for onlooker in self._onlookers:
            onlooker.received(data)
        session.receive(data)
        if self._shared.rig.scenario is not None:
            self._shared.rig.scenario.go_on()
        self._flush()
        if self._shared.google.delivering:
            self._shared.deliver_later()

    def _flush(self) -> None:
        session = self._session
        if session is None or self._half_closed_s is not None:
            return
        assert self._transport is not None
        data = session.data_to_send()
        if data:
            self._shared.rig.counters.bytes_out += len(data)
            for onlooker in self._onlookers:
                onlooker.sent(data)
            self._transport.write(data)
        if session.closing:
            self.end(session.ending or Ending.CLOSE)
            return
        if session.faulted:
            self._follow_faults(session, self._transport)

    def _follow_faults(self, session: Session, transport: asyncio.Transport) -> None:
        due_s = session.next_due_s
        if due_s is not None:
            self._wake_at(due_s)
        if session.stalled is not self._stalled:
            self._stalled = session.stalled
            self._read_or_not(transport)

    def end(self, how: Ending) -> None:
        """End the connection, whatever is open on it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if how is Ending.CLOSE:
            transport.close()
            return
        raw: socket.socket = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the client has gone
            if how is Ending.HALF_CLOSE:
                self._half_closed_s = self._shared.monotonic_s()
                raw.shutdown(socket.SHUT_WR)
                return
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._abort(transport)

    def _read_or_not(self, transport: asyncio.Transport) -> None:
        if self.reading_paused or self._stalled:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _wake_at(self, due_s: float) -> None:
        """Have the session go on at a time, unless it is woken earlier anyway."""
        if self._waking is not None:
            if self._wakes_s <= due_s:
                return
            self._waking.cancel()
        self._wakes_s = due_s
        wait_s = max(0.0, due_s - self._shared.monotonic_s())
        self._waking = asyncio.get_running_loop().call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._waking = None
        if self._session is None or self._transport is None or self._transport.is_closing():
            return
        self._session.wake(self._shared.monotonic_s())
        self._flush()
        if self._shared.google.delivering:
            self._shared.deliver_later()

    def pause_writing(self) -> None:
        # A client that does not read is not read from either: its answers wait in a bounded buffer.
        if self._transport is not None:
            self.reading_paused = True
            self._read_or_not(self._transport)

    def resume_writing(self) -> None:
        self.reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._read_or_not(self._transport)

    def tick(self, now_s: float) -> None:
        """Look at this connection's deadlines."""
        transport, limits = self._transport, self._shared.limits
        assert transport is not None
        if transport.is_closing():
            # The rest of what was written may never be read.
            if self._closing_s is None:
                self._closing_s = now_s
            elif now_s - self._closing_s >= CLOSE_TIMEOUT_S:
                self._abort(transport)
            return
        if self._half_closed_s is not None:
            if now_s - self._half_closed_s >= limits.unread_timeout_s:
                self._abort(transport)
            return
        if self._session is None:
            if now_s - self._opened_s >= limits.handshake_timeout_s:
                self._shared.rig.counters.limits_reached[Overdue.GREETING.limit] += 1
                transport.close()
            return
        if self._session.faulted:
            due_s = self._session.next_due_s
            if due_s is not None and due_s <= now_s:
                self._session.wake(now_s)
        unread_bytes = transport.get_write_buffer_size() if self.reading_paused else None
        if self._session.tick(now_s, unread_bytes):
            self._flush()
        else:
            self._abort(transport)

    def _abort(self, transport: asyncio.Transport) -> None:
        self._aborted = True
        transport.abort()

    def shut_down(self) -> None:
        """The simulator stops."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._session is None or self._half_closed_s is not None:
            self._transport.close()
        else:
            self._session.shut_down()
            self._flush()

    def eof_received(self) -> None:
        assert self._transport is not None
        self._client_ended = not self._transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waking is not None:
            self._waking.cancel()
        if self._transport is not None:
            self._shared.open.discard(self)
            self._shared.rig.counters.connections_open -= 1
            broken = exc is not None
            how: End = "error" if broken else "end"
            if self._aborted or isinstance(exc, ConnectionError):
                how = "reset"
            for onlooker in self._onlookers:
                onlooker.closed("client" if self._client_ended or broken else "simulator", how)
        self._shared.doors.left()


def _tls_of(transport: asyncio.Transport) -> ssl.SSLObject | None:
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return tls
