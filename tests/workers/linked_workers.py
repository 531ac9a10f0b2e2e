"""The control plane over workers that are no processes of their own: each a rig in the same event loop, behind a channel."""

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, cast

from simulator.control.security import ControlAccess
from simulator.journal import Row
from simulator.rig import Rig
from simulator.workers.attending import Attendance
from simulator.workers.channel import Handler, Link, open_link
from simulator.workers.gathering import AllWorkers
from simulator.workers.worker_rig import empty_for_worker
from tests.control.control_server import ControlServer, Result, new_rig

if TYPE_CHECKING:
    from simulator.workers.front import FrontHandler, Workers

ENTRIES = 12  # that a journal holds


@dataclass
class State:
    """What the front knows of a worker."""

    number: int
    pid: int | None = None
    restarts: int = 0


class LinkedWorkers:
    """Stands where `simulator.workers.front.Workers` does."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.links: dict[int, Link] = {}
        self.handlers: dict[str, FrontHandler] = {}
        self.came: list[Callable[[int], None]] = []
        self.ended: list[Callable[[int], None]] = []
        self.writing = asyncio.Lock()
        self.states = [State(number) for number in range(count)]
        self.rigs: dict[int, Rig] = {}
        self.attendances: dict[int, Attendance] = {}
        self.replaced: list[tuple[int, str]] = []
        self._worker_ends: dict[int, Link] = {}
        self._pids = 1_000

    async def begin(self, number: int, rig: Rig) -> None:
        """Have a worker take its place."""
        self._pids += 1
        empty_for_worker(rig)
        ours, theirs = socket.socketpair()
        attendance = self.attendances[number] = Attendance(rig, self._pids)
        handlers: dict[str, Handler] = {kind: partial(do, number) for kind, do in self.handlers.items()}
        self.rigs[number] = rig
        self.links[number] = await open_link(ours, handlers)
        self._worker_ends[number] = await open_link(theirs, dict(attendance.handlers))
        self.states[number].pid = self._pids
        for call in self.came:
            call(number)
        attendance.begin(self._worker_ends[number])

    def end(self, number: int) -> None:
        """Have a worker be gone."""
        self._worker_ends.pop(number).end()
        self.links.pop(number).end()
        self.states[number].restarts += 1
        for call in self.ended:
            call(number)

    def at(self, number: int, kind: str, do: Handler) -> None:
        """Have a worker do something else at messages of a kind."""
        self._worker_ends[number].handlers[kind] = do

    def tell_all(self, kind: str, body: bytes = b"") -> None:
        """As the front does."""
        for link in list(self.links.values()):
            link.tell(kind, body)

    def open_connections(self, number: int) -> int:
        """As the front has counted."""
        return 10 + number

    def replace(self, number: int, why: str) -> None:
        """As the front does, but for the replacement."""
        self.replaced.append((number, why))


def fail(body: bytes) -> bytes:
    """A worker's handler that does not do what it should."""
    raise ValueError("a worker fails, as the test wants it")


class WorkersServer(ControlServer):
    """A served control plane whose simulator has workers. Their rigs belong to its event loop: reach them with `on_loop`."""

    def __init__(self, count: int = 2) -> None:
        self.workers = LinkedWorkers(count)
        self.view: AllWorkers | None = None

        def view_of(rig: Rig) -> AllWorkers:
            self.view = AllWorkers(rig, cast("Workers", self.workers))
            return self.view

        self._begun = threading.Event()
        super().__init__(ControlAccess(), view_of=view_of, journal_entries=ENTRIES)

    def __enter__(self) -> Self:
        super().__enter__()
        assert self._begun.wait(5)
        return self

    def _run(self) -> None:
        for number in range(self.workers.count):
            self._loop.run_until_complete(self.workers.begin(number, new_rig(ENTRIES)))
        self._begun.set()
        super()._run()

    def of_worker(self, number: int, function: Callable[[Rig], Result]) -> Result:
        """Call a function with a worker's rig."""
        return self.on_loop(lambda: function(self.workers.rigs[number]))

    def journal_of(self, number: int, *rows: Row) -> None:
        """Have a worker journal these rows."""

        def append(rig: Rig) -> None:
            for each in rows:
                rig.journal.append(each)
            rig.journal.settle(len(rows))

        self.of_worker(number, append)

    def begin_worker(self, number: int, rig: Rig) -> None:
        """Have a worker take the place of one that has ended."""
        asyncio.run_coroutine_threadsafe(self.workers.begin(number, rig), self._loop).result(5)
