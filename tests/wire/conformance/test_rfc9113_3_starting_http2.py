"""RFC 9113, sections 3 and 5.4.1, over real sockets: how a connection starts, and that an error ends it for good."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from pushrig_pytest import PushSimulator
from sender.asyncio_shell import AsyncioRun
from sender.client_tls import client_tls
from sender.pool import Endpoint, PoolOptions
from sender.store.records import Exchange, Outcome
from tests.sender.scripted_provider import delivery, due
from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import frames_of, whole_frame_bytes
from wire import frames

TIMEOUT_S = 20.0


def _connected(simulator: PushSimulator, alpn: Sequence[str]) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=simulator.ca_file)
    context.set_alpn_protocols(list(alpn))
    plain = socket.create_connection((simulator.host, simulator.port), timeout=TIMEOUT_S)
    return context.wrap_socket(plain, server_hostname=simulator.host)


def _read_to_the_end(connected: socket.socket) -> bytes:
    parts = []
    while part := connected.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@requirement(HTTP2, "3.2", 'The "h2c" protocol identifier')
@pytest.mark.parametrize(("offered", "selected"), [(["h2c"], None), (["h2c", "h2"], "h2"), (["h2"], "h2")])
def test_over_tls_a_server_selects_h2_and_never_h2c(
    push_simulator: PushSimulator, offered: list[str], selected: str | None
) -> None:
    with _connected(push_simulator, offered) as connected:
        assert connected.selected_alpn_protocol() == selected


@requirement(HTTP2, "3.3", "HTTP/2 connections over TLS MUST use protocol negotiation")
@requirement(HTTP2, "3.2", 'The "h2c" protocol identifier')
def test_the_client_offers_h2_alone(push_simulator: PushSimulator) -> None:
    endpoint = Endpoint(push_simulator.host, push_simulator.port, True)
    context = client_tls(endpoint, Path(push_simulator.ca_file))
    assert context is not None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=push_simulator.host).do_handshake()
    # The extension of RFC 7301 in the ClientHello: its type, its length, and a list of one name.
    assert b"\x00\x10\x00\x05\x00\x03\x02h2" in outgoing.read()


@requirement(HTTP2, "3.2", "both the client and the server MUST send")
@requirement(HTTP2, "3.3", "Likewise, the server MUST")
@requirement(HTTP2, "3.4", "a potentially empty SETTINGS frame")
def test_a_server_sends_its_preface_before_it_has_heard_a_word(push_simulator: PushSimulator) -> None:
    with _connected(push_simulator, ["h2"]) as connected:
        read = b""
        while not whole_frame_bytes(read):
            read += connected.recv(1 << 16)
        first = frames_of(read[: whole_frame_bytes(read)])[0]
        assert (first.kind, first.flags, first.stream_id) == (frames.SETTINGS, 0, 0)


@requirement(HTTP2, "5.4.1", "After sending the GOAWAY")
@requirement(HTTP2, "5.4", "If a frame causes a connection error")
@pytest.mark.parametrize("breach", [frames.frame(frames.DATA, 0, 0, b"x"), frames.frame(frames.PING, 0, 0, b"7 bytes")])
def test_after_an_error_the_server_says_why_and_closes(push_simulator: PushSimulator, breach: bytes) -> None:
    with _connected(push_simulator, ["h2"]) as connected:
        connected.sendall(frames.PREFACE + frames.settings_frame({}) + breach)
        goaway = frames_of(_read_to_the_end(connected))[-1]
        assert goaway.kind == frames.GOAWAY
        assert int.from_bytes(goaway.payload[4:8])


class _Once:
    """A source with one notification, which comes back as often as it fails."""

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        given, self.given = getattr(self, "given", False), True
        return Exchange([] if given else [due(1)], exhausted=True, next_retry_at_ms=None)


@requirement(HTTP2, "5.4.1", "After sending the GOAWAY")
@requirement(HTTP2, "3.2", "both the client and the server MUST send")
@requirement(HTTP2, "3.4", "This sequence MUST be followed")
def test_after_an_error_the_client_says_why_and_closes() -> None:
    async def broken_server() -> bytes:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(frames.settings_frame({}) + frames.frame(frames.PING, 0, 1, bytes(8)))
            read = await reader.read(-1)  # to the end: the client has closed
            if not heard.done():
                heard.set_result(read)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        run = AsyncioRun(
            delivery(), _Once(), Endpoint("127.0.0.1", port, False), None, PoolOptions(connections=1), draw=lambda: 0.5
        )
        running = asyncio.create_task(run.run())
        read = await heard
        run.interrupt()
        await running
        server.close()
        return read

    read = asyncio.run(asyncio.wait_for(broken_server(), TIMEOUT_S))
    assert read.startswith(frames.PREFACE)
    written = frames_of(read)
    assert (written[0].kind, written[0].flags) == (frames.SETTINGS, 0)
    assert written[-1].kind == frames.GOAWAY
    assert int.from_bytes(written[-1].payload[4:8])
