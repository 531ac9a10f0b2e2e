"""`pushrig send` as its user meets it: a real simulator, a real store, killed and resumed, and every option spoiled."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.control_client import ControlClient
from loadtest.population import rows
from loadtest.rig_process import RigProcess, RunningRig
from sender.run import UNCOMMITTED_MAX
from sender.store.device_store import DeviceStore
from simulator.devices.token_space import Environment, Fate, Population, parse_fates

DEVICES = 20_000
PAYLOAD = '{"aps":{"alert":"Hello {{name|friend}}"}}'


@pytest.fixture(scope="module")
def rig() -> Iterator[RunningRig]:
    with RigProcess() as process:
        yield process.running


@pytest.fixture(scope="module")
def population() -> Population:
    fates = parse_fates(["unregistered=0.02", "wrong-topic=0.01"])
    return Population(4711, DEVICES, "com.example.app", Environment.PRODUCTION, fates)


@pytest.fixture
def folder(tmp_path: Path, population: Population) -> Path:
    with DeviceStore.open(tmp_path / "devices.db", create=True) as store:
        store.import_rows(rows(population))
    (tmp_path / "sale.json").write_text(PAYLOAD)
    return tmp_path


def command(rig: RunningRig, folder: Path, *more: str) -> list[str]:
    options = {
        "--store": str(folder / "devices.db"),
        "--payload": str(folder / "sale.json"),
        "--topic": "com.example.app",
        "--endpoint": rig.url,
        "--key-file": rig.key_file,
        "--key-id": rig.key_id,
        "--team-id": rig.team_id,
        "--ca-file": rig.ca_file,
    }
    given = dict(zip(more[::2], more[1::2], strict=False)) if len(more) % 2 == 0 else {}
    flags = [] if len(more) % 2 == 0 else list(more)
    merged = {**options, **given}
    return [sys.executable, "-P", "-m", "pushrig", "send", *(part for item in merged.items() for part in item), *flags]


def run(rig: RunningRig, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(rig, folder, *more), "--json"], capture_output=True, text=True, timeout=60, check=False
    )


def wait_for_notifications(rig: RunningRig, count: int) -> None:
    """Wait, without polling, until so many have reached the simulator since its last reset."""
    connection = http.client.HTTPConnection("localhost", rig.control_port, timeout=40)
    connection.request("GET", f"/api/v1/notifications?count={count}&wait_s=30&limit=1")
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()


def test_a_campaign_reaches_every_active_device_once_and_prunes_the_dead(
    rig: RunningRig, folder: Path, population: Population
) -> None:
    control = ControlClient(rig.control_url)
    control.reset()
    control.declare(population.seed, population.count)
    done = run(rig, folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    fates = population.fate_counts()
    active = fates[Fate.ACTIVE]
    (ledger,) = control.ledger(seed=population.seed).populations
    assert (ledger.accepted_once, ledger.accepted_more, ledger.never) == (active, 0, 0)
    assert ledger.rejected == population.count - active
    assert report["accepted"] == active
    assert report["rejected"] == {
        "Unregistered": fates[Fate.UNREGISTERED],
        "DeviceTokenNotForTopic": fates[Fate.WRONG_TOPIC],
    }
    assert report["invalidated"] == population.count - active
    again = run(rig, folder)
    assert again.returncode == 2 and "--campaign" in again.stderr, "a finished campaign is not sent a second time"
    second = run(rig, folder, "--campaign", "second")
    assert json.loads(second.stdout)["rejected"] == {} and json.loads(second.stdout)["sent"] == active


def test_kill_9_at_any_moment_loses_nothing_and_repeats_at_most_what_was_in_flight(
    rig: RunningRig, folder: Path, population: Population
) -> None:
    control = ControlClient(rig.control_url)
    control.reset()
    control.declare(population.seed, population.count)
    seen = 0
    for part in (2_000, 3_000, 2_000):
        seen += part
        # Slow enough that it is killed with work in hand.
        killed = subprocess.Popen(
            command(rig, folder, "--rate", "10000"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_notifications(rig, seen)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        seen = control.stats().counters.notifications
    done = run(rig, folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    active = population.fate_counts()[Fate.ACTIVE]
    (ledger,) = control.ledger(seed=population.seed).populations
    assert ledger.accepted_once + ledger.accepted_more == active and ledger.never == 0
    assert ledger.accepted_more <= 3 * UNCOMMITTED_MAX
    assert report["run"] == 4 and 0 < report["uncertain"] <= UNCOMMITTED_MAX
    assert report["finished"]
    assert report["all_runs"] == {"accepted": active, "rejected": population.count - active, "given_up": 0}


def test_repeats_after_a_kill_carry_the_same_apns_id(rig: RunningRig, folder: Path, population: Population) -> None:
    control = ControlClient(rig.control_url)
    control.reset()
    killed = subprocess.Popen(command(rig, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_notifications(rig, 500)
    killed.kill()
    killed.wait()
    assert run(rig, folder).returncode == 0
    connection = http.client.HTTPConnection("localhost", rig.control_port, timeout=40)
    connection.request("GET", "/api/v1/notifications?limit=1000")
    items = json.loads(connection.getresponse().read())["items"]
    by_token: dict[str, set[str]] = {}
    for item in items:
        by_token.setdefault(item["token"], set()).add(item["apns_id"])
    assert items and all(len(ids) == 1 for ids in by_token.values())


def test_a_segment_reaches_its_devices_only(rig: RunningRig, folder: Path) -> None:
    control = ControlClient(rig.control_url)
    control.reset()
    done = run(rig, folder, "--segment", 'country = "DE" and name != "nobody"')
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["sent"] < DEVICES / 4


def test_ctrl_c_ends_in_good_order_and_the_rest_stays_due(
    rig: RunningRig, folder: Path, population: Population
) -> None:
    control = ControlClient(rig.control_url)
    control.reset()
    control.declare(population.seed, population.count)
    stopped = subprocess.Popen(
        [*command(rig, folder, "--rate", "4000"), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_notifications(rig, 1_000)
    stopped.send_signal(signal.SIGINT)
    output, complaints = stopped.communicate(timeout=30)
    report = json.loads(output)
    assert stopped.returncode == 130 and "stay due" in complaints
    assert report["stopped"] == "interrupted" and report["remaining"] > 0
    done = run(rig, folder)
    assert json.loads(done.stdout)["uncertain"] == 0
    (ledger,) = control.ledger(seed=population.seed).populations
    assert ledger.accepted_once == population.fate_counts()[Fate.ACTIVE] and ledger.accepted_more == 0


SPOILED = [
    ("--store", "none.db", "no device store"),
    ("--payload", "none.json", "No such file"),
    ("--topic", "com.example\napp", "no value of a header field"),
    ("--endpoint", "localhost", "https://HOST"),
    ("--endpoint", "https://localhost:1/3/device", "host and port alone"),
    ("--key-file", "none.p8", "No such file"),
    ("--key-id", "SHORT", "10 letters and digits"),
    ("--team-id", "", "10 letters and digits"),
    ("--ca-file", "none.pem", "cannot be used"),
    ("--segment", "country =", "segment"),
    ("--push-type", " ", "push type"),
    ("--collapse-id", "ü", "collapse id"),
    ("--connections", "0", "1 to 64"),
    ("--connections", "many", "--connections"),
    ("--rate", "-1", "--rate"),
    ("--rate", "inf", "--rate"),
    ("--rate", "nan", "--rate"),
    ("--attempts", "0", "--attempts"),
    ("--retry-base-s", "0", "--retry-base-s"),
    ("--answer-timeout-s", "0", "--answer-timeout-s"),
    ("--stall-timeout-s", "never", "--stall-timeout-s"),
    ("--expiration", "soon", "--expiration"),
    ("--priority", "high", "--priority"),
    ("--campaign", "", "campaign"),
]


@pytest.mark.parametrize(("option", "value", "told"), SPOILED)
def test_each_option_spoiled_is_named_with_exit_code_2(
    rig: RunningRig, folder: Path, option: str, value: str, told: str
) -> None:
    before = (folder / "devices.db").read_bytes()
    done = run(rig, folder, option, value)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == "" and (folder / "devices.db").read_bytes() == before


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("", "empty"),
        ("[1]", "object"),
        ('{"a": }', "line 1"),
        ('{"a":"{{x"}', "not closed"),
        ('{"a":"' + "x" * 4096 + '"}', "4,096"),
    ],
    ids=["empty", "list", "syntax", "placeholder", "too-large"],
)
def test_a_payload_that_will_not_do_is_named_and_nothing_is_begun(
    rig: RunningRig, folder: Path, payload: str, told: str
) -> None:
    before = (folder / "devices.db").read_bytes()
    (folder / "sale.json").write_text(payload)
    done = run(rig, folder)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
    assert (folder / "devices.db").read_bytes() == before


def test_a_certificate_nobody_signed_ends_the_campaign_at_once(rig: RunningRig, folder: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    arguments = command(rig, folder)
    at = arguments.index("--ca-file")
    del arguments[at : at + 2]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 4 and "not trusted" in done.stderr
