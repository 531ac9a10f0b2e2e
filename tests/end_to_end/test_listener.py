"""The provider plane's sockets: client certificates in the handshake, and the bounds of connections and buffers."""

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulator.certificates import make_client_certificate
from simulator.credentials import Credentials, load_or_create
from simulator.limits import LIMIT_MAX, Limits
from simulator.listener import ProviderConnection, ProviderPlane
from tests.end_to_end.client_certificates import DEVELOPMENT_OID, NULL, TOPICS_OID, self_signed
from tests.end_to_end.provider_port import LIMITS, TOPIC, connected, listening, run
from wire import frames

READ_BYTES_MAX = 1 << 18  # what asyncio reads at a time
KERNEL_BUFFER_BYTES = 1 << 14
ENDLESS_PINGS = Limits(pings_max=LIMIT_MAX)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("listener") / "state", time.time(), {})


def test_answers_do_not_wait_for_the_client_to_acknowledge_those_before(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), connected(credentials, port) as client:
            await client.push()
            (connection,) = plane.open
            assert connection._transport is not None
            accepted = connection._transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(test)


# Client certificates


def test_the_certificate_of_the_state_directory_opens_a_thousand_streams_at_once(credentials: Credentials) -> None:
    async def test() -> None:
        async with (
            listening(credentials) as (_, port, _),
            connected(credentials, port, credentials.client_certificate_file, credentials.client_key_file) as client,
        ):
            responses = await client.push(count=1_000)
            assert {response.head.value(b":status") for response in responses} == {b"200"}
            assert client.limits == [1_000]
            (voip,) = await client.push(TOPIC + b".voip")
            assert voip.head.value(b":status") == b"200"
            (other,) = await client.push(b"com.example.other")
            assert other.body == b'{"reason":"TopicDisallowed"}'
            (unnamed,) = await client.push(None)
            assert unnamed.body == b'{"reason":"MissingTopic"}'

    run(test)


def test_without_a_certificate_all_is_as_ever(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), connected(credentials, port) as client:
            (response,) = await client.push()
            assert response.body == b'{"reason":"MissingProviderToken"}'
            assert client.limits == [1]
            assert plane.rig.counters.handshakes_failed == 0

    run(test)


def _foreign(directory: Path) -> tuple[Path, Path]:
    """A certificate like ours, of a CA that the simulator does not know. Returns it with its key."""
    made = make_client_certificate(("com.example.app",), "TEAM000001", time.time())
    (directory / "foreign.pem").write_bytes(made.certificate)
    (directory / "foreign.key").write_bytes(made.private_key)
    return directory / "foreign.pem", directory / "foreign.key"


def _refused(credentials: Credentials, client_ca: Path | None, certificate: Path, key: Path | None, alert: str) -> None:
    async def test() -> None:
        async with (
            listening(credentials, client_ca) as (plane, port, _),
            connected(credentials, port, certificate, key) as client,
        ):
            # In TLS 1.3 the client is done with the handshake before the server has looked at its certificate.
            with pytest.raises(ssl.SSLError, match=alert):
                await client.push()
            counters = plane.rig.counters
            assert (counters.handshakes_failed, counters.connections_total) == (1, 0)

    run(test)


def test_a_certificate_of_a_foreign_ca_is_refused_by_tls(credentials: Credentials, tmp_path: Path) -> None:
    _refused(credentials, None, *_foreign(tmp_path), "UNKNOWN_CA")


def test_an_expired_certificate_is_refused_by_tls(credentials: Credentials, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    path = self_signed(tmp_path, {}, not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))
    _refused(credentials, path, path, None, "CERTIFICATE_EXPIRED")


def test_a_ca_of_the_users_own_takes_the_place_of_ours(credentials: Credentials, tmp_path: Path) -> None:
    path = self_signed(tmp_path, {})

    async def test() -> None:
        async with listening(credentials, path) as (_, port, _):
            async with connected(credentials, port, path) as client:
                # No list of topics: the subject's UID is the one topic, and the default.
                (response,) = await client.push(None)
                assert response.head.value(b":status") == b"200"
            ours = (credentials.client_certificate_file, credentials.client_key_file)
            async with connected(credentials, port, *ours) as client:
                with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
                    await client.push()

    run(test)


def test_a_certificate_of_the_other_environment_is_told_so_and_disconnected(
    credentials: Credentials, tmp_path: Path
) -> None:
    path = self_signed(tmp_path, {DEVELOPMENT_OID: NULL})

    async def test() -> None:
        async with listening(credentials, path) as (plane, port, _), connected(credentials, port, path) as client:
            with pytest.raises(EOFError):
                while True:
                    await client.read()
            assert client.goaway is not None
            assert (client.goaway.code, client.goaway.last_stream_id) == (0, 0)
            assert client.goaway.debug == b'{"reason":"BadCertificateEnvironment"}'
            assert plane.rig.counters.notifications == 0

    run(test)


def test_a_certificate_with_a_damaged_list_of_topics_is_a_bad_one(credentials: Credentials, tmp_path: Path) -> None:
    path = self_signed(tmp_path, {TOPICS_OID: b"\x30\x05\x0c"})

    async def test() -> None:
        async with listening(credentials, path) as (_, port, _), connected(credentials, port, path) as client:
            (response,) = await client.push()
            assert (response.head.value(b":status"), response.body) == (b"403", b'{"reason":"BadCertificate"}')

    run(test)


# Bounds


def test_connections_beyond_the_bound_are_closed_at_once(credentials: Credentials) -> None:
    async def test() -> None:
        async with (
            listening(credentials, limits=Limits(connections_max=2)) as (plane, port, _),
            connected(credentials, port) as first,
            connected(credentials, port) as second,
        ):
            for client in (first, second):
                assert len(await client.push()) == 1
            with pytest.raises((EOFError, OSError)):
                async with connected(credentials, port) as third:
                    await third.read()
            assert plane.rig.counters.connections_open == 2
            assert plane.rig.counters.limits_reached == {"connections_max": 1}
            assert len(await first.push()) == 1

    run(test)


class Watched(ProviderConnection):
    """Tells when it stops reading, and when it goes on."""

    def __init__(self, plane: ProviderPlane) -> None:
        super().__init__(plane)
        self.paused, self.resumed = asyncio.Event(), asyncio.Event()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        super().connection_made(transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.paused.set()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.resumed.set()


class WatchedPlane(ProviderPlane):
    """Gives its one connection to whoever waits for it."""

    made: asyncio.Future[Watched]

    def make_connection(self, number: int | None = None) -> Watched:
        watched = Watched(self)
        self.made.set_result(watched)
        return watched


def test_a_client_that_does_not_read_is_not_read_from(credentials: Credentials) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with listening(credentials, plane_class=WatchedPlane, limits=ENDLESS_PINGS, tls=False) as (
            plane,
            port,
            server,
        ):
            assert isinstance(plane, WatchedPlane)
            plane.made = loop.create_future()
            server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", port))
                await loop.sock_sendall(client, frames.PREFACE + frames.settings_frame({}))
                pings = frames.ping_frame(b"pushrig!") * 4_096

                async def flood() -> None:
                    while True:
                        await loop.sock_sendall(client, pings)

                flooding = asyncio.create_task(flood())
                watched = await plane.made
                await watched.paused.wait()
                assert not watched.transport.is_reading()
                assert watched.transport.get_write_buffer_size() <= LIMITS.send_buffer_bytes_max + READ_BYTES_MAX
                flooding.cancel()

                while not watched.resumed.is_set():
                    await loop.sock_recv(client, 1 << 16)
                assert watched.transport.is_reading()

    run(test)
