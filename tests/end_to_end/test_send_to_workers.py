"""The reference sender against a simulator with two workers: every device is accounted for, whatever becomes of a worker."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from loadtest.control_client import ControlClient
from loadtest.population import rows
from loadtest.rig_process import RigProcess, RunningRig
from sender.run import UNCOMMITTED_MAX
from sender.store.device_store import DeviceStore
from simulator.devices.token_space import Environment, Fate, Population, parse_fates
from tests.end_to_end.test_send_command import command, run, wait_for_notifications

DEVICES = 20_000
WORKERS = 2
TIMEOUT_S = 40


@pytest.fixture(scope="module")
def rig() -> Iterator[RunningRig]:
    with RigProcess(["--workers", str(WORKERS)]) as process:
        yield process.running


@pytest.fixture(scope="module")
def population() -> Population:
    return Population(4712, DEVICES, "com.example.app", Environment.PRODUCTION, parse_fates(["unregistered=0.02"]))


@pytest.fixture
def folder(tmp_path: Path, population: Population) -> Path:
    with DeviceStore.open(tmp_path / "devices.db", create=True) as store:
        store.import_rows(rows(population))
    (tmp_path / "sale.json").write_text('{"aps":{"alert":"Hello {{name|friend}}"}}')
    return tmp_path


@pytest.fixture
def control(rig: RunningRig, population: Population) -> ControlClient:
    client = ControlClient(rig.control_url)
    client.reset()
    client.declare(population.seed, population.count)
    return client


def _get(rig: RunningRig, path: str) -> bytes:
    connection = HTTPConnection("localhost", rig.control_port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _stats(rig: RunningRig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_get(rig, "/api/v1/stats"))
    return found


def test_both_workers_take_part_and_every_device_is_reached_once(
    rig: RunningRig, folder: Path, population: Population, control: ControlClient
) -> None:
    done = run(rig, folder)
    assert done.returncode == 0, done.stderr
    active = population.fate_counts()[Fate.ACTIVE]
    (ledger,) = control.ledger(seed=population.seed).populations
    assert (ledger.accepted_once, ledger.accepted_more, ledger.never) == (active, 0, 0)
    assert ledger.rejected == DEVICES - active
    stats = _stats(rig)
    assert stats["counters"]["notifications"] == stats["journal"]["total"] == DEVICES
    assert (stats["counters"]["accepted"], stats["counters"]["rejected"]) == (active, DEVICES - active)
    assert stats["journal"]["held"] == stats["journal"]["capacity"] == 10_000
    taken = [each["notifications"] for each in stats["workers"]]
    assert sum(taken) == DEVICES
    assert min(taken) > DEVICES / 20  # each has two of the four connections; who answers sooner is given more
    metrics = _get(rig, "/metrics").decode()
    assert f"pushrig_notifications_total {float(DEVICES)}\n" in metrics
    assert f'pushrig_worker_notifications_total{{worker="1"}} {float(taken[0])}\n' in metrics


def test_a_worker_killed_in_mid_campaign_costs_no_device(
    rig: RunningRig, folder: Path, population: Population, control: ControlClient
) -> None:
    sending = subprocess.Popen(
        [*command(rig, folder, "--rate", "10000"), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_notifications(rig, DEVICES // 4)
    killed = _stats(rig)["workers"][0]
    os.kill(killed["pid"], signal.SIGKILL)
    output, complaints = sending.communicate(timeout=TIMEOUT_S)
    assert sending.returncode == 0, complaints
    report = json.loads(output)
    active = population.fate_counts()[Fate.ACTIVE]
    (ledger,) = control.ledger(seed=population.seed).populations
    assert report["accepted"] == active
    assert (ledger.accepted_once + ledger.accepted_more, ledger.never) == (active, 0)
    assert ledger.accepted_more <= UNCOMMITTED_MAX  # their answers were under way to a connection that was reset
    replaced = _stats(rig)["workers"][0]
    assert (replaced["restarts"], replaced["pid"] != killed["pid"]) == (killed["restarts"] + 1, True)
