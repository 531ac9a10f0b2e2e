"""What the control plane looks at and changes: one simulator, whether one process serves it or several.

Whoever reads asks the view, and not the rig, for what processes have of their own: counters, what faults have played, journal,
observations and frames. All else is the same in each, and in `rig`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from simulator.changes import ControlChange
from simulator.control.observation_lines import encoded_steps, numbered_line
from simulator.control.slices import in_slices
from simulator.control.waiting import wait_for
from simulator.counters import Counters
from simulator.frame_log import FrameLine
from simulator.journal import Found, Wanted
from simulator.rig import Rig

Tell: TypeAlias = Callable[[ControlChange], None]
GivenUp: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class JournalStanding:
    """Notifications since the journal was cleared: all, those that can still be seen; and how many those can be."""

    total: int
    held: int
    capacity: int

    @property
    def dropped(self) -> int:
        """Those that cannot be seen any more."""
        return self.total - self.held


@dataclass(frozen=True, slots=True)
class WorkerStanding:
    """One of several workers. `restarts`: how often another process had to take its place. `pid`: None: it has none yet."""

    number: int
    pid: int | None
    restarts: int
    connections_open: int
    notifications: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What all processes have done, summed up.

    `faults_played`: by name. `observations_kept`, `observations_missed`, `frame_lines`: since they began. `frame_trouble`: why
    a file does not have all frames. `workers`: empty where one process does it all.
    """

    counters: Counters
    faults_played: Mapping[str, int]
    journal: JournalStanding
    fan_outs_waiting: int
    observations_kept: int
    observations_missed: int
    frame_lines: int
    frame_trouble: str | None
    workers: Sequence[WorkerStanding] = ()


class View(Protocol):
    """See the module."""

    @property
    def rig(self) -> Rig:
        """The state that all processes have alike."""

    def changing(self) -> AbstractAsyncContextManager[Tell]:
        """While this is entered `rig` may be changed; what is entered has to be told of each change, at once. Leaving it waits
        until all processes have made the same changes."""

    async def standing(self) -> Standing:
        """How it stands now. Afterwards the faults of `rig` know how often they were played."""

    async def search(self, wanted: Wanted, limit: int, *, newest_first: bool, after: int) -> Found:
        """Entries of the journal that fit and have a number above `after`."""

    async def wait_for(self, wanted: Wanted, count: int, timeout_s: float, given_up: GivenUp) -> int:
        """Wait until `count` entries that fit have come: as `simulator.control.waiting.wait_for`."""

    async def observations(self, after: int, limit: int) -> list[bytes]:
        """The observations behind a number, at most `limit`, each as JSON with its number."""

    async def frames(self, after: int, connection: int | None, stream: int | None, limit: int) -> Sequence[FrameLine]:
        """The newest lines of the frame log behind a number: as `FrameLog.recent`."""


class OneProcess:
    """The view of a simulator that runs in this process alone."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Tell]:
        """See `View`: there is nobody to tell."""
        yield _nobody

    async def standing(self) -> Standing:
        """See `View`."""
        rig, journal = self.rig, self.rig.journal
        return Standing(
            counters=rig.counters,
            faults_played=rig.faults.played,
            journal=JournalStanding(journal.total, journal.held, journal.entries_max),
            fan_outs_waiting=len(rig.fcm.fan_outs),
            observations_kept=rig.observations.kept,
            observations_missed=rig.observations.missed,
            frame_lines=rig.frame_log.lines,
            frame_trouble=rig.frame_log.trouble,
        )

    async def search(self, wanted: Wanted, limit: int, *, newest_first: bool, after: int) -> Found:
        """See `View`."""
        journal = self.rig.journal
        return await in_slices(journal.search_steps(wanted, limit, newest_first=newest_first, after_number=after))

    async def wait_for(self, wanted: Wanted, count: int, timeout_s: float, given_up: GivenUp) -> int:
        """See `View`."""
        return await wait_for(self.rig.journal, wanted, count, timeout_s, given_up)

    async def observations(self, after: int, limit: int) -> list[bytes]:
        """See `View`."""
        encoded = await in_slices(encoded_steps(self.rig.observations.page(after, limit)))
        return [numbered_line(number, each) for number, each in enumerate(encoded, after + 1)]

    async def frames(self, after: int, connection: int | None, stream: int | None, limit: int) -> Sequence[FrameLine]:
        """See `View`."""
        return self.rig.frame_log.recent(after=after, connection=connection, stream=stream, lines_max=limit)


def _nobody(change: ControlChange) -> None:
    pass
