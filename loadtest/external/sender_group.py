"""Several senders at once, each to its end or to the time limit, in a thread of their own. A shell: who watches it may wait."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from loadtest.replay.program import CannotRunError, run_sender
from loadtest.replay.rows import Ending


@dataclass(frozen=True, slots=True)
class Sender:
    """`command`: its arguments, filled in. `variables`: what it gets besides the user's own. `devices`: how many it has."""

    command: Sequence[str]
    variables: Mapping[str, str]
    devices: int


class SenderGroup:
    """The senders, from entering the `with` block on; leaving it ends those that still run, and what they have started.

    `own`: the user's variables. `show`: their output goes to stderr too.
    """

    def __init__(
        self, senders: Sequence[Sender], own: Mapping[str, str], rig_port: int, time_limit_s: float, *, show: bool
    ) -> None:
        self._senders, self._own, self._rig_port = senders, own, rig_port
        self._time_limit_s, self._show = time_limit_s, show
        self._endings: list[Ending] = []
        self._failure: Exception | None = None
        self._loop = asyncio.new_event_loop()
        self._running: asyncio.Task[list[Ending]] | None = None
        self._thread = threading.Thread(target=self._run, name="senders")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has just been closed: they have ended
                self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()

    def ended(self, wait_s: float) -> bool:
        """Whether all have ended, by now or within so many seconds."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def endings(self) -> list[Ending]:
        """How each ended. Raises CannotRunError when one could not be run; the others were ended then."""
        if self._failure is not None:
            raise self._failure
        return self._endings

    def _run(self) -> None:
        try:
            self._running = self._loop.create_task(self._run_all())
            self._endings = self._loop.run_until_complete(self._running)
        except asyncio.CancelledError:
            pass  # somebody left the block
        except (CannotRunError, OSError) as error:
            self._failure = error
        finally:
            self._loop.close()

    def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()

    async def _run_all(self) -> list[Ending]:
        tasks = [asyncio.create_task(self._run_one(sender)) for sender in self._senders]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _run_one(self, sender: Sender) -> Ending:
        return await run_sender(
            sender.command, self._own, sender.variables, self._rig_port, self._time_limit_s, show=self._show
        )
