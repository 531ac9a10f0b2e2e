"""Faults of SETTINGS, windows and frames as clients meet them, over TLS; named after the incidents that they play."""

import json
import time

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.faults.expired_token import ExpiredTokenFault
from simulator.faults.maintenance import MaintenanceFault
from simulator.faults.match import Match
from simulator.faults.outage import OutageFault
from simulator.faults.oversized_frame import OversizedFrameFault
from simulator.faults.quota import QuotaFault
from simulator.faults.settings_change import SettingsChangeFault
from simulator.faults.starved_windows import StarvedWindowsFault
from simulator.faults.stream_limit import StreamLimitFault
from simulator.faults.strict_streams import StrictStreamsFault
from tests.end_to_end.faulted_port import GOOGLE, PAYLOAD, Seen, faulted_port
from tests.end_to_end.provider_port import run
from tests.end_to_end.provider_tokens import token_of
from wire import frames
from wire.errors import ErrorCode

FIRST_CONNECTION = Match(to_connection=1)
GOOGLES_TEXT = b"exceeded_max_concurrent_streams"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("settings") / "state", time.time(), {})


def _token(credentials: Credentials, iat_s: float) -> str:
    return token_of(credentials.team_id, credentials.key_id, credentials.key_file, iat_s=iat_s)


def _open_streams(client: Seen, count: int) -> None:
    """Open streams whose requests do not end."""
    first = client.wire._next_stream_id
    client.writer.write(client.wire.data_to_send())
    for stream in range(first, first + 2 * count, 2):
        block = b"\x83\x87\x84"  # POST https /
        client.writer.write(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block))


def test_rejection_throttle_lowers_the_limit_and_a_success_restores_it(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StreamLimitFault(when="rejection", until="success"))
            async with port.client() as client:
                assert await client.push(3) == [200] * 3
                assert client.limits == [1_000]
                assert await client.push(topic=b"com.example.other") == [400]
                assert client.limits == [1_000, 1]
                assert await client.push(topic=b"com.example.other") == [400]
                assert client.limits == [1_000, 1]
                assert await client.push() == [200]
                assert client.limits == [1_000, 1, 1_000]

    run(test)


@pytest.mark.parametrize(("then", "limits"), [(None, [1, 1_000]), (500, [1, 500])])
def test_one_then_thousand_and_other_numbers(credentials: Credentials, then: int | None, limits: list[int]) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StreamLimitFault(when="opening", until="success", then_streams=then))
            async with port.client() as client:
                assert await client.push(topic=b"com.example.other") == [400]
                assert client.limits == limits[:1]
                assert await client.push() == [200]
                assert client.limits == limits
                assert await client.push() == [200]
                assert client.limits == limits

    run(test)


def test_the_limit_of_googles_hosts_moves_too(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StreamLimitFault(streams=7), Match(path="/", from_request=2))
            async with port.client(host=GOOGLE) as client:
                for _ in range(3):
                    await client.push()
                assert client.limits == [100, 7]

    run(test)


def test_too_many_streams_end_the_connection_at_the_first_one_over_the_limit(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StrictStreamsFault(code=ErrorCode.REFUSED_STREAM.value, debug="too many"))
            async with port.client(certificate=False) as client:
                await client.until(lambda: client.limits == [1])
                client.flush()
                await port.settle()
                _open_streams(client, 4)
                assert await client.until_ended() == "end"
                assert client.came.count(b"too many") == 1
                assert frames.goaway_frame(7, ErrorCode.REFUSED_STREAM, b"too many") in client.came

    run(test)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_limit_binds_when_it_is_sent_or_when_it_is_acknowledged(credentials: Credentials, at_once: bool) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StrictStreamsFault(at_once=at_once), FIRST_CONNECTION)
            async with port.client(certificate=False) as client:
                _open_streams(client, 2)  # before SETTINGS were read
                await port.settle()
                if at_once:
                    assert await client.until_ended() == "end"
                    assert frames.goaway_frame(3, ErrorCode.ENHANCE_YOUR_CALM, GOOGLES_TEXT) in client.came
                else:
                    assert len(port.plane.open) == 1

    run(test)


def test_fcm_exceeded_streams_above_a_hundred(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StrictStreamsFault(), Match(provider="fcm"))
            async with port.client(host=GOOGLE) as client:
                await client.until(lambda: client.limits == [100])
                client.flush()
                await port.settle()
                _open_streams(client, 100)
                await port.settle()
                assert len(port.plane.open) == 1
                client.writer.write(frames.frame(frames.HEADERS, frames.END_HEADERS, 201, b"\x83\x87\x84"))
                assert await client.until_ended() == "end"
                assert frames.goaway_frame(201, ErrorCode.ENHANCE_YOUR_CALM, GOOGLES_TEXT) in client.came

    run(test)


@pytest.mark.parametrize("when", ["opening", "request"])
def test_window_starvation_of_a_stream_passes_with_time(credentials: Credentials, when: str) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StarvedWindowsFault(when=when, stream_bytes=0, for_s=8), FIRST_CONNECTION)  # type: ignore[arg-type]
            async with port.client() as starved, port.client() as other:
                await starved.until(lambda: starved.wire.settings_received)
                if when == "request":
                    assert await starved.push() == [200]
                    await starved.until(lambda: starved.settings(frames.INITIAL_WINDOW_SIZE)[-1] == 0)
                [stream] = starved.send()
                assert await other.push() == [200]
                await port.settle()
                assert stream not in starved.responses
                assert starved.wire._sending[stream] == PAYLOAD
                port.pass_time(8)
                await starved.until(lambda: stream in starved.responses)
                assert starved.status(stream) == 200

    run(test)


def test_a_window_of_one_byte_takes_a_request_byte_by_byte(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StarvedWindowsFault(stream_bytes=1))
            async with port.client() as client:
                assert await client.push() == [200]

    run(test)


def test_window_starvation_of_a_connection_passes_with_time(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StarvedWindowsFault(stream_bytes=frames.WINDOW_BYTES_DEFAULT, connection=True, for_s=8))
            count = frames.WINDOW_BYTES_DEFAULT // len(PAYLOAD)
            async with port.client() as client:
                await client.until(lambda: client.wire.settings_received)
                for _ in range(3):
                    assert await client.push(count // 3) == [200] * (count // 3)
                stuck = client.send(count // 3)
                await port.settle()
                assert client.wire.outbound_window == 0
                port.pass_time(8)
                await client.until(lambda: stuck[-1] in client.responses)
                assert client.status(stuck[-1]) == 200

    run(test)


def test_settings_change_while_streams_are_open(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            fault = SettingsChangeFault(header_table_bytes=0, window_bytes=100, frame_bytes=20_000)
            port.add(fault, Match(from_request=2, to_request=2))
            async with port.client() as client:
                assert await client.push(2) == [200, 200]
                assert client.settings(frames.HEADER_TABLE_SIZE) == [4_096, 0]
                assert client.settings(frames.INITIAL_WINDOW_SIZE) == [65_535, 100]
                assert client.settings(frames.MAX_FRAME_SIZE) == [16_384, 20_000]
                assert await client.push(5) == [200] * 5

    run(test)


def test_settings_may_be_others_at_the_opening(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(SettingsChangeFault(when="opening", header_table_bytes=0))
            async with port.client() as client:
                assert await client.push(3) == [200] * 3
                assert client.settings(frames.HEADER_TABLE_SIZE) == [0]
                assert client.limits == [1_000]

    run(test)


def test_a_frame_over_the_clients_limit_ends_the_connection_by_the_client(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(OversizedFrameFault(), Match(from_request=2))
            async with port.client() as client:
                assert await client.push() == [200]
                client.send()
                await client.until(lambda: client.wire.failed)
                assert client.wire.failed is not None
                assert client.wire.failed.code is ErrorCode.FRAME_SIZE_ERROR
                assert port.accepted == 2

    run(test)


def test_expired_token_burst_is_over_with_a_new_token(credentials: Credentials) -> None:
    async def test() -> None:
        now_s = int(time.time())
        old, new = _token(credentials, now_s - 60), _token(credentials, now_s)
        async with faulted_port(credentials) as port:
            port.plane.rig.apns.update_interval_s = 0
            port.add(ExpiredTokenFault(after_requests=3, resets=2))
            async with port.client(certificate=False) as client:
                assert await client.push(token=old) == [200]
                assert await client.push(2, token=old) == [200, 200]
                assert client.limits == [1, 1_000]
                streams = list(range(7, 17, 2))
                assert await client.push(5, token=old) == [403] * 3
                assert json.loads(client.responses[streams[0]].body) == {"reason": "ExpiredProviderToken"}
                assert client.resets == {streams[1]: ErrorCode.REFUSED_STREAM, streams[2]: ErrorCode.STREAM_CLOSED}
                assert client.limits == [1, 1_000, 1]
                assert await client.push(token=new) == [200]
                assert client.limits == [1, 1_000, 1, 1_000]
                assert await client.push(2, token=new) == [200, 200]
                assert port.accepted == 6
                rejected = port.plane.rig.counters.rejected_by_reason
                assert rejected == {"ExpiredProviderToken": 3}

    run(test)


def test_maintenance_says_shutdown_twice_and_closes(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(MaintenanceFault(retry_after_s=30), FIRST_CONNECTION)
            async with port.client() as client:
                assert await client.push() == [503]
                response = client.responses[1]
                assert json.loads(response.body) == {"reason": "Shutdown"}
                assert response.head.value(b"retry-after") == b"30"
                assert await client.until_ended() == "end"
                assert [each.debug for each in client.goaways] == [b'{"reason":"Shutdown"}']
            async with port.client() as client:
                assert await client.push() == [200]

    run(test)


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("unavailable", 503, "ServiceUnavailable"),
        ("internal-error", 500, "InternalServerError"),
        ("bad-gateway", 503, "ServiceUnavailable"),
    ],
)
def test_an_outage_refuses_all_and_leaves_connections_open(
    credentials: Credentials, kind: str, status: int, reason: str
) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            outage = port.add(OutageFault(kind=kind))  # type: ignore[arg-type]
            async with port.client() as client:
                assert await client.push(2) == [status] * 2
                assert json.loads(client.responses[1].body) == {"reason": reason}
                assert port.plane.rig.counters.rejected_by_reason == {reason: 2}
                port.remove(outage)
                assert await client.push() == [200]

    run(test)


def test_a_quota_lasts_until_its_window_is_over(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.plane.rig.clock.freeze(1_760_000_000_000 // 60_000 * 60_000 + 48_500)
            port.add(QuotaFault())
            async with port.client() as client:
                assert await client.push() == [429]
                assert client.responses[1].head.value(b"retry-after") == b"12"

    run(test)
