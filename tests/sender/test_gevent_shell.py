"""The shells over real sockets: what gevent's does, and that both keep the same promises when connections fail."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from loadtest.control_client import ControlClient
from loadtest.rig_process import RigProcess
from simulator.devices.fates import Provider
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Fate, Population, parse_fates
from tests.sender.faulty_provider import Faults, serving
from tests.sender.shell_program import Result, Task

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
BOTH_SHELLS = pytest.mark.parametrize("shell", ["gevent", "asyncio"])
FATES = ["unregistered=0.05", "wrong-topic=0.02"]


def run(task: Task) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sender.shell_program", msgspec.json.encode(task).decode()],
        cwd=ROOT,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Result)


@pytest.fixture(scope="module")
def rig() -> Iterator[RigProcess]:
    with RigProcess() as started:
        yield started


def task_for(rig: RigProcess, **changed: object) -> Task:
    """The valid task against a real simulator; `changed` spoils it."""
    running = rig.running
    valid = Task(
        shell="gevent",
        url=running.url,
        devices=3_000,
        fates=FATES,
        ca_file=running.ca_file,
        key_file=running.key_file,
        key_id=running.key_id,
        team_id=running.team_id,
    )
    return msgspec.structs.replace(valid, **changed)


@pytest.mark.parametrize("patched", [False, True], ids=["plain", "monkey-patched"])
def test_every_device_gets_its_answer_over_tls(rig: RigProcess, patched: bool) -> None:
    control = ControlClient(rig.running.control_url)
    control.reset()
    control.declare(7, 3_000)
    result = run(task_for(rig, patched=patched))
    fates = Population(7, 3_000, "com.example.app", fates=parse_fates(FATES)).fate_counts()
    assert result.accepted == fates[Fate.ACTIVE]
    assert result.rejected == {
        "Unregistered": fates[Fate.UNREGISTERED],
        "DeviceTokenNotForTopic": fates[Fate.WRONG_TOPIC],
    }
    [ledger] = control.ledger(7).populations
    assert (ledger.accepted_once, ledger.accepted_more, ledger.never) == (result.accepted, 0, 0)


@pytest.mark.parametrize(("shell", "patched"), [("asyncio", False), ("gevent", False), ("gevent", True)])
def test_every_registration_gets_its_answer_with_one_access_token(rig: RigProcess, shell: str, patched: bool) -> None:
    control = ControlClient(rig.running.control_url)
    control.reset()
    control.declare(7, 3_000)
    fates = ["unregistered=0.05", "other-sender=0.02"]
    account = rig.running.service_account_file
    result = run(task_for(rig, shell=shell, patched=patched, fates=fates, service_account=account))
    counts = RegistrationPopulation(7, 3_000, "com.example.app", parse_fates(fates, [Provider.FCM])).fate_counts()
    assert (result.error, result.stopped) == (None, None)
    assert result.accepted == counts[Fate.ACTIVE]
    assert result.rejected == {
        "UNREGISTERED": counts[Fate.UNREGISTERED],
        "SENDER_ID_MISMATCH": counts[Fate.OTHER_SENDER],
    }
    [ledger] = control.ledger(7).populations
    assert (ledger.accepted_once, ledger.accepted_more, ledger.never) == (result.accepted, 0, 0)
    assert control.stats().counters.google_calls == {"token": 1}


@pytest.mark.parametrize("shell", ["asyncio", "gevent"])
def test_a_service_account_that_nobody_knows_stops_the_run_with_what_was_said(
    rig: RigProcess, shell: str, tmp_path: Path
) -> None:
    account = json.loads(Path(rig.running.service_account_file).read_bytes())
    (tmp_path / "other.json").write_text(json.dumps(account | {"client_email": "nobody@shop.test"}))
    result = run(task_for(rig, shell=shell, fates=[], service_account=str(tmp_path / "other.json")))
    assert (result.accepted, result.sent) == (0, 0) and result.unsent
    assert result.stopped is not None and "Invalid grant: account not found" in result.stopped


@BOTH_SHELLS
def test_connections_are_opened_when_work_comes_and_not_at_the_next_tick(rig: RigProcess, shell: str) -> None:
    result = run(task_for(rig, shell=shell, fates=[], tick_s=24 * 3600.0))
    assert result.accepted == 3_000


def test_connections_can_be_opened_and_awaited_before_there_is_work(rig: RigProcess) -> None:
    control = ControlClient(rig.running.control_url)
    control.reset()
    # Nothing is to be sent: what is connected was connected ahead.
    assert run(task_for(rig, ranges=0, fates=[], connections=3, ahead_s=TIMEOUT_S)).connected_ahead is True
    assert control.stats().counters.connections_total == 3
    sent = run(task_for(rig, fates=[], connections=2, ahead_s=TIMEOUT_S))
    assert (sent.accepted, control.stats().counters.connections_total) == (3_000, 5)


@pytest.mark.parametrize(
    "spoilt", [{"ca_file": None}, {"url": "https://localhost:1"}], ids=["untrusted", "nobody there"]
)
def test_awaiting_connections_that_never_come_has_an_end(rig: RigProcess, spoilt: dict[str, object]) -> None:
    result = run(task_for(rig, ranges=0, ahead_s=0.2, **spoilt))
    assert (result.connected_ahead, result.sent) == (False, 0)


def test_several_runs_keep_the_connections(rig: RigProcess) -> None:
    control = ControlClient(rig.running.control_url)
    control.reset()
    result = run(task_for(rig, ranges=3, fates=[], connections=1))
    assert result.accepted == 9_000
    assert control.stats().counters.connections_total == 1


def test_an_untrusted_certificate_ends_the_run_at_once(rig: RigProcess) -> None:
    result = run(task_for(rig, ca_file=None, stall_timeout_s=1_000))
    assert result.stopped is not None
    assert "is not trusted" in result.stopped
    assert (result.sent, result.accepted) == (0, 0)


@BOTH_SHELLS
def test_what_a_goaway_disowns_is_sent_again_and_nothing_twice(shell: str) -> None:
    with serving(Faults(goaway_after=100)) as provider:
        result = run(Task(shell=shell, url=provider.url, devices=1_000))
    assert result.accepted == 1_000
    assert set(provider.seen.values()) == {1}, "a GOAWAY says exactly what was not processed"
    assert len(provider.seen) == 1_000
    assert provider.connections >= 10


@BOTH_SHELLS
def test_nothing_is_lost_when_sockets_close_with_requests_in_flight(shell: str) -> None:
    with serving(Faults(cut_after=200)) as provider:
        result = run(Task(shell=shell, url=provider.url, devices=2_000))
    assert (result.accepted, result.unsent, result.given_up) == (2_000, 0, {})
    assert len(provider.answered) == 2_000
    assert result.retried > 0


def test_a_full_socket_holds_back_writing_but_not_the_run() -> None:
    with serving(Faults(deaf_s=0.3)) as provider:
        result = run(Task(shell="gevent", url=provider.url, devices=6_000, payload_bytes=4_000, connections=1))
    assert result.accepted == 6_000
    assert result.waits_to_write > 0, "the test fills no socket: make payloads larger"


@BOTH_SHELLS
def test_a_server_without_settings_is_given_up(shell: str) -> None:
    with serving(Faults(silent=True)) as provider:
        result = run(Task(shell=shell, url=provider.url, devices=10, settings_timeout_s=0.2, stall_timeout_s=1.0))
        assert provider.connections > 2, "it reconnects meanwhile"
    assert result.stopped is not None
    assert "no SETTINGS from the server" in result.stopped
    assert result.unsent == 10


@BOTH_SHELLS
def test_nobody_listening_ends_the_run_after_the_stall_timeout(shell: str) -> None:
    with serving(Faults()) as provider:
        url = provider.url
    result = run(Task(shell=shell, url=url, devices=10, stall_timeout_s=0.5))
    assert result.stopped is not None
    assert "no answer from" in result.stopped
    assert "the last error was" in result.stopped


@BOTH_SHELLS
def test_an_error_of_the_source_reaches_the_caller(shell: str) -> None:
    with serving(Faults()) as provider:
        result = run(Task(shell=shell, url=provider.url, devices=2_000, source_fails=True))
    assert result.error == "the source is broken"
