"""The pytest plugin in projects of other people: run by a pytest of its own there, beside modules of pushrig's names."""

import ast
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import pushrig_pytest
from pushrig_pytest import PushSimulatorFactory
from pushrig_pytest.process import PUSHRIG_MODULES, PYTHON_VARIABLES_DROPPED, child_environment

TIMEOUT_S = 60.0
OWN_MODULES = ("sender", "simulator", "loadtest")


class Project:
    """A project with its own `sender/`, `simulator/`, `loadtest/` and `wire.py`, and nothing of pushrig."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in OWN_MODULES:
            (directory / name).mkdir()
            (directory / name / "__init__.py").write_text("OWNER = 'the project'\n")
        (directory / "wire.py").write_text("OWNER = 'the project'\n")
        (directory / "pytest.ini").write_text("[pytest]\n")

    def write_tests(self, text: str) -> None:
        """The project's one test module."""
        (self.directory / "test_project.py").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        """pytest on it, as people run it; but for plugins of others, whose imports take twice as long as all the rest."""
        return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]

    def environ(self, variables: Mapping[str, str], *, autoload: bool = False) -> dict[str, str]:
        """The environment for that. `autoload`: find plugins by their entry points."""
        only_ours = {} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pushrig_pytest"}
        return {**os.environ, **only_ours, **variables}

    def run(
        self, *arguments: str, variables: Mapping[str, str] | None = None, autoload: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """Run its tests to their end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environ(variables or {}, autoload=autoload),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh one."""
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")


@contextmanager
def _in_background(project: Project, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        project.command(), cwd=project.directory, env=project.environ(variables), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _soon(*, closed: int | None = None, written: Path | None = None) -> bool:
    """Whether a port closes, or a file is written, before long."""
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        if closed is not None and not _is_open(closed):
            return True
        if written is not None and written.exists() and written.read_text().endswith("\n"):
            return True
        threading.Event().wait(0.01)
    return False


# Standing apart


def test_it_imports_the_standard_library_and_pytest_only() -> None:
    assert pushrig_pytest.__file__ is not None
    allowed = {*sys.stdlib_module_names, "pytest", "pushrig_pytest"}
    for path in Path(pushrig_pytest.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, path


@pytest.mark.parametrize("on_path", [False, True], ids=["in its directory", "on PYTHONPATH too"])
def test_it_works_beside_modules_of_the_same_names(project: Project, on_path: bool) -> None:
    project.write_tests("""
import sys
import loadtest, sender, simulator, wire

def test_the_simulator_runs_and_the_modules_are_the_project_s(push_simulator):
    assert {module.OWNER for module in (loadtest, sender, simulator, wire)} == {"the project"}
    assert push_simulator.notifications() == []
    assert not {"starlette", "msgspec", "numpy"} & set(sys.modules)
""")
    variables = {"PYTHONPATH": str(project.directory)} if on_path else {}
    ended = project.run(variables=variables, autoload=True)
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_only_what_would_get_in_the_way_leaves_the_environment(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    home = Path(pushrig_pytest.__file__ or "").resolve().parents[1]
    path = os.pathsep.join([str(project.directory), str(other), str(home)])
    environ = {"PYTHONPATH": path, "HOME": "/home/me", **dict.fromkeys(PYTHON_VARIABLES_DROPPED, "1")}
    assert child_environment(environ) == {"PYTHONPATH": os.pathsep.join([str(other), str(home)]), "HOME": "/home/me"}
    assert child_environment({"HOME": "/home/me"}) == {"HOME": "/home/me"}


def test_the_names_that_get_in_the_way_are_all_of_pushrig_s_own() -> None:
    home = Path(pushrig_pytest.__file__ or "").resolve().parents[1]
    packages = {path.parent.name for path in home.glob("*/__init__.py")} - {"pushrig_pytest", "tests"}
    assert packages | {"pushrig"} == set(PUSHRIG_MODULES)


# One process, clean for each test


def test_each_test_finds_a_simulator_that_has_heard_of_nothing(project: Project) -> None:
    project.write_tests("""
import pytest

@pytest.fixture(scope="module")
def before(push_simulator_process):
    return push_simulator_process.url

@pytest.mark.parametrize("again", [1, 2])
def test_it(push_simulator, push_simulator_process, before, again):
    assert push_simulator.url == before
    assert push_simulator is push_simulator_process
    assert push_simulator.ledger().never == 0
    assert push_simulator.clock.advance(3_600_000) < 2 ** 43
    token = push_simulator.token()
    push_simulator.set_state(token, "unregistered")
    assert push_simulator.ledger().never == 1
    assert abs(push_simulator.clock.now_ms() - push_simulator.clock.resume()) < 3_700_000
""")
    ended = project.run()
    assert "2 passed" in ended.stdout, ended.stdout


def test_options_come_from_the_configuration_and_the_command_line(project: Project) -> None:
    (project.directory / "pytest.ini").write_text(
        "[pytest]\npushrig_args = --environment sandbox --topic com.example.a\n"
    )
    project.write_tests("""
def test_it(push_simulator, push_simulator_factory):
    assert (push_simulator.environment, push_simulator.topic) == ("sandbox", "com.example.a")
    assert push_simulator.cleartext_port > 0
    with push_simulator_factory("--environment", "production") as other:
        assert (other.environment, other.topic) == ("production", "com.example.a")
""")
    ended = project.run("--pushrig-arg=--cleartext-port=0")
    assert "1 passed" in ended.stdout, ended.stdout


def test_two_simulators_at_once_share_key_and_ca_but_no_state(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory() as one, push_simulator_factory("--environment", "sandbox") as other:
        assert one.port != other.port
        assert (one.ca_file, one.key_file, one.key_id) == (other.ca_file, other.key_file, other.key_id)
        one.clock.freeze(at_ms=1_000)
        assert one.clock.now_ms() == 1_000
        assert other.clock.now_ms() > 1_000


def test_simulators_start_at_once(push_simulator_factory: PushSimulatorFactory) -> None:
    with ThreadPoolExecutor(3) as threads:
        simulators = list(threads.map(lambda _: push_simulator_factory(), range(3)))
    assert len({simulator.port for simulator in simulators}) == 3
    assert len({simulator.key_id for simulator in simulators}) == 1
    for simulator in simulators:
        assert simulator.stats().notifications == 0
        simulator.stop()


def test_pytests_run_at_once(project: Project) -> None:
    project.write_tests("def test_it(push_simulator): assert len(push_simulator.tokens(100)) == 100\n")
    with ThreadPoolExecutor(2) as threads:
        ended = list(threads.map(lambda _: project.run(), range(2)))
    for each in ended:
        assert "1 passed" in each.stdout, each.stdout


# Ends


def test_it_stops_with_the_session(project: Project, tmp_path: Path) -> None:
    project.write_tests("""
import os, pathlib
def test_it(push_simulator, push_simulator_factory):
    ports = push_simulator.port, push_simulator_factory().port
    pathlib.Path(os.environ["SAYS"]).write_text(f"{ports[0]} {ports[1]}")
""")
    ended = project.run(variables={"SAYS": str(tmp_path / "ports")})
    assert "1 passed" in ended.stdout, ended.stdout
    assert not any(_is_open(int(port)) for port in (tmp_path / "ports").read_text().split())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_pytest_is_killed(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    project.write_tests("""
import os, pathlib, time
def test_it(push_simulator):
    pathlib.Path(os.environ["SAYS"]).write_text(f"{push_simulator.port}\\n")
    time.sleep(600)
""")
    says = tmp_path / "port"
    with _in_background(project, SAYS=str(says)) as process:
        assert _soon(written=says)
        port = int(says.read_text())
        assert _is_open(port)
        process.send_signal(number)
        process.wait(TIMEOUT_S)
        assert _soon(closed=port)


def test_its_death_fails_the_test_at_once_with_its_last_words(project: Project) -> None:
    project.write_tests("""
import os, signal, threading
def test_one_waits(push_simulator):
    threading.Timer(0.1, os.kill, (push_simulator.pid, signal.SIGKILL)).start()
    push_simulator.notifications(count=1, wait_s=59)

def test_another_comes_later(push_simulator):
    pass
""")
    began_s = time.monotonic()
    ended = project.run()
    assert time.monotonic() - began_s < 30
    assert "the push simulator ended by itself with exit code -9. Its standard error:" in ended.stdout
    # The first in its call and when it is looked after, the other before it starts.
    assert "1 failed, 2 errors" in ended.stdout


def test_a_death_that_no_call_notices_is_noticed_after_the_test(project: Project) -> None:
    project.write_tests("""
import os, signal
def test_it(push_simulator):
    os.kill(push_simulator.pid, signal.SIGKILL)
    os.waitid(os.P_PID, push_simulator.pid, os.WEXITED | os.WNOWAIT)
""")
    ended = project.run()
    assert "1 passed, 1 error" in ended.stdout, ended.stdout
    assert "ended by itself with exit code -9" in ended.stdout


def test_a_start_that_fails_says_why(project: Project) -> None:
    project.write_tests("def test_it(push_simulator): pass\n")
    ended = project.run("--pushrig-arg=--penalty=maybe")
    assert "1 error" in ended.stdout, ended.stdout
    assert "--penalty: 'maybe' will not do; give on or off" in ended.stdout
    assert "exit code 2" in ended.stdout


def test_a_simulator_that_a_test_stopped_is_named_as_such(push_simulator_factory: PushSimulatorFactory) -> None:
    simulator = push_simulator_factory()
    simulator.stop()
    simulator.stop()
    with pytest.raises(pushrig_pytest.PushSimulatorError, match="was stopped"):
        simulator.stats()
