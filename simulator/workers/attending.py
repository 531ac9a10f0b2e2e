"""A worker's part in the control plane: makes the changes that the front tells, answers what it asks, reports what was done."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from simulator.control.slices import free_in_slices, in_slices
from simulator.rig import Rig
from simulator.traffic_changes import TrafficChange, watch_traffic
from simulator.workers.asked import (
    CHANGE_KIND,
    COUNT_KIND,
    FRAMES_KIND,
    OBSERVATIONS_KIND,
    PLAYS_KIND,
    REPORT_KIND,
    SEARCH_KIND,
    TRAFFIC_KIND,
    TrafficTold,
    count_steps,
    encode,
    frames_steps,
    observations_steps,
    read_change,
    read_plays,
    read_traffic,
    search_steps,
)
from simulator.workers.channel import Handler
from simulator.workers.own_changes import OwnChanges
from simulator.workers.reports import Report

REPORT_INTERVAL_S: Final = 0.02
"""Between looks at whether there is anything to report. One costs 30 µs."""

CHANGES_A_MESSAGE_MAX: Final = 1_000
"""Of those that requests make: what a turn of the event loop has brought goes in messages of so many."""


class TellFront(Protocol):
    """The worker's end of the channel."""

    def tell(self, kind: str, body: bytes = b"") -> None:
        """Send a message that asks for no answer."""


class Attendance:
    """One worker's. `pid`: tells this process's changes from those of others. `handlers`: of the channel to the front."""

    def __init__(self, rig: Rig, pid: int) -> None:
        self._rig = rig
        self._pid = pid
        self._front: TellFront | None = None
        self._own = OwnChanges()
        self._unsent: list[TrafficChange] = []
        self._reported = b""
        self._freeing: set[asyncio.Task[None]] = set()
        self.handlers: dict[str, Handler] = {
            CHANGE_KIND: self._change,
            PLAYS_KIND: self._plays,
            TRAFFIC_KIND: self._traffic,
            REPORT_KIND: lambda _: encode(Report.of(rig)),
            SEARCH_KIND: lambda body: in_slices(search_steps(rig, body)),
            COUNT_KIND: lambda body: in_slices(count_steps(rig, body)),
            OBSERVATIONS_KIND: lambda body: in_slices(observations_steps(rig, body)),
            FRAMES_KIND: lambda body: in_slices(frames_steps(rig, body)),
        }

    def begin(self, front: TellFront) -> None:
        """Report to the front from now on, and tell it what requests change."""
        self._front = front
        watch_traffic(self._rig, self._changed)
        self._report_and_go_on(asyncio.get_running_loop())

    def report(self) -> None:
        """Report, if there is anything new."""
        report = encode(Report.of(self._rig))
        if report != self._reported and self._front is not None:
            self._reported = report
            self._front.tell(REPORT_KIND, report)

    def _report_and_go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self.report()
        loop.call_later(REPORT_INTERVAL_S, self._report_and_go_on, loop)

    # What the front tells.

    def _change(self, body: bytes) -> None:
        self._free(read_change(body).apply(self._rig))

    def _plays(self, body: bytes) -> None:
        told = read_plays(body)
        for active in self._rig.faults:
            active.matcher.played_elsewhere = told.get(active.number, active.matcher.played_elsewhere)

    def _traffic(self, body: bytes) -> None:
        told = read_traffic(body)
        own = told.pid == self._pid
        for change in told.changes:
            if self._own.heard(change, own=own):
                change.apply(self._rig)

    def _free(self, freeing: Iterable[None]) -> None:
        task = asyncio.ensure_future(free_in_slices(freeing))
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)

    # What requests change.

    def _changed(self, change: TrafficChange) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._own.made(change)
        self._unsent.append(change)

    def _send(self) -> None:
        assert self._front is not None
        unsent, self._unsent = self._unsent, []
        for start in range(0, len(unsent), CHANGES_A_MESSAGE_MAX):
            told = TrafficTold(self._pid, unsent[start : start + CHANGES_A_MESSAGE_MAX])
            self._front.tell(TRAFFIC_KIND, encode(told))
