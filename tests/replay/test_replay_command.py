"""`pushrig replay` as its user meets it: senders that do well, badly, nothing at all, or never end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

TIMEOUT_S = 120
PUSHRIG = (sys.executable, "-P", "-m", "pushrig")
SEND = (*PUSHRIG, "send")

SCENARIO = """
name = "quiet"
title = "Nothing happens"
what_happens = "Nothing."
good_sender = "Sends."
providers = ["apns", "fcm"]
runs = {runs}
time_limit_s = 30
[population]
devices = 40
topic = "com.example.other"
fates = {{ unregistered = 0.1 }}
[expect]
attempts_max = 1
"""


def replay(which: object, *rest: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`pushrig replay WHICH REST…` to its end."""
    return subprocess.run(
        [*PUSHRIG, "replay", str(which), *rest],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **variables},
    )


def python(code: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", code)


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    path = tmp_path / "quiet.toml"
    path.write_text(SCENARIO.format(runs=1))
    return path


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    path = tmp_path / "twice.toml"
    path.write_text(SCENARIO.format(runs=2))
    return path


@pytest.mark.parametrize("provider", ["apns", "fcm"])
def test_the_reference_sender_holds_without_options(twice: Path, provider: str) -> None:
    done = replay(twice, "--provider", provider, "--json", "--", *SEND)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = json.loads(done.stdout)["scenarios"]
    first, second = report["runs"]
    assert (first["devices"], report["provider"]) == (40, provider)
    assert second["devices"] == first["accepted"] < 40
    grades = {row["expectation"]: row["grade"] for row in report["rows"]}
    assert grades["kept_wrongly_max"] == grades["dropped_wrongly_max"] == grades["lost_max"] == "held"


def test_a_sender_that_does_nothing_loses_all_and_every_card_says_so(quiet: Path, tmp_path: Path) -> None:
    junit, html = tmp_path / "card.xml", tmp_path / "card.html"
    done = replay(quiet, "--junit", str(junit), "--html", str(html), "--", "true")
    assert done.returncode == 1
    assert "✗ no notifications lost:" in done.stdout
    assert "never asked for" in done.stdout
    (failure,) = ElementTree.parse(junit).getroot().iter("failure")
    assert "got nothing" in failure.get("message", "")
    assert "got nothing" in html.read_text()


def test_the_sender_is_told_whom_to_send_to(quiet: Path) -> None:
    code = (
        "import csv, os\n"
        "tokens = open(os.environ['PUSHRIG_TOKENS']).read().split()\n"
        "rows = list(csv.DictReader(open(os.environ['PUSHRIG_DEVICES'])))\n"
        "assert [row['token'] for row in rows] == tokens and len(tokens) == 40\n"
        "assert all(int(row['registered_at_ms']) > 0 for row in rows)\n"
        "print(os.environ['PUSHRIG_PROVIDER'], os.environ['PUSHRIG_TOPIC'], os.environ['PUSHRIG_RUN'], 'all there')\n"
    )
    done = replay(quiet, "--json", *python(code))
    (run,) = json.loads(done.stdout)["scenarios"][0]["runs"]
    assert (run["exit_code"], run["said"]) == (0, ["apns com.example.other 1 all there"])


def test_its_folder_is_kept_from_run_to_run_and_its_results_are_read(twice: Path) -> None:
    code = (
        "import os, pathlib\n"
        "memory = pathlib.Path(os.environ['PUSHRIG_STATE'], 'memory')\n"
        "print(memory.read_text() if memory.exists() else 'nothing yet')\n"
        "memory.write_text('run ' + os.environ['PUSHRIG_RUN'])\n"
        "pathlib.Path(os.environ['PUSHRIG_RESULTS']).write_text('nonsense')\n"
    )
    (report,) = json.loads(replay(twice, "--json", *python(code)).stdout)["scenarios"]
    assert [run["said"] for run in report["runs"]] == [["nothing yet"], ["run 1"]]
    found = {row["expectation"]: row["found"] for row in report["rows"]}
    unread = "line 1 of the results: give token,outcome"
    assert found["results"] == found["kept_wrongly_max"] == f"run 1: {unread}; run 2: {unread}"


def test_a_sender_that_never_ends_is_ended_with_all_that_it_started(quiet: Path, tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "print('waiting for an answer', flush=True)\n"
        "time.sleep(300)\n"
    )
    began_s = time.monotonic()
    done = replay(quiet, "--time-limit-s", "1", *python(code))
    assert time.monotonic() - began_s < 30
    assert done.returncode == 1
    assert "✗ ends by itself within 1 s: still running after" in done.stdout
    assert "waiting for an answer" in done.stdout
    assert not _alive(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize("own_session", [False, True])
def test_a_sender_that_ends_has_ended_whatever_it_leaves_running(
    quiet: Path, tmp_path: Path, own_session: bool
) -> None:
    """What it leaves behind holds its output open, and in a session of its own is out of reach."""
    told = tmp_path / "child"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
        f"start_new_session={own_session})\n"
        f"open({str(told)!r}, 'w').write(str(child.pid))\n"
        "print('said', flush=True)"
    )
    began_s = time.monotonic()
    done = replay(quiet, "--json", *python(code))
    child = int(told.read_text())
    try:
        assert time.monotonic() - began_s < 25
        assert "Traceback" not in done.stderr
        (report,) = json.loads(done.stdout)["scenarios"]
        (run,) = report["runs"]
        assert (run["exit_code"], run["said"]) == (0, ["said"])
        assert run["duration_s"] < 20
        assert [row["grade"] for row in report["rows"] if row["expectation"] == "time_limit_s"] == ["held"]
        assert _alive(child) is own_session
    finally:
        if own_session:
            os.kill(child, signal.SIGKILL)


def test_who_ends_the_replay_ends_the_sender(quiet: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"import os, time, pathlib; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(300)"
    running = subprocess.Popen(
        [*PUSHRIG, "replay", str(quiet), *python(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (told.exists() and told.read_text()):
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, complaint = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, complaint) == (130, "pushrig replay: interrupted\n")
    assert not _alive(int(told.read_text()))


def test_every_frame_can_be_written_down(quiet: Path, tmp_path: Path) -> None:
    log = tmp_path / "frames.log"
    done = replay(quiet, "--frame-log", str(log), "--", *SEND)
    assert done.returncode == 0, done.stdout
    assert "SETTINGS" in log.read_text()
    several = replay(quiet, "--provider", "both", "--frame-log", str(log), "--", *SEND)
    assert (several.returncode, "one scenario at a time, not 2" in several.stderr) == (2, True)


def test_a_scenario_can_be_played_several_times_and_has_to_come_out_alike(quiet: Path, tmp_path: Path) -> None:
    done = replay(quiet, "--times", "2", "--json", "--", *SEND)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["scenarios"]
    assert report["rows"][-1] | {"evidence": []} == {
        "expectation": "times",
        "expected": "2 times the same",
        "grade": "held",
        "limit": 0,
        "measured": 0,
        "found": "all grades and counts are the same",
        "evidence": [],
    }
    assert report["runs"][0]["counts"]["answered 410 Unregistered"] == 4
    been = tmp_path / "been"
    once = f"import os, pathlib; been = pathlib.Path({str(been)!r}); been.exists() and os._exit(0); been.touch()"
    code = f"{once}; os.execv({SEND[0]!r}, {SEND!r})"
    done = replay(quiet, "--times", "2", *python(code))
    assert done.returncode == 1
    assert "✗ 2 times the same" in done.stdout
    assert "time 2: requests: 0, the first time 40" in done.stdout
    refused = replay(quiet, "--times", "2", "--frame-log", str(been), "--", "true")
    assert (refused.returncode, "one scenario at a time" in refused.stderr) == (2, True)


def test_a_scenario_whose_faults_find_no_room_is_not_graded_as_if_it_had_been_played(quiet: Path) -> None:
    faults = ", ".join(['"outage times_max=1"'] * 10)
    phases = "".join(f'[[phase]]\nname = "p{number}"\nfor_s = 60\nfaults = [{faults}]\n' for number in range(11))
    quiet.write_text(SCENARIO.format(runs=1).replace("[expect]", phases + "[expect]"))
    done = replay(quiet, "--json", "--", *SEND)
    assert done.returncode == 1
    (report,) = json.loads(done.stdout)["scenarios"]
    assert report["rows"] == []
    assert report["failed"].startswith("the simulator could not play it: phase p10: ")


def test_what_a_sender_prints_is_shown_as_text(quiet: Path) -> None:
    code = "import sys; sys.stdout.write('\\x1b[2Jgone [bold]\\r' * 3); sys.exit(3)"
    done = replay(quiet, "--time-limit-s", "20", *python(code))
    assert "\x1b" not in done.stdout
    shown = replay(quiet, "--show-output", *python(code))
    assert "\x1b[2Jgone" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("no-such-scenario", "--", "true"), 2, "no-such-scenario"),
        (
            ("reregistered-after-410", "--provider", "fcm", "--", "true"),
            2,
            "none of these scenarios is played with fcm",
        ),
        ((",", "--", "true"), 2, "which scenario?"),
        (("retry-storm",), 2, "which sender?"),
        (("retry-storm", "--html", "/nowhere/card.html", "--", "true"), 2, "the directory /nowhere does not exist"),
        (("reregistered-after-410", "--", "/no/such/sender"), 127, "/no/such/sender: no such program"),
        (("reregistered-after-410", "--", "/"), 126, "/: cannot be run"),
    ],
    ids=["scenario", "provider", "none", "command", "html", "program", "directory"],
)
def test_what_cannot_be_played_is_said(arguments: tuple[str, ...], exit_code: int, says: str) -> None:
    done = replay(*arguments)
    assert done.returncode == exit_code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_whose_interpreter_is_missing_is_told_apart_from_one_that_is(quiet: Path, tmp_path: Path) -> None:
    script = tmp_path / "send.sh"
    script.write_bytes(b"#!/bin/sh\r\ntrue\r\n")
    script.chmod(0o755)
    done = replay(quiet, "--", str(script))
    assert done.returncode == 127
    assert "its first line names an interpreter that does not exist" in done.stderr


def test_no_file_takes_the_place_of_a_scenario_or_of_another_one(quiet: Path, tmp_path: Path) -> None:
    before, card = quiet.read_text(), str(tmp_path / "card")
    for options in (("--html", str(quiet)), ("--junit", card, "--html", card)):
        done = replay(quiet, *options, "--", "true")
        assert done.returncode == 2
        assert "give another file" in " ".join(done.stderr.split())
    done = replay(quiet, "--junit", str(tmp_path), "--", "true")
    assert (done.returncode, "is a directory" in done.stderr) == (2, True)
    assert quiet.read_text() == before
    assert not Path(card).exists()


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
