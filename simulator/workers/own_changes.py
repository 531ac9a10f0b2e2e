"""How the copies of one simulator's state come to agree on what requests change, though each answers at once. Pure.

A worker makes a change at the request, and tells the front. The front makes all changes in the order in which it hears of them,
and tells all workers in that order, the one that it heard it from too. While a worker waits to hear its own change, it lets
changes of the same subject pass: the front has put its own behind them. So a client reads what it wrote, and all end alike.
"""

from collections import Counter

from simulator.traffic_changes import Subject, TrafficChange


class OwnChanges:
    """Those of one worker that it has not heard back. They are as many as the front has not read or not told: the channel's
    bound is theirs."""

    __slots__ = ("_awaited",)

    def __init__(self) -> None:
        self._awaited: Counter[Subject] = Counter()

    def made(self, change: TrafficChange) -> None:
        """The worker has made a change of its own, and tells the front."""
        self._awaited[change.subject] += 1

    def heard(self, change: TrafficChange, *, own: bool) -> bool:
        """The front tells a change; whether it is to be made here."""
        if own:
            self._awaited[change.subject] -= 1
            if self._awaited[change.subject] > 0:
                return False
            # Once more, as the front may have begun anew between the two.
            del self._awaited[change.subject]
            return True
        return change.subject not in self._awaited

    def __len__(self) -> int:
        return len(self._awaited)
