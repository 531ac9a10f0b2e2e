"""Which faults of a simulator were at work when, seen by asking it again and again while a load test runs."""

from collections.abc import Callable

from loadtest.control_group import Control
from loadtest.report.run_record import FaultBand

EVERY_S = 1.0
BANDS_MAX = 200
"""Kept of one run: more faults than that are not told apart in a drawing either."""


class FaultWatch:
    """`now`: seconds since the epoch. What comes and goes between two looks, `EVERY_S` apart, is not seen."""

    def __init__(self, control: Control, now: Callable[[], float]) -> None:
        self._control, self._now = control, now
        self._first_s: dict[int, tuple[str, float | None]] = {}  # by id; None: at work before the first look
        self._gone_s: dict[int, float] = {}
        self._looked_at_s: float | None = None

    def look(self) -> None:
        """Ask, if it is time. Raises ControlPlaneError."""
        now_s = self._now()
        if self._looked_at_s is not None and now_s - self._looked_at_s < EVERY_S:
            return
        began_before = self._looked_at_s is None
        self._looked_at_s = now_s
        here = {fault.id: fault.line for fault in self._control.faults()}
        for number, line in here.items():
            if number not in self._first_s and len(self._first_s) < BANDS_MAX:
                self._first_s[number] = line, None if began_before else now_s
        for number in self._first_s:
            if number not in here:
                self._gone_s.setdefault(number, now_s)

    def bands(self, started_at_s: float) -> list[FaultBand]:
        """What was seen, in seconds since `started_at_s`; without what was gone by then."""
        found = []
        for number, (line, first_s) in self._first_s.items():
            gone_s = self._gone_s.get(number)
            if gone_s is None or gone_s > started_at_s:
                from_s = 0.0 if first_s is None else max(0.0, first_s - started_at_s)
                found.append(
                    FaultBand(fault=line, from_s=from_s, to_s=None if gone_s is None else gone_s - started_at_s)
                )
        return found
