"""Serving on a socket that is already bound, and stopping within a second."""

import asyncio
import random
import signal
import socket
import time
from collections.abc import Generator

import pytest

from simulator.control.app import create_app
from simulator.control.security import ControlAccess
from simulator.control.serve import serve_control
from simulator.control.slices import SLICE_S, in_slices
from tests.control.control_server import ControlServer, new_rig


def test_a_shutdown_answers_who_waits_and_ends_within_a_second() -> None:
    with ControlServer(ControlAccess()) as server:
        connections = [server.connect() for _ in range(3)]
        for connection in connections:
            connection.request("GET", "/api/v1/notifications?count=1&wait_s=60")
        while server.on_loop(lambda: len(server.rig.journal._listeners)) < 3:
            pass
        idle, half = socket.create_connection(("127.0.0.1", server.port)), server.connect()
        half.putrequest("PUT", "/api/v1/clock")
        half.putheader("Content-Length", "20")
        half.endheaders(b"{")
        while not server.on_loop(lambda: len(server.app.state.plane.reading)):
            pass
        assert server.stop_within(1.0)
        for connection in connections:
            assert b'"complete":false' in connection.getresponse().read()
            connection.close()
        assert half.getresponse().status == 408
        idle.close()
        half.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


def test_a_plane_with_trouble_behind_it_is_alive_but_not_ready_and_says_why() -> None:
    with ControlServer(ControlAccess(), trouble=lambda: "worker 1 sulks; cheer it up") as server:
        assert server.call("GET", "/livez").status == 200
        answer = server.call("GET", "/readyz")
        assert answer.problem == (503, "not_ready")
        assert answer.message == "worker 1 sulks; cheer it up"


def test_serving_leaves_signal_handlers_alone_and_closes_the_socket() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(5):
            await serve_and_stop()

    async def serve_and_stop() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        listening = socket.create_server(("127.0.0.1", 0))
        shutdown = asyncio.Event()
        serving = asyncio.ensure_future(serve_control(create_app(new_rig(), ControlAccess()), listening, shutdown.wait))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        shutdown.set()
        await serving
        writer.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others

    asyncio.run(scenario())


def test_noise_at_the_port_harms_nobody() -> None:
    chance = random.Random(20_250_101)
    openings = [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01",
        b"POST /%ff%00 HTTP/1.1\r\n",
    ]
    with ControlServer(ControlAccess()) as server:
        for number in range(60):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(openings[number % len(openings)] + chance.randbytes(chance.randrange(2_000)))
        assert server.call("GET", "/livez").status == 200
        assert server.stop_within(1.0)


def test_a_sliced_computation_lets_others_run_after_each_slice() -> None:
    turns: list[int] = []

    def busy() -> Generator[None, None, str]:
        for _ in range(4):
            until_s = time.perf_counter() + SLICE_S
            while time.perf_counter() < until_s:
                pass
            yield
        return "done"

    async def scenario() -> str:
        async def other() -> None:
            for turn in range(100):
                turns.append(turn)
                await asyncio.sleep(0)

        running = asyncio.ensure_future(other())
        result = await in_slices(busy())
        running.cancel()
        return result

    assert asyncio.run(scenario()) == "done"
    assert len(turns) >= 4
