"""Bytes at the provider port that are no HTTP/2: they end their own connection, stop nothing and leave nothing behind."""

import contextlib
import random
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hyperframe.frame import PingFrame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from tests.end_to_end.h2_client import TIMEOUT_S, H2Client, valid_push

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
GREETINGS = (b"", PREFACE, PREFACE + EMPTY_SETTINGS)
GARBAGE_CONNECTIONS = 70
BYTES_A_CONNECTION_MAX = 50_000  # kept for good; the TLS buffers of a connection alone are some 300,000


@pytest.fixture
def client(push_simulator: PushSimulator) -> Iterator[H2Client]:
    """A connection that behaves, beside those that do not."""
    with H2Client.connect(push_simulator) as connected:
        yield connected


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _until_closed(simulator: PushSimulator, bound_s: float = TIMEOUT_S) -> int:
    """How many connections are still open once none is, or the time is up."""
    until_s = time.monotonic() + bound_s
    while (left := simulator.stats().connections_open) and time.monotonic() < until_s:
        pass  # each turn is a call
    return left


def _throw(connected: socket.socket, data: bytes) -> None:
    """Send bytes and leave; the simulator may close first."""
    with connected, contextlib.suppress(OSError):
        connected.sendall(data)
        connected.shutdown(socket.SHUT_WR)
        connected.settimeout(TIMEOUT_S)
        while connected.recv(65_536):
            pass


def _tls(simulator: PushSimulator) -> socket.socket:
    context = ssl.create_default_context(cafile=simulator.ca_file)
    plain = socket.create_connection((simulator.host, simulator.port), timeout=TIMEOUT_S)
    return context.wrap_socket(plain, server_hostname=simulator.host)


def _plain(simulator: PushSimulator) -> socket.socket:
    return socket.create_connection((simulator.host, simulator.port), timeout=TIMEOUT_S)


NO_HTTP2 = {
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "half a preface": PREFACE[:10],
    "zeros": bytes(4_096),
    "no SETTINGS first": PREFACE + PingFrame(0).serialize(),
    "a frame of 16 MB": PREFACE + b"\xff\xff\xff\x04\x00\x00\x00\x00\x00",
    "a header block that is none": PREFACE + EMPTY_SETTINGS + b"\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff",
}


@pytest.mark.parametrize("connect", [_tls, _plain], ids=["within TLS", "in place of TLS"])
@pytest.mark.parametrize("data", NO_HTTP2.values(), ids=NO_HTTP2.keys())
def test_what_is_no_http2_ends_its_connection_and_no_other(
    push_simulator: PushSimulator, client: H2Client, connect: Callable[[PushSimulator], socket.socket], data: bytes
) -> None:
    _throw(connect(push_simulator), data)
    assert client.push(valid_push(push_simulator)).status == 200
    client.socket.close()
    assert _until_closed(push_simulator) == 0


@given(data=st.binary(max_size=600), greeting=st.sampled_from(GREETINGS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_their_connection_and_no_other(
    push_simulator: PushSimulator, client: H2Client, greeting: bytes, data: bytes
) -> None:
    _throw(_tls(push_simulator), greeting + data)
    assert client.push(valid_push(push_simulator)).status == 200


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to see another process's memory")
def test_random_bytes_leave_no_memory_behind(push_simulator_factory: PushSimulatorFactory) -> None:
    chance = random.Random(20)
    with push_simulator_factory() as simulator:

        def round_of_garbage() -> int:
            for _ in range(GARBAGE_CONNECTIONS):
                greeting = chance.choice(GREETINGS)
                _throw(chance.choice([_tls, _plain])(simulator), greeting + chance.randbytes(chance.randrange(20_000)))
            assert _until_closed(simulator) == 0
            return _resident_bytes(simulator.pid)

        round_of_garbage()  # code, caches and arenas that come with first use
        before = round_of_garbage()
        grown = max(round_of_garbage() for _ in range(2)) - before
        assert grown < GARBAGE_CONNECTIONS * BYTES_A_CONNECTION_MAX
        with H2Client.connect(simulator) as client:
            assert client.push(valid_push(simulator)).status == 200


def test_a_client_that_breaks_off_within_a_request_leaves_nothing_open(push_simulator: PushSimulator) -> None:
    def cut(data: bytes) -> bytes:
        return data[:end_at]

    for end_at in range(0, 400, 40):  # noqa: B007 - used by `cut`
        with H2Client.connect(push_simulator) as client:
            client.send(valid_push(push_simulator), change=cut)
    assert _until_closed(push_simulator) == 0
