"""Two simulators on one state directory behind the TCP balancer of deploy/, a load over it, and one account of both."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.control_client import ControlClient
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60.0
HAPROXY = shutil.which("haproxy", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin")))


@pytest.fixture
def simulators(tmp_path: Path) -> Iterator[list[RigProcess]]:
    with (
        RigProcess(WITHOUT_LIMITS, state_dir=tmp_path / "state") as one,
        RigProcess(WITHOUT_LIMITS, state_dir=tmp_path / "state") as other,
    ):
        yield [one, other]


@contextlib.contextmanager
def balancer(simulators: list[RigProcess]) -> Iterator[int]:
    """HAProxy with the file of deploy/, on a free port."""
    if HAPROXY is None:
        pytest.skip("needs haproxy: apt install haproxy")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    addresses = {f"SIMULATOR_{number}": f"127.0.0.1:{each.running.port}" for number, each in enumerate(simulators, 1)}
    process = subprocess.Popen(
        [HAPROXY, "-db", "-f", str(ROOT / "deploy" / "haproxy.cfg")],
        env=os.environ | addresses | {"BALANCER": f"127.0.0.1:{port}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline_s, "the balancer does not come up"
        yield port
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def test_a_load_over_a_balancer_is_accounted_for_by_all_simulators_together(simulators: list[RigProcess]) -> None:
    one, other = simulators
    planes = [ControlClient(each.running.control_url) for each in simulators]
    environment = os.environ | {
        "APNS_KEY_FILE": one.running.key_file,
        "APNS_KEY_ID": one.running.key_id,
        "APNS_TEAM_ID": one.running.team_id,
        "GOOGLE_APPLICATION_CREDENTIALS": other.running.service_account_file,
        "SSL_CERT_FILE": one.running.ca_file,
    }
    with balancer(simulators) as port:
        before = [plane.stats().counters.connections_total for plane in planes]
        done = subprocess.run(
            [
                sys.executable, "-P", "-m", "pushrig", "load", "--endpoint", f"https://localhost:{port}", "--profile", "max",
                "--control-url", one.running.control_url, "--control-url", other.running.control_url,
                "--processes", "2", "--users", "4", "--provider", "both", "--devices", "6000", "--seed", "301",
                "--fate", "unregistered=0.05", "--json",
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
        connections = [
            plane.stats().counters.connections_total - each for plane, each in zip(planes, before, strict=True)
        ]
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rejected = sum(report["rejected"].values())
    assert report["ledger"] == {
        "accepted_once": 6_000 - rejected,
        "accepted_more": 0,
        "rejected": rejected,
        "never": 0,
    }
    assert (report["accepted"], report["locust_requests"]) == (6_000 - rejected, 6_000)
    # That of the master and of both workers.
    assert report["peak_rss_mb"]["load_generator"] > 130
    # Each of them has a part, and none knows the whole.
    answered = [plane.ledger(301).populations[0].accepted_once for plane in planes]
    assert sum(answered) == 6_000 - rejected and min(answered) > 500, answered
    assert max(connections) - min(connections) <= 4, connections
