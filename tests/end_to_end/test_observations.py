"""What a rig tells of the connections it had, over real sockets: from the TCP connection to its end."""

import asyncio
import socket
import ssl
import struct
import time
from typing import TypeVar

import msgspec
import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.listener import ProviderPlane
from simulator.observation_records import (
    Accepted,
    Answer,
    Closed,
    HandshakeFailed,
    Observation,
    Opened,
    RequestSeen,
    Verdict,
)
from tests.end_to_end.provider_port import connected, listening, run

Record = TypeVar("Record", bound=msgspec.Struct)
MISSING = "MissingProviderToken"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("observations") / "state", time.time(), {})


def records(plane: ProviderPlane) -> list[Observation]:
    return list(plane.rig.observations.page(0, 100_000))


def of_kind(plane: ProviderPlane, kind: type[Record]) -> list[Record]:
    return [each for each in records(plane) if isinstance(each, kind)]


async def until_told(plane: ProviderPlane, kind: type[Record]) -> Record:
    """The first record of a kind, once there is one."""
    while not (told := of_kind(plane, kind)):  # noqa: ASYNC110 - the loop's own turns make it so
        await asyncio.sleep(0)
    return told[0]


def distrust(port: int) -> None:
    """A client that does not know our CA, and says so."""
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", port)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname="localhost")


def test_the_whole_way_of_a_notification_is_told(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            plane.rig.observe()
            async with connected(credentials, port) as client:
                await client.push()
                client.writer.close()
                closed = await until_told(plane, Closed)
            (accepted,), (opened,) = of_kind(plane, Accepted), of_kind(plane, Opened)
            assert accepted.peer == opened.peer == closed.peer
            assert (opened.spoken, opened.host, opened.alpn) == ("HTTP/2", "localhost", "h2")
            assert opened.tls == "TLSv1.3"
            (request,), (verdict,), (answer,) = (
                of_kind(plane, RequestSeen),
                of_kind(plane, Verdict),
                of_kind(plane, Answer),
            )
            assert {request.connection, verdict.connection, answer.connection} == {opened.connection}
            assert request.token == verdict.token == "ab" * 32
            assert (verdict.status, verdict.reason) == (answer.status, answer.reason) == (403, MISSING)
            assert (closed.by, closed.how, closed.unanswered) == ("client", "end", ())
            assert closed.frames_in["HEADERS"] == closed.frames_out["HEADERS"] == 1
            kinds = [type(each) for each in records(plane)]
            assert kinds.index(RequestSeen) < kinds.index(Verdict) < kinds.index(Answer) < kinds.index(Closed)

    run(test)


def test_nothing_is_told_unless_asked_for_and_open_connections_are_not_followed(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), connected(credentials, port) as client:
            await client.push()
            assert records(plane) == []
            plane.rig.observe()
            await client.push()
            assert [type(each) for each in records(plane)] == [Verdict]

    run(test)


def test_a_failed_handshake_is_told_with_its_reason(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            plane.rig.observe()
            await asyncio.to_thread(distrust, port)
            failed = await until_told(plane, HandshakeFailed)
            (accepted,) = of_kind(plane, Accepted)
            assert failed.peer == accepted.peer
            assert "UNKNOWN_CA" in failed.why
            assert not of_kind(plane, Opened)

    run(test)


def test_a_reset_by_the_client_is_told_apart_from_an_end(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            plane.rig.observe()
            async with connected(credentials, port) as client:
                await client.push()
                raw = client.writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.writer.transport.abort()
                closed = await until_told(plane, Closed)
            assert (closed.by, closed.how) == ("client", "reset")

    run(test)


def test_the_end_of_the_simulator_is_its_own(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            plane.rig.observe()
            async with connected(credentials, port) as client:
                await client.push()
                plane.close_connections()
                with pytest.raises(EOFError):
                    while True:
                        await client.read()
                closed = await until_told(plane, Closed)
            assert (closed.by, closed.how) == ("simulator", "end")
            assert closed.frames_out["GOAWAY"] == 1

    run(test)


def test_http_1_1_is_told_in_the_same_words(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials, tls=False) as (plane, port, _):
            plane.rig.observe()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = b'{"message":{"token":"t:1"}}'
            writer.write(
                b"POST /v1/projects/p/messages:send HTTP/1.1\r\nhost: fcm.googleapis.com\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            await reader.read(-1)
            writer.close()
            closed = await until_told(plane, Closed)
            (opened,), (request,) = of_kind(plane, Opened), of_kind(plane, RequestSeen)
            (verdict,), (answer,) = of_kind(plane, Verdict), of_kind(plane, Answer)
            assert (opened.spoken, opened.tls, opened.alpn) == ("HTTP/1.1", None, None)
            assert (request.provider, request.token, request.streams_max) == ("fcm", "t:1", None)
            assert verdict.status == answer.status == 401
            assert answer.reason == "UNAUTHENTICATED"
            assert closed.bytes_in > len(body)
            assert closed.frames_in == {}

    run(test)
