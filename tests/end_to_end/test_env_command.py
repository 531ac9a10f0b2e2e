"""`running.json` and `pushrig env`: how other programs find the simulator, and how they do not find a dead one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from simulator.env_command import ExportFormat, client_environment, env, format_exports
from simulator.errors import CredentialsError, NotRunningError
from simulator.running import RUNNING_FILE_NAME, Announcement, RunningSimulator, read_running, url_of
from simulator.state_directory import prepare


@pytest.fixture
def running(tmp_path: Path) -> RunningSimulator:
    """A record such as a simulator with default options would announce; its state directory exists."""
    state_dir = tmp_path / "it's state"
    prepare(state_dir)
    return RunningSimulator(
        version="0.1.0",
        pid=os.getpid(),
        started_at_ms=1_750_000_000_000,
        url="https://localhost:8443",
        port=8443,
        cleartext_url=None,
        cleartext_port=None,
        control_url="http://localhost:8080",
        control_port=8080,
        environment="production",
        seed=1,
        team_id="TEAM000000",
        key_id="KEY0000000",
        key_file=str(state_dir / "AuthKey_KEY0000000.p8"),
        ca_file=str(state_dir / "ca.pem"),
        bundle_file=str(state_dir / "bundle.pem"),
        client_certificate_file=str(state_dir / "client.pem"),
        client_key_file=str(state_dir / "client.key"),
        state_dir=str(state_dir),
        topic="com.example.app",
        project_id="pushrig-7k2m4",
        project_number="123456789012",
        service_account_file=str(state_dir / "service-account.json"),
    )


def _invoke(*arguments: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(env)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_a_record_is_read_while_its_simulator_runs_and_gone_afterwards(running: RunningSimulator) -> None:
    state_dir = Path(running.state_dir)
    with Announcement(running):
        assert read_running(state_dir) == running
    with pytest.raises(NotRunningError, match="pushrig serve"):
        read_running(state_dir)


def test_the_first_line_on_stdout_is_the_record(running: RunningSimulator) -> None:
    assert "\n" not in running.line()
    assert msgspec.json.decode(running.line(), type=RunningSimulator) == running


def test_the_record_of_a_killed_simulator_is_stale_though_its_pid_lives(running: RunningSimulator) -> None:
    with Announcement(running):
        left_over = (Path(running.state_dir) / RUNNING_FILE_NAME).read_bytes()
    (Path(running.state_dir) / RUNNING_FILE_NAME).write_bytes(left_over)
    with pytest.raises(NotRunningError, match=f"process {os.getpid()}, which was killed"):
        read_running(Path(running.state_dir))


def test_kill_9_leaves_a_record_that_is_recognised_as_stale(running: RunningSimulator) -> None:
    program = (
        "import sys, msgspec\n"
        "from simulator.running import Announcement, RunningSimulator\n"
        "kept = Announcement(msgspec.json.decode(sys.argv[1], type=RunningSimulator))\n"
        "print('up', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, running.line()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert read_running(Path(running.state_dir)) == running
        process.kill()
        process.wait()
    assert (Path(running.state_dir) / RUNNING_FILE_NAME).exists()
    with pytest.raises(NotRunningError, match="killed"):
        read_running(Path(running.state_dir))


def test_the_simulator_that_started_last_is_found_and_the_first_does_not_remove_its_record(
    running: RunningSimulator,
) -> None:
    second = msgspec.structs.replace(running, port=9443)
    first_announcement, second_announcement = Announcement(running), Announcement(second)
    first_announcement.withdraw()
    assert read_running(Path(running.state_dir)) == second
    second_announcement.withdraw()
    second_announcement.withdraw()
    with pytest.raises(NotRunningError):
        read_running(Path(running.state_dir))


def test_withdrawing_from_a_removed_directory_is_no_error(running: RunningSimulator) -> None:
    with Announcement(running):
        shutil.rmtree(running.state_dir)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff"])
def test_a_damaged_record_is_named(running: RunningSimulator, content: bytes) -> None:
    with Announcement(running):
        (Path(running.state_dir) / RUNNING_FILE_NAME).write_bytes(content)
        with pytest.raises(CredentialsError, match=r"running\.json: is damaged"):
            read_running(Path(running.state_dir))


def test_asking_about_a_directory_that_was_never_used_does_not_make_it(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        read_running(tmp_path / "never")
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "https://localhost:1"),
        ("0.0.0.0", "https://localhost:1"),
        ("::", "https://localhost:1"),
        ("fe80::2", "https://[fe80::2]:1"),
        ("rig.example.com", "https://rig.example.com:1"),
    ],
)
def test_urls_name_a_host_that_can_be_reached(host: str, url: str) -> None:
    assert url_of("https", host, 1) == url


def test_the_environment_points_common_clients_at_the_simulator(running: RunningSimulator) -> None:
    assert client_environment(running) == {
        "PUSHRIG_URL": "https://localhost:8443",
        "PUSHRIG_CONTROL_URL": "http://localhost:8080",
        "PUSHRIG_ENVIRONMENT": "production",
        "PUSHRIG_TOPIC": "com.example.app",
        "PUSHRIG_CA_FILE": running.ca_file,
        "SSL_CERT_FILE": running.bundle_file,
        "REQUESTS_CA_BUNDLE": running.bundle_file,
        "CURL_CA_BUNDLE": running.bundle_file,
        "NODE_EXTRA_CA_CERTS": running.ca_file,
        "APNS_KEY_FILE": running.key_file,
        "APNS_KEY_ID": "KEY0000000",
        "APNS_TEAM_ID": "TEAM000000",
        "GOOGLE_APPLICATION_CREDENTIALS": running.service_account_file,
        "GOOGLE_CLOUD_PROJECT": "pushrig-7k2m4",
        "GCLOUD_PROJECT": "pushrig-7k2m4",
        "FCM_PROJECT_ID": "pushrig-7k2m4",
        "FCM_PROJECT_NUMBER": "123456789012",
        "APNS_CERT_FILE": running.client_certificate_file,
        "APNS_CERT_KEY_FILE": running.client_key_file,
    }


def test_a_certificate_of_the_users_own_leaves_the_trust_store_alone(running: RunningSimulator) -> None:
    variables = client_environment(msgspec.structs.replace(running, ca_file=None, bundle_file=None))
    assert not {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} & set(variables)


def test_a_client_ca_of_the_users_own_leaves_them_to_find_their_certificates(running: RunningSimulator) -> None:
    theirs = msgspec.structs.replace(running, client_certificate_file=None, client_key_file=None)
    assert not {"APNS_CERT_FILE", "APNS_CERT_KEY_FILE"} & set(client_environment(theirs))


def test_a_cleartext_port_is_exported(running: RunningSimulator) -> None:
    open_too = msgspec.structs.replace(running, cleartext_url="http://localhost:8444", cleartext_port=8444)
    assert client_environment(open_too)["PUSHRIG_CLEARTEXT_URL"] == "http://localhost:8444"


SHELL_VALUES = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=40)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs sh")
@settings(max_examples=25, deadline=None)
@given(value=SHELL_VALUES)
def test_any_value_comes_through_the_shell_unchanged(value: str) -> None:
    script = (
        format_exports({"X": value}, ExportFormat.SH)
        + f'\nexec {sys.executable} -c "import os; print(ascii(os.environ[chr(88)]))"'
    )
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown == ascii(value) + "\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish: apt-get install fish")
@settings(max_examples=25, deadline=None)
@example(value="\r")
@given(value=SHELL_VALUES)
def test_any_value_comes_through_fish_unchanged(value: str) -> None:
    script = format_exports({"X": value}, ExportFormat.FISH) + "\nprintf %s $X"
    # As bytes: in text mode a carriage return would be read as a line feed.
    assert subprocess.run(["fish", "-c", script], capture_output=True, check=True).stdout == value.encode()


def test_fish_quotes_escape_quote_and_backslash() -> None:
    assert format_exports({"X": r"it's a\b"}, ExportFormat.FISH) == r"set -gx X 'it\'s a\\b'"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("/plain/path-1.pem", "X=/plain/path-1.pem"),
        ("/my state/$ca", "X='/my state/$ca'"),
        ("it's", 'X="it\'s"'),
        ("a'b\"c\\d$e\nf", 'X="a\'b\\"c\\\\d\\$e\\nf"'),
    ],
)
def test_dotenv_quotes_only_what_needs_it(value: str, line: str) -> None:
    assert format_exports({"X": value}, ExportFormat.DOTENV) == line


def test_the_command_prints_what_a_shell_takes_in(running: RunningSimulator) -> None:
    with Announcement(running):
        exit_code, stdout, stderr = _invoke("--state-dir", running.state_dir)
        assert (exit_code, stderr) == (0, "")
        assert "export PUSHRIG_URL=https://localhost:8443\n" in stdout
        _, as_json, _ = _invoke("--state-dir", running.state_dir, "--format", "json")
        assert json.loads(as_json) == client_environment(running)


def test_no_running_simulator_is_exit_code_3_and_says_what_to_do(tmp_path: Path) -> None:
    exit_code, stdout, stderr = _invoke("--state-dir", str(tmp_path))
    assert (exit_code, stdout) == (3, "")
    assert f"pushrig serve --state-dir {tmp_path}" in stderr


def test_a_damaged_record_is_exit_code_2(running: RunningSimulator) -> None:
    with Announcement(running):
        (Path(running.state_dir) / RUNNING_FILE_NAME).write_text("{}")
        exit_code, stdout, stderr = _invoke("--state-dir", running.state_dir)
    assert (exit_code, stdout) == (2, "")
    assert "is damaged" in stderr
