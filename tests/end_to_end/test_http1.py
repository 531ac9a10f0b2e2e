"""HTTP/1.1 over real sockets, by the standard library's client and by bytes, on the ports where HTTP/2 is spoken too."""

import asyncio
import contextlib
import json
import socket
import time

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.fcm.service import BODY_BYTES_KEPT_MAX
from simulator.limits import LIMIT_MAX, Limits
from tests.end_to_end.attackers import beside_a_sender, until_ended
from tests.end_to_end.google_client import (
    SEED,
    bearer,
    message,
    raw_client,
    send_bytes,
    send_path,
    standard_client,
    token_of,
    until,
)
from tests.end_to_end.provider_port import LIMITS, connected, listening, run

KERNEL_BUFFER_BYTES = 1 << 14


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("http1") / "state", time.time(), {})


def test_the_standard_library_sends_again_and_again_on_one_connection(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            rig = plane.rig
            fields = {"authorization": bearer(rig), "content-type": "application/json"}

            def send_all() -> list[int]:
                client, statuses = standard_client(credentials, port), []
                for index in range(5):
                    # Every other one in chunks, as of a body of unknown length.
                    body = message(token_of(index))
                    client.request("POST", send_path(rig), iter([body[:9], body[9:]]) if index % 2 else body, fields)
                    answer = client.getresponse()
                    assert json.loads(answer.read())["name"].startswith("projects/")
                    statuses.append(answer.status)
                client.request("HEAD", "/x")
                answer = client.getresponse()
                assert answer.read() == b""
                client.request("GET", "/batch", headers={"connection": "close"})
                answer = client.getresponse()
                assert b"/batch" in answer.read()
                client.close()
                return statuses

            assert await asyncio.to_thread(send_all) == [200] * 5
            assert [rig.ledger.mark(SEED, index) for index in range(5)] == [(1, False)] * 5
            assert (rig.counters.connections_total, rig.counters.streams) == (1, 7)
            await until(plane, 0)

    run(test)


def test_who_waits_to_be_asked_for_the_body_is_asked(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), raw_client(credentials, port) as client:
            body = message(token_of(1))
            data = send_bytes(plane.rig, body, "expect: 100-continue")
            assert (await client.ask(data[: -len(body)]))[0] == 100
            assert (await client.ask(body))[0] == 200

    run(test)


def test_pipelined_sends_are_answered_in_order(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), raw_client(credentials, port) as client:
            data = b"".join(send_bytes(plane.rig, message(token_of(index))) for index in range(200))
            client.writer.write(data + send_bytes(plane.rig, b"{"))
            statuses = [(await client.answer())[0] for _ in range(201)]
            assert statuses == [200] * 200 + [400]

    run(test)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 300_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * LIMITS.header_list_bytes_max + b"\r\n\r\n", 431),
        (b"GET / HTTP/3.0\r\nhost: x\r\n\r\n", 505),
    ],
    ids=["malformed", "too large in many reads", "too large in one", "another version"],
)
@pytest.mark.parametrize("tls", [False, True])
def test_what_is_no_request_is_refused_and_the_connection_ended(
    credentials: Credentials, data: bytes, status: int, tls: bool
) -> None:
    async def test() -> None:
        async with listening(credentials, tls=tls) as (plane, port, _):
            async with raw_client(credentials, port, tls=tls) as client:
                client.writer.write(data)
                came = await until_ended(client.reader)
                # What is sent while the other end closes may cost the answer: so it is with TCP.
                if status != 431:
                    assert came.startswith(b"HTTP/1.1 %d " % status)
            await until(plane, 0)
            counters = plane.rig.counters
            assert counters.header_lists_refused + counters.protocol_errors == 1

    run(test)


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), raw_client(credentials, port) as client:
            assert (await client.ask(send_bytes(plane.rig, b" " * 2 * BODY_BYTES_KEPT_MAX)))[0] == 413
            assert (await client.ask(send_bytes(plane.rig, message(token_of(1)))))[0] == 200

    run(test)


def test_who_has_nothing_more_to_say_gets_the_answer_all_the_same(credentials: Credentials) -> None:
    """Without TLS, which knows no half of a connection."""

    async def test() -> None:
        async with (
            listening(credentials, tls=False) as (plane, port, _),
            raw_client(credentials, port, tls=False) as client,
        ):
            client.writer.write(send_bytes(plane.rig, message(token_of(1))))
            client.writer.write_eof()
            assert (await until_ended(client.reader)).startswith(b"HTTP/1.1 200 ")
            await until(plane, 0)

    run(test)


# Clients that never come to an end


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        (b"", "handshake_timeout_s"),
        (b"P", "handshake_timeout_s"),
        (b"PRI * HTTP/2.0\r\n", "handshake_timeout_s"),
        (b"POST", "request_timeout_s"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{", "request_timeout_s"),
    ],
    ids=["nothing", "one byte", "half a preface", "half a head", "half a body"],
)
@pytest.mark.parametrize("tls", [False, True])
def test_who_dribbles_has_a_deadline_beside_a_sender_that_goes_on(
    credentials: Credentials, sent: bytes, limit: str, tls: bool
) -> None:
    timeout_s: float = getattr(LIMITS, limit)

    async def test() -> None:
        now_s = [1_000.0]
        async with (
            listening(credentials, monotonic_s=lambda: now_s[0]) as (plane, port, door),
            beside_a_sender(plane, credentials, port),
        ):
            other, slow_port = (door, port) if tls else await plane.listen("127.0.0.1", 0, None)
            async with raw_client(credentials, slow_port, tls=tls) as slow:
                await until(plane, 2)
                for at in range(len(sent)):
                    bytes_in = plane.rig.counters.bytes_in
                    slow.writer.write(sent[at : at + 1])
                    while plane.rig.counters.bytes_in == bytes_in:  # noqa: ASYNC110 - this loop's own turns
                        await asyncio.sleep(0)
                accepted = plane.rig.counters.accepted
                for _ in range(3):
                    while plane.rig.counters.accepted <= accepted:  # noqa: ASYNC110 - the same
                        await asyncio.sleep(0)
                    accepted = plane.rig.counters.accepted
                for passed_s in (0.5, timeout_s - 1.0):
                    now_s[0] += passed_s
                    plane.tick()
                    assert dict(plane.rig.counters.limits_reached) == {}
                now_s[0] += 1.0
                plane.tick()
                assert dict(plane.rig.counters.limits_reached) == {limit: 1}
                came = await until_ended(slow.reader)
                assert came.startswith(b"HTTP/1.1 408 ") is (limit == "request_timeout_s")
                await until(plane, 1)
            if not tls:
                other.close()

    run(test)


def test_a_client_that_sends_and_never_reads_is_not_read_from_and_in_the_end_cut(credentials: Credentials) -> None:
    limits = Limits(send_buffer_bytes_max=KERNEL_BUFFER_BYTES, pings_max=LIMIT_MAX)

    async def test() -> None:
        now_s = [1_000.0]
        loop = asyncio.get_running_loop()
        async with listening(credentials, limits=limits, tls=False, monotonic_s=lambda: now_s[0]) as (
            plane,
            port,
            door,
        ):
            door.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", port))
                # So long that one read holds fewer of them than end the connection.
                pipelined = b"GET /x HTTP/1.1\r\nhost: x\r\nx: %b\r\n\r\n" % (b"y" * 500) * 100

                async def flood() -> None:
                    with contextlib.suppress(ConnectionError):
                        while True:
                            await loop.sock_sendall(client, pipelined)

                flooding = asyncio.create_task(flood())
                while not any(each.reading_paused for each in plane.open):  # noqa: ASYNC110 - this loop's own turns
                    await asyncio.sleep(0)
                while not plane.rig.counters.limits_reached:
                    now_s[0] += LIMITS.unread_timeout_s / 2
                    plane.tick()
                    await asyncio.sleep(0)
                assert dict(plane.rig.counters.limits_reached) == {"unread_timeout_s": 1}
                await until(plane, 0)
                flooding.cancel()

    run(test)


# Both versions


@pytest.mark.parametrize("tls", [False, True])
def test_one_port_speaks_both_versions(credentials: Credentials, tls: bool) -> None:
    async def test() -> None:
        async with listening(credentials, tls=tls) as (plane, port, _):
            async with raw_client(credentials, port, tls=tls) as client:
                assert (await client.ask(send_bytes(plane.rig, message(token_of(1)))))[0] == 200
                assert (await client.ask(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"))[0] == 505
            if tls:
                async with connected(credentials, port) as sender:
                    assert len(await sender.push(count=1)) == 1

    run(test)


def test_a_simulator_that_stops_ends_connections_of_which_nothing_is_known(credentials: Credentials) -> None:
    async def test() -> None:
        async with (
            listening(credentials) as (plane, port, _),
            raw_client(credentials, port) as silent,
            raw_client(credentials, port) as known,
        ):
            assert (await known.ask(send_bytes(plane.rig, message(token_of(1)))))[0] == 200
            plane.close_connections()
            assert [await until_ended(each.reader) for each in (silent, known)] == [b"", b""]

    run(test)
