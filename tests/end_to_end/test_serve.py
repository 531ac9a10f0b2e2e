"""`pushrig serve` as its users meet it: the command line, what it says, how it starts, stops and fails."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from simulator.settings import OPTIONS

TIMEOUT_S = 20.0
FREE_PORTS = ("--port", "0", "--control-port", "0")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "pushrig", *arguments]


class Served:
    """A running `pushrig serve`. `first_line`: what it says of itself."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        self.first_line: Mapping[str, Any] = json.loads(process.stdout.readline())

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, the rest of its output, its standard error."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err


@contextmanager
def _serving(state_dir: Path, *arguments: str, cwd: Path | None = None) -> Iterator[Served]:
    process = subprocess.Popen(
        _command("serve", "--state-dir", str(state_dir), *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()


def _refused(*arguments: str) -> str:
    """The message of a start that fails as it should: exit code 2, nothing on stdout, no traceback."""
    ended = subprocess.run(
        _command("serve", *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr


def _get(control_port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", control_port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that credentials are made once."""
    return tmp_path_factory.mktemp("serve") / "state"


# Starting and stopping


def test_the_first_line_tells_where_it_is(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        line = served.first_line
        assert line["pid"] == served.process.pid
        assert line["url"] == f"https://localhost:{line['port']}"
        assert line["state_dir"] == str(state_dir)
        assert json.loads((state_dir / "running.json").read_bytes()) == line
        for name in ("key_file", "ca_file", "bundle_file"):
            assert Path(line[name]).is_file()


def test_port_0_is_a_free_one_for_each(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS, "--cleartext-port", "0") as served:
        ports = [served.first_line[name] for name in ("port", "control_port", "cleartext_port")]
        assert 0 not in ports
        assert len(set(ports)) == 3
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S).close()


def test_it_is_ready_when_it_says_so(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        assert _get(served.first_line["control_port"], "/readyz") == 200
        assert _get(served.first_line["control_port"], "/livez") == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_withdraws_its_record(state_dir: Path, number: signal.Signals) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        assert (state_dir / "running.json").exists()
        served.process.send_signal(number)
        assert served.end() == (0, "", "")
        assert not (state_dir / "running.json").exists()


def test_the_end_of_its_input_stops_it_where_that_is_asked_for(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS, "--stop-with-stdin", "on") as served:
        assert served.process.stdin is not None
        served.process.stdin.write("what is said to it does not matter\n")
        served.process.stdin.flush()
        assert _get(served.first_line["control_port"], "/readyz") == 200
        served.process.stdin.close()
        served.process.stdin = None
        assert served.process.wait(TIMEOUT_S) == 0


def test_the_end_of_its_input_does_not_matter_otherwise(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        assert served.process.stdin is not None
        served.process.stdin.close()
        served.process.stdin = None
        assert _get(served.first_line["control_port"], "/readyz") == 200
        assert served.process.poll() is None


def test_two_first_starts_at_once_agree_on_their_credentials(tmp_path: Path) -> None:
    with _serving(tmp_path / "new", *FREE_PORTS) as one, _serving(tmp_path / "new", *FREE_PORTS) as other:
        same = ("team_id", "key_id", "key_file", "ca_file")
        assert [one.first_line[name] for name in same] == [other.first_line[name] for name in same]
        assert one.first_line["port"] != other.first_line["port"]


# The configuration file


def test_a_file_gives_options_and_flags_override_it(tmp_path: Path, state_dir: Path) -> None:
    config = tmp_path / "rig.toml"
    config.write_text('environment = "sandbox"\nseed = 7\ntopics = ["com.example.a", "com.example.b"]\n')
    with _serving(state_dir, *FREE_PORTS, "--config", str(config), "--seed", "8") as served:
        line = served.first_line
        assert (line["environment"], line["seed"], line["topic"]) == ("sandbox", 8, "com.example.a")


# `pushrig env`


def _env(state_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = _command("env", "--state-dir", str(state_dir), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)


def test_env_points_at_it_while_it_runs(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        printed = _env(state_dir)
        assert printed.returncode == 0
        # A shell takes it as it stands.
        shell = f'{printed.stdout}\nprintf "%s %s" "$PUSHRIG_URL" "$APNS_KEY_ID"'
        said = subprocess.run(["/bin/sh", "-eu", "-c", shell], capture_output=True, text=True, check=True).stdout
        assert said == f"{served.first_line['url']} {served.first_line['key_id']}"
        as_json = json.loads(_env(state_dir, "--format", "json").stdout)
        assert as_json["PUSHRIG_CONTROL_URL"] == served.first_line["control_url"]


def test_env_says_how_to_start_one_once_it_was_killed(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        served.process.kill()
        served.process.wait()
        assert (state_dir / "running.json").exists()
        ended = _env(state_dir)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert f"pushrig serve --state-dir {shlex.quote(str(state_dir))}" in ended.stderr


# Options that will not do

# Each option spoiled once, beside those that let the rest of the start succeed.
SPOILED: Mapping[str, str] = {
    "host": "no-such-host.invalid",
    "port": "65536",
    "cleartext_port": "-1",
    "control_host": "0.0.0.0",
    "control_port": "http",
    "control_token": "short",
    "state_dir": "/dev/null/state",
    "tls_cert": "/nowhere/server.pem",
    "tls_key": "/nowhere/server.key",
    "client_ca": "/nowhere/ca.pem",
    "environment": "development",
    "auth": "none",
    "provider_token_update_interval_s": "3601",
    "provider_token_update_scope": "team",
    "unknown_tokens": "maybe",
    "topics": "com example app",
    "penalty": "yes",
    "seed": "-1",
    "epoch_ms": "1.5",
    "journal_entries_max": "100001",
    "limits": "pings_max=0",
    "rates": "/nowhere/rates.toml",
    "faults": "latency median_ms=fast",
    "faults_file": "/nowhere/faults.toml",
    "scenario": "no-such-scenario",
    "observe": "yes",
    "frame_log": "/nowhere/frames.txt",
    "workers": "0",
    "stop_with_stdin": "yes",
}


def _spoiled(option: str, value: str, state_dir: Path) -> str:
    usual = {"--port": "0", "--control-port": "0", "--state-dir": str(state_dir), OPTIONS[option].flag: value}
    return _refused(*(part for pair in usual.items() for part in pair))


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_will_not_do_is_named_with_its_value(option: str, state_dir: Path) -> None:
    said = " ".join(_spoiled(option, SPOILED[option], state_dir).split())
    assert OPTIONS[option].flag in said or SPOILED[option] in said
    assert SPOILED[option] in said or "valid integer" in said or option == "control_token"
    assert len(said) < 600


def test_the_control_plane_takes_the_shortest_control_token_that_the_settings_allow(state_dir: Path) -> None:
    assert "--control-token" in _refused(*FREE_PORTS, "--state-dir", str(state_dir), "--control-token", "x" * 15)
    with _serving(state_dir, *FREE_PORTS, "--control-token", "x" * 16) as served:
        assert _get(served.first_line["control_port"], "/livez") == 200
        assert _get(served.first_line["control_port"], "/api/v1/stats") == 401


def test_a_port_in_use_is_named_with_the_way_out(state_dir: Path) -> None:
    with _serving(state_dir, *FREE_PORTS) as served:
        for option, name in (("--port", "port"), ("--control-port", "control_port"), ("--cleartext-port", "port")):
            taken = str(served.first_line[name])
            usual = {"--port": "0", "--control-port": "0", "--state-dir": str(state_dir), option: taken}
            said = _refused(*(part for pair in usual.items() for part in pair))
            assert option in said
            assert taken in said
            assert "0 for a free one" in said
        # The one that runs is still the one that is announced.
        assert _env(state_dir).returncode == 0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("port = ", "TOML"),
        ("prot = 1", "did you mean port"),
        ('port = "8443"', "port in"),
        ("penalty = true", "on or off"),
    ],
)
def test_a_spoiled_file_is_named(tmp_path: Path, content: str, named: str) -> None:
    config = tmp_path / "rig.toml"
    config.write_text(content)
    said = " ".join(_refused("--config", str(config)).split())
    assert named in said
    assert "rig.toml" in said


def test_a_damaged_credential_is_named(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    with _serving(state_dir, *FREE_PORTS):
        pass
    (state_dir / "server.pem").write_text("no certificate")
    said = _refused(*FREE_PORTS, "--state-dir", str(state_dir))
    assert str(state_dir / "server.pem") in said


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way, for root as well")
    said = _refused(*FREE_PORTS, "--state-dir", str(tmp_path / "file" / "state"))
    assert str(tmp_path / "file") in said


def test_the_help_lists_every_option() -> None:
    shown = subprocess.run(
        _command("serve", "--help"), capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}
    ).stdout
    for option in OPTIONS.values():
        assert option.flag in shown


def test_a_start_with_credentials_in_place_is_quick(state_dir: Path) -> None:
    """The bar is half a second; three times that, since other work may share the machine."""
    with _serving(state_dir, *FREE_PORTS):
        pass
    took_s = []
    for _ in range(3):
        began_s = time.perf_counter()
        with _serving(state_dir, *FREE_PORTS) as served:
            assert _get(served.first_line["control_port"], "/readyz") == 200
            took_s.append(time.perf_counter() - began_s)
    assert min(took_s) < 1.5
