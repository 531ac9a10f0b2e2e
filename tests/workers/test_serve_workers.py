"""`pushrig serve --workers N` over real sockets: who answers, what happens to whom, and that nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from simulator.frame_log import FIRST_LINE
from tests.end_to_end.h2_client import ConnectionEndedError, H2Client, valid_push

TIMEOUT_S = 20.0
WORKERS = 2


@pytest.fixture(scope="module")
def shared(push_simulator_factory: PushSimulatorFactory) -> PushSimulator:
    return push_simulator_factory("--workers", str(WORKERS), "--cleartext-port", "0", "--observe", "on")


@pytest.fixture
def simulator(shared: PushSimulator) -> Iterator[PushSimulator]:
    yield shared
    shared.reset()


def call(simulator: PushSimulator, method: str, path: str, body: object = None) -> Any:
    return call_port(int(simulator.control_url.rpartition(":")[2]), method, path, body)


def call_port(control_port: int, method: str, path: str, body: object = None) -> Any:
    connection = HTTPConnection("127.0.0.1", control_port, timeout=TIMEOUT_S)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"content-type": "application/json"} if content else {})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text)
    finally:
        connection.close()


def workers(simulator: PushSimulator) -> list[dict[str, int]]:
    found: list[dict[str, int]] = call(simulator, "GET", "/api/v1/stats")["workers"]
    return found


def test_connections_are_spread_evenly_and_every_worker_answers(simulator: PushSimulator) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(H2Client.connect(simulator)) for _ in range(3 * WORKERS)]
        assert [client.push(valid_push(simulator)).status for client in clients] == [200] * len(clients)
        assert [each["connections_open"] for each in workers(simulator)] == [3] * WORKERS
        assert [each["notifications"] for each in workers(simulator)] == [3] * WORKERS
    assert call(simulator, "GET", "/api/v1/stats")["counters"]["accepted"] == 3 * WORKERS
    numbers = [each["connection_id"] for each in call(simulator, "GET", "/api/v1/notifications")["items"]]
    assert len(set(numbers)) == len(numbers)


def test_the_cleartext_port_is_every_workers_too(simulator: PushSimulator) -> None:
    assert simulator.cleartext_port is not None
    with ExitStack() as stack:
        for _ in range(WORKERS):
            client = H2Client.connect_cleartext("127.0.0.1", simulator.cleartext_port)
            assert stack.enter_context(client).push(valid_push(simulator)).status == 200
        assert [each["notifications"] for each in workers(simulator)] == [1] * WORKERS


def test_a_fault_at_the_door_is_played_as_often_as_it_is_to_be_over_all_workers(simulator: PushSimulator) -> None:
    call(simulator, "POST", "/api/v1/faults", {"fault": "handshake", "options": {"manner": "reset", "times_max": 3}})
    failed = 0
    for _ in range(3 + WORKERS):
        try:
            with H2Client.connect(simulator) as client:
                assert client.push(valid_push(simulator)).status == 200
        except OSError:
            failed += 1
    assert failed == 3


def test_a_port_that_a_fault_closes_resets_what_is_open_in_every_worker(simulator: PushSimulator) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(H2Client.connect(simulator)) for _ in range(2 * WORKERS)]
        for client in clients:
            client.push(valid_push(simulator))
        call(simulator, "POST", "/api/v1/faults", {"fault": "refuse-connections"})
        for client in clients:
            with pytest.raises((OSError, ConnectionEndedError)):
                client.receive()
        with pytest.raises(ConnectionRefusedError):
            H2Client.connect(simulator)
        call(simulator, "DELETE", "/api/v1/faults")
        with H2Client.connect(simulator) as client:
            assert client.push(valid_push(simulator)).status == 200


def test_the_ledger_outlives_a_worker_that_is_killed_and_its_place_is_taken(simulator: PushSimulator) -> None:
    tokens = [each.token for each in simulator.devices(2 * WORKERS)]
    with ExitStack() as stack:
        clients = [stack.enter_context(H2Client.connect(simulator)) for _ in range(WORKERS)]
        for client, token in zip(clients, tokens, strict=False):
            assert client.push(valid_push(simulator, **{":path": f"/3/device/{token}"})).status == 200
        killed = workers(simulator)[0]
        os.kill(killed["pid"], signal.SIGKILL)
        ended = 0
        for client in clients:
            try:
                client.ping()
            except (OSError, ConnectionEndedError):
                ended += 1
        assert ended == 1
    for token in tokens[WORKERS:]:
        with H2Client.connect(simulator) as client:
            assert client.push(valid_push(simulator, **{":path": f"/3/device/{token}"})).status == 200
    view = call(simulator, "GET", "/api/v1/ledger")["populations"][0]
    assert (view["accepted_once"], view["accepted_more"]) == (2 * WORKERS, 0)
    replaced = workers(simulator)[0]
    assert replaced["pid"] != killed["pid"]
    assert replaced["restarts"] == killed["restarts"] + 1


def test_a_worker_that_is_told_to_end_says_goodbye(simulator: PushSimulator) -> None:
    with H2Client.connect(simulator) as client:
        client.push(valid_push(simulator))
        (mine,) = [each for each in workers(simulator) if each["connections_open"]]
        os.kill(mine["pid"], signal.SIGTERM)
        with pytest.raises(ConnectionEndedError) as ended:
            while True:
                client.receive()
    assert ended.value.goaway is not None
    with H2Client.connect(simulator) as client:
        assert client.push(valid_push(simulator)).status == 200


class Served:
    """`pushrig serve` on its own. `stderr` stays open as long as any of its processes lives.

    `before`: what the command line begins with.
    """

    def __init__(
        self, state_dir: Path, *arguments: str, stdin: int = subprocess.PIPE, before: Sequence[str] = ()
    ) -> None:
        command = [
            *before,
            sys.executable,
            "-P",
            "-m",
            "pushrig",
            "serve",
            "--state-dir",
            str(state_dir),
            "--workers",
            "2",
        ]
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--control-port", "0", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def begun(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def end(self) -> tuple[int, str]:
        """Exit code and what it said on stderr, once all processes have ended."""
        _, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, err


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers") / "state"


def pids_of(line: dict[str, Any]) -> list[int]:
    return [each["pid"] for each in call_port(line["control_port"], "GET", "/api/v1/stats")["workers"]]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_no_worker_outlives_the_front(state_dir: Path, number: signal.Signals, code: int) -> None:
    served = Served(state_dir)
    assert len(set(pids_of(served.begun()))) == WORKERS
    served.process.send_signal(number)
    assert served.end() == (code, "")  # which takes the end of all who could write to stderr


def test_a_worker_begins_with_all_modules_that_it_needs(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    served = Served(state_dir)
    pids_of(served.begun())
    served.process.terminate()
    _, err = served.end()
    imported = [line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")]
    ours = [name for name in imported if name.startswith(("simulator.", "wire."))]
    assert "simulator.workers.worker" in ours
    assert sorted(set(ours)) == sorted(ours)  # each once: in the front, before it forked


def test_it_serves_with_standard_error_closed(state_dir: Path) -> None:
    served = Served(state_dir, before=("sh", "-c", 'exec "$@" 2>&-', "sh"))
    assert len(pids_of(served.begun())) == WORKERS
    served.process.terminate()
    assert served.end() == (0, "")


@pytest.mark.parametrize("closed_at_once", [False, True])
def test_it_stops_with_its_standard_input(state_dir: Path, closed_at_once: bool) -> None:
    served = Served(
        state_dir, "--stop-with-stdin", "on", stdin=subprocess.DEVNULL if closed_at_once else subprocess.PIPE
    )
    if not closed_at_once:
        assert len(pids_of(served.begun())) == WORKERS
        assert served.process.stdin is not None
        served.process.stdin.write("what it reads is nothing to it\n")
        served.process.stdin.close()
        served.process.stdin = None
    assert served.end() == (0, "")


def test_every_worker_writes_a_frame_log_of_its_own(
    push_simulator_factory: PushSimulatorFactory, tmp_path: Path
) -> None:
    simulator = push_simulator_factory("--workers", "2", "--frame-log", str(tmp_path / "frames.txt"))
    with H2Client.connect(simulator) as one, H2Client.connect(simulator) as other:
        for client in (one, other):
            assert client.push(valid_push(simulator)).status == 200
        simulator.stop()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["frames.txt-1", "frames.txt-2"]
    for connection, name in ((1, "frames.txt-1"), (2, "frames.txt-2")):
        written = (tmp_path / name).read_text()
        assert written.startswith(FIRST_LINE)
        assert f" {connection}  -  opened" in written
        assert "GOAWAY" in written.splitlines()[-1]


def test_a_file_that_is_no_frame_log_stops_the_start(state_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis-2").write_text("my thesis")
    served = Served(state_dir, "--frame-log", str(tmp_path / "thesis"))
    code, err = served.end()
    assert code == 2
    assert "thesis-2" in err
    assert "Traceback" not in err
