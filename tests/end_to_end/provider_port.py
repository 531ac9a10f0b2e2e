"""A provider port inside the test's own process, and connections of senders to it: so that tests see both ends."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.assembly import make_rig
from simulator.credentials import Credentials
from simulator.devices.token_space import Environment
from simulator.door import Door
from simulator.limits import Limits
from simulator.listener import ProviderPlane
from simulator.provider_tls import ServerNames, server_tls_context
from simulator.settings import merge
from wire import frames
from wire.client import ClientConnection
from wire.events import GoawayReceived, SettingsReceived
from wire.request import Response

TIMEOUT_S = 20.0
TOPIC = b"com.example.app"
LIMITS = Limits()


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a test with an event loop of its own, and a bound."""
    asyncio.run(asyncio.wait_for(test(), TIMEOUT_S))


@asynccontextmanager
async def listening(
    credentials: Credentials,
    client_ca: Path | None = None,
    *,
    plane_class: type[ProviderPlane] = ProviderPlane,
    limits: Limits = LIMITS,
    tls: bool = True,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> AsyncIterator[tuple[ProviderPlane, int, Door]]:
    """A provider plane on a free port. `client_ca`: trusted for clients in place of the state directory's. `monotonic_s`:
    the clock of its deadlines."""
    rig = make_rig(merge({"state_dir": credentials.state_dir}), credentials)
    names = ServerNames()
    plane = plane_class(rig, Environment.PRODUCTION, names, os.urandom, limits=limits, monotonic_s=monotonic_s)
    context = server_tls_context(
        credentials.server_certificate_file,
        credentials.server_key_file,
        client_ca or credentials.client_ca_file,
        server_names=names,
        handshake_failed=rig.counters.handshake_failed,
    )
    door, port = await plane.listen("127.0.0.1", 0, context if tls else None)
    try:
        yield plane, port, door
    finally:
        door.close()
        plane.close_connections()


@dataclass
class Client:
    """One connection of a sender. `limits`: the stream limits announced so far; `goaway`: the server's goodbye."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __post_init__(self) -> None:
        self.wire = ClientConnection()
        self.limits: list[int] = []
        self.goaway: GoawayReceived | None = None

    async def read(self) -> list[Response]:
        """One read. Raises EOFError at the end of the stream, and what the socket raises, TLS alerts among them."""
        self.writer.write(self.wire.data_to_send())
        data = await self.reader.read(1 << 16)
        if not data:
            raise EOFError
        responses = self.wire.receive_data(data)
        for event in self.wire.take_events():
            match event:
                case SettingsReceived(changed=changed):
                    self.limits.append(changed[frames.MAX_CONCURRENT_STREAMS])
                case GoawayReceived():
                    self.goaway = event
                case _:
                    pass
        return responses

    async def push(self, topic: bytes | None = TOPIC, *, count: int = 1) -> list[Response]:
        """Send so many pushes in one write and wait for all answers."""
        while not self.wire.settings_received:
            await self.read()
        fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"")]
        fields += [] if topic is None else [(b"apns-topic", topic)]
        prepared = self.wire.prepare(fields)
        for _ in range(count):
            self.wire.send(prepared, b"/3/device/" + b"ab" * 32, None, b'{"aps":{}}')
        responses: list[Response] = []
        while len(responses) < count:
            responses += await self.read()
        return responses


@asynccontextmanager
async def connected(
    credentials: Credentials, port: int, certificate: Path | None = None, key: Path | None = None
) -> AsyncIterator[Client]:
    context = ssl.create_default_context(cafile=credentials.ca_file)
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    client = Client(*await asyncio.open_connection("localhost", port, ssl=context))
    try:
        yield client
    finally:
        client.writer.transport.abort()
