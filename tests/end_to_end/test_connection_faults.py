"""Faults of connections as clients meet them, over TLS; named after the incidents that they play."""

import time

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.faults.disconnect import DisconnectFault
from simulator.faults.fault import Stage
from simulator.faults.goaway import GoawayFault
from simulator.faults.idle_close import IdleCloseFault
from simulator.faults.ignored_ping import IgnoredPingFault
from simulator.faults.match import Match
from simulator.faults.reset_stream import ResetStreamFault
from simulator.faults.stall import StallFault
from tests.end_to_end.faulted_port import faulted_port
from tests.end_to_end.provider_port import run
from wire import frames
from wire.errors import ErrorCode
from wire.events import PingAcknowledged

FIRST_CONNECTION = Match(to_connection=1)
PING = b"pushrig!"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("connections") / "state", time.time(), {})


def test_goaway_mid_burst_disowns_what_is_behind_it_and_leaves_the_connection_open(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(GoawayFault(last_stream="before"), Match(from_request=5, to_connection=1))
            async with port.client() as first:
                await first.until(lambda: first.wire.settings_received)
                streams = first.send(10)
                await first.until(lambda: first.goaways and len(first.responses) == 4)
                [goaway] = first.goaways
                assert (goaway.code, goaway.last_stream_id) == (ErrorCode.NO_ERROR, streams[3])
                assert goaway.unprocessed == tuple(streams[4:])
                assert sorted(first.responses) == streams[:4]
                first.wire.ping(PING)
                await first.until(lambda: PingAcknowledged(PING) in first.events)
                assert port.accepted == 4
                async with port.client() as second:
                    assert await second.push(6) == [200] * 6

    run(test)


def test_goaway_abrupt_loses_the_answers_of_what_was_accepted(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            fault = GoawayFault(last_stream="all", answers_lost=True, then="close")
            port.add(fault, Match(from_request=5, to_connection=1), Stage.AFTER_VERDICT)
            async with port.client() as first:
                await first.until(lambda: first.wire.settings_received)
                streams = first.send(5)
                assert await first.until_ended() == "end"
                assert first.goaways[0].last_stream_id == streams[-1]
                assert not first.responses
                assert port.accepted == 5
            async with port.client() as second:
                assert await second.push(5) == [200] * 5

    run(test)


def test_goaway_before_settings_is_all_that_the_client_gets(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(GoawayFault(when="before-settings", then="close"), FIRST_CONNECTION)
            async with port.client() as first:
                assert await first.until_ended() == "end"
                assert bytes(first.came) == frames.goaway_frame(0, ErrorCode.NO_ERROR)
            async with port.client() as second:
                assert await second.push() == [200]

    run(test)


def test_wrong_certificate_environment_is_told_as_json(credentials: Credentials) -> None:
    debug = '{"reason":"BadCertificateEnvironment"}'

    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(GoawayFault(when="opening", last_stream="none", debug=debug, then="close"))
            async with port.client() as client:
                assert await client.until_ended() == "end"
                [goaway] = client.goaways
                assert (goaway.last_stream_id, goaway.debug) == (0, debug.encode())
                assert client.limits == [1_000]

    run(test)


def test_a_goaway_in_good_order_comes_twice(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(GoawayFault(twice=True), Match(from_request=2, to_request=2))
            async with port.client() as client:
                assert await client.push(2) == [200, 200]
                assert [each.last_stream_id for each in client.goaways] == [2**31 - 1, 3]

    run(test)


def test_a_connection_that_ends_later_has_time_for_the_answers(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(GoawayFault(then="reset", then_after_s=3))
            async with port.client() as client:
                assert await client.push() == [200]
                port.pass_time(2.9)
                await port.settle()
                assert len(port.plane.open) == 1
                port.pass_time(0.1)
                assert await client.until_ended() == "reset"

    run(test)


@pytest.mark.parametrize(("how", "seen"), [("reset", "reset"), ("close", "end"), ("half-close", "end")])
def test_a_connection_is_cut_without_a_word_of_http2(credentials: Credentials, how: str, seen: str) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(DisconnectFault(how=how), Match(from_request=3, to_connection=1), Stage.AFTER_VERDICT)  # type: ignore[arg-type]
            async with port.client() as client:
                await client.until(lambda: client.wire.settings_received)
                client.send(3)
                assert await client.until_ended() == seen
                assert not client.responses
                assert not client.goaways
                assert port.accepted == 3

    run(test)


def test_what_comes_on_a_half_closed_connection_is_read_and_not_looked_at(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials, tls=False) as port:
            port.add(DisconnectFault(how="half-close"), FIRST_CONNECTION)
            # Without TLS: over it, asyncio's clients end their side as soon as the other ends its own.
            async with port.client() as client:
                await client.until(lambda: client.wire.settings_received)
                client.send()
                assert await client.until_ended() == "end"
                before = port.plane.rig.counters.bytes_in
                client.writer.write(frames.ping_frame(PING))
                await port.settle()
                assert len(port.plane.open) == 1
                assert port.plane.rig.counters.bytes_in > before
                port.pass_time(port.plane.limits.unread_timeout_s)
                await port.settle()
                assert not port.plane.open

    run(test)


def test_long_stall_then_reset_answers_nothing_not_even_pings(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StallFault(for_s=60), Match(from_request=3, to_connection=1))
            async with port.client() as client:
                assert await client.push(2) == [200, 200]
                client.send(3)
                client.wire.ping(PING)
                client.flush()
                await port.settle()
                port.pass_time(59)
                await port.settle()
                assert len(port.plane.open) == 1
                port.pass_time(1)
                assert await client.until_ended() == "reset"
                assert len(client.responses) == 2
                assert PingAcknowledged(PING) not in client.events
                assert port.accepted == 2
            async with port.client() as second:
                assert await second.push() == [200]

    run(test)


def test_a_stall_may_pass_and_then_all_is_answered(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StallFault(for_s=60, then="go-on"), Match(from_request=2, to_request=2, to_connection=1))
            async with port.client() as client:
                assert await client.push() == [200]
                client.send(2)
                await port.settle()
                client.send(2)  # not read before the stall is over
                port.pass_time(60)
                await client.until(lambda: len(client.responses) == 5)
                assert port.accepted == 5

    run(test)


def test_a_connection_that_is_accepted_may_stay_silent(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(StallFault(when="opening", for_s=30, then="close"), FIRST_CONNECTION)
            async with port.client() as client:
                client.flush()
                await port.settle()
                port.pass_time(29)
                await port.settle()
                assert len(port.plane.open) == 1
                port.pass_time(1)
                assert await client.until_ended() == "end"
                assert not client.came

    run(test)


def test_idle_close_ends_what_has_been_silent_and_nothing_else(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(IdleCloseFault(idle_s=10))
            async with port.client() as idle, port.client() as busy:
                assert await idle.push() == [200]
                for _ in range(2):
                    assert await busy.push() == [200]
                    port.pass_time(10)
                assert await idle.until_ended() == "end"
                assert not idle.goaways
                assert await busy.push() == [200]

    run(test)


def test_pings_may_stay_without_an_answer_while_requests_have_one(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(IgnoredPingFault(for_s=20))
            async with port.client() as client:
                client.wire.ping(PING)
                assert await client.push() == [200]
                assert PingAcknowledged(PING) not in client.events
                port.pass_time(20)
                client.wire.ping(PING[::-1])
                await client.until(lambda: PingAcknowledged(PING[::-1]) in client.events)
                assert PingAcknowledged(PING) not in client.events

    run(test)


def test_refused_stream_late_refuses_once_a_connection_has_carried_many(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port:
            port.add(ResetStreamFault(code=ErrorCode.REFUSED_STREAM.value), Match(from_request=6))
            async with port.client() as client:
                assert await client.push(8) == [200] * 5
                assert client.resets == dict.fromkeys((11, 13, 15), ErrorCode.REFUSED_STREAM)
                assert port.accepted == 5
            async with port.client() as rotated:
                assert await rotated.push(3) == [200] * 3

    run(test)
