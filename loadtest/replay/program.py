"""Runs a sender once, redirected to the simulator, within a time limit: it ends in any case, and what it started with it."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from loadtest.redirection.connect_proxy import ConnectProxy
from loadtest.redirection.environment import Redirection, redirected_environment
from loadtest.replay.rows import Ending

GRACE_S = 3.0
"""Between asking a sender to end and ending it."""

OUTPUT_END_S = 2.0
"""So long its output is read on when it has ended, in case somebody else holds the other end open: a process that it left
behind in a session of that one's own."""

SAID_BYTES_MAX = 65_536
"""Kept of its output from either end; what is between is counted."""

EXIT_SIGNALLED = 128  # and the signal's number, as shells have it
CHUNK_BYTES = 65_536
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class CannotRunError(Exception):
    """The command cannot be run. `exit_code`: as shells have it."""

    def __init__(self, what: str, exit_code: int) -> None:
        super().__init__(what)
        self.exit_code = exit_code


class Said:
    """The beginning and the end of what a program writes."""

    def __init__(self, bytes_max: int = SAID_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Take in what was written next."""
        room = self._bytes_max - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        over = len(self._tail) - self._bytes_max
        if over > 0:
            del self._tail[:over]
            self._dropped += over

    @property
    def text(self) -> str:
        """All that was kept."""
        between = f"\n… {self._dropped:,} bytes …\n".encode() if self._dropped else b""
        return (self._head + between + self._tail).decode(errors="replace")


async def run_sender(
    command: Sequence[str],
    own: Mapping[str, str],
    variables: Mapping[str, str],
    rig_port: int,
    time_limit_s: float,
    *,
    show: bool = False,
) -> Ending:
    """Run `command` to its end, or to its time limit. Raises CannotRunError.

    `own`: the user's variables; `variables`: what the sender gets besides. `show`: its output goes to stderr too. It gets a
    session of its own: no terminal, and no way to leave children behind.
    """
    async with ConnectProxy(rig_port) as proxy:
        environment = redirected_environment(own, variables, Redirection(rig_port, proxy.url))
        began_s = time.monotonic()
        # A pipe of our own: asyncio's hold up `wait` until whatever the sender left running has closed them too.
        output, other_end = os.pipe()
        try:
            process = await _start(command, environment, other_end)
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(other_end)
        said = Said()
        reading = asyncio.create_task(_read(output, said, show=show))
        overdue = False
        try:
            with _ending_cancels():
                try:
                    await asyncio.wait_for(process.wait(), time_limit_s)
                except TimeoutError:
                    overdue = True
                    _signal(process, signal.SIGTERM)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(process.wait(), GRACE_S)
        finally:
            _signal(process, signal.SIGKILL)
            status = await process.wait()
        duration_s = time.monotonic() - began_s
        await asyncio.wait((reading,), timeout=OUTPUT_END_S)
        reading.cancel()
        await asyncio.wait((reading,))
        return Ending(status if status >= 0 else EXIT_SIGNALLED - status, duration_s, overdue, said.text)


async def _start(command: Sequence[str], environment: Mapping[str, str], output: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise CannotRunError(f"{command[0]}: {_missing(command[0])}", 127) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CannotRunError(f"{command[0]}: cannot be run ({why})", 126) from None


def _missing(program: str) -> str:
    """What there is none of, for a command that could not be found."""
    # A name without a slash is looked for in PATH, whatever lies in this directory.
    found = "/" in program and Path(program).exists()
    return "its first line names an interpreter that does not exist" if found else "no such program"


async def _read(output: int, said: Said, *, show: bool) -> None:
    """Until its end. Closes it."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            said.add(chunk)
            if show:
                with contextlib.suppress(OSError):
                    os.write(2, chunk)
    finally:
        transport.close()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the sender and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def _ending_cancels() -> Iterator[None]:
    """Signals that would end us cancel the block instead, so that the sender ends too. They come to the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in ENDING_SIGNALS:
            loop.remove_signal_handler(number)
