"""Faults of requests over real connections: late answers are written when they are due, and a start takes its faults."""

import http.client
import json
import time
from pathlib import Path

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.faults.dribbled_body import DribbledBodyFault
from simulator.faults.latency import LatencyFault
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from tests.end_to_end.faulted_port import faulted_port
from tests.end_to_end.provider_port import run
from tests.end_to_end.test_serve import FREE_PORTS, _serving

LATENCY_S = 0.02


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("requests") / "state", time.time(), {})


def test_a_late_answer_is_written_once_its_time_has_come_and_others_at_once(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port, port.client() as client:
            port.add(LatencyFault(median_ms=LATENCY_S * 1000), Match(to_request=1))
            await client.until(lambda: client.wire.settings_received)
            late, usual = client.send(2)
            await client.until(lambda: usual in client.responses)
            assert late not in client.responses
            port.pass_time(LATENCY_S)
            await client.until(lambda: late in client.responses)
            assert (client.status(late), port.accepted) == (200, 2)

    run(test)


def test_an_answer_that_is_due_earlier_than_those_that_wait_is_not_held_up_by_them(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port, port.client() as client:
            port.add(LatencyFault(median_ms=600_000), Match(to_request=1))
            port.add(LatencyFault(median_ms=LATENCY_S * 1000), Match(from_request=2))
            await client.until(lambda: client.wire.settings_received)
            client.send(1)
            await port.settle()  # a timer runs for the first by now
            (soon,) = client.send(1)
            await port.settle()
            port.pass_time(LATENCY_S)
            await client.until(lambda: soon in client.responses)

    run(test)


def test_pieces_of_a_body_are_written_one_after_the_other(credentials: Credentials) -> None:
    async def test() -> None:
        async with faulted_port(credentials) as port, port.client() as client:
            port.add(ReasonFault(reason="TooManyRequests"))
            port.add(DribbledBodyFault(piece_bytes=16, gap_ms=LATENCY_S * 1000))
            await client.until(lambda: client.wire.settings_received)
            (stream,) = client.send(1)
            await client.until(lambda: b'{"reason":"TooM' in client.came)
            assert stream not in client.responses
            port.pass_time(LATENCY_S)
            await client.until(lambda: stream in client.responses)
            assert client.responses[stream].body == b'{"reason":"TooManyRequests"}'

    run(test)


def test_a_simulator_starts_with_the_faults_of_its_file_and_its_flags(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('[[fault]]\nfault = "latency"\nmedian_ms = 5\n')
    flags = ("--faults", str(file), "--fault", "reason reason=Shutdown", "--fault", "silent-stream to_answer=1")
    with _serving(tmp_path / "state", *FREE_PORTS, *flags) as served:
        control = http.client.HTTPConnection("127.0.0.1", served.first_line["control_port"], timeout=20)
        control.request("GET", "/api/v1/faults")
        faults = json.loads(control.getresponse().read())["faults"]
        assert [each["fault"] for each in faults] == ["latency", "reason", "silent-stream"]
