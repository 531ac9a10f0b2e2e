"""Processes of the bench: bounded in time, and never there after it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtest.bench.child import BenchError, Child

FOREVER = "import time; print('up', flush=True); time.sleep(600)"


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether the process ends in time; one that waits to be collected has ended."""
    give_up_at_s = time.monotonic() + within_s
    while time.monotonic() < give_up_at_s:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def python(program: str, timeout_s: float | None = 30.0) -> Child:
    return Child([sys.executable, "-c", program], "the program", timeout_s=timeout_s)


def test_what_a_process_used_in_its_life_is_known_after_its_end() -> None:
    with python("print('one'); print('two'); sum(range(10**6))") as child:
        assert child.line() == b"one\n"
        figures = child.wait()
    assert child.output == b"two\n"
    assert figures.cpu_s is not None and figures.cpu_s > 0
    assert figures.peak_rss_mb is not None and figures.peak_rss_mb > 3


def test_a_process_ends_with_its_block() -> None:
    with python(FOREVER, timeout_s=None) as child:
        assert child.line() == b"up\n"
        pid = child._process.pid
        assert not child.ended
    assert gone(pid)


def test_a_process_that_fails_says_what_it_said() -> None:
    with python("import sys; sys.exit('no such thing')") as child, pytest.raises(BenchError, match="no such thing"):
        child.wait()


def test_a_process_that_takes_too_long_is_stopped_and_that_is_said() -> None:
    with (
        python(FOREVER.replace("print('up', flush=True);", ""), timeout_s=0.5) as child,
        pytest.raises(BenchError, match="took too long"),
    ):
        child.wait()


def test_a_line_that_does_not_come_in_time_ends_the_process() -> None:
    with python(FOREVER) as child:
        assert child.line() == b"up\n"
        assert child.line(timeout_s=0.2) == b""
        assert gone(child._process.pid)


def test_a_process_is_told_a_line_and_one_that_has_ended_is_named() -> None:
    with python("print(input()[::-1], flush=True); import sys; sys.exit('enough')") as child:
        child.tell(b"olleh\n")
        assert child.line() == b"hello\n" and child.line() == b""
        with pytest.raises(BenchError, match="enough"):
            child.wait()
        with pytest.raises(BenchError, match="the program ended with exit status 1"):
            child.tell(b"again\n")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")
def test_a_process_dies_with_the_one_that_started_it_even_when_that_is_killed() -> None:
    program = f"""
import sys, time
from loadtest.bench.child import Child
with Child([sys.executable, "-c", {FOREVER!r}], "x", timeout_s=None) as child:
    child.line()
    print(child._process.pid, flush=True)
    time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert parent.stdout is not None
    with parent:
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    assert gone(pid)
