"""Crowds at the provider port: TLS handshakes that never finish, connections that do nothing, more than there is room for."""

import asyncio
import contextlib
import os
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pushrig_pytest import PushSimulatorFactory
from simulator.credentials import Credentials, load_or_create
from simulator.limits import Limits
from tests.end_to_end.attackers import GREETING, beside_a_sender, until_ended
from tests.end_to_end.h2_client import TIMEOUT_S, H2Client, valid_push
from tests.end_to_end.provider_port import connected, listening, run

CLIENT_HELLO_BEGUN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
PENDING_MAX = 20
IDLE_CONNECTIONS_USUAL = 300
IDLE_CONNECTIONS = int(os.environ.get("PUSHRIG_IDLE_CONNECTIONS", IDLE_CONNECTIONS_USUAL))
PUSH_EVERY = 20
DESCRIPTORS_SPARE = 200
IDLE_CONNECTION_BYTES_MAX = 400_000  # asyncio's TLS takes nearly all of it


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("crowds") / "state", time.time(), {})


@pytest.mark.parametrize("begun", [b"", CLIENT_HELLO_BEGUN])
def test_handshakes_that_never_finish_keep_nobody_out(credentials: Credentials, begun: bytes) -> None:
    async def test() -> None:
        limits = Limits(handshakes_pending_max=PENDING_MAX)
        async with listening(credentials, limits=limits) as (plane, port, door):
            reached = plane.rig.counters.limits_reached
            async with beside_a_sender(plane, credentials, port):
                readers = []
                writers = []
                for _ in range(4 * PENDING_MAX):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(begun)
                    readers.append(reader)
                    writers.append(writer)
                    assert len(door.pending) <= PENDING_MAX
                async with connected(credentials, port) as late:
                    assert len(await late.push()) == 1
                for reader in readers[: 3 * PENDING_MAX]:
                    assert await until_ended(reader) == b""
                assert 3 * PENDING_MAX <= reached["handshakes_pending_max"] <= 3 * PENDING_MAX + 1
                assert plane.rig.counters.connections_total == 2
                for writer in writers:
                    writer.close()

    run(test)


def test_a_handshake_has_a_deadline(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials, limits=Limits(handshake_timeout_s=0.25)) as (plane, port, door):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await until_ended(reader) == b""
            writer.close()
            while door.pending:  # noqa: ASYNC110 - the loop's own turns end it
                await asyncio.sleep(0)
            assert plane.rig.counters.limits_reached == {"handshake_timeout_s": 1}

    run(test)


def test_connections_beyond_the_bound_do_not_get_as_far_as_tls(credentials: Credentials) -> None:
    async def test() -> None:
        async with (
            listening(credentials, limits=Limits(connections_max=2)) as (plane, port, _),
            beside_a_sender(plane, credentials, port),
            connected(credentials, port) as second,
        ):
            assert len(await second.push()) == 1
            for _ in range(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert await until_ended(reader) == b""
                writer.close()
            assert plane.rig.counters.limits_reached == {"connections_max": 5}

    run(test)


@contextlib.contextmanager
def _descriptors(wanted: int) -> Iterator[None]:
    """So many file descriptors for this process, or the test is skipped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted > hard != resource.RLIM_INFINITY:
        pytest.skip(f"{wanted} file descriptors are needed and {hard} allowed: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to see another process's memory")
def test_a_crowd_that_does_nothing_takes_memory_in_bounds_and_keeps_nobody_out(
    push_simulator_factory: PushSimulatorFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """With PUSHRIG_IDLE_CONNECTIONS=10000 in the environment the crowd is as large as it may be."""
    with _descriptors(IDLE_CONNECTIONS + DESCRIPTORS_SPARE), ExitStack() as stack:
        simulator = stack.enter_context(push_simulator_factory())
        sender = stack.enter_context(H2Client.connect(simulator))
        context = ssl.create_default_context(cafile=simulator.ca_file)

        def join() -> None:
            plain = socket.create_connection((simulator.host, simulator.port), timeout=TIMEOUT_S)
            idle = stack.enter_context(context.wrap_socket(plain, server_hostname=simulator.host))
            idle.sendall(GREETING)
            assert idle.recv(1)  # the server's SETTINGS: it is in

        join()
        before = _resident_bytes(simulator.pid)
        for at in range(1, IDLE_CONNECTIONS - 1):
            join()
            if at % PUSH_EVERY == 0:
                assert sender.push(valid_push(simulator)).status == 200
        each_bytes = (_resident_bytes(simulator.pid) - before) / (IDLE_CONNECTIONS - 2)
        assert simulator.stats().connections_open == IDLE_CONNECTIONS
        assert simulator.stats().limits_reached == {}
        assert each_bytes < IDLE_CONNECTION_BYTES_MAX
    with capsys.disabled():
        if IDLE_CONNECTIONS > IDLE_CONNECTIONS_USUAL:
            print(f"\n{IDLE_CONNECTIONS:,} idle connections of {each_bytes:,.0f} bytes each")
