"""A campaign over Locust's master and workers: workers that come late, are killed, or leave, and one account of it all."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtest.control_client import ControlClient
from loadtest.load_outcome import possibly_twice
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess
from tests.loadtest.test_load_locust import ROOT, ledger

TIMEOUT_S = 60


@pytest.fixture(scope="module")
def rig() -> Iterator[RigProcess]:
    with RigProcess(WITHOUT_LIMITS) as started:
        yield started


@pytest.fixture(scope="module")
def control(rig: RigProcess) -> ControlClient:
    return ControlClient(rig.running.control_url)


class Gate:
    """A way to the master that stays shut until `open`: a worker behind it is ready, and comes late when the test says so."""

    def __init__(self, port: int) -> None:
        self._master = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = str(self._server.getsockname()[1])

    def wait(self) -> None:
        """Until a worker stands before it."""
        ready, _, _ = select.select([self._server], [], [], TIMEOUT_S)
        assert ready

    def open(self) -> None:
        worker, _ = self._server.accept()
        master = socket.create_connection(self._master)
        for pair in ((worker, master), (master, worker)):
            threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    def close(self) -> None:
        self._server.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with source, target, contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


class Distributed:
    """One master, and workers as they are started; all are ended with the block."""

    def __init__(self, rig: RigProcess, folder: Path) -> None:
        self._environment = os.environ | {
            "PUSHRIG_URL": rig.running.url,
            "APNS_KEY_FILE": rig.running.key_file,
            "APNS_KEY_ID": rig.running.key_id,
            "APNS_TEAM_ID": rig.running.team_id,
            "SSL_CERT_FILE": rig.running.ca_file,
        }
        self._folder = folder
        self._ended = contextlib.ExitStack()
        self._log = self._ended.enter_context((folder / "log").open("wb"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])

    def __enter__(self) -> "Distributed":
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.close()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", "locustfile.py", "--headless", "--only-summary", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._ended.callback(process.wait)
        self._ended.callback(process.kill)
        return process

    def master(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The test starts when the workers are there that `--expect-workers` says."""
        result = ("--result-file", str(self._folder / "result.json"))
        return self._start("--master", "--master-bind-port", self._port, *result, *arguments)

    def worker(self, port: str | None = None) -> subprocess.Popen[bytes]:
        return self._start("--worker", "--master-port", port or self._port)

    def gate(self) -> Gate:
        gate = Gate(int(self._port))
        self._ended.callback(gate.close)
        return gate

    @property
    def said(self) -> str:
        return (self._folder / "log").read_text()

    @property
    def outcome(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self._folder / "result.json").read_bytes())
        return found


def until(happens: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not happens():
        assert time.monotonic() < deadline_s, "it did not happen in time"


def sent(control: ControlClient, before: int) -> int:
    return control.stats().counters.notifications - before


def test_a_worker_that_is_killed_leaves_its_devices_to_the_others(
    rig: RigProcess, control: ControlClient, tmp_path: Path
) -> None:
    control.declare(201, 80_000)
    before = control.stats().counters.notifications
    with Distributed(rig, tmp_path) as locust:
        master = locust.master(
            "--expect-workers", "3", "--users", "3", "--spawn-rate", "3", "--devices", "80000", "--seed", "201"
        )
        killed, *_ = [locust.worker() for _ in range(3)]
        until(lambda: sent(control, before) > 15_000)
        killed.send_signal(signal.SIGKILL)
        assert master.wait(TIMEOUT_S) == 1, locust.said
        outcome, said = locust.outcome, locust.said
    found = ledger(control, 201)
    repeated = outcome["repeated"]
    assert isinstance(repeated, int) and 0 < repeated < 60_000
    assert possibly_twice(repeated) in said
    assert (found.accepted_once + found.accepted_more, found.never) == (80_000, 0)
    assert found.accepted_more <= repeated
    assert (outcome["finished"], outcome["locust_requests"]) == (True, 80_000)
    assert isinstance(tally := outcome["tally"], dict) and tally["accepted"] == 80_000


def test_a_worker_that_comes_late_gets_batches_and_one_that_leaves_gives_its_own_back(
    rig: RigProcess, control: ControlClient, tmp_path: Path
) -> None:
    control.declare(202, 16_000)
    before = control.stats().counters.notifications
    connections = control.stats().counters.connections_total
    with Distributed(rig, tmp_path) as locust:
        master = locust.master(
            "--expect-workers", "2", "--users", "3", "--spawn-rate", "3", "--devices", "16000", "--seed", "202",
            "--load-profile", "steady:rate=2k", "--batches-file", str(tmp_path / "batches.csv"),
        )  # fmt: skip
        gate = locust.gate()
        first, *_ = locust.worker(), locust.worker(), locust.worker(gate.port)
        gate.wait()
        until(lambda: sent(control, before) > 0)
        gate.open()
        # One of the three users goes to the worker that has come.
        until(lambda: control.stats().counters.connections_total >= connections + 4)
        first.terminate()
        assert master.wait(TIMEOUT_S) == 0, locust.said
        outcome = locust.outcome
    lines = {file.stem: len(file.read_text().splitlines()) - 1 for file in tmp_path.glob("batches*.csv")}
    assert set(lines) == {"batches", "batches-1", "batches-2"}
    assert min(lines.values()) > 0, lines
    found = ledger(control, 202)
    assert (found.accepted_once, found.accepted_more, found.never) == (16_000, 0, 0)
    assert isinstance(recording := outcome["recording"], dict) and recording["scheduled"] == 16_000
    assert outcome["repeated"] == 0
