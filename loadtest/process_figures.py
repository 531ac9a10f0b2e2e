"""What a process has used so far: CPU time and peak memory, read from Linux' /proc; unknown elsewhere."""

import os
from pathlib import Path
from typing import NamedTuple

_UTIME, _STIME = 11, 12  # fields 14 and 15 of /proc/PID/stat, counted after the name in parentheses (proc(5))


class ProcessFigures(NamedTuple):
    """`cpu_s`: seconds of CPU time, user and system. `peak_rss_bytes`: the most memory held at once. None: unknown."""

    cpu_s: float | None
    peak_rss_bytes: int | None

    @property
    def peak_rss_mb(self) -> float | None:
        """The same in megabytes (10**6 bytes)."""
        return None if self.peak_rss_bytes is None else round(self.peak_rss_bytes / 1e6, 1)


def figures_of(pid: int) -> ProcessFigures:
    """Read the figures of a running process."""
    process = Path("/proc") / str(pid)
    try:
        times = (process / "stat").read_text().rpartition(")")[2].split()
        cpu_s = (int(times[_UTIME]) + int(times[_STIME])) / os.sysconf("SC_CLK_TCK")
        peak_rss_bytes = None
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak_rss_bytes = int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return ProcessFigures(None, None)
    return ProcessFigures(cpu_s, peak_rss_bytes)
