"""The simulator's process: started beside the tests, watched, and certain to end with them."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from pushrig_pytest.errors import PushSimulatorError, SimulatorDiedError

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
STDERR_BYTES_SHOWN_MAX = 4_000
# What would change how the simulator's interpreter behaves, and is meant for that of the tests.
PYTHON_VARIABLES_DROPPED = ("PYTHONINSPECT", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONPROFILEIMPORTTIME")
# Modules of pushrig; a project may have some of the same name.
PUSHRIG_MODULES = ("pushrig", "wire", "simulator", "sender", "loadtest")


class SimulatorProcess:
    """One `pushrig serve` on free ports.

    `arguments`: further ones for it. `directory`: exists; `state/` and the standard error go there, several processes may
    share it. `running`: what the simulator says of itself in its first line. Raises SimulatorDiedError when it does not
    come up, PushSimulatorError when it takes too long.

    Its standard input is a pipe that this process holds the other end of and `--stop-with-stdin` has it end with that:
    also when this process is killed.
    """

    running: Mapping[str, Any]

    def __init__(self, arguments: Sequence[str], directory: Path) -> None:
        self._stopped = False
        with NamedTemporaryFile(prefix="stderr-", suffix=".log", dir=directory, delete=False) as stderr:
            self._stderr_path = Path(stderr.name)
            self._process = subprocess.Popen(  # noqa: S603 - pushrig itself
                [
                    *(sys.executable, "-P", "-m", "pushrig", "serve", "--port", "0", "--control-port", "0"),
                    *("--state-dir", str(directory / "state"), "--stop-with-stdin", "on", *arguments),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=child_environment(os.environ),
                start_new_session=True,  # Ctrl-C is for pytest, which then stops this
            )
        try:
            self.running = self._read_announcement()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def raise_if_died(self, wait_s: float = 0.0) -> None:
        """Raise SimulatorDiedError if the process has ended, or ends within `wait_s`; PushSimulatorError after `stop`."""
        if self._stopped:
            raise PushSimulatorError("this push simulator was stopped; start another one with push_simulator_factory")
        try:
            exit_code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return
        raise SimulatorDiedError(exit_code, self._stderr())

    def stop(self) -> None:
        """End the process, in good order if that can be. Safe to call twice."""
        self._stopped = True
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if sys.platform != "win32":  # where this would be the rough way
            process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read_announcement(self) -> Mapping[str, Any]:
        """Wait for the first line. From then on the output is read and dropped, so that the simulator never blocks."""
        assert self._process.stdout is not None
        first: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        reading = (self._process.stdout, first)
        threading.Thread(target=_read_and_drop, args=reading, name="pushrig stdout", daemon=True).start()
        try:
            line = first.get(timeout=START_TIMEOUT_S)
        except queue.Empty:
            raise PushSimulatorError(
                f"the push simulator did not start within {START_TIMEOUT_S:.0f} s. Its standard error:\n{self._stderr()}"
            ) from None
        try:
            announced: Mapping[str, Any] = json.loads(line)
        except ValueError:
            self.raise_if_died(wait_s=STOP_TIMEOUT_S)
            raise PushSimulatorError(f"the push simulator began with {line[:200]!r} in place of JSON") from None
        return announced

    def _stderr(self) -> str:
        return self._stderr_path.read_bytes()[-STDERR_BYTES_SHOWN_MAX:].decode(errors="replace").strip()


def _read_and_drop(stdout: IO[bytes], first: "queue.SimpleQueue[bytes]") -> None:
    with stdout:
        first.put(stdout.readline())
        while stdout.readline(65_536):
            pass


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for the simulator: its own modules are found there, not the project's of the same name.

    `-P` keeps the working directory off its path; here go the entries of PYTHONPATH that hold such modules.
    """
    variables = {name: value for name, value in environ.items() if name not in PYTHON_VARIABLES_DROPPED}
    if "PYTHONPATH" in variables:
        home = Path(__file__).resolve().parents[1]
        kept = [
            entry
            for entry in variables["PYTHONPATH"].split(os.pathsep)
            if Path(entry).resolve() == home or not any(_has_module(Path(entry), name) for name in PUSHRIG_MODULES)
        ]
        variables["PYTHONPATH"] = os.pathsep.join(kept)
    return variables


def _has_module(directory: Path, name: str) -> bool:
    return (directory / name).is_dir() or (directory / f"{name}.py").is_file()
