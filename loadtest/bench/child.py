"""A process of the bench: it ends with its `with` block, in bounded time, and never outlives the command."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from loadtest.errors import LoadTestError
from loadtest.process_figures import ProcessFigures, figures_of

STOP_TIMEOUT_S = 5.0
SAID_BYTES_MAX = 2_000  # of its standard error, shown when it fails


class BenchError(LoadTestError):
    """A sender or server of the bench did not do its work."""


class Child:
    """One process. `command`: the program's file and its arguments. `what`: its name in errors. `timeout_s`: when it is killed.

    `output` is what it has written, all of it once `wait` has returned. Its standard input ends with the `with` block.
    """

    def __init__(self, command: Sequence[str], what: str, *, timeout_s: float | None) -> None:
        self._command, self._what, self._timeout_s = tuple(command), what, timeout_s
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the exit
        self._overdue = False
        self._process: subprocess.Popen[bytes]
        self._timer: threading.Timer | None = None
        self.output = b""

    @classmethod
    def module(cls, name: str, arguments: Sequence[str], *, timeout_s: float | None) -> "Child":
        """A module of this package, run by this Python."""
        command = [sys.executable, "-P", "-m", f"loadtest.bench.{name}", *arguments]
        return cls(command, name, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own programs, and those named in `tools`
            [sys.executable, "-P", "-m", "loadtest.bench.bound", str(os.getpid()), *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        if self._timeout_s is not None:
            self._timer = self._overdue_in(self._timeout_s)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._complaints.close()

    def _overdue_in(self, timeout_s: float) -> threading.Timer:
        timer = threading.Timer(timeout_s, self._kill_overdue)
        timer.daemon = True  # a signal may end the bench where nobody is left to cancel it
        timer.start()
        return timer

    def _kill_overdue(self) -> None:
        self._overdue = True
        self._process.kill()

    @property
    def figures(self) -> ProcessFigures:
        """CPU time and peak memory until now."""
        return figures_of(self._process.pid)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def tell(self, line: bytes) -> None:
        """Write one line to its standard input. Raises BenchError when it has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.failure(f"ended with exit status {self._process.wait()}") from None

    def line(self, timeout_s: float | None = None) -> bytes:
        """Its next line of output, b"" at the end. Killed when that takes longer than `timeout_s`."""
        assert self._process.stdout is not None
        timer = None if timeout_s is None else self._overdue_in(timeout_s)
        try:
            return self._process.stdout.readline()
        finally:
            if timer is not None:
                timer.cancel()

    def wait(self) -> ProcessFigures:
        """Wait for its end and take the rest of its output; returns what it used in its life. Raises BenchError."""
        assert self._process.stdout is not None
        self.output += self._process.stdout.read()
        try:
            _, status, usage = os.wait4(self._process.pid, 0)
        except ChildProcessError:  # the timer was quicker
            raise self.failure(f"ended with exit status {self._process.wait()}") from None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            raise self.failure(f"ended with exit status {self._process.returncode}")
        peak_rss_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return ProcessFigures(usage.ru_utime + usage.ru_stime, peak_rss_bytes)

    def failure(self, how: str) -> BenchError:
        """The error that says how it failed, with what it wrote on standard error."""
        if self._overdue:
            how = "took too long, and was stopped"
        self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, self._complaints.tell() - SAID_BYTES_MAX))
        said = self._complaints.read().decode(errors="replace").strip()
        return BenchError(f"{self._what} {how}{': ' + said if said else ''}")
