"""The provider plane's sockets under asyncio: bytes of a read in, one write out. `wire` and the plane do the rest."""

import asyncio
import gc
import ssl
from collections.abc import Callable
from itertools import count

from simulator.apns.answer import RandomIds
from simulator.apns.certificate import UNREADABLE, ClientCertificate, read_client_certificate
from simulator.apns.link import Link
from simulator.apns.plane import PAYLOAD_BYTES_KEPT_MAX, ApnsPlane, first_settings
from simulator.devices.token_space import Environment
from simulator.provider_tls import ServerNames
from simulator.rig import Rig
from wire.events import ConnectionFailed, GoawayReceived, StreamRefused, StreamReset
from wire.server import ServerConnection

CONNECTIONS_MAX = 10_000  # open at a time; further ones are closed at once. asyncio's TLS holds some 256 KiB for each.
SEND_BUFFER_BYTES_MAX = 1 << 20  # of one connection; above it nothing more is read from that client until it reads
HANDSHAKE_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
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
        *,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self.rig = rig
        self.environment = environment
        self.server_names = server_names
        self.ids = RandomIds(random_bytes)
        self.connections_max = connections_max
        self.connection_numbers = count(1)
        self.open: set[ProviderConnection] = set()
        self._accepted = 0

    def make_connection(self) -> "ProviderConnection":
        """A protocol for one accepted socket: the factory that asyncio's servers ask for."""
        self._accepted += 1
        if self._accepted % CONNECTIONS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        return ProviderConnection(self)

    async def listen(
        self, host: str, port: int, tls: ssl.SSLContext | None, *, backlog: int = 1_024
    ) -> tuple[asyncio.Server, int]:
        """Open a port; returns the server and the port (which `port` 0 leaves to the system). Raises OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self.make_connection,
            host,
            port,
            ssl=tls,
            backlog=backlog,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if tls is not None else None,
            ssl_shutdown_timeout=CLOSE_TIMEOUT_S if tls is not None else None,
        )
        return server, server.sockets[0].getsockname()[1]

    def close_connections(self) -> None:
        """Say goodbye on every connection (GOAWAY with `Shutdown`) and close it."""
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
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        shared = self._shared
        counters = shared.rig.counters
        if len(shared.open) >= shared.connections_max:
            transport.abort()
            return
        counters.connections_open += 1
        counters.connections_total += 1
        shared.open.add(self)
        self._transport = transport
        transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES_MAX)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        link = Link.opened(shared.server_names.name_of(tls), shared.environment, certificate_of(tls))
        self._wire = ServerConnection(first_settings(link), body_bytes_max=PAYLOAD_BYTES_KEPT_MAX)
        self._plane = ApnsPlane(shared.rig, self._wire, link, next(shared.connection_numbers), shared.ids)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._shared.rig.counters.bytes_in += len(data)
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
                case GoawayReceived():
                    counters.goaways_received += 1
                case ConnectionFailed():
                    counters.protocol_errors += 1
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
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def shut_down(self) -> None:
        """The simulator stops."""
        if self._transport is not None and not self._transport.is_closing():
            self._plane.end(0, b'{"reason":"Shutdown"}')
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._shared.open.discard(self)
            self._shared.rig.counters.connections_open -= 1
