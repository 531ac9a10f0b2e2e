"""What a process has used so far: CPU time and peak memory, read from Linux' /proc; unknown elsewhere."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Fields 14 to 17 of /proc/PID/stat, counted after the name in parentheses (proc(5)).
_UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME = 11, 12, 13, 14


class ProcessFigures(NamedTuple):
    """`cpu_s`: seconds of CPU time, user and system. `peak_rss_bytes`: the most memory held at once. None: unknown."""

    cpu_s: float | None
    peak_rss_bytes: int | None

    @property
    def peak_rss_mb(self) -> float | None:
        """The same in megabytes (10**6 bytes)."""
        return None if self.peak_rss_bytes is None else round(self.peak_rss_bytes / 1e6, 1)

    def cpu_since_s(self, before: "ProcessFigures") -> float | None:
        """Seconds of CPU time since `before`, which was read of the same process; None: unknown."""
        return None if before.cpu_s is None or self.cpu_s is None else self.cpu_s - before.cpu_s


def figures_of(pid: int) -> ProcessFigures:
    """Read the figures of a running process."""
    return _read(pid, (_UTIME, _STIME))


def family_figures_of(pid: int) -> ProcessFigures:
    """Read the figures of a running process and all that it started, together.

    Of those that have ended the CPU time counts, and the memory no more. Memory that processes share counts for each of
    them: the sum is the most that they can have held.
    """
    own = _read(pid, (_UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME))
    if own.cpu_s is None:
        return own
    cpu_s, peak_rss_bytes = own.cpu_s, own.peak_rss_bytes
    for child in _children(pid):
        its = family_figures_of(child)
        cpu_s += its.cpu_s or 0.0
        if its.peak_rss_bytes is not None:
            peak_rss_bytes = its.peak_rss_bytes + (peak_rss_bytes or 0)
    return ProcessFigures(cpu_s, peak_rss_bytes)


def _read(pid: int, times: Sequence[int]) -> ProcessFigures:
    process = Path("/proc") / str(pid)
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        cpu_s = sum(int(fields[each]) for each in times) / os.sysconf("SC_CLK_TCK")
        peak_rss_bytes = None
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak_rss_bytes = int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return ProcessFigures(None, None)
    return ProcessFigures(cpu_s, peak_rss_bytes)


def _children(pid: int) -> list[int]:
    """Those that run now, whichever thread started them."""
    found: list[int] = []
    try:
        for thread in (Path("/proc") / str(pid) / "task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except (OSError, ValueError):  # it has ended meanwhile, or this kernel does not tell
        return found
    return found
