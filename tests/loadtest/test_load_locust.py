"""The stock `locust` command with our users: its own statistics hold every notification, and the ledger agrees."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.control_client import ControlClient, PopulationLedger
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120
FATES = ("--fate", "unregistered=0.05", "--fate", "wrong-topic=0.01")


@pytest.fixture(scope="module")
def rig() -> Iterator[RigProcess]:
    with RigProcess(WITHOUT_LIMITS) as started:
        yield started


@pytest.fixture(scope="module")
def control(rig: RigProcess) -> ControlClient:
    return ControlClient(rig.running.control_url)


def environment(rig: RigProcess) -> dict[str, str]:
    running = rig.running
    return os.environ | {
        "PUSHRIG_URL": running.url,
        "APNS_KEY_FILE": running.key_file,
        "APNS_KEY_ID": running.key_id,
        "APNS_TEAM_ID": running.team_id,
        "GOOGLE_APPLICATION_CREDENTIALS": running.service_account_file,
        "SSL_CERT_FILE": running.ca_file,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", "locustfile.py", *arguments]


def locust(rig: RigProcess, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("--headless", "--only-summary", *arguments),
        cwd=ROOT,
        env=environment(rig) | changed,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def ledger(control: ControlClient, seed: int) -> PopulationLedger:
    [population] = control.ledger(seed).populations
    return population


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as lines:
        return {row["Name"]: row for row in csv.DictReader(lines)}


def test_its_tables_csv_and_html_count_every_notification(
    rig: RigProcess, control: ControlClient, tmp_path: Path
) -> None:
    control.declare(101, 20_000)
    prefix, html = tmp_path / "run", tmp_path / "run.html"
    done = locust(
        rig, "--users", "4", "--spawn-rate", "4", "--devices", "20000", "--seed", "101", *FATES,
        "--csv", str(prefix), "--html", str(html),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = ledger(control, 101)
    assert (found.accepted_once + found.rejected, found.accepted_more, found.never) == (20_000, 0, 0)
    statistics = rows(Path(f"{prefix}_stats.csv"))
    assert int(statistics["notification"]["Request Count"]) == 20_000
    assert int(statistics["notification"]["Failure Count"]) == found.rejected
    assert int(statistics["Aggregated"]["Request Count"]) == 20_000
    assert int(statistics["batch"]["Request Count"]) == 20
    assert int(statistics["notification"]["99%"]) >= int(statistics["notification"]["50%"]) > 0
    with Path(f"{prefix}_failures.csv").open(newline="") as lines:
        failures = {row["Error"]: int(row["Occurrences"]) for row in csv.DictReader(lines)}
    assert failures == found.answers_by_reason
    assert '"num_requests": 20000' in html.read_text()
    assert "Unregistered" in done.stderr + done.stdout


@pytest.mark.parametrize("provider", ["fcm", "both"])
def test_registrations_of_fcm_are_counted_like_tokens_of_apns(
    rig: RigProcess, control: ControlClient, tmp_path: Path, provider: str
) -> None:
    seed = {"fcm": 111, "both": 112}[provider]
    control.declare(seed, 10_000)
    prefix = tmp_path / "run"
    done = locust(
        rig, "--provider", provider, "--users", "3", "--spawn-rate", "3", "--devices", "10000", "--seed", str(seed),
        "--ios", "0.2", "--fate", "unregistered=0.05", "--fate", "other-sender=0.02", "--csv", str(prefix),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = ledger(control, seed)
    assert (found.accepted_once + found.rejected, found.accepted_more, found.never) == (10_000, 0, 0)
    with Path(f"{prefix}_stats.csv").open(newline="") as lines:
        counts = {(row["Type"], row["Name"]): int(row["Request Count"]) for row in csv.DictReader(lines)}
    assert counts["", "Aggregated"] == 10_000
    by_provider = {method: count for (method, name), count in counts.items() if name == "notification"}
    assert set(by_provider) == ({"FCM"} if provider == "fcm" else {"APNS", "FCM"})
    assert sum(by_provider.values()) == 10_000
    assert set(found.answers_by_reason) >= {"UNREGISTERED", "SENDER_ID_MISMATCH"}


def test_workers_share_a_mixture_of_both_providers(rig: RigProcess, control: ControlClient) -> None:
    control.declare(113, 6_000)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = locust(
        rig, "--processes", "2", "--master-bind-port", port, "--master-port", port, "--users", "2",
        "--spawn-rate", "2", "--provider", "both", "--devices", "6000", "--seed", "113",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = ledger(control, 113)
    assert (found.accepted_once, found.accepted_more, found.never) == (6_000, 0, 0)


def test_rejections_that_no_fate_explains_make_the_exit_code_1(rig: RigProcess) -> None:
    # Tokens of the sandbox, sent to the production environment.
    done = locust(rig, "--devices", "1000", "--seed", "102", "--apns-environment", "sandbox")
    assert done.returncode == 1
    assert "1,000 rejections with BadDeviceToken, which no fate of the population explains" in done.stderr


def test_a_provider_that_refuses_the_credential_stops_the_test(rig: RigProcess, control: ControlClient) -> None:
    done = locust(rig, "--devices", "50000", "--seed", "103", APNS_KEY_ID="ABCDEFGHIJ")
    assert done.returncode == 1
    assert "InvalidProviderToken" in done.stderr
    assert "Stopped early" in done.stderr


@pytest.mark.parametrize("how", [("--notifications-rate", "1000"), ("--load-profile", "steady:rate=1k")])
def test_the_rate_is_kept_by_all_users_together(rig: RigProcess, tmp_path: Path, how: tuple[str, str]) -> None:
    result = tmp_path / "result.json"
    done = locust(
        rig, "--users", "3", "--spawn-rate", "3", "--devices", "2000", "--seed", "104", "--batch-size", "100",
        *how, "--result-file", str(result),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tally = json.loads(result.read_bytes())["tally"]
    # Never faster; how much slower depends on the machine.
    assert tally["ended_at_s"] - tally["started_at_s"] > 1.99


def test_an_open_loop_over_both_providers_counts_from_the_schedule(
    rig: RigProcess, control: ControlClient, tmp_path: Path
) -> None:
    control.declare(120, 6_000)
    prefix, result = tmp_path / "run", tmp_path / "result.json"
    done = locust(
        rig, "--provider", "both", "--users", "3", "--spawn-rate", "3", "--devices", "6000", "--seed", "120",
        "--load-profile", "ramp:from=1k,to=5k,over=1s then steady:rate=5k", "--arrivals", "poisson", *FATES[:2],
        "--csv", str(prefix), "--result-file", str(result), "--batches-file", str(tmp_path / "batches.csv"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (tmp_path / "batches.csv").open(newline="") as lines:
        batches = list(csv.DictReader(lines))
    assert sorted(int(batch["first_index"]) for batch in batches) == list(range(0, 6_000, 25))
    for batch in batches:
        assert float(batch["scheduled_s"]) <= float(batch["sent_s"]) <= float(batch["answered_s"]) + 0.001
        assert (batch["devices"], batch["without_answer"]) == ("25", "0")
    found = ledger(control, 120)
    assert (found.accepted_once + found.rejected, found.accepted_more, found.never) == (6_000, 0, 0)
    recording = json.loads(result.read_bytes())["recording"]
    assert recording["scheduled"] == 6_000
    assert {
        since: sum(sum(counts.values()) for name, counts in recording["latency_ms"].items() if name.startswith(since))
        for since in ("scheduled", "sent", "batch")
    } == {"scheduled": 6_000, "sent": 6_000, "batch": 240}
    with Path(f"{prefix}_stats.csv").open(newline="") as lines:
        counts = {(row["Type"], row["Name"]): int(row["Request Count"]) for row in csv.DictReader(lines)}
    assert (counts["", "Aggregated"], counts["APNS+FCM", "batch"]) == (6_000, 240)
    assert sum(sum(each["rejected"].values()) for each in recording["intervals"].values()) == found.rejected
    assert sum(each["scheduled"] for each in recording["intervals"].values()) == 6_000


def test_workers_share_the_schedule(rig: RigProcess, control: ControlClient, tmp_path: Path) -> None:
    control.declare(121, 4_000)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    result = tmp_path / "result.json"
    done = locust(
        rig, "--processes", "2", "--master-bind-port", port, "--master-port", port, "--users", "2",
        "--spawn-rate", "2", "--devices", "4000", "--seed", "121", "--load-profile", "steady:rate=4k",
        "--result-file", str(result), "--batches-file", str(tmp_path / "batches.csv"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [len((tmp_path / name).read_text().splitlines()) for name in ("batches.csv", "batches-1.csv")]
    assert lines == [101, 101]
    found = ledger(control, 121)
    assert (found.accepted_once, found.accepted_more, found.never) == (4_000, 0, 0)
    outcome = json.loads(result.read_bytes())
    assert outcome["recording"]["scheduled"] == 4_000
    assert sum(outcome["recording"]["latency_ms"]["scheduled apns"].values()) == 4_000
    assert outcome["tally"]["ended_at_s"] - outcome["tally"]["started_at_s"] > 0.99


def test_an_open_loop_ends_when_a_provider_stops_it(rig: RigProcess) -> None:
    done = locust(
        rig, "--devices", "50000", "--seed", "122", "--load-profile", "steady:rate=1k", "--provider", "both",
        "--users", "2", "--spawn-rate", "2", APNS_KEY_ID="ABCDEFGHIJ",
    )  # fmt: skip
    assert done.returncode == 1
    assert "Stopped early" in done.stderr and "InvalidProviderToken" in done.stderr


def test_three_workers_send_every_device_its_notification_once(
    rig: RigProcess, control: ControlClient, tmp_path: Path
) -> None:
    control.declare(105, 20_000)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    result = tmp_path / "result.json"
    done = locust(
        rig, "--processes", "3", "--master-bind-port", port, "--master-port", port, "--users", "4",
        "--spawn-rate", "4", "--devices", "20000", "--seed", "105", *FATES, "--result-file", str(result),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = ledger(control, 105)
    assert (found.accepted_once + found.rejected, found.accepted_more, found.never) == (20_000, 0, 0)
    assert json.loads(result.read_bytes())["locust_requests"] == 20_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--users", "1"), "2 workers need at least as many users"),
        (("--users", "2", "CampaignsUser"), "CampaignsUser runs in one process alone"),
    ],
)
def test_a_master_that_refuses_options_ends_its_workers_too(
    rig: RigProcess, control: ControlClient, arguments: tuple[str, ...], says: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = locust(
        rig, "--processes", "2", "--master-bind-port", port, "--master-port", port, "--devices", "1000", "--seed", "106",
        *arguments,
    )  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("Got quit message from master") == 2  # else they wait for it for a minute
    assert control.ledger(106).populations == []


def test_the_web_page_starts_campaigns_with_its_own_values(rig: RigProcess, control: ControlClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        command("--web-host", "127.0.0.1", "--web-port", str(port)),
        cwd=ROOT,
        env=environment(rig),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        form = {"user_count": 2, "spawn_rate": 2, "devices": 3_000, "seed": 107, "fate": "unregistered=0.1"}
        answer = json.loads(fetch(f"{url}/swarm", urllib.parse.urlencode(form).encode()))
        assert answer["success"]
        deadline_s = time.monotonic() + TIMEOUT_S
        while (statistics := json.loads(fetch(f"{url}/stats/requests")))["state"] != "stopped":
            assert time.monotonic() < deadline_s, statistics
        counted = {row["name"]: (row["num_requests"], row["num_failures"]) for row in statistics["stats"]}
        found = ledger(control, 107)
        assert counted["notification"] == (3_000, found.rejected)
        assert found.accepted_once + found.rejected == 3_000
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def fetch(url: str, body: bytes | None = None) -> bytes:
    """One call of Locust's web page, which takes a moment to come up."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, body, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            if time.monotonic() > deadline_s:
                raise


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--devices", "0"), "argument --devices: must be a whole number from 1 upwards, not '0'"),
        (("--devices", "x"), "argument --devices: must be a whole number"),
        (("--notifications-rate", "nan"), "argument --notifications-rate: must be a number from 0"),
        (("--fcm-share", "2"), "argument --fcm-share: must be a share from 0 to 1, not '2'"),
        (("--fate", "gone=0.1"), "--fate: 'gone=0.1': no fate is called 'gone'"),
        (("--load-profile", "steady"), "--load-profile: steady needs rate="),
        (
            ("--load-profile", "steady:rate=9", "--batches-file", "/no/such/b.csv"),
            "--batches-file: cannot write /no/such",
        ),
        (("--arrivals", "random"), "argument --arrivals: invalid choice: 'random'"),
        (("--host", "localhost"), "--host: the endpoint 'localhost' must be https://HOST[:PORT]"),
        (("--payload", "/no/such"), "--payload: cannot read /no/such"),
        (("--key-file", "/no/such"), "cannot read the key file /no/such"),
    ],
)
def test_bad_options_end_before_anything_is_sent(rig: RigProcess, arguments: tuple[str, ...], says: str) -> None:
    done = locust(rig, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
