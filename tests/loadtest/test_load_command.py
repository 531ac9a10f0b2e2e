"""`pushrig load`: Locust's count against the ledger's, and bad input."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pushrig
from loadtest.control_client import ControlClient
from loadtest.report.results_directory import read_results
from loadtest.rig_process import RigProcess

TIMEOUT_S = 120


def load(
    *arguments: str, environment: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pushrig", "load", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=environment,
        cwd=cwd,
    )


def test_every_device_is_accounted_for(tmp_path: Path) -> None:
    (tmp_path / "sender.py").write_text("raise RuntimeError('somebody else\\'s module')")
    done = load(
        "--devices", "20000", "--seed", "5", "--fate", "unregistered=0.05", "--fate", "wrong-topic=0.01",
        "--html", "run.html", "--csv", "run", "--json", "--profile", "max", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    ledger = report["ledger"]
    assert report["locust_requests"] == 20_000 == report["sent"]
    assert ledger == {
        "accepted_once": report["accepted"],
        "accepted_more": 0,
        "rejected": sum(report["rejected"].values()),
        "never": 0,
    }
    assert set(report["rejected"]) == {"Unregistered", "DeviceTokenNotForTopic"}
    assert report["locust_failures"] == ledger["rejected"]
    assert report["accepted"] + ledger["rejected"] == 20_000
    assert set(report["latency_ms"]) == {"p50", "p90", "p99", "p999", "max"}
    assert (report["profile"], report["arrivals"], report["behind"]) == ("max", "closed", None)
    assert report["ceiling_per_s"] > report["rate_per_s"] / 4
    assert "by a bare sender" in report["ceiling_from"]
    assert report["rate_per_s"] > 0
    assert report["bottleneck"] in ("simulator", "load generator", "neither")
    assert report["failures"] == []
    assert (tmp_path / "run_stats.csv").exists()
    assert "Unregistered" in (tmp_path / "run.html").read_text()


def test_every_device_of_both_providers_is_accounted_for_also_those_that_no_ledger_can_know() -> None:
    done = load(
        "--provider", "both", "--devices", "10000", "--seed", "6", "--ios", "0.2", "--fate", "unregistered=0.02",
        "--fate", "invalid-shape=0.02", "--fate", "expired=0.02", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["locust_requests"] == 10_000 == report["sent"]
    assert set(report["rejected"]) == {"Unregistered", "ExpiredToken", "UNREGISTERED", "INVALID_ARGUMENT"}
    ledger = report["ledger"]
    assert ledger["never"] == report["rejected"]["INVALID_ARGUMENT"]
    assert ledger["accepted_once"] == report["accepted"]
    assert (report["limits"], report["failures"]) == ("off", [])
    # Nothing was said of a profile: half of the ceiling, which was measured.
    assert (report["profile"], report["arrivals"], report["scheduled"]) == ("steady:rate=50%", "constant", 10_000)
    assert report["scheduled_per_s"] == pytest.approx(report["ceiling_per_s"] / 2, rel=0.001)
    assert 0 < report["reached_per_s"] <= report["scheduled_per_s"]
    assert report["reached_share"] == pytest.approx(report["reached_per_s"] / report["scheduled_per_s"], rel=0.001)


def test_a_schedule_is_kept_and_its_results_are_in_one_directory(tmp_path: Path) -> None:
    out = tmp_path / "results"
    out.mkdir()
    (out / "batches-1.csv").touch()  # of a run before, with two workers
    done = load(
        "--devices", "4000", "--seed", "8", "--profile", "steady:rate=25%", "--ceiling", "8000", "--provider", "both",
        "--arrivals", "poisson", "--fate", "unregistered=0.05", "--out", str(out), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["profile"], report["arrivals"], report["scheduled"]) == ("steady:rate=25%", "poisson", 4_000)
    assert (report["ceiling_per_s"], report["ceiling_from"]) == (8_000, "given with --ceiling")
    assert (report["batch_size"], report["failures"]) == (10, [])
    assert report["elapsed_s"] > 1.5  # by chance some of the 2 seconds may be missing
    run, series, histograms = read_results(out)
    assert (run.name, run.devices, run.seed, run.accepted) == ("results", 4_000, 8, report["accepted"])
    assert run.latency_ms == report["latency_ms"]
    assert run.versions["locust"] and run.machine.cores
    assert sum(row.scheduled for row in series.rows) == 4_000 == sum(row.sent for row in series.rows)
    assert {row.planned_per_s for row in series.rows} == {2_000.0}
    assert {each.name: each.count for each in histograms} == {
        "scheduled": 4_000,
        "scheduled apns": 4_000 - histograms[2].count,
        "scheduled fcm": histograms[2].count,
        "sent": 4_000,
        "sent apns": 4_000 - histograms[2].count,
        "sent fcm": histograms[2].count,
        "batch": 400,
    }
    assert (out / "locust.html").exists() and (out / "locust_stats.csv").exists()
    assert len((out / "batches.csv").read_text().splitlines()) == 1 + 400
    assert not (out / "batches-1.csv").exists()
    assert b"Load test: results" in (out / "report.html").read_bytes()


def test_a_generator_that_falls_behind_says_so_loudly_and_marks_the_run() -> None:
    # One user has room for 4,096 devices, of which one connection has 1,000 in flight: no machine sends a million a second so.
    done = load("--devices", "60000", "--profile", "steady:rate=1m", "--users", "1", "--ceiling", "off", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert "BEHIND SCHEDULE" in done.stderr and report["behind"] in done.stderr
    assert report["behind_ms_max"] > 100
    assert (report["ceiling_per_s"], report["ledger"]["accepted_once"]) == (None, 60_000)


def test_a_slow_provider_does_not_slow_the_schedule_down() -> None:
    with RigProcess(("--fault", "latency median_ms=400", "--limits", "off")) as rig:
        running = rig.running
        done = load(
            "--endpoint", running.url, "--control-url", running.control_url, "--devices", "1500", "--users", "1",
            "--rate", "1000", "--batch-size", "10", "--json",
            environment={
                "APNS_KEY_FILE": running.key_file,
                "APNS_KEY_ID": running.key_id,
                "APNS_TEAM_ID": running.team_id,
                "SSL_CERT_FILE": running.ca_file,
            },
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["latency_ms"]["p50"] >= 400
    # One batch after the other they would take a minute.
    assert report["batches"] == 150 and report["elapsed_s"] < 20
    assert report["scheduled"] == report["ledger"]["accepted_once"] == 1_500


@pytest.mark.parametrize(
    "interrupt",
    [
        lambda pid: os.killpg(pid, signal.SIGINT),  # as a terminal does
        lambda pid: os.kill(pid, signal.SIGTERM),  # as a supervisor does: Locust and the simulator are not left behind
    ],
)
def test_an_interrupted_run_is_accounted_for_as_far_as_it_came(
    tmp_path: Path, interrupt: Callable[[int], None]
) -> None:
    out = tmp_path / "run"
    arguments = ("--devices", "100000", "--rate", "2000", "--ceiling", "off", "--out", str(out), "--json")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pushrig", "load", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not (out / "batches.csv").exists():
            assert process.poll() is None and time.monotonic() < deadline_s
        interrupt(process.pid)
        said, complaints = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1, complaints
    report = json.loads(said)
    ledger = report["ledger"]
    assert ledger["accepted_once"] == report["accepted"] < 100_000
    assert ledger["never"] == report["unfinished"] == 100_000 - report["accepted"]
    assert len(report["failures"]) == 1 and "devices have no final answer" in report["failures"][0]
    assert read_results(out).run.accepted == report["accepted"]


def test_a_run_that_is_interrupted_while_it_waits_for_workers_says_no_more_than_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ("--expect-workers", "1", "--master-port", str(port), "--profile", "max", "--ceiling", "off")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "pushrig", "load", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        waiting = process.stderr.readline()
        assert waiting == f"pushrig load: waiting on port {port} for workers (1): locust --worker\n"
        process.terminate()
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (130, "pushrig load: interrupted\n")


def test_a_profile_that_ends_says_how_many_devices_there_are() -> None:
    done = load("--profile", "steady:rate=2k,for=500ms then steady:rate=500,for=1s", "--ceiling", "off", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["devices"] == 1_500


def test_a_profile_is_drawn_and_nothing_is_sent() -> None:
    done = load("--profile", "breaking-news:base=10%", "--ceiling", "10000", "--plot")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("10,000 ┤")
    assert "100,000 notifications in" in done.stdout


def test_a_simulator_that_runs_already_is_judged_by_a_round_of_its_own() -> None:
    with RigProcess() as rig:
        running = rig.running
        environment = {
            "APNS_KEY_FILE": running.key_file,
            "APNS_KEY_ID": running.key_id,
            "APNS_TEAM_ID": running.team_id,
            "SSL_CERT_FILE": running.ca_file,
        }
        arguments = ("--endpoint", running.url, "--devices", "2000", "--start-index", "1000", "--json")
        for _ in range(2):
            done = load(*arguments, "--control-url", running.control_url, environment=environment)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["ledger"]["accepted_once"] == 2_000
            assert json.loads(done.stdout)["profile"] == "max"
            assert done.stderr == "pushrig load: the simulator's ceiling is not known: no schedule, --profile max\n"
        without_ledger = load(*arguments, "--profile", "max", environment=environment)
        assert (without_ledger.returncode, without_ledger.stderr) == (0, "")
        assert json.loads(without_ledger.stdout)["scheduled_per_s"] is None
        assert json.loads(without_ledger.stdout)["ledger"] is None
        assert json.loads(without_ledger.stdout)["ceiling_per_s"] is None
        control = ControlClient(running.control_url)
        assert control.stats().counters.notifications == 6_000
        # Before the first instant of a schedule all are connected: also those that then have nothing to send.
        before = control.stats().counters.connections_total
        scheduled = load(*arguments[:2], "--devices", "1", "--rate", "100", "--users", "4", environment=environment)
        assert scheduled.returncode == 0, scheduled.stderr
        assert control.stats().counters.connections_total - before > 1


def test_faults_and_rates_of_a_simulator_that_runs_already_are_in_the_results(tmp_path: Path) -> None:
    with RigProcess(("--fault", "latency median_ms=1")) as rig:
        running = rig.running
        environment = {
            "APNS_KEY_FILE": running.key_file,
            "APNS_KEY_ID": running.key_id,
            "APNS_TEAM_ID": running.team_id,
            "SSL_CERT_FILE": running.ca_file,
        }
        done = load(
            "--endpoint", running.url, "--devices", "500", "--out", str(tmp_path / "run"), "--control-token", "s3cret",
            "--control-url", running.control_url, "--ceiling", "10000", environment=environment,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = read_results(tmp_path / "run").run
    assert [(band.fault, band.from_s, band.to_s) for band in run.faults] == [
        ("latency median_ms=1.0 shape=fixed per=request", 0.0, None)
    ]
    assert ("fcm_project", 10_000) in [(limit.name, limit.per_s) for limit in run.limits]
    assert "s3cret" not in str(run.command)


def test_a_condition_that_holds_fails_the_run() -> None:
    done = load(
        "--devices", "500", "--profile", "max", "--ceiling", "off", "--json", "--fail-if", "lost > 0", "--fail-if",
        "accepted >= 500",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "pushrig load: --fail-if accepted >= 500: holds (accepted is 500)\n"
    assert json.loads(done.stdout)["failures"] == []


def test_the_table_says_what_the_json_says() -> None:
    done = load("--devices", "500", "--ceiling", "2000")
    assert done.returncode == 0, done.stderr
    assert "ledger: accepted once" in done.stdout
    assert "bottleneck" in done.stdout
    lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert {"schedule steady:rate=50%, constant", "scheduled per second 1,000"} <= lines
    assert "handed out, of that rate" in done.stdout
    assert "rates of the providers (--limits)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("--devices", "0"), 2, "--devices: must be from 1"),
        (("--users", "0"), 2, "--users: must be from 1 to 1000"),
        (("--users", "2", "--processes", "3"), 2, "--users: 3 at least: one for each process and each workload, not 2"),
        (("--processes", "2", "--expect-workers", "2"), 2, "--processes: starts workers of its own"),
        (("--workload", "campaigns", "--expect-workers", "1"), 2, "campaigns: runs in one process alone: leave --proc"),
        (("--control-url", "http://localhost:1"), 2, "--control-url: is of the simulator at --endpoint"),
        (
            ("--endpoint", "https://localhost:1", "--control-url", "http://a:1", "--control-url", "http://a:1/"),
            2,
            "--control-url: http://a:1 is given twice: its devices would count twice",
        ),
        (("--profile", "stedy"), 2, "--profile: no profile is called 'stedy'"),
        (("--profile", "steady:rate=x"), 2, "--profile: steady: rate= must be notifications a second"),
        (("--plot",), 2, "--plot: max, the default while no --ceiling is given"),
        (("--profile", "steady:rate=50%", "--ceiling", "off"), 2, "needs the simulator's ceiling, which is not known"),
        (("--profile", "steady:rate=50%", "--plot"), 2, "needs the simulator's ceiling, which is not known"),
        (("--profile", "steady:rate=5", "--rate", "5"), 2, "--rate: goes without --profile"),
        (("--profile", "steady:rate=5,for=2s", "--devices", "11"), 2, "schedules 10 notifications in all"),
        (("--arrivals", "random"), 2, "--arrivals"),
        (("--ceiling", "high"), 2, "--ceiling: must be measure, off, or a number above 0, not 'high'"),
        (("--out", "/no/such/run"), 2, "--out: there is no directory /no/such"),
        (("--fail-if", "p99 > 5"), 2, "--fail-if: 'p99 > 5' at character 1 (`p99`): there is no figure `p99`"),
        (("--batch-size", "0"), 2, "--batch-size: must be from 1"),
        (("--connections-per-user", "65"), 2, "--connections-per-user: must be from 1 to 64"),
        (("--rate", "-1"), 2, "--rate: must be a number from 0"),
        (("--rate", "inf"), 2, "--rate: must be a number from 0"),
        (("--seed", "-1"), 2, "--seed: must be from 0"),
        (("--start-index", "-1"), 2, "--start-index: must be from 0"),
        (("--topic", "two words"), 2, "--topic: topic must be a bundle id"),
        (("--fate", "gone=0.1"), 2, "--fate: 'gone=0.1': no fate is called 'gone'"),
        (("--message", "/no/such"), 2, "--message: cannot read /no/such"),
        (("--provider", "gcm"), 2, "--provider"),
        (("--provider", "fcm", "--fate", "expired=0.1"), 2, "--fate: tokens of fcm know no fate expired"),
        (("--provider", "both", "--fcm-share", "2"), 2, "--fcm-share: must be a share from 0 to 1"),
        (("--payload", "/no/such"), 2, "--payload: cannot read /no/such"),
        (("--html", "/no/such/run.html"), 2, "--html: there is no directory /no/such"),
        (("--csv", "/no/such/run"), 2, "--csv: there is no directory /no/such"),
        (("--endpoint", "localhost:1"), 2, "--endpoint: the endpoint 'localhost:1' must be https://"),
        (("--endpoint", "https://localhost:1"), 3, "--endpoint https://localhost:1 cannot be reached"),
    ],
)
def test_bad_input_is_named_and_has_its_exit_code(arguments: tuple[str, ...], exit_code: int, says: str) -> None:
    # In this process: all of them end before anything is started.
    done = CliRunner().invoke(pushrig.application("load"), ["load", *arguments])
    assert says in done.stderr.replace("Invalid value for ", "")
    assert done.exit_code == exit_code


def test_missing_credentials_are_named() -> None:
    with RigProcess() as rig:
        done = load("--endpoint", rig.running.url, "--devices", "10", environment={})
    assert done.returncode == 2
    assert "pushrig load: --key-file: is missing; set APNS_KEY_FILE" in done.stderr


def test_what_a_workload_refuses_is_said_without_the_rest_of_locust() -> None:
    done = load(
        "--workload", "uninstall-wave", "--workload-option", "dead-to=1.5", "--devices", "10", "--ceiling", "100", "--json"
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pushrig load: --dead-to: must be a share from 0 to 1, not 1.5\n"
