"""The control planes of several simulators behind one address, asked as one."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec

from loadtest.control_client import (
    MARKS_MAX,
    ActiveFault,
    ControlClient,
    CounterStats,
    LedgerView,
    PopulationLedger,
    Rate,
    Stats,
)
from loadtest.ledger_marks import MarkCounts, add_marks


class Control(Protocol):
    """What a load test asks of a control plane; see `ControlClient`. All calls raise ControlPlaneError."""

    def declare(self, seed: int, count: int, start: int = 0) -> None: ...

    def ledger(self, seed: int | None = None) -> LedgerView: ...

    def start_round(self) -> int: ...

    def stats(self) -> Stats: ...

    def faults(self) -> list[ActiveFault]: ...

    def rates(self) -> dict[str, Rate]: ...


class ControlGroup:
    """`planes`: one for each simulator, at least one. What they count is added up, devices by their marks."""

    def __init__(self, planes: Sequence[ControlClient]) -> None:
        self._planes = planes

    def declare(self, seed: int, count: int, start: int = 0) -> None:
        """To all."""
        for plane in self._planes:
            plane.declare(seed, count, start)

    def ledger(self, seed: int | None = None) -> LedgerView:
        """The running round of all, populations that are declared. Two that accepted one device accepted it more than once."""
        views = [plane.ledger(seed) for plane in self._planes]
        by_seed: dict[int, list[PopulationLedger]] = {}
        for view in views:
            for population in view.populations:
                by_seed.setdefault(population.seed, []).append(population)
        return LedgerView(
            round=views[0].round,
            running=views[0].running,
            untracked=sum(view.untracked for view in views),
            populations=[
                self._together(seed, start, count, each)
                for seed, each in sorted(by_seed.items())
                if (start := each[0].start) is not None and (count := each[0].count) is not None
            ],
        )

    def _together(self, seed: int, start: int, count: int, views: list[PopulationLedger]) -> PopulationLedger:
        counts = MarkCounts(seed, start)
        for at in range(start, start + count, MARKS_MAX):
            stretch = min(MARKS_MAX, start + count - at)
            counts.add(add_marks([plane.marks(seed, at, stretch) for plane in self._planes]))
        return counts.figures(views)

    def start_round(self) -> int:
        """In all; the number is that of the first."""
        first, *_ = [plane.start_round() for plane in self._planes]
        return first

    def stats(self) -> Stats:
        """The counters of all, added up."""
        counters = [plane.stats().counters for plane in self._planes]
        summed: dict[str, int | dict[str, int]] = {}
        for field in msgspec.structs.fields(CounterStats):
            values = [getattr(each, field.name) for each in counters]
            if isinstance(values[0], dict):
                counted: Counter[str] = Counter()
                for value in values:
                    counted.update(value)
                summed[field.name] = dict(counted)
            else:
                summed[field.name] = sum(values)
        return Stats(msgspec.convert(summed, CounterStats))

    def faults(self) -> list[ActiveFault]:
        """Of all; each simulator numbers its own, so those of the others get numbers of their own here."""
        many = len(self._planes)
        return [
            ActiveFault(fault.id * many + place, fault.line)
            for place, plane in enumerate(self._planes)
            for fault in plane.faults()
        ]

    def rates(self) -> dict[str, Rate]:
        """Of the first: each simulator keeps its own."""
        return self._planes[0].rates()


def control_of(urls: Sequence[str], bearer_token: str | None) -> Control | None:
    """The control planes at these URLs as one; None for none. Raises ControlPlaneError."""
    planes = [ControlClient(url, bearer_token) for url in urls]
    if len(planes) == 1:
        return planes[0]
    return ControlGroup(planes) if planes else None
