"""Runs a program in a redirected environment: signals go to it, its exit code comes back."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.redirection.connect_proxy import ConnectProxy
from loadtest.redirection.environment import Redirection, redirected_environment

# As shells and `env` have it.
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
EXIT_SIGNALLED = 128  # and the signal's number

# What a terminal sends to everything in its foreground, by itself.
TERMINAL_SIGNALS = frozenset((signal.SIGINT, signal.SIGQUIT))
FORWARDED_SIGNALS = (*TERMINAL_SIGNALS, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `complaint`: why it did not start. `refused_elsewhere`: hosts that the proxy did not lead to."""

    exit_code: int
    complaint: str | None = None
    refused_elsewhere: Mapping[str, int] = field(default_factory=dict)


async def run_redirected(
    command: Sequence[str], own: Mapping[str, str], client_variables: Mapping[str, str], rig_port: int
) -> Ended:
    """Run `command` to its end. `own`: the user's variables; `client_variables`: what `pushrig env` prints.

    The program stays in our process group, so that it has the terminal like any other: Ctrl-C, Ctrl-Z, input.
    """
    async with ConnectProxy(rig_port) as proxy:
        environment = redirected_environment(own, client_variables, Redirection(rig_port, proxy.url))
        try:
            process = await asyncio.create_subprocess_exec(*command, env=environment)
        except FileNotFoundError:
            return Ended(EXIT_NOT_FOUND, f"{command[0]}: no such program")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return Ended(EXIT_NOT_EXECUTABLE, f"{command[0]}: cannot be run ({why})")
        with _signals_to(process):
            status = await process.wait()
        return Ended(status if status >= 0 else EXIT_SIGNALLED - status, None, proxy.refused_elsewhere)


@contextlib.contextmanager
def _signals_to(process: asyncio.subprocess.Process) -> Iterator[None]:
    """Pass signals on to the program for the length of the block, instead of ending by them."""
    loop = asyncio.get_running_loop()

    def forward(number: signal.Signals) -> None:
        if number in TERMINAL_SIGNALS and _in_the_foreground():
            return  # the terminal has sent it to the program too
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    for number in FORWARDED_SIGNALS:
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number in FORWARDED_SIGNALS:
            loop.remove_signal_handler(number)


def _in_the_foreground() -> bool:
    """Tell whether a terminal counts our process group as its foreground, so that Ctrl-C reaches all of it."""
    for stream in (sys.stdin, sys.stderr, sys.stdout):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no terminal, closed, not there at all
            return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    return False
