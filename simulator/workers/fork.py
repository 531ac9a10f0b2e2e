"""Turns a fork of this process into a worker: what of the parent it must not keep, and how it ends."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_STDERR: Final = 2
_DESCRIPTORS: Final = Path("/dev/fd")


def fork_worker(run: Callable[[], Coroutine[Any, Any, None]], kept: Collection[int]) -> int:
    """Fork, run a coroutine in the child until it ends, and return the child's process id. Raises OSError.

    `kept`: the file descriptors that the child goes on with, besides stderr. To be called by the one thread there is, as a
    callback of its event loop and not within a task, since the child has this thread's stack below its own loop.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as it is where the program began with the file closed
            stream.flush()
    # A signal that came before the child has put aside the parent's handlers would be told to the parent's loop.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _be_worker(run, kept, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _be_worker(
    run: Callable[[], Coroutine[Any, Any, None]], kept: Collection[int], signals_blocked: Collection[int]
) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which tells its workers
        signal.pthread_sigmask(signal.SIG_SETMASK, signals_blocked)
        leave_descriptors(kept if sys.stderr is None else {*kept, _STDERR})
        gc.freeze()  # what is the parent's shall not be finalized here
        asyncio._set_running_loop(None)
        asyncio.run(run())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def leave_descriptors(kept: Collection[int]) -> None:
    """Let go of all open files but those kept.

    Each number then stands for `/dev/null`: the parent's objects, which still believe that it is theirs, may do with it what
    they like, and nothing new is opened under it.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in [int(each.name) for each in _DESCRIPTORS.iterdir()]:
        if number != nothing and number not in kept:
            os.dup2(nothing, number, inheritable=False)
    os.close(nothing)
