"""A provider port with faults, over TLS, with a clock that is moved by hand, and clients that tell all that they saw."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simulator.credentials import Credentials
from simulator.door import Door
from simulator.faults.engine import ActiveFault, Planned
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.match import Match
from simulator.limits import Limits
from simulator.listener import ProviderPlane
from tests.end_to_end.provider_port import LIMITS, TOPIC, listening
from wire import frames
from wire.client import ClientConnection
from wire.events import Event, GoawayReceived, SettingsReceived, StreamReset
from wire.request import Response

TURNS_MAX = 1_000_000  # of the event loop

START_S = 1_000.0
TOKEN_PATH = b"/3/device/" + b"ab" * 32
PAYLOAD = b'{"aps":{"alert":"Hello"}}'
LOCALHOST, GOOGLE = "localhost", "fcm.googleapis.com"


@dataclass
class Seen:
    """One connection of a client that sends what it is told, and what has come on it so far.

    `came`: all bytes. `ended`: None while it is open, else how it ended: `end` in order, or `reset`.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    wire: ClientConnection = field(default_factory=ClientConnection)
    responses: dict[int, Response] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    came: bytearray = field(default_factory=bytearray)
    ended: str | None = None

    async def read(self) -> None:
        """One write and one read."""
        try:
            self.flush()
            data = await self.reader.read(1 << 16)
        except ConnectionError:
            self.ended = "reset"
            return
        if not data:
            self.ended = "end"
            return
        self.came += data
        for response in self.wire.receive_data(data):
            self.responses[response.stream_id] = response
        self.events += self.wire.take_events()
        self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        self.writer.write(self.wire.data_to_send())

    async def until(self, true: Callable[[], object]) -> None:
        """Read until this is so, or the connection has ended."""
        while not true() and self.ended is None:
            await self.read()

    async def until_ended(self) -> str:
        """Read to the end; how it came."""
        await self.until(lambda: False)
        assert self.ended is not None
        return self.ended

    def send(self, count: int = 1, *, topic: bytes | None = TOPIC, token: str | None = None) -> list[int]:
        """Send so many pushes in one write; their streams."""
        fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"")]
        fields += [] if topic is None else [(b"apns-topic", topic)]
        fields += [] if token is None else [(b"authorization", b"bearer " + token.encode())]
        prepared = self.wire.prepare(fields)
        streams = [self.wire.send(prepared, TOKEN_PATH, None, PAYLOAD) for _ in range(count)]
        self.flush()
        return streams

    async def push(self, count: int = 1, *, topic: bytes | None = TOPIC, token: str | None = None) -> list[int]:
        """Send so many and wait for what comes of all; the statuses in their order, less those without an answer."""
        await self.until(lambda: self.wire.settings_received)
        streams = self.send(count, topic=topic, token=token)
        await self.until(lambda: all(each in self.responses or each in self.resets for each in streams))
        return [self.status(each) for each in streams if each in self.responses]

    def status(self, stream: int) -> int:
        """Of the answer on a stream."""
        return int(self.responses[stream].head.value(b":status") or 0)

    @property
    def goaways(self) -> list[GoawayReceived]:
        """Those that came."""
        return [each for each in self.events if isinstance(each, GoawayReceived)]

    @property
    def resets(self) -> dict[int, int]:
        """The codes of streams that were reset."""
        return {each.stream_id: each.code for each in self.events if isinstance(each, StreamReset)}

    def settings(self, code: int) -> list[int]:
        """The values of one setting, in the order of coming."""
        return [
            each.changed[code] for each in self.events if isinstance(each, SettingsReceived) and code in each.changed
        ]

    @property
    def limits(self) -> list[int]:
        """The limits of streams announced."""
        return self.settings(frames.MAX_CONCURRENT_STREAMS)


@dataclass
class Port:
    """The port, and time."""

    plane: ProviderPlane
    number: int
    door: Door
    credentials: Credentials
    now_s: list[float]
    tls: bool = True

    def add(self, fault: Fault, match: Match | None = None, stage: Stage | None = None) -> ActiveFault:
        """Have a fault at work from now on, in its usual stage unless another is given."""
        if stage is None:
            stage = fault.stages[0] if isinstance(fault, RequestFault) else Stage.BEFORE_JUDGE
        return self.plane.rig.faults.add(Planned(fault, match or Match(), stage), self.plane.rig.clock.now_s())

    def remove(self, fault: ActiveFault) -> None:
        """Have it at work no longer."""
        assert self.plane.rig.faults.remove(fault.number)

    @asynccontextmanager
    async def client(
        self, *, certificate: bool = True, host: str = LOCALHOST, alpn: bool = True
    ) -> AsyncIterator[Seen]:
        """A connection. `certificate`: with a client certificate, so that pushes are accepted. `host`: asked for by SNI."""
        if not self.tls:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        else:
            reader, writer = await self._open_tls(certificate=certificate, host=host, alpn=alpn)
        try:
            yield Seen(reader, writer)
        finally:
            writer.transport.abort()

    async def _open_tls(
        self, *, certificate: bool, host: str, alpn: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cafile=self.credentials.ca_file)
        if alpn:
            context.set_alpn_protocols(["h2"])
        if certificate:
            context.load_cert_chain(self.credentials.client_certificate_file, self.credentials.client_key_file)
        return await asyncio.open_connection("127.0.0.1", self.number, ssl=context, server_hostname=host)

    async def settle(self) -> None:
        """Let the simulator read all that was written before, and see a connection of its own come and go."""
        async with self.client() as later:
            await later.until(lambda: later.wire.settings_received)
            address = later.writer.get_extra_info("sockname")
            [mine] = [
                each
                for each in self.plane.open
                if each._transport is not None and each._transport.get_extra_info("peername") == address
            ]
        for _ in range(TURNS_MAX):
            if mine not in self.plane.open:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"the connection is still there after {TURNS_MAX:,} turns of the event loop")

    def pass_time(self, for_s: float) -> None:
        """Move the clock, and have everything done that is due."""
        self.now_s[0] += for_s
        self.plane.tick()

    @property
    def accepted(self) -> int:
        """Notifications accepted so far."""
        return self.plane.rig.counters.accepted


@asynccontextmanager
async def faulted_port(
    credentials: Credentials,
    *,
    limits: Limits = LIMITS,
    wait: Callable[[float], Awaitable[object]] | None = None,
    tls: bool = True,
) -> AsyncIterator[Port]:
    """`wait`: what clients wait by that a fault keeps at the door."""
    now_s = [START_S]
    async with listening(credentials, limits=limits, tls=tls, monotonic_s=lambda: now_s[0]) as (plane, number, door):
        if wait is not None:
            door.wait = wait
        yield Port(plane, number, door, credentials, now_s, tls)
