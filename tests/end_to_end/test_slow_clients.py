"""Clients that never come to an end, over TLS and beside a sender that goes on undisturbed; time is moved by hand."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.door import CLOSE_TIMEOUT_S
from simulator.limits import LIMIT_MAX, Limits
from simulator.listener import ProviderPlane
from tests.end_to_end.attackers import GREETING, REQUEST, beside_a_sender, head, until_ended
from tests.end_to_end.provider_port import LIMITS, Client, connected, listening, run
from wire import frames
from wire.errors import ErrorCode

KERNEL_BUFFER_BYTES = 1 << 14
SMALL_BUFFER = Limits(send_buffer_bytes_max=1 << 14, pings_max=LIMIT_MAX)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("slow") / "state", time.time(), {})


@dataclass
class Scene:
    """A port with a slow client, and time. The sender that behaves is there as well."""

    plane: ProviderPlane
    slow: Client
    now_s: list[float]

    async def pass_time(self, passed_s: float) -> None:
        """And look at the deadlines, once the other sender has been heard again."""
        accepted = self.plane.rig.counters.accepted
        await self.until(lambda: self.plane.rig.counters.accepted > accepted)
        self.now_s[0] += passed_s
        self.plane.tick()

    async def write(self, data: bytes) -> None:
        """Send, and wait until the server has read it. The other sender's bytes come in too, so the frames tell."""
        self.slow.writer.write(data)
        await self.until(lambda: not self.slow.writer.transport.get_write_buffer_size())
        # A round trip of another connection that began later: what was sent before has come by then.
        for _ in range(2):
            accepted = self.plane.rig.counters.accepted
            await self.until(lambda: self.plane.rig.counters.accepted > accepted)  # noqa: B023 - awaited here

    async def until(self, true: Callable[[], bool]) -> None:
        """Let the event loop turn until this is so."""
        while not true():  # noqa: ASYNC110 - it is this loop's own turns that make it so
            await asyncio.sleep(0)

    @property
    def reached(self) -> dict[str, int]:
        """Limits reached so far."""
        return dict(self.plane.rig.counters.limits_reached)


@asynccontextmanager
async def _scene(credentials: Credentials, limits: Limits = LIMITS) -> AsyncIterator[Scene]:
    now_s = [1_000.0]
    async with listening(credentials, limits=limits, monotonic_s=lambda: now_s[0]) as (plane, port, door):
        for each in door.sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
        async with beside_a_sender(plane, credentials, port), connected(credentials, port) as slow:
            slow.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)
            scene = Scene(plane, slow, now_s)
            await scene.until(lambda: len(plane.open) == 2)
            yield scene


DRIBBLED = {
    "nothing": (b"", "handshake_timeout_s"),
    "the preface": (frames.PREFACE[:-1], "handshake_timeout_s"),
    "the first SETTINGS": (GREETING[:-1], "handshake_timeout_s"),
    "a frame": (GREETING + head(0, REQUEST)[:-1], "request_timeout_s"),
    "a header block": (GREETING + frames.frame(frames.HEADERS, 0, 1, REQUEST), "request_timeout_s"),
}


@pytest.mark.parametrize("name", DRIBBLED)
def test_who_dribbles_has_a_deadline_for(credentials: Credentials, name: str) -> None:
    dribbled, limit = DRIBBLED[name]
    timeout_s: float = getattr(LIMITS, limit)

    async def test() -> None:
        async with _scene(credentials) as scene:
            for at in range(0, len(dribbled), 30):
                await scene.write(dribbled[at : at + 30])
            await scene.pass_time(0.5)
            await scene.pass_time(0.5)
            await scene.pass_time(timeout_s - 1.5)
            assert scene.reached == {}
            await scene.pass_time(1.5)
            assert scene.reached == {limit: 1}
            await until_ended(scene.slow.reader)
            await scene.until(lambda: len(scene.plane.open) == 1)

    run(test)


def test_a_header_block_that_grows_by_empty_frames_has_the_same_deadline(credentials: Credentials) -> None:
    async def test() -> None:
        async with _scene(credentials) as scene:
            await scene.write(GREETING + frames.frame(frames.HEADERS, 0, 1, REQUEST))
            for _ in range(7):
                await scene.pass_time(LIMITS.request_timeout_s / 6)
                await scene.write(frames.frame(frames.CONTINUATION, 0, 1))
            assert scene.reached == {"request_timeout_s": 1}

    run(test)


def test_a_request_that_grows_byte_by_byte_is_reset_and_its_connection_goes_on(credentials: Credentials) -> None:
    async def test() -> None:
        async with _scene(credentials) as scene:
            slow = scene.slow
            slow.writer.write(GREETING + head(0))
            for at in range(12):
                await scene.write(frames.frame(frames.DATA, 0, 1, b"{"))
                await scene.pass_time(LIMITS.request_timeout_s / 6)
                assert scene.reached == ({} if at < 5 else scene.reached)
            assert scene.reached == {"request_timeout_s": 1}
            assert len(scene.plane.open) == 2
            data = b""
            while frames.rst_stream_frame(1, ErrorCode.CANCEL) not in data:
                data += await slow.reader.read(1 << 16)

    run(test)


def test_a_client_that_never_reads_is_cut(credentials: Credentials) -> None:
    async def test() -> None:
        async with _scene(credentials, SMALL_BUFFER) as scene:
            slow = scene.slow
            slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
            pings = GREETING + 1_000 * frames.ping_frame(b"pushrig!")

            async def flood() -> None:
                data = pings
                while True:
                    slow.writer.write(data)
                    await slow.writer.drain()
                    data = pings[len(GREETING) :]

            flooding = asyncio.create_task(flood())
            await scene.until(lambda: any(each.reading_paused for each in scene.plane.open))
            while not scene.reached:  # once the last of what can be buffered on the way has gone
                await scene.pass_time(LIMITS.unread_timeout_s / 2)
            assert scene.reached == {"unread_timeout_s": 1}
            await scene.until(lambda: len(scene.plane.open) == 1)
            flooding.cancel()

    run(test)


def test_a_client_that_leaves_a_goodbye_unread_is_cut(credentials: Credentials) -> None:
    """Without TLS, whose own deadline for closing would hide this one."""

    async def test() -> None:
        now_s = [1_000.0]
        loop = asyncio.get_running_loop()
        async with listening(credentials, limits=SMALL_BUFFER, tls=False, monotonic_s=lambda: now_s[0]) as (
            plane,
            port,
            _,
        ):
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", port))
                await loop.sock_sendall(client, GREETING)

                async def flood() -> None:
                    while True:
                        await loop.sock_sendall(client, 1_000 * frames.ping_frame(b"pushrig!"))

                flooding = asyncio.create_task(flood())
                while not any(each.reading_paused for each in plane.open):  # noqa: ASYNC110 - so do these
                    await asyncio.sleep(0)
                plane.close_connections()
                for passed_s in (1.0, CLOSE_TIMEOUT_S):
                    assert len(plane.open) == 1
                    now_s[0] += passed_s
                    plane.tick()
                while plane.open:  # noqa: ASYNC110 - the loop's own turns end it
                    await asyncio.sleep(0)
                flooding.cancel()

    run(test)


def test_answers_wait_for_windows_in_bounds_and_not_for_ever(credentials: Credentials) -> None:
    async def test() -> None:
        async with _scene(credentials) as scene:
            closed = frames.PREFACE + frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 0})
            streams = 50
            await scene.write(closed + b"".join(head(n, end_stream=True) for n in range(streams)))
            for _ in range(3):
                await scene.pass_time(LIMITS.unread_timeout_s)
                await scene.write(frames.ping_frame(b"pushrig!"))
            assert scene.reached == {"unread_timeout_s": streams}
            assert len(scene.plane.open) == 2
            data = b""
            while frames.rst_stream_frame(2 * streams - 1, ErrorCode.CANCEL) not in data:
                data += await scene.slow.reader.read(1 << 16)

    run(test)


def test_who_says_nothing_is_sent_away_and_who_pings_stays(credentials: Credentials) -> None:
    async def test() -> None:
        async with _scene(credentials) as scene:
            await scene.write(GREETING)
            await scene.pass_time(0.5)
            for _ in range(3):
                await scene.pass_time(LIMITS.idle_timeout_s / 2)
                assert scene.reached == {}
                await scene.write(frames.ping_frame(b"pushrig!"))
            await scene.pass_time(0.5)
            await scene.pass_time(LIMITS.idle_timeout_s)
            assert scene.reached == {"idle_timeout_s": 1}
            came = await until_ended(scene.slow.reader)
            assert frames.goaway_frame(0, ErrorCode.NO_ERROR, b'{"reason":"IdleTimeout"}') in came

    run(test)
