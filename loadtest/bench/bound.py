"""Runs a program that is killed when the process that started it is gone, however that ended (Linux; elsewhere it just runs).

    python -m loadtest.bench.bound PARENT_PID PROGRAM [ARGUMENT...]

The program takes this process's place, so that its process id is that of this one.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); it lasts over execve(2)


def main() -> None:
    """Ask the kernel for the signal, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # gone already, between the fork and the call above
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
