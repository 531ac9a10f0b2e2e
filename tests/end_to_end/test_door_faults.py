"""Faults that meet clients at the door, before anything is known of them but that they came."""

import asyncio
import socket
import ssl
import time

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.faults.handshake import HandshakeFault
from simulator.faults.match import Match
from simulator.faults.no_alpn import NoAlpnFault
from simulator.faults.refuse import RefuseFault
from simulator.faults.wrong_certificate import WrongCertificateFault
from simulator.limits import Limits
from tests.end_to_end.faulted_port import GOOGLE, Port, faulted_port
from tests.end_to_end.provider_port import run

APPLE = "api.push.apple.com"
FIRST_CLIENT = Match(to_connection=1)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("door") / "state", time.time(), {})


class Waiting:
    """Waits of the door that end when told."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.over = asyncio.Event()

    async def __call__(self, for_s: float) -> None:
        self.begun.append(for_s)
        await self.over.wait()

    async def until(self, count: int) -> None:
        """Until so many have begun."""
        while len(self.begun) < count:  # noqa: ASYNC110 - it is this loop's own turns that make it so
            await asyncio.sleep(0)


async def _pushes(port: Port) -> list[int]:
    async with port.client() as client:
        return await client.push()


@pytest.mark.parametrize("how", ["reset", "close", "keep"])
def test_connection_refused_while_the_port_is_closed_and_then_served_again(credentials: Credentials, how: str) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port, port.client() as before:
            assert await before.push() == [200]
            refused = port.add(RefuseFault(open_connections=how))  # type: ignore[arg-type]
            for _ in range(2):
                with pytest.raises(ConnectionRefusedError):
                    await _pushes(port)
            with socket.socket() as other, pytest.raises(OSError):
                other.bind(("127.0.0.1", port.number))  # it is kept
            if how == "keep":
                assert await before.push() == [200]
            else:
                assert await before.until_ended() == ("reset" if how == "reset" else "end")
            port.remove(refused)
            assert await _pushes(port) == [200]

    run(test)


def test_a_port_is_closed_for_a_window_of_time(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            now_s = [port.plane.rig.clock.now_s()]
            port.plane.rig.clock.freeze(int(now_s[0] * 1000))
            port.add(RefuseFault(), Match(from_s=5, until_s=10))
            for passed_s, refused in ((0, False), (4, False), (5, True), (9, True), (10, False)):
                port.plane.rig.clock.freeze(int((now_s[0] + passed_s) * 1000) + 1)
                port.pass_time(0)
                if refused:
                    with pytest.raises(ConnectionRefusedError):
                        await _pushes(port)
                else:
                    assert await _pushes(port) == [200]

    run(test)


def test_a_port_that_opens_while_it_is_to_be_refused_is_closed_from_the_start(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            refused = port.add(RefuseFault())
            door, number = await port.plane.listen("127.0.0.1", 0, None)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", number)
            port.remove(refused)
            _, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.close()
            door.close()

    run(test)


def test_a_port_that_somebody_took_meanwhile_is_opened_once_it_is_free(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            refused = port.add(RefuseFault())
            for each in port.door.sockets:  # the place that the door keeps
                each.close()
            port.door.sockets.clear()
            taker = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port.number)
            port.remove(refused)
            assert port.door.shut
            taker.close()
            await taker.wait_closed()
            port.pass_time(1)
            assert await _pushes(port) == [200]

    run(test)


def test_slow_handshake_keeps_a_client_waiting_and_then_serves_it(credentials: Credentials) -> None:
    async def test() -> None:
        waiting = Waiting()
        async with faulted_port(credentials, wait=waiting) as port:
            port.add(HandshakeFault(delay_s=3.5), FIRST_CLIENT)
            slow = asyncio.create_task(_pushes(port))
            await waiting.until(1)
            assert await _pushes(port) == [200]
            assert not slow.done()
            waiting.over.set()
            assert await slow == [200]
            assert waiting.begun == [3.5]

    run(test)


@pytest.mark.parametrize(
    ("manner", "error"),
    [("silent", ConnectionResetError), ("reset", ConnectionResetError), ("alert", ssl.SSLError)],
)
def test_handshakes_that_come_to_nothing(credentials: Credentials, manner: str, error: type[Exception]) -> None:
    async def test() -> None:
        waiting = Waiting()
        async with faulted_port(credentials, wait=waiting) as port:
            port.add(HandshakeFault(manner=manner, silent_s=40), FIRST_CLIENT)  # type: ignore[arg-type]
            lost = asyncio.create_task(_pushes(port))
            if manner == "silent":
                await waiting.until(1)
                assert await _pushes(port) == [200]
                assert not lost.done()
                waiting.over.set()
            with pytest.raises(error):
                await lost
            assert port.plane.rig.counters.handshakes_failed == 1
            assert await _pushes(port) == [200]

    run(test)


def test_faults_of_one_handshake_add_up_in_any_order(credentials: Credentials) -> None:
    async def test() -> None:
        waiting = Waiting()
        waiting.over.set()
        async with faulted_port(credentials, wait=waiting) as port:
            port.add(HandshakeFault(manner="reset"), FIRST_CLIENT)
            port.add(HandshakeFault(delay_s=1))
            port.add(HandshakeFault(delay_s=2))
            with pytest.raises(ConnectionResetError):
                await _pushes(port)
            assert await _pushes(port) == [200]
            assert waiting.begun == [3, 3]

    run(test)


def test_who_is_kept_waiting_counts_among_the_pending_and_goes_first(credentials: Credentials) -> None:
    async def test() -> None:
        waiting = Waiting()
        limits = Limits(handshakes_pending_max=2)
        async with faulted_port(credentials, wait=waiting, limits=limits) as port:
            port.add(HandshakeFault(manner="silent"), Match(to_connection=3))
            lost = []
            for count in (1, 2, 3):
                lost.append(asyncio.create_task(_pushes(port)))
                await waiting.until(count)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await lost[0]
            assert not lost[1].done()
            assert len(port.door.pending) == len(port.door._held) == 2
            assert await _pushes(port) == [200]
            for each in lost[1:]:
                each.cancel()

    run(test)


@pytest.mark.parametrize("how", ["reset", "keep"])
def test_who_is_kept_waiting_when_the_port_is_closed(credentials: Credentials, how: str) -> None:
    async def test() -> None:
        waiting = Waiting()
        async with faulted_port(credentials, wait=waiting) as port:
            port.add(HandshakeFault(delay_s=5))
            slow = asyncio.create_task(_pushes(port))
            await waiting.until(1)
            port.add(RefuseFault(open_connections=how))  # type: ignore[arg-type]
            if how == "reset":
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    await slow
            else:
                waiting.over.set()
                assert await slow == [200]

    run(test)


@pytest.mark.parametrize("kind", ["unknown-authority", "wrong-host", "expired"])
@pytest.mark.parametrize("host", [APPLE, GOOGLE, "localhost"])
def test_a_wrong_certificate_is_refused_by_who_looks(credentials: Credentials, kind: str, host: str) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(WrongCertificateFault(kind=kind), FIRST_CLIENT)  # type: ignore[arg-type]
            with pytest.raises(ssl.SSLCertVerificationError):
                async with port.client(host=host):
                    pass
            assert await _pushes(port) == [200]

    run(test)


@pytest.mark.parametrize(
    ("kind", "flaw"),
    [
        ("unknown-authority", None),
        ("wrong-host", "Hostname mismatch"),
        ("expired", "certificate has expired"),
    ],
)
def test_each_wrong_certificate_has_the_flaw_it_is_named_after(
    credentials: Credentials, kind: str, flaw: str | None
) -> None:
    """Told by a client that trusts the unknown authority all the same."""

    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(WrongCertificateFault(kind=kind))  # type: ignore[arg-type]
            blind = ssl.create_default_context()
            blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
            _, writer = await asyncio.open_connection("127.0.0.1", port.number, ssl=blind, server_hostname="localhost")
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()
            trusting = ssl.create_default_context(cadata=shown)
            trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            opening = asyncio.open_connection("127.0.0.1", port.number, ssl=trusting, server_hostname="localhost")
            if flaw is None:
                _, writer = await opening
                writer.transport.abort()
                return
            with pytest.raises(ssl.SSLCertVerificationError, match=flaw):
                await opening

    run(test)


@pytest.mark.parametrize("host", [APPLE, "localhost"])
def test_without_alpn_http2_is_spoken_all_the_same(credentials: Credentials, host: str) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(NoAlpnFault(), FIRST_CLIENT)
            for agreed in (None, "h2"):
                async with port.client(host=host) as client:
                    assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed
                    client.flush()
                    assert await client.push() == [200]

    run(test)


def test_a_fault_of_the_door_knows_nothing_of_requests(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            with pytest.raises(ValueError, match="nothing is known then of provider, topic; leave that out"):
                port.add(NoAlpnFault(), Match(topic="x", provider="apns"))

    run(test)
