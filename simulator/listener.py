"""The provider plane's sockets under asyncio: bytes of a read in, one write out. `wire` and the plane do the rest."""

import asyncio
import gc
import ssl
from collections.abc import Callable, Sequence
from itertools import count

from simulator.apns.answer import RandomIds
from simulator.apns.certificate import UNREADABLE, ClientCertificate, read_client_certificate
from simulator.apns.link import Link
from simulator.apns.plane import PAYLOAD_BYTES_KEPT_MAX, ApnsPlane, first_settings
from simulator.deadlines import Deadlines, Overdue
from simulator.devices.token_space import Environment
from simulator.door import CLOSE_TIMEOUT_S, Door, listening_sockets
from simulator.limits import Limits
from simulator.provider_tls import ServerNames
from simulator.rig import Rig
from wire.errors import ErrorCode
from wire.events import ConnectionFailed, GoawayReceived, HeaderListRefused, StreamRefused, StreamReset
from wire.frames import MAX_HEADER_LIST_SIZE
from wire.server import ServerConnection

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
        self.ids = RandomIds(random_bytes)
        self.limits = limits
        self.wire_limits = limits.of_wire()
        self.monotonic_s = monotonic_s
        self.connection_numbers = count(1)
        self.open: set[ProviderConnection] = set()
        self._accepted = 0
        self._ticking: asyncio.TimerHandle | None = None
        self._to_look_at: list[ProviderConnection] = []

    def make_connection(self) -> "ProviderConnection":
        """A protocol for one accepted socket: the factory that asyncio's servers ask for."""
        self._accepted += 1
        if self._accepted % CONNECTIONS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        return ProviderConnection(self)

    async def listen(
        self, host: str, port: int, tls: ssl.SSLContext | None, *, backlog: int = 1_024
    ) -> tuple[Door, int]:
        """Open a port; returns its door and the port (which `port` 0 leaves to the system). Raises OSError, UnicodeError."""
        sockets = await asyncio.to_thread(listening_sockets, host, port, backlog)  # may ask a name server
        door = Door(sockets, tls, self.make_connection, lambda: len(self.open), self.limits, self.rig.counters)
        if self._ticking is None:
            self._tick_later()
        return door, sockets[0].getsockname()[1]

    def _tick_later(self) -> None:
        wait_s = TICK_SLICE_S if self._to_look_at else TICK_S
        self._ticking = asyncio.get_running_loop().call_later(wait_s, self._tick_and_go_on)

    def _tick_and_go_on(self) -> None:
        waiting = self._to_look_at or list(self.open)
        self._to_look_at = waiting[CONNECTIONS_A_TICK_MAX:]
        self._look_at(waiting[:CONNECTIONS_A_TICK_MAX])
        self._tick_later()

    def tick(self) -> None:
        """Look at the deadlines of all connections."""
        self._look_at(list(self.open))

    def _look_at(self, connections: "Sequence[ProviderConnection]") -> None:
        now_s = self.monotonic_s()
        for connection in connections:
            connection.tick(now_s)

    def close_connections(self) -> None:
        """Say goodbye on every connection (GOAWAY with `Shutdown`) and close it."""
        if self._ticking is not None:
            self._ticking.cancel()
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
    """One client."""

    def __init__(self, plane: ProviderPlane) -> None:
        self._shared = plane
        self._wire: ServerConnection
        self._plane: ApnsPlane
        self._deadlines: Deadlines
        self._transport: asyncio.Transport | None = None
        self._closing_s: float | None = None  # since when a tick has found the transport closing
        self.reading_paused = False  # nothing is read from the client until it has read

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
        transport.set_write_buffer_limits(high=shared.limits.send_buffer_bytes_max)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        link = Link.opened(shared.server_names.name_of(tls), shared.environment, certificate_of(tls))
        settings = {**first_settings(link), MAX_HEADER_LIST_SIZE: shared.limits.header_list_bytes_max}
        self._wire = ServerConnection(settings, body_bytes_max=PAYLOAD_BYTES_KEPT_MAX, limits=shared.wire_limits)
        self._deadlines = Deadlines(self._wire, shared.monotonic_s())
        self._plane = ApnsPlane(shared.rig, self._wire, link, next(shared.connection_numbers), shared.ids)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._shared.rig.counters.bytes_in += len(data)
        self._deadlines.heard = True
        requests = self._wire.receive_data(data)
        if requests:
            self._plane.answer(requests)
        if self._wire.events:
            self._happened()
        self._flush()

    def _happened(self) -> None:
        counters = self._shared.rig.counters
        for event in self._wire.take_events():
            match event:
                case StreamReset(local=True):
                    counters.resets_sent += 1
                case StreamReset():
                    counters.resets_received += 1
                case StreamRefused():
                    counters.resets_sent += 1
                    self._plane.stream_refused()
                case HeaderListRefused():
                    counters.header_lists_refused += 1
                case GoawayReceived():
                    counters.goaways_received += 1
                case ConnectionFailed(error):
                    counters.protocol_errors += 1
                    if error.limit is not None:
                        counters.limits_reached[error.limit] += 1
                    counters.goaways_sent += 1
                case _:
                    pass

    def _flush(self) -> None:
        assert self._transport is not None
        data = self._wire.data_to_send()
        if data:
            self._shared.rig.counters.bytes_out += len(data)
            self._transport.write(data)
        if self._plane.closing or self._wire.failed is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        # A client that does not read is not read from either: its answers wait in a bounded buffer.
        if self._transport is not None:
            self.reading_paused = True
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def tick(self, now_s: float) -> None:
        """Look at this connection's deadlines."""
        transport, wire, limits = self._transport, self._wire, self._shared.limits
        assert transport is not None
        if transport.is_closing():
            # The rest of what was written may never be read.
            if self._closing_s is None:
                self._closing_s = now_s
            elif now_s - self._closing_s >= CLOSE_TIMEOUT_S:
                transport.abort()
            return
        reached = self._shared.rig.counters.limits_reached
        unread_bytes = transport.get_write_buffer_size() if self.reading_paused else None
        overdue = self._deadlines.overdue(limits, now_s, unread_bytes)
        if overdue is not None:
            reached[overdue.limit] += 1
            if overdue is Overdue.UNREAD:
                transport.abort()
            else:
                self._plane.end(overdue.code, overdue.debug)
                self._flush()
            return
        requests = self._deadlines.overdue_requests(limits, now_s)
        answers = self._deadlines.overdue_answers(limits, now_s)
        if requests or answers:
            for limit, streams in (("request_timeout_s", requests), ("unread_timeout_s", answers)):
                for stream_id in streams:
                    wire.reset(stream_id, ErrorCode.CANCEL)
                if streams:
                    reached[limit] += len(streams)
            self._shared.rig.counters.resets_sent += len(requests) + len(answers)
            self._flush()

    def shut_down(self) -> None:
        """The simulator stops."""
        if self._transport is not None and not self._transport.is_closing():
            self._plane.end(0, b'{"reason":"Shutdown"}')
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._shared.open.discard(self)
            self._shared.rig.counters.connections_open -= 1
