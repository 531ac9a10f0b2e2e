"""Tells when standard input has ended, without a thread: a process that forks has none."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

READ_BYTES_MAX: Final = 4_096


def watch_stdin(descriptor: int, then: Callable[[], None]) -> None:
    """Call `then` once the file has ended; at once for one that is not there, or that nobody else holds open."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            if os.read(descriptor, READ_BYTES_MAX):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # closed: ended as well
        loop.remove_reader(descriptor)
        then()

    try:
        loop.add_reader(descriptor, read)
    except OSError:
        # No pipe, socket or terminal: nobody holds it open.
        loop.call_soon(then)
