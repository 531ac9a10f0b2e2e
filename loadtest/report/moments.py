"""A series as charts show it: rates instead of counts, and no more points than a picture has room for. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from loadtest.report.run_record import Interval, Series

MOMENTS_MAX = 480
"""Points of a chart; a longer series has several of its intervals in each."""
CUT_SHORT = 0.5
"""A last interval of which less than this share was run is drawn with the one before, as its rate would mean little."""


class Moment(NamedTuple):
    """One point of a chart, for `duration_s` from `at_s`. Rates are a second.

    `latency_ms`: of each percentile the highest of the intervals put together. `rejected`, `given_up`: rates by reason.
    `connections`: the most that were open, None where nobody looked.
    """

    at_s: float
    duration_s: float
    scheduled: float
    sent: float
    accepted: float
    rejected: dict[str, float]
    given_up: dict[str, float]
    planned: float | None
    latency_ms: dict[str, float]
    behind_ms: float
    connections: int | None

    @property
    def middle_s(self) -> float:
        """Where the point stands."""
        return self.at_s + self.duration_s / 2

    @property
    def answered(self) -> float:
        """Final answers a second."""
        return self.accepted + sum(self.rejected.values())


class Moments(NamedTuple):
    """`intervals_each`: how many intervals of the series a moment has."""

    moments: list[Moment]
    intervals_each: int
    interval_s: float


def moments_of(series: Series, elapsed_s: float) -> Moments:
    """The series, thinned. `elapsed_s`: of the run, where its last interval is cut off."""
    rows, each = series.rows, max(1, -(-len(series.rows) // MOMENTS_MAX))
    groups = list(_groups(rows, each))
    if len(groups) > 1 and _covered_s(series, groups[-1], elapsed_s) < CUT_SHORT * series.interval_s * each:
        groups[-2:] = [[*groups[-2], *groups[-1]]]
    return Moments([_moment(series, group, elapsed_s) for group in groups], each, series.interval_s)


def _groups(rows: Sequence[Interval], each: int) -> Iterator[list[Interval]]:
    iterator = iter(rows)
    while group := list(islice(iterator, each)):
        yield group


def _covered_s(series: Series, group: Sequence[Interval], elapsed_s: float) -> float:
    """How much of the group was run; answers may come after the run's last instant was read, so never nothing."""
    full = group[-1].at_s + series.interval_s - group[0].at_s
    return max(0.01 * series.interval_s, min(full, elapsed_s - group[0].at_s))


def _moment(series: Series, group: Sequence[Interval], elapsed_s: float) -> Moment:
    duration_s = _covered_s(series, group, elapsed_s)
    rejected: Counter[str] = Counter()
    given_up: Counter[str] = Counter()
    latency_ms: dict[str, float] = {}
    for row in group:
        rejected.update(row.rejected)
        given_up.update(row.given_up)
        for name, value in row.latency_ms.items():
            latency_ms[name] = max(value, latency_ms.get(name, 0.0))
    planned = [row.planned_per_s for row in group if row.planned_per_s is not None]
    connections = [row.connections for row in group if row.connections is not None]
    return Moment(
        at_s=group[0].at_s,
        duration_s=duration_s,
        scheduled=sum(row.scheduled for row in group) / duration_s,
        sent=sum(row.sent for row in group) / duration_s,
        accepted=sum(row.accepted for row in group) / duration_s,
        rejected={reason: count / duration_s for reason, count in rejected.items()},
        given_up={reason: count / duration_s for reason, count in given_up.items()},
        planned=sum(planned) / len(planned) if planned else None,
        latency_ms=latency_ms,
        behind_ms=max(row.behind_ms for row in group),
        connections=max(connections, default=None),
    )
