"""Notifications and connections by the second, in a bounded number of intervals, whatever the length of the run. Pure."""

from collections import Counter
from collections.abc import Mapping

import msgspec

INTERVALS_MAX = 1_200


class Second(msgspec.Struct, frozen=True):
    """`at_s`: since the first notification. `notifications`: answered in the `length_s` before. `connections`: open then.

    `accepted`, `rejected`: those of them, by reason.
    """

    at_s: float
    length_s: float
    notifications: int
    connections: int
    accepted: int = 0
    rejected: dict[str, int] = {}

    @property
    def per_s(self) -> float:
        """Notifications a second."""
        return self.notifications / self.length_s if self.length_s > 0 else 0.0


class SecondsSeen:
    """The course of a run, from samples of counters that only grow; `rows` in order."""

    def __init__(self, intervals_max: int = INTERVALS_MAX) -> None:
        self.rows: list[Second] = []
        self._intervals_max = intervals_max
        self._at_s = 0.0
        self._counted = self._accepted = 0
        self._rejected: Counter[str] = Counter()

    def sample(
        self, at_s: float, notifications: int, connections: int, accepted: int = 0, rejected: Mapping[str, int] = {}
    ) -> None:
        """Counters at an instant; all but `connections` since the beginning."""
        self.rows.append(
            Second(
                round(at_s, 3),
                round(at_s - self._at_s, 3),
                notifications - self._counted,
                connections,
                accepted - self._accepted,
                dict(Counter(rejected) - self._rejected),
            )
        )
        self._at_s, self._counted, self._accepted, self._rejected = at_s, notifications, accepted, Counter(rejected)
        if len(self.rows) > self._intervals_max:
            self._join()

    def _join(self) -> None:
        """Two by two: half as many intervals, twice as long. The most connections of either count."""
        pairs = [self.rows[at : at + 2] for at in range(0, len(self.rows), 2)]
        self.rows = [
            Second(
                pair[-1].at_s,
                round(sum(each.length_s for each in pair), 3),
                sum(each.notifications for each in pair),
                max(each.connections for each in pair),
                sum(each.accepted for each in pair),
                dict(sum((Counter(each.rejected) for each in pair), Counter())),
            )
            for pair in pairs
        ]

    def busiest_per_s(self, length_s_min: float) -> float:
        """The most notifications a second of any interval that is not shorter; 0.0 when each is."""
        return max((each.per_s for each in self.rows if each.length_s >= length_s_min), default=0.0)
