"""The front's side of its workers: starts them, talks to them, and puts another in the place of each that ends.

A worker is forked from the front, and begins with the state that the front has at that moment, so nothing has to be told again
to one that takes another's place. Its connections end with it; what it counted in the ledger stays.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from simulator.errors import ConfigurationError
from simulator.workers.channel import Answer, Handler, Link, open_link
from simulator.workers.fork import fork_worker
from simulator.workers.hand_over import Spread

READY_KIND: Final = "ready"
STOP_KIND: Final = "stop"
READY_TIMEOUT_S: Final = 10.0
STOP_MAX_S: Final = 2.0
LONG_LIFE_S: Final = 10.0
"""A worker that has lived so long did not end because of how it began."""
SHORT_LIVES_MAX: Final = 5
"""In a row, before this counts as trouble."""
REPLACEMENT_WAIT_S_MAX: Final = 5.0
_FIRST_WAIT_S: Final = 0.1
_REAP_RETRY_S: Final = 0.002
_THREADS_MAX: Final = 4

FrontHandler = Callable[[int, bytes], Answer | Awaitable[Answer]]

_log = logging.getLogger("pushrig.workers")


@dataclass(frozen=True, slots=True)
class Seat:
    """What a worker finds in its process. `channel`, `handed_over`: its ends of the pairs with the front."""

    number: int
    channel: socket.socket
    handed_over: socket.socket


@dataclass(slots=True)
class WorkerState:
    """What the front knows of the worker of a number, from 0; users see one more.

    `pid`: None while there is none. `began_s`: when the last one did. `ready`: it takes connections. `restarts`: how often one
    took another's place. `short_lives`: how many in a row ended soon.
    """

    number: int
    pid: int | None = None
    began_s: float = 0.0
    restarts: int = 0
    short_lives: int = 0
    ready: bool = False


def wait_before_replacement_s(short_lives: int) -> float:
    """How long nobody sits on a worker's place after so many in a row have ended soon."""
    return 0.0 if short_lives <= 1 else min(_FIRST_WAIT_S * 2.0 ** (short_lives - 2), REPLACEMENT_WAIT_S_MAX)


class Workers:
    """All workers of one front. `run`: what a worker does, in its process. `kept`: the files it goes on with, by number.

    `handlers`: what is done about what workers say, with the number of the one that said it. `came`, `ended`: called with the
    number of a worker that can be talked to from now on, or no longer, before another takes its place. All three are to be
    complete before `start`. `writing`: to be held while the front's state is changed and that is said to the workers; none is
    forked meanwhile, which would have the change and be told of it as well. `stopping`: once it is set, none is replaced.
    """

    def __init__(
        self,
        count: int,
        run: Callable[[Seat], Coroutine[Any, Any, None]],
        spread: Spread,
        kept: Sequence[Sequence[int]] = (),
        monotonic_s: Callable[[], float] = time.monotonic,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self.links: dict[int, Link] = {}
        self.handlers: dict[str, FrontHandler] = {}
        self.came: list[Callable[[int], None]] = []
        self.ended: list[Callable[[int], None]] = []
        self.writing = asyncio.Lock()
        self.states = [WorkerState(number) for number in range(count)]
        self.spread = spread
        self._run = run
        self._kept = kept or [()] * count
        self._monotonic_s = monotonic_s
        self._keeping: list[asyncio.Task[None]] = []
        self._stopping = stopping or asyncio.Event()
        self._begun: asyncio.Future[None] | None = None
        self._threads = ThreadPoolExecutor(_THREADS_MAX)

    async def start(self) -> None:
        """Start all workers; returns once all are ready, or have ended since all is to end.

        Raises ConfigurationError when they end again and again.
        """
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        self._begun = loop.create_future()
        self._keeping = [asyncio.ensure_future(self._keep(state)) for state in self.states]
        either: list[asyncio.Future[Any]] = [self._begun, asyncio.gather(*self._keeping)]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._begun.done() and (error := self._begun.exception()) is not None:
            await self.stop()
            raise error

    async def stop(self) -> None:
        """Have all workers say goodbye and end; those that do not are killed."""
        self._stopping.set()
        self.tell_all(STOP_KIND)
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=STOP_MAX_S)
            for link in list(self.links.values()):
                link.end()
            await asyncio.wait(self._keeping)
        self._threads.shutdown(wait=False)

    @property
    def trouble(self) -> str | None:
        """What is wrong: workers that end again and again, or are not there yet; None: nothing."""
        for state in self.states:
            if state.short_lives >= SHORT_LIVES_MAX and not self._lives_long(state):
                often = f"{state.short_lives} times in a row"
                return f"worker {state.number + 1} has ended soon after its start {often}; stderr says how"
            if not state.ready:
                return f"worker {state.number + 1} is not ready yet; try again in a moment"
        return None

    def _lives_long(self, state: WorkerState) -> bool:
        return self._monotonic_s() - state.began_s >= LONG_LIFE_S

    def open_connections(self, number: int) -> int:
        """How many connections a worker has."""
        return self.spread.open_of(number)

    # Talking.

    def tell_all(self, kind: str, body: bytes = b"", but: int | None = None) -> None:
        """Tell all workers, or all but one."""
        for number, link in list(self.links.items()):
            if number != but:
                link.tell(kind, body)

    def replace(self, number: int, why: str) -> None:
        """Kill a worker, as one that has not done what it was told: another takes its place."""
        pid = self.states[number].pid
        if pid is not None:
            _log.error("worker %d is killed: %s", number + 1, why)
            os.kill(pid, signal.SIGKILL)

    # One place, with one worker after the other.

    async def _keep(self, state: WorkerState) -> None:
        while True:
            state.began_s = self._monotonic_s()
            try:
                how = await self._one_life(state)
            except Exception as error:
                how = f"could not be started ({type(error).__name__}: {error})"
            if self._stopping.is_set():
                return
            state.short_lives = 0 if self._lives_long(state) else state.short_lives + 1
            if self._begun is not None and not self._begun.done() and state.short_lives >= SHORT_LIVES_MAX:
                problem = f"--workers: worker {state.number + 1} {how}, {state.short_lives} times in a row"
                self._begun.set_exception(ConfigurationError(f"{problem}; what it says above is why"))
                return
            wait_s = wait_before_replacement_s(state.short_lives)
            when = f" in {wait_s:.1f} s" if wait_s else ""
            _log.error("worker %d %s; another takes its place%s", state.number + 1, how, when)
            state.restarts += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)
            if self._stopping.is_set():
                return

    async def _one_life(self, state: WorkerState) -> str:
        """Start a worker, and return how it ended."""
        number, over = state.number, asyncio.Event()
        ours, theirs = socket.socketpair()
        handing, taking = socket.socketpair(type=socket.SOCK_DGRAM)
        handing.setblocking(False)

        def ended() -> None:
            self.links.pop(number, None)
            over.set()

        try:
            async with self.writing:
                pid = state.pid = await self._fork(Seat(number, theirs, taking))
                link = self.links[number] = await open_link(ours, self._handlers_of(state, handing), ended)
            theirs.close()
            taking.close()
            if self._stopping.is_set():  # it was not there yet when all were told
                link.tell(STOP_KIND)
            late = asyncio.get_running_loop().call_later(READY_TIMEOUT_S, self._end_unless_ready, state, link)
            await over.wait()
            late.cancel()
            state.ready = False
            self.spread.leave(number)
            how = await _reap(pid)
        finally:
            state.pid = None
            for each in (ours, theirs, handing, taking):
                each.close()
        for call in self.ended:
            call(number)
        return how

    def _handlers_of(self, state: WorkerState, handing: socket.socket) -> dict[str, Handler]:
        def ready(body: bytes) -> None:
            state.ready = True
            self.spread.join(state.number, handing)
            for call in self.came:
                call(state.number)
            if self._begun is not None and not self._begun.done() and all(each.ready for each in self.states):
                self._begun.set_result(None)

        return {READY_KIND: ready, **{kind: partial(do, state.number) for kind, do in self.handlers.items()}}

    def _end_unless_ready(self, state: WorkerState, link: Link) -> None:
        if not state.ready:
            _log.error("worker %d was not ready within %.0f s", state.number + 1, READY_TIMEOUT_S)
            link.end()

    def _fork(self, seat: Seat) -> "asyncio.Future[int]":
        forked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self._fork_now, seat, forked)
        return forked

    def _fork_now(self, seat: Seat, forked: "asyncio.Future[int]") -> None:
        # A thread would not be there in the child, and what it holds would stay held.
        self._threads.shutdown(wait=True)
        self._threads = ThreadPoolExecutor(_THREADS_MAX)
        asyncio.get_running_loop().set_default_executor(self._threads)
        kept = [seat.channel.fileno(), seat.handed_over.fileno(), *self._kept[seat.number]]
        try:
            forked.set_result(fork_worker(partial(self._run, seat), kept))
        except Exception as error:  # whoever waits for it is told
            forked.set_exception(error)


async def _reap(pid: int) -> str:
    """Have a worker end that has ended its channel; returns how it did."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):  # noqa: ASYNC110, ASYNC222 - it does not block
        await asyncio.sleep(_REAP_RETRY_S)
    code = os.waitstatus_to_exitcode(ended[1])
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
