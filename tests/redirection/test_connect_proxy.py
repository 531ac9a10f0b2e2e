"""The proxy at work: bytes pass both ways to the simulator's port, and what it does at each of its bounds."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from loadtest.redirection.connect_proxy import ELSEWHERE_NAMES_MAX, REST, ConnectProxy
from loadtest.redirection.connect_request import HEAD_BYTES_MAX
from tests.redirection.programs import Redirected
from tests.wire.independent.programs import path_of

CONNECT = b"CONNECT fcm.googleapis.com:443 HTTP/1.1\r\nhost: fcm.googleapis.com:443\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
Talk = Callable[[ConnectProxy], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """In the simulator's place: what comes goes back, and then a goodbye."""
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()
    writer.write(b"bye")
    writer.close()


@asynccontextmanager
async def client(proxy: ConnectProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


def run(talk: Talk, *, tunnels_max: int = 10, head_timeout_s: float = 20.0, away: bool = False) -> ConnectProxy:
    """Have the conversation with a proxy, which leads to the echo; `away`: to a port that nobody listens on any more."""

    async def main() -> ConnectProxy:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if away:
            server.close()
        async with ConnectProxy(port, tunnels_max=tunnels_max, head_timeout_s=head_timeout_s) as proxy:
            await asyncio.wait_for(talk(proxy), 30)
        server.close()
        return proxy

    return asyncio.run(main())


async def answer_to(proxy: ConnectProxy, request: bytes) -> bytes:
    """All that the proxy says until it closes."""
    async with client(proxy) as (reader, writer):
        writer.write(request)
        return await reader.read()


def test_bytes_pass_both_ways_and_so_do_their_ends() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        async with client(proxy) as (reader, writer):
            writer.write(CONNECT + b"early")  # as clients do that do not wait for the answer
            assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED
            assert await reader.readexactly(5) == b"early"
            much = bytes(range(256)) * 8_192
            writer.write(much)
            assert await reader.readexactly(len(much)) == much
            writer.write_eof()
            assert await reader.read() == b"bye"

    run(talk)


def test_a_head_may_come_byte_by_byte() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        async with client(proxy) as (reader, writer):
            for byte in CONNECT:
                writer.write(bytes([byte]))
                await writer.drain()
            assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED

    run(talk)


def test_another_host_is_refused_and_remembered() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        for _ in range(2):
            answer = await answer_to(proxy, b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 403 ") and b"example.com:443" in answer

    assert run(talk).refused_elsewhere == {"example.com:443": 2}


def test_no_more_than_a_hundred_names_are_remembered() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        for number in range(ELSEWHERE_NAMES_MAX + 5):
            await answer_to(proxy, b"CONNECT host%d.example:443 HTTP/1.1\r\n\r\n" % number)

    refused = run(talk).refused_elsewhere
    assert len(refused) == ELSEWHERE_NAMES_MAX + 1 and refused[REST] == 5


def test_a_head_that_is_too_large_is_refused_whole_or_not() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        line = CONNECT.removesuffix(b"\r\n")
        fits = line + b"x: " + b"y" * (HEAD_BYTES_MAX - len(line) - 7) + b"\r\n\r\n"
        async with client(proxy) as (reader, writer):
            writer.write(fits)
            assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED
        assert (await answer_to(proxy, fits.replace(b"x: ", b"x: y"))).startswith(b"HTTP/1.1 431 ")
        assert (await answer_to(proxy, line + b"x: " + b"y" * 1_000_000)).startswith(b"HTTP/1.1 431 ")

    run(talk)


def test_a_head_that_does_not_end_in_time_is_told_so() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        assert (await answer_to(proxy, b"CONNECT fcm.")).startswith(b"HTTP/1.1 408 ")

    run(talk, head_timeout_s=0.05)


def test_no_more_tunnels_than_the_bound_and_a_new_one_when_one_has_ended() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        async with client(proxy) as (reader, writer):
            writer.write(CONNECT)
            assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED
            assert (await answer_to(proxy, CONNECT)).startswith(b"HTTP/1.1 503 ")
            writer.write_eof()
            assert await reader.read() == b"bye"
        async with client(proxy) as (reader, writer):
            writer.write(CONNECT)
            assert await reader.readuntil(b"\r\n\r\n") == ESTABLISHED

    run(talk, tunnels_max=1)


def test_a_crowd_beyond_all_bounds_is_closed_without_a_word() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        async with client(proxy) as (reader, writer), client(proxy) as (refused, _):
            writer.write(CONNECT)
            assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED
            assert (await refused.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")  # and waits for its end
            assert await answer_to(proxy, b"") == b""
            writer.write(b"still served")
            assert await reader.readexactly(12) == b"still served"

    run(talk, tunnels_max=1)


def test_a_simulator_that_is_gone_is_a_bad_gateway() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        assert (await answer_to(proxy, CONNECT)).startswith(b"HTTP/1.1 502 ")

    run(talk, away=True)


def test_clients_that_leave_at_any_point_leave_nothing_behind() -> None:
    async def talk(proxy: ConnectProxy) -> None:
        for request in (b"", CONNECT[:20], CONNECT, CONNECT + b"x" * 100_000):
            async with client(proxy) as (_, writer):
                writer.write(request)
                await writer.drain()
                writer.transport.abort()
        assert (await answer_to(proxy, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        await asyncio.wait(proxy._open)  # as long as a deadline for closing, at most

    run(talk)


def test_curl_passes_through_and_agrees_with_the_certificate(redirected: Redirected) -> None:
    async def main() -> "subprocess.CompletedProcess[str]":
        async with ConnectProxy(redirected.port) as proxy:
            command = [path_of("curl"), "-sS", "https://fcm.googleapis.com:2197/path"]
            return await asyncio.to_thread(redirected.run, command, HTTPS_PROXY=proxy.url, https_proxy=proxy.url)

    done = asyncio.run(main())
    assert done.stderr == "" and '"name": "fcm.googleapis.com"' in done.stdout
