"""Messages to topics on their way to the subscribers: how many at a time, and for how long."""

import heapq

from simulator.rates.rates import FanoutRate

_TOLERANCE_S = 1e-6  # what a clock of today shows at best; sums of fractions are less exact


class Fanouts:
    """At most `rate.concurrent` fan-outs at a time; those under way share `rate.deliveries_per_s` evenly.

    Nothing is sent here: it tells how long FCM would be at work. A fan-out ends when as many deliveries have come to each of
    those under way since the first began as had come when it began, and its own besides.
    """

    __slots__ = ("_at_s", "_concurrent_max", "_deliveries_per_s", "_each", "_ends")

    def __init__(self, rate: FanoutRate) -> None:
        self._concurrent_max = rate.concurrent
        self._deliveries_per_s = rate.deliveries_per_s
        self.clear()

    def clear(self) -> None:
        """End all fan-outs."""
        self._at_s = 0.0
        self._each = 0.0  # deliveries that each one under way has had, had it been there from the first
        self._ends: list[float] = []  # a heap: at which `_each` they end

    def wait_s(self, now_s: float) -> float:
        """0 where one more may begin, else the seconds until one of those under way ends."""
        self._pass_time(now_s)
        if len(self._ends) < self._concurrent_max:
            return 0.0
        return self._until_next_s() + _TOLERANCE_S

    def begin(self, deliveries: int, now_s: float) -> None:
        """Begin one to so many subscribers; `wait_s` must just have returned 0. Without subscribers it is over at once."""
        self._pass_time(now_s)
        assert len(self._ends) < self._concurrent_max, "too many fan-outs under way"
        heapq.heappush(self._ends, self._each + deliveries)

    def _pass_time(self, now_s: float) -> None:
        """Up to now; a clock that went back stands still for those under way."""
        elapsed_s = max(0.0, now_s - self._at_s)
        self._at_s = now_s
        while self._ends:
            until_next_s = self._until_next_s()
            if until_next_s > elapsed_s + _TOLERANCE_S:
                self._each += elapsed_s * self._deliveries_per_s / len(self._ends)
                return
            elapsed_s = max(0.0, elapsed_s - until_next_s)
            self._each = heapq.heappop(self._ends)
        self._each = 0.0  # a small number again, and so an exact one

    def _until_next_s(self) -> float:
        return (self._ends[0] - self._each) * len(self._ends) / self._deliveries_per_s
