"""A simulator in a process of its own, for as long as a load test, a demo or a benchmark needs one.

It meets the simulator as any user does: `pushrig serve` on the command line, the first line of its output, and signals.
"""

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from loadtest.errors import RigStartError
from loadtest.process_figures import ProcessFigures, family_figures_of

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
WITHOUT_LIMITS = ("--limits", "off")
"""For load tests: a rig that keeps the providers' rates, as it does by default, would measure Google's quota."""
COMPLAINT_BYTES_MAX = 4_000  # of the simulator's standard error, shown when it does not start


class RunningRig(msgspec.Struct, frozen=True):
    """What `pushrig serve` says in its first line, as far as senders and load tests need it. URLs have no trailing slash."""

    pid: int
    url: str
    port: int
    control_url: str
    control_port: int
    team_id: str
    key_id: str
    key_file: str
    ca_file: str
    bundle_file: str
    state_dir: str
    topic: str
    environment: str
    project_id: str
    service_account_file: str
    cleartext_url: str | None = None


class RigProcess:
    """One simulator, from entering the `with` block to leaving it.

    `state_dir`: None for a temporary one, removed at the end. `options`: further options of `pushrig serve`. `own_session`:
    it hears no Ctrl-C of our terminal, and ends with the block.
    Raises RigStartError when it does not come up, with what it said.
    """

    running: RunningRig

    def __init__(
        self,
        options: Sequence[str] = (),
        *,
        state_dir: Path | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        own_session: bool = False,
    ) -> None:
        self._options = tuple(options)
        self._state_dir = state_dir
        self._start_timeout_s = start_timeout_s
        self._own_session = own_session
        self._process: subprocess.Popen[bytes] | None = None
        self._held = contextlib.ExitStack()
        self._last_figures = ProcessFigures(None, None)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _start(self) -> None:
        state_dir = self._state_dir
        if state_dir is None:
            temporary = tempfile.TemporaryDirectory(prefix="pushrig-", ignore_cleanup_errors=True)
            state_dir = Path(self._held.enter_context(temporary))
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._held.callback(complaints.close)
        ports = ("--port", "0", "--control-port", "0", "--state-dir", str(state_dir))
        self._process = process = subprocess.Popen(  # noqa: S603 - our own program
            # It ends with our end of its stdin: also when we are killed, no simulator stays behind.
            [sys.executable, "-P", "-m", "pushrig", "serve", *ports, "--stop-with-stdin", "on", *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=self._own_session,
        )
        assert process.stdout is not None
        # A simulator that says nothing in time is killed, which ends the wait for its line.
        overdue = threading.Timer(self._start_timeout_s, process.kill)
        overdue.start()
        try:
            line = process.stdout.readline()
        finally:
            overdue.cancel()
        try:
            self.running = msgspec.json.decode(line, type=RunningRig)
        except msgspec.DecodeError as error:
            process.kill()
            status = process.wait()
            complaints.seek(0)
            said = complaints.read(COMPLAINT_BYTES_MAX).decode(errors="replace").strip()
            if isinstance(error, msgspec.ValidationError):  # it is well, but not what is needed here
                said = f"its first line says {error}"
            raise RigStartError(status, said or line.decode(errors="replace").strip()) from None

    @property
    def figures(self) -> ProcessFigures:
        """CPU time and peak memory of the simulator and its workers until now, or until it stopped."""
        process = self._process
        if process is not None and process.poll() is None:
            self._last_figures = family_figures_of(process.pid)
        return self._last_figures

    def stop(self) -> None:
        """End the simulator in good order, by force after ten seconds. Safe to call twice."""
        process = self._process
        if process is not None:
            _ = self.figures  # the last that can be had
            self._process = None
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._held.close()
