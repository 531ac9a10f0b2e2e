"""What processes used, alone and with those that they started."""

import os
import subprocess
import sys

import pytest

from loadtest.process_figures import ProcessFigures, family_figures_of, figures_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

# A process that has worked, whose child works, says so, and waits.
BUSY = "sum(range(10**6 * 4))"
CHILD = f"{BUSY}; print('up', flush=True); input()"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BUSY!r}])
with subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE) as child:
    input()
    child.communicate(b"\\n")
    print("alone", flush=True)
    input()
"""


def test_a_family_counts_those_that_run_and_the_work_of_those_that_have_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        alone, family = figures_of(parent.pid), family_figures_of(parent.pid)
        assert alone.cpu_s is not None and family.cpu_s is not None
        assert alone.peak_rss_bytes is not None and family.peak_rss_bytes is not None
        assert family.cpu_s > alone.cpu_s + 0.05 and family.peak_rss_bytes > 1.5 * alone.peak_rss_bytes
        parent.stdin.write(b"\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == b"alone\n"
        after = family_figures_of(parent.pid)
        assert after.cpu_s is not None and after.cpu_s >= family.cpu_s
        assert after.peak_rss_bytes is not None and after.peak_rss_bytes < family.peak_rss_bytes
        parent.communicate(b"\n")


def test_without_a_family_both_say_the_same_memory_and_a_process_that_is_gone_says_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert figures_of(process.pid).cpu_s is not None
        process.communicate(b"\n")
    assert figures_of(process.pid) == family_figures_of(process.pid) == ProcessFigures(None, None)
    own, family = figures_of(os.getpid()), family_figures_of(os.getpid())
    assert own.peak_rss_mb is not None and family.peak_rss_mb is not None and family.peak_rss_mb >= own.peak_rss_mb
