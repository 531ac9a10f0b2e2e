"""Looks on while senders send: counters once a second, and a sample of the newest notifications. A shell."""

import time
from collections.abc import Callable

from loadtest.external.control_view import ControlView, Counted
from loadtest.external.requests_seen import add_gaps
from loadtest.external.seconds_seen import SecondsSeen
from loadtest.external.sender_group import SenderGroup

STEP_S = 1.0
"""Between two looks at the counters."""
FIRST_WAIT_S = 0.25
"""The longest that waiting for the first notification keeps us from noticing that the senders have ended."""
SAMPLE = 500
"""Of the newest notifications, looked at in each step where requests are not observed."""
SETTLING_S = 2.0
"""So long the simulator may take to notice that the connections of senders that have ended are gone."""
SETTLING_STEP_S = 0.05

Progress = Callable[[int], None]


class Watched:
    """What is found out while they send. Instants by our own clock, but for those of the first and the last notification."""

    def __init__(self, view: ControlView, *, sampled: bool) -> None:
        self._view, self._sampled = view, sampled
        self._first_ms: int | None = None
        self._first_s = 0.0
        self._looked_at = 0
        self.over_time = SecondsSeen()
        self.gap_us: dict[int, int] = {}

    def watch(self, group: SenderGroup, progress: Progress) -> Counted:
        """Look on until all senders have ended. Returns the last counters."""
        while self._first_ms is None:
            ended = group.ended(0)
            first = self._view.await_first(0 if ended else FIRST_WAIT_S)
            if first is not None:
                self._first_ms, self._first_s = first.at_ms, time.monotonic()
            elif ended:
                return self._view.counted()
        while not group.ended(STEP_S):
            progress(self._look().notifications)
        # What a sender wrote and left unread at its end is still to be judged.
        overdue_s = time.monotonic() + SETTLING_S
        while self._view.counted().connections_open and time.monotonic() < overdue_s:
            time.sleep(SETTLING_STEP_S)
        return self._look()

    def _look(self) -> Counted:
        counted = self._view.counted()
        self.over_time.sample(
            time.monotonic() - self._first_s,
            counted.notifications,
            counted.connections_open,
            counted.accepted,
            counted.rejected_by_reason,
        )
        if self._sampled:
            newest = self._view.newest(SAMPLE)
            add_gaps(self.gap_us, (each for each in reversed(newest) if each.number > self._looked_at))
            self._looked_at = newest[0].number if newest else 0
        return counted

    def elapsed_s(self) -> float:
        """From the first notification to the last."""
        newest = self._view.newest(1)
        return (newest[0].at_ms - self._first_ms) / 1000 if newest and self._first_ms is not None else 0.0
