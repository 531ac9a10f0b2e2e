"""Token buckets: one alone, and one for each of millions of keys.

Both are kept as the instant at which the bucket will be full again (the generic cell rate algorithm), in whole nanoseconds:
sums of fractions of a second would drift. So a bucket that is full needs no memory, and refilling costs nothing: of a
million devices that get one message each, only those of the last second are kept. Counts in windows of an hour would be
kept for an hour.
"""

from collections import deque
from collections.abc import Generator, Hashable

from simulator.rates.rates import BucketRate

KEYS_MAX = 100_000  # some 30 MB with keys of 22 bytes and two rates; a provider token, as a key, has up to 4 KiB
_LOOKED_AT_MAX = 4
_FREED_A_STEP = 2_000
_NS = 1_000_000_000


class _Refill:
    """The arithmetic of one rate. `full_ns`: when the bucket is full; in the past for one that is."""

    __slots__ = ("depth_ns", "interval_ns")

    def __init__(self, rate: BucketRate) -> None:
        self.interval_ns = max(1, round(rate.per_s * _NS / rate.count))
        self.depth_ns = self.interval_ns * rate.burst_count  # from empty to full

    def full_after_one_ns(self, full_ns: int, now_ns: int) -> int:
        """When the bucket would be full if one were taken now; over `depth_ns` from now: there is none to take.

        A clock that went back leaves instants that no forward time can bring about; such a bucket counts as full.
        """
        if now_ns < full_ns <= now_ns + self.depth_ns:
            return full_ns + self.interval_ns
        return now_ns + self.interval_ns


def _nanoseconds(now_s: float) -> int:
    return int(now_s * _NS)


def _seconds(wait_ns: int) -> float:
    """At least a microsecond more than the wait: clocks of today are no finer, and at its end one must be there to take."""
    return (wait_ns // 1_000 + 2) / 1_000_000


class Bucket:
    """One bucket, full at first."""

    __slots__ = ("_full_ns", "_refill")

    def __init__(self, rate: BucketRate) -> None:
        self._refill = _Refill(rate)
        self._full_ns = 0

    def clear(self) -> None:
        """Fill it."""
        self._full_ns = 0

    def take(self, now_s: float) -> float:
        """Take one, and return 0; or take nothing, and return the seconds to wait."""
        now_ns = _nanoseconds(now_s)
        full_ns = self._refill.full_after_one_ns(self._full_ns, now_ns)
        wait_ns = full_ns - now_ns - self._refill.depth_ns
        if wait_ns > 0:
            return _seconds(wait_ns)
        self._full_ns = full_ns
        return 0.0


class KeyedBuckets:
    """For each key a bucket of each rate; all must have one left. Memory is bounded by `keys_max`.

    Full buckets are dropped as new keys come. Where `keys_max` keys are filling, the one that is nearest to full among those
    looked at longest ago goes, and begins with full buckets when it comes back: a device is refused too late then, never
    too early, and the busiest stay known.
    """

    __slots__ = ("_full_ns", "_keys_max", "_line", "_refills")

    def __init__(self, *rates: BucketRate, keys_max: int = KEYS_MAX) -> None:
        assert rates, "buckets without a rate"
        self._refills = tuple(_Refill(rate) for rate in rates)
        self._keys_max = keys_max
        self._full_ns: dict[Hashable, tuple[int, ...]] = {}
        self._line: deque[Hashable] = deque()  # its keys, in the order in which they are looked at

    def __len__(self) -> int:
        return len(self._full_ns)

    def clear_steps(self) -> Generator[None, None, None]:
        """Fill all buckets at the first step; the rest frees their memory, a millisecond at a time."""
        forgotten, line = self._full_ns, self._line
        self._full_ns, self._line = {}, deque()
        while line:
            yield
            for _ in range(min(_FREED_A_STEP, len(line))):
                del forgotten[line.popleft()]

    def take(self, key: Hashable, now_s: float) -> float:
        """Take one from each bucket of a key, and return 0; or take nothing, and return the seconds to wait."""
        now_ns = _nanoseconds(now_s)
        before = self._full_ns.get(key)
        if before is None:
            self._make_room(now_ns)
            self._line.append(key)
            self._full_ns[key] = tuple([now_ns + refill.interval_ns for refill in self._refills])
            return 0.0
        wait_ns = 0
        after = []
        for refill, at_ns in zip(self._refills, before, strict=True):
            full_ns = refill.full_after_one_ns(at_ns, now_ns)
            wait_ns = max(wait_ns, full_ns - now_ns - refill.depth_ns)
            after.append(full_ns)
        if wait_ns:
            return _seconds(wait_ns)
        self._full_ns[key] = tuple(after)
        return 0.0

    def refuses(self, key: Hashable, now_s: float) -> bool:
        """Take one, and return False; or take nothing, and return True."""
        return self.take(key, now_s) > 0

    def _make_room(self, now_ns: int) -> None:
        """Drop full buckets at the head of the line, a few at most; the first that is not full goes to its end."""
        for _ in range(min(_LOOKED_AT_MAX, len(self._line))):
            key = self._line.popleft()
            if max(self._full_ns[key]) > now_ns:
                self._line.append(key)
                break
            del self._full_ns[key]
        if len(self._full_ns) >= self._keys_max:
            self._drop_one()

    def _drop_one(self) -> None:
        looked_at = [self._line.popleft() for _ in range(min(_LOOKED_AT_MAX, len(self._line)))]
        dropped = min(looked_at, key=lambda key: max(self._full_ns[key]))
        del self._full_ns[dropped]
        self._line.extend(key for key in looked_at if key != dropped)
