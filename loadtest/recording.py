"""A run over time and its latencies, in constant memory however long it lasts; recordings of several processes add up. Pure.

Latencies are whole milliseconds, counted in the buckets of an HDR histogram of three significant digits. Over time they are
counted in coarser ones, of some 1.5 %, in a bounded number of intervals that grow longer with the run.
"""

from collections.abc import Mapping
from enum import StrEnum, unique

import msgspec

from loadtest.tally import OTHER_REASONS, add_counts, final_latency_ms
from sender.delivery import Counts

INTERVALS_MAX = 1_200
BUCKET_BITS = 11  # HDR histograms of three significant digits have 2048 buckets to the power of two
INTERVAL_BUCKET_BITS = 6
LATE_MS = 100
"""A batch that is handed to its connections so much after its instant is late: [choice], twice the sender's tick."""


@unique
class Since(StrEnum):
    """What a latency counts from."""

    SCHEDULED = "scheduled"
    SENT = "sent"
    BATCH = "batch"
    """From the scheduled instant of a batch to the last answer in it; one for each batch."""


class IntervalCounts(msgspec.Struct):
    """Notifications of one interval: `scheduled` by that instant, the others by that of their answer.

    `latency_ms`: of those scheduled in the interval when there is a schedule, else of those answered in it. `late_ms`: how late
    a batch scheduled in it was at worst.
    """

    scheduled: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: dict[str, int] = {}
    given_up: dict[str, int] = {}
    latency_ms: dict[int, int] = {}
    late_ms: int = 0

    def add(self, other: "IntervalCounts") -> None:
        """Add another one."""
        self.scheduled += other.scheduled
        self.sent += other.sent
        self.accepted += other.accepted
        self.late_ms = max(self.late_ms, other.late_ms)
        add_counts(self.rejected, other.rejected, OTHER_REASONS)
        add_counts(self.given_up, other.given_up, OTHER_REASONS)
        add_counts(self.latency_ms, other.latency_ms)


class Recording(msgspec.Struct):
    """`intervals`: by their number, each `interval_s` long. `latency_ms`: by `Since` and provider, ms -> notifications.

    `scheduled`: notifications whose instant came. `late`: those of them in batches that were late, `late_for_room`: because the
    users had all they may have in flight. `late_ms_max`: how late at worst. `scheduled_until_s`, `handed_out_until_s`: the last
    instant that came, and when the last of its notifications were handed out. Instants count from the start of the run.
    """

    interval_s: int = 1
    intervals: dict[int, IntervalCounts] = {}
    latency_ms: dict[str, dict[int, int]] = {}
    scheduled: int = 0
    late: int = 0
    late_for_room: int = 0
    late_ms_max: int = 0
    scheduled_until_s: float = 0.0
    handed_out_until_s: float = 0.0

    def arrived(self, at_s: float, count: int, late_s: float, *, no_room: bool) -> None:
        """A batch of `count` scheduled at `at_s` was handed out, `late_s` after that; `no_room`: it had to wait for room."""
        late_ms = int(late_s * 1000)
        interval = self._interval(at_s)
        interval.scheduled += count
        interval.late_ms = max(interval.late_ms, late_ms)
        self.scheduled += count
        self.late_ms_max = max(self.late_ms_max, late_ms)
        self.scheduled_until_s = max(self.scheduled_until_s, at_s)
        self.handed_out_until_s = max(self.handed_out_until_s, at_s + late_s)
        if late_ms > LATE_MS:
            self.late += count
            self.late_for_room += count if no_room else 0

    def answered(self, scheduled_at_s: float, provider: str, latency_ms: int, count: int) -> None:
        """So many scheduled at one instant were answered at another, for good."""
        self._count_latency(Since.SCHEDULED, provider, {latency_ms: count})
        latencies = self._interval(scheduled_at_s).latency_ms
        add_counts(latencies, {bucket(latency_ms, INTERVAL_BUCKET_BITS): count})

    def batch_ended(self, provider: str, latency_ms: int) -> None:
        """The last answer of a batch has come."""
        self._count_latency(Since.BATCH, provider, {latency_ms: 1})

    def counted(
        self, at_s: float, provider: str, counts: Counts, given_up: Mapping[str, int], *, scheduled: bool
    ) -> None:
        """What a sender has counted since it was last asked. `scheduled`: latencies over time come from `answered`."""
        interval = self._interval(at_s)
        interval.sent += counts.sent
        interval.accepted += counts.accepted
        add_counts(interval.rejected, counts.rejected, OTHER_REASONS)
        add_counts(interval.given_up, given_up, OTHER_REASONS)
        latency_ms = final_latency_ms(counts)
        self._count_latency(Since.SENT, provider, latency_ms)
        if not scheduled:
            for each_ms, count in latency_ms.items():
                add_counts(interval.latency_ms, {bucket(each_ms, INTERVAL_BUCKET_BITS): count})

    def add(self, other: "Recording") -> None:
        """Add the recording of another process, or of another stretch of time."""
        while self.interval_s < other.interval_s:
            self._coarsen()
        for number, interval in other.intervals.items():
            self._interval(number * other.interval_s).add(interval)
        for name, latency_ms in other.latency_ms.items():
            add_counts(self.latency_ms.setdefault(name, {}), latency_ms)
        self.scheduled += other.scheduled
        self.late += other.late
        self.late_for_room += other.late_for_room
        self.late_ms_max = max(self.late_ms_max, other.late_ms_max)
        self.scheduled_until_s = max(self.scheduled_until_s, other.scheduled_until_s)
        self.handed_out_until_s = max(self.handed_out_until_s, other.handed_out_until_s)

    @property
    def scheduled_per_s(self) -> float | None:
        """Notifications a second by the schedule, None without one."""
        return self.scheduled / self.scheduled_until_s if self.scheduled_until_s else None

    @property
    def reached_per_s(self) -> float | None:
        """Notifications a second that were handed to connections, None without a schedule."""
        return self.scheduled / self.handed_out_until_s if self.handed_out_until_s else None

    def take(self) -> "Recording":
        """What was recorded until now, which is forgotten here."""
        taken = Recording(**{name: getattr(self, name) for name in self.__struct_fields__})
        fresh = Recording()
        for name in self.__struct_fields__:
            setattr(self, name, getattr(fresh, name))
        return taken

    def latencies(self, since: Since, provider: str | None = None) -> dict[int, int]:
        """The latencies of one provider, or of all: ms -> notifications, by latency."""
        found: dict[int, int] = {}
        for name, latency_ms in self.latency_ms.items():
            each_since, _, each_provider = name.partition(" ")
            if each_since == since and provider in (None, each_provider):
                add_counts(found, latency_ms)
        return dict(sorted(found.items()))

    def _count_latency(self, since: Since, provider: str, latency_ms: Mapping[int, int]) -> None:
        counts = self.latency_ms.setdefault(f"{since} {provider}", {})
        for each_ms, count in latency_ms.items():
            each_ms = bucket(each_ms, BUCKET_BITS)
            counts[each_ms] = counts.get(each_ms, 0) + count

    def _interval(self, at_s: float) -> IntervalCounts:
        while (number := max(0, int(at_s // self.interval_s))) >= INTERVALS_MAX:
            self._coarsen()
        found = self.intervals.get(number)
        if found is None:
            found = self.intervals[number] = IntervalCounts()
        return found

    def _coarsen(self) -> None:
        """Intervals of twice the length."""
        self.interval_s *= 2
        before, self.intervals = self.intervals, {}
        for number, interval in before.items():
            self.intervals.setdefault(number // 2, IntervalCounts()).add(interval)


def bucket(latency_ms: int, bits: int) -> int:
    """The least latency of the bucket that one falls into: `bits` leading binary digits are kept."""
    shift = latency_ms.bit_length() - bits
    return latency_ms if shift <= 0 else latency_ms >> shift << shift


def percentile(latency_ms: Mapping[int, int], share: float) -> int:
    """The latency that a share of the notifications did not exceed, by nearest rank; 0 without any."""
    rank, seen = share * sum(latency_ms.values()), 0
    for latency, count in sorted(latency_ms.items()):
        seen += count
        if seen >= rank:
            return latency
    return 0
