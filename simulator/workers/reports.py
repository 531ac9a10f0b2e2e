"""What each process of a simulator has done so far, as it tells the front many times a second; and the sums of it. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final, TypeAlias, TypeVar

import msgspec

from simulator.counters import Counters
from simulator.rig import Rig

Source: TypeAlias = int
"""A process: 0 is the front, others count up with every fork, so that the next one is never taken for a dead one."""

FRONT: Final[Source] = 0

Key = TypeVar("Key")

_NUMBERS = tuple(
    each.name for each in fields(Counters) if each.type is int and each.name not in ("resets", "connections_open")
)
_BY_NAME = tuple(each.name for each in fields(Counters) if each.type is not int)


class JournalTold(msgspec.Struct, frozen=True, array_like=True):
    """`number`: of the newest entry. `total`, `held`: since it was last cleared."""

    number: int
    total: int
    held: int


class RecordsTold(msgspec.Struct, frozen=True, array_like=True):
    """Of observations or frames: how often they began, how many there are since, and how many found no room."""

    begun: int
    count: int
    missed: int = 0


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What one process has done.

    `resets`: how often its counters were reset, since which `numbers`, `by_name` (parts of `Counters`) and `played` (faults, by
    name) count. `plays`: of faults at work, by number.
    """

    resets: int
    connections_open: int
    numbers: dict[str, int]
    by_name: dict[str, dict[str, int]]
    played: dict[str, int]
    plays: dict[int, int]
    journal: JournalTold
    observations: RecordsTold
    frame_log: RecordsTold
    frame_trouble: str | None
    fan_outs_waiting: int

    @classmethod
    def of(cls, rig: Rig) -> "Report":
        """What the process of this rig has done."""
        counters, journal, observations, frame_log = rig.counters, rig.journal, rig.observations, rig.frame_log
        return cls(
            counters.resets,
            counters.connections_open,
            {name: getattr(counters, name) for name in _NUMBERS},
            {name: dict(getattr(counters, name)) for name in _BY_NAME},
            dict(rig.faults.played),
            {each.number: each.matcher.played for each in rig.faults if each.matcher.played},
            JournalTold(journal.number, journal.total, journal.held),
            RecordsTold(observations.begun, observations.kept, observations.missed),
            RecordsTold(frame_log.begun, frame_log.lines),
            frame_log.trouble,
            len(rig.fcm.fan_outs),
        )

    def with_ended(self, ended: "Report") -> "Report":
        """What processes that have ended leave behind: this for those before, `ended` for one more.

        The counts stand; the records are lost, and observations count as missed.
        """
        counting = [each for each in (self, ended) if each.resets == max(self.resets, ended.resets)]
        return Report(
            max(self.resets, ended.resets),
            0,
            _summed([each.numbers for each in counting]),
            {name: _summed([each.by_name[name] for each in counting if name in each.by_name]) for name in _BY_NAME},
            _summed([each.played for each in counting]),
            _summed([self.plays, ended.plays]),
            JournalTold(0, self.journal.total + ended.journal.total, 0),
            _lost(self.observations, ended.observations),
            _lost(self.frame_log, ended.frame_log),
            None,
            0,
        )


_NOTHING = Report(0, 0, {}, {}, {}, {}, JournalTold(0, 0, 0), RecordsTold(0, 0), RecordsTold(0, 0), None, 0)


class Reports:
    """The newest report of each process, and what those that have ended leave behind: their counts stay in all sums."""

    def __init__(self) -> None:
        self._newest: dict[Source, Report] = {}
        self._ended = _NOTHING

    def heard(self, source: Source, report: Report) -> None:
        """A process tells what it has done."""
        self._newest[source] = report

    def newest(self, source: Source) -> Report | None:
        """What a process that has not ended has told last."""
        return self._newest.get(source)

    def ended(self, source: Source) -> None:
        """A process has ended. What it had not told is lost."""
        report = self._newest.pop(source, None)
        if report is not None:
            self._ended = self._ended.with_ended(report)

    def journal_cleared(self) -> None:
        """What has ended before is no longer part of the journal."""
        self._ended = msgspec.structs.replace(self._ended, journal=JournalTold(0, 0, 0))

    @property
    def entries_lost(self) -> int:
        """Of the journal since it was cleared: those that ended with their process."""
        return self._ended.journal.total

    def _all(self) -> list[Report]:
        return [self._ended, *self._newest.values()]

    def counters(self, resets: int) -> Counters:
        """All counters, since they were reset so often."""
        summed = Counters(resets=resets, connections_open=sum(each.connections_open for each in self._all()))
        for report in self._all():
            if report.resets == resets:
                for name, number in report.numbers.items():
                    setattr(summed, name, getattr(summed, name) + number)
                for name, counted in report.by_name.items():
                    getattr(summed, name).update(counted)
        return summed

    def played(self, resets: int) -> Counter[str]:
        """How often faults were played, by name, since the counters were reset so often."""
        return Counter(_summed([each.played for each in self._all() if each.resets == resets]))

    def plays(self, fault: int, but: Source | None = None) -> int:
        """How often a fault at work was played. `but`: not counting by this process."""
        counted = self._ended.plays.get(fault, 0)
        return counted + sum(each.plays.get(fault, 0) for source, each in self._newest.items() if source != but)

    def observations(self, begun: int) -> tuple[int, int]:
        """How many can be read, and how many found no room or are lost, since observing began for the so-manieth time."""
        told = [each.observations for each in self._all() if each.observations.begun == begun]
        return sum(each.count for each in told), sum(each.missed for each in told)

    def frame_lines(self, begun: int) -> int:
        """How many lines there were, since the frame log began for the so-manieth time."""
        told = [each.frame_log for each in self._all() if each.frame_log.begun == begun]
        return sum(each.count + each.missed for each in told)

    @property
    def frame_trouble(self) -> str | None:
        """Why a file does not have all frames."""
        return next((each.frame_trouble for each in self._newest.values() if each.frame_trouble), None)

    @property
    def fan_outs_waiting(self) -> int:
        """Messages to topics that are not delivered yet."""
        return sum(each.fan_outs_waiting for each in self._newest.values())


def _lost(before: RecordsTold, ended: RecordsTold) -> RecordsTold:
    begun = max(before.begun, ended.begun)
    return RecordsTold(begun, 0, sum(each.count + each.missed for each in (before, ended) if each.begun == begun))


def _summed(counts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    summed: dict[Key, int] = {}
    for counted in counts:
        for key, count in counted.items():
            summed[key] = summed.get(key, 0) + count
    return summed
