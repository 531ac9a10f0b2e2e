"""`pushrig run` as a whole: a simulator, a program, its exit code and signals, and the summary."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.redirection.programs import TIMEOUT_S
from tests.wire.independent.programs import path_of

RUN = (sys.executable, "-m", "pushrig", "run")

AIOAPNS = """
import asyncio, os
from aioapns import APNs, NotificationRequest
async def main():
    client = APNs(
        key=open(os.environ["APNS_KEY_FILE"]).read(), key_id=os.environ["APNS_KEY_ID"], team_id=os.environ["APNS_TEAM_ID"],
        topic=os.environ["PUSHRIG_TOPIC"], use_sandbox=SANDBOX,
    )
    for token in ("1" * 64, "2" * 64):
        answer = await client.send_notification(NotificationRequest(token, {"aps": {"alert": "hi"}}))
        print(answer.status)
asyncio.run(main())
"""

HTTPX = """
import httpx
for port in (443, 2197):
    answer = httpx.Client(http2=True).post(f"https://api.push.apple.com:{port}/3/device/x", content=b"{}")
    print(answer.http_version, answer.status_code, answer.json()["reason"])
"""

NODE = """
import http2 from "node:http2";
const session = http2.connect("https://api.sandbox.push.apple.com:2197");
const stream = session.request({ ":method": "POST", ":path": "/3/device/x" });
let text = "";
stream.on("data", (part) => (text += part)).on("end", () => { console.log(JSON.parse(text).reason); session.close(); });
stream.end("{}");
"""


def run(command: Sequence[str], *options: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`pushrig run OPTIONS -- COMMAND` to its end."""
    return subprocess.run(
        [*RUN, *options, "--", *command],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize("sandbox", [False, True], ids=["production", "sandbox"])
def test_aioapns_sends_with_its_own_hosts_and_the_summary_counts_it(sandbox: bool) -> None:
    done = run([sys.executable, "-c", AIOAPNS.replace("SANDBOX", str(sandbox))])
    assert (done.returncode, done.stdout) == (0, "200\n200\n"), done.stderr
    assert "pushrig run: 2 notifications judged: 2 accepted, 0 rejected" in done.stderr


def test_httpx_speaks_http2_to_both_ports_of_apns() -> None:
    done = run([sys.executable, "-c", HTTPX])
    assert done.stdout == "HTTP/2 403 MissingProviderToken\n" * 2, done.stderr
    assert "2 rejected (MissingProviderToken 2)" in done.stderr


def test_node_speaks_http2_to_apns() -> None:
    done = run([path_of("node"), "--input-type=module", "--eval", NODE])
    assert done.stdout == "MissingProviderToken\n", done.stderr


def test_curl_goes_by_the_proxy_which_leads_nowhere_else() -> None:
    curl = path_of("curl")
    script = (
        f"{curl} -sS --http2 -d {{}} https://api.push.apple.com:2197/3/device/x && {curl} -sS https://example.com:5"
    )
    done = run(["sh", "-c", script])
    assert done.returncode == 56  # curl's: the tunnel was refused
    assert done.stdout == '{"reason":"MissingProviderToken"}'
    assert "pushrig run: the proxy refused 1 connection to other hosts: example.com:5" in done.stderr


def test_the_program_finds_what_pushrig_env_prints(tmp_path: Path) -> None:
    script = "import json, os, subprocess, sys\n" + (
        f"asked = [sys.executable, '-m', 'pushrig', 'env', '--format', 'json', '--state-dir', {str(tmp_path)!r}]\n"
        "print(json.dumps([json.loads(subprocess.check_output(asked)), dict(os.environ)]))"
    )
    done = run([sys.executable, "-c", script], "--state-dir", str(tmp_path))
    printed, found = json.loads(done.stdout)
    assert printed.items() <= found.items()
    assert (tmp_path / "ca.pem").exists()


def test_the_simulator_takes_options_of_serve() -> None:
    done = run([sys.executable, "-c", AIOAPNS.replace("SANDBOX", "False")], "--serve", "--unknown-tokens reject")
    assert done.stdout == "400\n400\n", done.stderr
    assert "2 rejected (BadDeviceToken 2)" in done.stderr


def test_quiet_leaves_the_summary_out() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2"], "--quiet")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_standard_input_is_the_programs() -> None:
    done = subprocess.run(
        [*RUN, "--quiet", "--", "cat"], input="hello", capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.stdout == "hello"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["sh", "-c", "exit 42"], 42, "no notification came (0 connections"),
        (["sh", "-c", "kill -9 $$"], 128 + 9, "no notification came"),
        (["no-such-program-anywhere"], 127, "no-such-program-anywhere: no such program"),
        (["/dev/null"], 126, "/dev/null: cannot be run (Permission denied)"),
    ],
)
def test_the_exit_code_is_the_programs_or_says_why_there_is_none(command: list[str], code: int, said: str) -> None:
    done = run(command)
    assert done.returncode == code
    assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--serve", "--port 1"], 2, "--port is decided by `pushrig run`"),
        (["--serve", "--host=::1"], 2, "--host=::1 is decided by `pushrig run`"),
        (["--serve", "'open"], 2, "No closing quotation"),
        (["--serve", "--penalty maybe"], 125, "--penalty"),
        (["--state-dir", "/dev/null/x"], 125, "/dev/null"),
    ],
)
def test_a_simulator_that_cannot_start_says_so_and_the_program_does_not_run(
    options: list[str], code: int, said: str
) -> None:
    done = run(["echo", "ran"], *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_certificate_of_ones_own_in_a_file_is_refused_in_words(tmp_path: Path) -> None:
    """Nothing would make programs trust it."""
    (tmp_path / "rig.toml").write_text(f"tls_cert = '{tmp_path}/server.pem'\ntls_key = '{tmp_path}/server.key'\n")
    run(["true"], "--state-dir", str(tmp_path))  # makes a certificate and its key
    done = run(["echo", "ran"], "--serve", f"--config {tmp_path}/rig.toml")
    assert (done.returncode, done.stdout) == (125, "")
    assert "ca_file" in done.stderr


def test_no_command_is_wrong_usage() -> None:
    done = subprocess.run([*RUN], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 2 and "COMMAND" in done.stderr


TELLS_SIGNALS = """
import os, signal, sys
got = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: (got.append(number), print("got", int(number), flush=True)))
print("ready", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_go_to_the_program_which_may_end_as_it_likes(number: signal.Signals) -> None:
    script = TELLS_SIGNALS + "while not got: signal.pause()\nsys.exit(7)"
    with subprocess.Popen(
        [*RUN, "--", sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # without a terminal
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"got {int(number)}\n"
        assert process.wait(TIMEOUT_S) == 7
        assert "no notification came" in process.stderr.read()


def test_a_program_that_a_passed_on_signal_ends_says_so_by_its_exit_code() -> None:
    script = "import signal\nprint('ready', flush=True)\nsignal.pause()"
    with subprocess.Popen(
        [*RUN, "--quiet", "--", sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(TIMEOUT_S) == 128 + signal.SIGTERM


CTRL_CS = 200


def test_ctrl_c_reaches_the_program_once_each_time_and_the_simulator_not_at_all() -> None:
    """As on a terminal, which sends it to everything in its foreground."""
    script = TELLS_SIGNALS + (
        "import httpx\n"
        "input()\n"
        "status = httpx.Client(http2=True).post('https://api.push.apple.com/3/device/x').status_code\n"
        "print('times', len(got), 'status', status, flush=True)"
    )
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*RUN, "--quiet", "--", sys.executable, "-c", script],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for _ in range(CTRL_CS):  # two that are sent at once may count as one
            os.write(ours, b"\x03")
            assert process.stdout.readline() == "got 2\n"
        os.write(ours, b"\n")
        assert process.stdout.readline() == f"times {CTRL_CS} status 403\n"
        assert process.wait(TIMEOUT_S) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        os.close(ours)
