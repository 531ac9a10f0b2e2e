"""Whose host it is decides what is spoken there and who answers: over TLS, with and without ALPN."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.listener import ProviderPlane
from tests.end_to_end.client_certificates import DEVELOPMENT_OID, NULL, self_signed
from tests.end_to_end.google_client import (
    SEED,
    bearer,
    message,
    raw_client,
    send_bytes,
    send_path,
    token_of,
    until,
)
from tests.end_to_end.provider_port import TOPIC, Client, connected, listening, run
from wire import frames
from wire.request import Response

HTTP2_FIRST = b"\x04\x00\x00\x00\x00\x00"  # type, flags and stream of the first frame, behind its length
SUBSCRIBERS = 100_000


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("hosts") / "state", time.time(), {})


@pytest.mark.parametrize(
    ("server_name", "offered", "agreed"),
    [
        ("fcm.googleapis.com", ["h2", "http/1.1"], "h2"),
        ("fcm.googleapis.com", ["http/1.1"], "http/1.1"),
        ("oauth2.googleapis.com", ["http/1.1", "h2"], "h2"),
        ("iid.googleapis.com", ["http/1.1"], "http/1.1"),
        ("localhost", ["http/1.1"], "http/1.1"),
        ("localhost", ["h2"], "h2"),
        ("127.0.0.1", ["http/1.1"], "http/1.1"),
        ("api.push.apple.com", ["h2", "http/1.1"], "h2"),
        ("api.push.apple.com", ["http/1.1"], None),
        ("api.sandbox.push.apple.com", ["http/1.1"], None),
        ("localhost", ["spdy/3"], None),
    ],
)
def test_what_is_offered_goes_by_the_host(
    credentials: Credentials, server_name: str, offered: list[str], agreed: str | None
) -> None:
    async def test() -> None:
        async with (
            listening(credentials) as (_, port, _),
            raw_client(credentials, port, server_name=server_name, alpn=offered) as client,
        ):
            assert client.alpn == agreed

    run(test)


@pytest.mark.parametrize("offered", [[], ["http/1.1"]])
def test_at_apples_even_who_offers_none_of_it_meets_http2_at_once(credentials: Credentials, offered: list[str]) -> None:
    async def test() -> None:
        async with (
            listening(credentials) as (_, port, _),
            raw_client(credentials, port, server_name="api.push.apple.com", alpn=offered) as client,
        ):
            first = await client.reader.readexactly(9)
            assert first[3:] == HTTP2_FIRST

    run(test)


@pytest.mark.parametrize("server_name", ["localhost", "fcm.googleapis.com"])
def test_elsewhere_who_offers_no_protocol_is_told_apart_by_the_first_bytes(
    credentials: Credentials, server_name: str
) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            async with raw_client(credentials, port, server_name=server_name) as client:
                await until(plane, 1)
                greeting = frames.PREFACE + frames.settings_frame({})
                for at in range(len(greeting)):  # as slowly as can be
                    bytes_in = plane.rig.counters.bytes_in
                    client.writer.write(greeting[at : at + 1])
                    while plane.rig.counters.bytes_in == bytes_in:  # noqa: ASYNC110 - this loop's own turns
                        await asyncio.sleep(0)
                assert (await client.reader.readexactly(9))[3:] == HTTP2_FIRST
            async with raw_client(credentials, port, server_name=server_name) as client:
                assert (await client.ask(send_bytes(plane.rig, message(token_of(1)))))[0] == 200

    run(test)


def test_a_host_of_googles_minds_no_certificate(credentials: Credentials, tmp_path: Path) -> None:
    """What a client shows there means nothing: no stream more, nothing of APNs, nor that it is of the other environment."""
    shown = self_signed(tmp_path, {DEVELOPMENT_OID: NULL})

    async def test() -> None:
        async with (
            listening(credentials, shown) as (_, port, _),
            raw_client(credentials, port, server_name="fcm.googleapis.com", alpn=["h2"], certificate=shown) as raw,
        ):
            client = Client(raw.reader, raw.writer)
            while not client.wire.settings_received:
                await client.read()
            assert client.limits == [100]
            (answer,) = await _push(client)
            assert answer.head.value(b":status") == b"404"
            assert answer.head.value(b"content-type") == b"text/html; charset=UTF-8"

    run(test)


async def _push(client: Client) -> list[Response]:
    fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"fcm.googleapis.com"), (b":path", b"")]
    prepared = client.wire.prepare([*fields, (b"apns-topic", TOPIC)])
    client.wire.send(prepared, b"/3/device/" + b"ab" * 32, None, b'{"aps":{}}')
    while not (responses := await client.read()):
        pass
    return responses


async def _send(client: Client, plane: ProviderPlane, body: bytes, sends: int = 1) -> list[Response]:
    """So many sends on one connection, and all their answers."""
    fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"")]
    prepared = client.wire.prepare([*fields, (b"authorization", bearer(plane.rig).encode())])
    for _ in range(sends):
        client.wire.send(prepared, send_path(plane.rig).encode(), None, body)
    responses: list[Response] = []
    while len(responses) < sends:
        responses += await client.read()
    return responses


def test_both_providers_answer_on_one_connection(credentials: Credentials) -> None:
    async def test() -> None:
        certificate = (credentials.client_certificate_file, credentials.client_key_file)
        async with listening(credentials) as (plane, port, _), connected(credentials, port, *certificate) as client:
            for _ in range(2):
                pushed = await client.push(count=3)
                sent = await _send(client, plane, message(token_of(1)), 3)
                assert {each.head.value(b":status") for each in pushed + sent} == {b"200"}
            assert client.limits == [1_000]
            assert plane.rig.counters.accepted == 12

    run(test)


def test_the_first_send_allows_a_hundred_streams(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), connected(credentials, port) as client:
            await _send(client, plane, message(token_of(1)))
            assert client.limits == [1, 100]

    run(test)


# Topics


@asynccontextmanager
async def _sending(plane: ProviderPlane, credentials: Credentials, port: int) -> AsyncIterator[list[bool]]:
    """Another client that sends all the while. Yields, for each of its answers, whether the topic was still on its way."""
    answered: list[bool] = []

    async def send_on() -> None:
        async with connected(credentials, port) as client:
            for index in count(2 * SUBSCRIBERS):  # each device gets one, for there are rates
                (response,) = await _send(client, plane, message(token_of(index)))
                assert response.head.value(b":status") == b"200"
                answered.append(plane.google.delivering)

    sending = asyncio.create_task(send_on())
    try:
        yield answered
    finally:
        assert not sending.done(), sending
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


def test_a_topic_of_a_hundred_thousand_holds_up_nobody(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            rig = plane.rig
            rig.ledger.declare(SEED, SUBSCRIBERS, 10)
            for index in range(10, SUBSCRIBERS + 10):
                rig.fcm.subscriptions.add(token_of(index)[:22].encode(), "news", 0.0)
            async with _sending(plane, credentials, port) as answered, raw_client(credentials, port) as client:
                while not answered:  # noqa: ASYNC110 - this loop's own turns
                    await asyncio.sleep(0)
                assert (await client.ask(send_bytes(rig, message("news", "topic"))))[0] == 200
                assert plane.google.delivering  # the answer does not wait for the deliveries
                while plane.google.delivering:  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0)
                assert answered.count(True) > 50
            (view,) = rig.ledger.view().populations
            assert (view.accepted_once, view.accepted_more, view.rejected) == (SUBSCRIBERS, 0, 0)
            assert rig.counters.topic_deliveries == SUBSCRIBERS

    run(test)


def test_a_topic_is_delivered_to_the_end_though_nobody_says_anything_more(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), raw_client(credentials, port) as client:
            for index in range(1_000):
                plane.rig.fcm.subscriptions.add(token_of(index)[:22].encode(), "news", 0.0)
            assert (await client.ask(send_bytes(plane.rig, message("news", "topic"))))[0] == 200
            while plane.google.delivering:  # noqa: ASYNC110 - this loop's own turns
                await asyncio.sleep(0)
            assert plane.rig.counters.topic_deliveries == 1_000

    run(test)


def test_a_simulator_that_stops_delivers_no_more(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), raw_client(credentials, port) as client:
            rig = plane.rig
            for index in range(1_000):
                rig.fcm.subscriptions.add(token_of(index)[:22].encode(), "news", 0.0)
            assert (await client.ask(send_bytes(rig, message("news", "topic"))))[0] == 200
            plane.close_connections()
            delivered = rig.counters.topic_deliveries
            for _ in range(20):
                await asyncio.sleep(0)
            assert rig.counters.topic_deliveries == delivered < 1_000

    run(test)
