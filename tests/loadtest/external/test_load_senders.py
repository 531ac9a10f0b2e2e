"""`pushrig load --sender` as its user meets it: senders that do well, badly, nothing at all, or never end."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import pushrig
from loadtest.report.results_directory import read_results

TIMEOUT_S = 120
PUSHRIG = (sys.executable, "-P", "-m", "pushrig")
SEND = f"{sys.executable} -P -m pushrig send"


def load(
    *arguments: str, ceiling: str = "off", environment: Mapping[str, str] = {}
) -> "subprocess.CompletedProcess[str]":
    """`pushrig load ARGUMENTS…` to its end. `environment`: variables beside our own."""
    return subprocess.run(
        [*PUSHRIG, "load", "--ceiling", ceiling, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **environment},
    )


def report_of(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def python(code: str) -> str:
    """A sender that does so."""
    return f"{sys.executable} -c '{code}'"


@pytest.mark.parametrize("provider", ["apns", "fcm"])
def test_a_sender_for_replay_needs_no_change_and_each_device_is_accounted_for(provider: str) -> None:
    done = load(
        "--provider", provider, "--devices", "2000", "--start-index", "500", "--seed", "9", "--fate", "unregistered=0.1",
        "--sender", SEND, "--copies", "2", "--json", ceiling="measure",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = report_of(done)
    ledger = report["ledger"]
    assert ledger["accepted_once"] + ledger["rejected"] == 2_000 == report["notifications"]
    assert (ledger["accepted_more"], ledger["never"], report["failures"]) == (0, 0, [])
    assert report["accepted"] == ledger["accepted_once"]
    assert [sender["devices"] for sender in report["senders"]] == [1_000, 1_000]
    assert 0 < report["elapsed_s"] < 60
    assert report["rate_per_s"] == pytest.approx(2_000 / report["elapsed_s"], rel=0.01)
    assert report["busiest_per_s"] >= report["rate_per_s"] > 0
    assert (report["seen"], report["limits"]) == ("every request", "off")
    for times in (report["gap_ms"], report["answer_ms"]):
        assert 0 <= times["p50"] <= times["p99"] <= times["max"] < 60_000
    connections = report["connections"]
    assert connections["opened"] == report["connections_opened"] == sum(connections["ended"].values()) > 0
    assert connections["streams_most"] > 1
    assert connections["requests"]["max"] > 100
    assert sum(row["notifications"] for row in report["over_time"]) == 2_000
    assert report["cpu_s"]["senders"] > 0
    assert report["bottleneck"] in ("simulator", "sender", "machine", "neither")
    assert report["ceiling_per_s"] > 1_000
    assert report["ceiling_from"].startswith("measured before the run with ")


def test_without_observing_times_come_from_samples() -> None:
    done = load("--devices", "3000", "--no-observe", "--sender", SEND, "--json")
    assert done.returncode == 0, done.stderr
    report = report_of(done)
    assert (report["ceiling_per_s"], report["ceiling_from"]) == (None, "")
    assert report["seen"] == "samples, in whole milliseconds"
    assert (report["connections"], report["answer_ms"]) == (None, {})
    assert report["gap_ms"]["max"] < 60_000
    assert report["ledger"]["accepted_once"] == 3_000


def test_the_table_says_the_same() -> None:
    done = load("--devices", "300", "--fate", "unregistered=0.2", "--sender", SEND, "--sender", SEND)
    assert done.returncode == 0, done.stderr
    lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert {"devices 300", "accepted more than once 0", "never answered 0", "times are of every request"} <= lines
    assert any(line.startswith("rejected: Unregistered ") for line in lines)
    for number in (1, 2):
        assert any(line.startswith(f"sender {number}, its devices 1") and "0 more, " in line for line in lines)
        assert any(line.startswith(f"sender {number}, its requests 150, ") for line in lines)


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("rate_per_s < 1 or lost > 0 or repeated > 0 or retried > 0", 0),
        ("rejected.Unregistered > 5", 1),
        ("p99_ms > 250", 1),
    ],
)
def test_conditions_can_fail_it(condition: str, code: int) -> None:
    done = load("--devices", "200", "--fate", "unregistered=0.2", "--sender", SEND, "--fail-if", condition)
    assert done.returncode == code, done.stderr
    assert ("pushrig load: --fail-if " in done.stderr) == bool(code)


def test_good_and_bad_senders_leave_results_with_the_figures_of_each(tmp_path: Path) -> None:
    """One that does well; one that sends all twice, over a connection for each half."""
    twice = python(
        "import os,shlex,subprocess; "
        f'words=shlex.split("{SEND}"); '
        'environments=[dict(os.environ, PUSHRIG_STATE=os.environ[name]) for name in ("PUSHRIG_STATE", "HERE")]; '
        "[subprocess.check_call(words, env=each) for each in environments]"
    )
    out = tmp_path / "mixed"
    done = load(
        "--devices", "400", "--fate", "unregistered=0.1", "--sender", SEND, "--sender", twice, "--out", str(out),
        "--json", "--fail-if", "connections > 100 or gap_p50_ms > 60_000", environment={"HERE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    report = report_of(done)
    good, bad = report["senders"]
    for sender in (good, bad):
        assert sum(sender["ledger"].values()) == 200 == sender["devices"]
        assert sender["ledger"]["rejected"] > 5
        assert sender["seen"]["rejected"].keys() == {"Unregistered"}
    assert (good["ledger"]["accepted_more"], good["seen"]["notifications"]) == (0, 200)
    assert bad["ledger"]["accepted_more"] == 200 - bad["ledger"]["rejected"]
    assert bad["seen"]["notifications"] == 400
    used = [sender["seen"]["connections"]["opened"] for sender in (good, bad)]
    assert 0 < sum(used) <= report["connections_opened"]
    assert report["ledger"] == {name: good["ledger"][name] + bad["ledger"][name] for name in good["ledger"]}
    assert report["failures"] == [f"{bad['ledger']['accepted_more']:,} devices were notified more than once"]
    assert {each.name for each in out.iterdir()} == {"run.json", "series.json", "histograms.json", "report.html"}
    run, series, histograms = read_results(out)
    assert run.senders is not None and run.name == "mixed"
    assert [each.seen.notifications for each in run.senders.senders if each.seen is not None] == [200, 400]
    assert sum(row.sent for row in series.rows) == 600 == run.sent
    assert sum(row.accepted + sum(row.rejected.values()) for row in series.rows) == 600
    assert [(each.name, each.count) for each in histograms] == [
        ("gap", 600 - sum(used)),
        ("answer", 600),
    ]
    assert "Times by percentile" in (out / "report.html").read_text()
    shown = subprocess.run([*PUSHRIG, "report", str(out)], capture_output=True, text=True, timeout=60, check=True)
    assert "Not known of this run: p50_ms, p90_ms, p99_ms, p999_ms, max_ms, " in " ".join(shown.stdout.split())


def test_two_senders_that_do_not_share_notify_twice() -> None:
    same = python(
        "import os,shlex,subprocess,sys; "
        'e=dict(os.environ, PUSHRIG_DEVICES=os.environ["PUSHRIG_DEVICES"].replace("sender-2", "sender-1")); '
        f'sys.exit(subprocess.call(shlex.split("{SEND}"), env=e))'
    )
    done = load("--devices", "100", "--sender", SEND, "--sender", same, "--json")
    assert done.returncode == 1
    report = report_of(done)
    assert report["failures"] == ["50 devices were never answered", "50 devices were notified more than once"]
    assert (report["repeats"], report["unanswered"]) == (50, 50)


def test_a_sender_that_does_nothing_reaches_nobody() -> None:
    done = load("--devices", "100", "--sender", "true", "--json")
    assert done.returncode == 1
    report = report_of(done)
    assert report["failures"] == ["100 devices were never answered"]
    assert (report["rate_per_s"], report["elapsed_s"], report["gap_ms"], report["over_time"]) == (0.0, 0.0, {}, [])
    assert "pushrig load: 100 devices were never answered" in done.stderr


def test_a_sender_that_fails_is_told_of_with_its_last_words() -> None:
    done = load("--devices", "10", "--sender", python('raise SystemExit("no key")'))
    assert done.returncode == 1
    assert "pushrig load: sender 1 ended with exit code 1: no key" in done.stderr


def test_a_sender_that_never_ends_is_ended_with_what_it_started() -> None:
    child = 'import subprocess,time; p=subprocess.Popen(["sleep","600"]); print(p.pid, flush=True); time.sleep(600)'
    done = load("--devices", "10", "--time-limit-s", "2", "--sender", python(child), "--json")
    assert done.returncode == 1
    (sender,) = report_of(done)["senders"]
    assert sender["overdue"]
    assert sender["duration_s"] < 10
    assert not _runs(int(sender["said"]))


def test_a_signal_ends_the_senders_too(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    writing = f'open("{said}.new","w").write(str(os.getpid())); os.rename("{said}.new","{said}")'
    sleeping = python(f"import os,time; {writing}; time.sleep(600)")
    process = subprocess.Popen(
        [*PUSHRIG, "load", "--devices", "10", "--sender", sleeping], stderr=subprocess.PIPE, text=True
    )
    try:
        overdue_s = time.monotonic() + TIMEOUT_S
        while not said.exists() and time.monotonic() < overdue_s:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, errors) == (130, "pushrig load: interrupted\n")
    assert not _runs(int(said.read_text()))


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_is_filled_in_is_one_argument_each_and_no_shell_reads_it(tmp_path: Path) -> None:
    out = tmp_path / "arguments"
    code = f'import sys; open("{out}","a").write(repr(sys.argv[1:]) + chr(10))'
    load(
        "--devices", "7", "--topic", "com.example.$(id)", "--copies", "2",
        "--sender", python(code) + " {topic} {count} {number} '{host} {port}' {endpoint} {provider_token} {urls}",
    )  # fmt: skip
    rows = sorted(map(_literal, out.read_text().splitlines()), key=lambda row: row[2])
    assert [row[:3] for row in rows] == [["com.example.$(id)", "3", "1"], ["com.example.$(id)", "4", "2"]]
    host, _, port = rows[0][3].partition(" ")
    assert rows[0][4] == f"https://{host}:{port}"
    assert rows[0][5].count(".") == 2
    assert not Path(rows[0][6]).exists(), "its files are gone when it has ended"


def _literal(text: str) -> list[str]:
    found: list[str] = ast.literal_eval(text)
    return found


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--sender", "x {token}"), 2, "{token} stands for nothing"),
        (("--sender", "'"), 2, "quote it as for a shell"),
        (("--sender", "x", "--copies", "65"), 2, "from 1 to 64 senders, not 65"),
        (("--sender", "x", "--copies", "0"), 2, "from 1 to 64 senders, not 0"),
        (("--sender", "x", "--devices", "1", "--copies", "2"), 2, "fewer devices than senders"),
        (("--sender", "x", "--time-limit-s", "0"), 2, "from 1 to 86400"),
        (("--sender", "x", "--time-limit-s", "nan"), 2, "from 1 to 86400"),
        (("--sender", "x", "--users", "3"), 2, "is for Locust's users"),
        (("--sender", "x", "--endpoint", "https://localhost:1"), 2, "is for Locust's users"),
        (("--copies", "2"), 2, "give --sender too"),
        (("--sender", "x {urls}", "--provider", "both"), 2, "{urls} is for devices of APNs alone"),
    ],
)
def test_what_cannot_be_used_is_told(arguments: tuple[str, ...], code: int, said: str) -> None:
    # In this process: all of them end before anything is started.
    done = CliRunner().invoke(pushrig.application("load"), ["load", *arguments])
    assert done.exit_code == code, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("sender", "code", "said"),
    [("/there/is/no/such/sender", 127, "no such program"), ("/dev/null", 126, "cannot be run")],
)
def test_a_sender_that_cannot_be_run_is_told(sender: str, code: int, said: str) -> None:
    done = load("--sender", sender)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
