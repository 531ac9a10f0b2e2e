"""A count that begins anew each time its window is over."""

from simulator.rates.rates import WindowRate


class Window:
    """At most `rate.count` in each window of `rate.per_s` seconds; the first after the end of one begins the next.

    `left`: how many more this window takes, while `begins_s` <= now < `ends_s`. The hot path may read and lower it itself.
    A clock that went back to before the window begins a new one. `whole`: the rate that this is a part of.
    """

    __slots__ = ("_count", "_count_told", "_per_s", "begins_s", "ends_s", "left")

    def __init__(self, rate: WindowRate, whole: WindowRate | None = None) -> None:
        self._count, self._per_s = rate.count, rate.per_s
        self._count_told = rate.count if whole is None else whole.count
        self.clear()

    @property
    def count_max(self) -> int:
        """How many one window takes: `quota_limit_value` of the refusal."""
        return self._count_told

    def clear(self) -> None:
        """Forget what was counted."""
        self.begins_s = self.ends_s = 0.0
        self.left = 0

    def take(self, now_s: float) -> float:
        """Count one, and return 0; or count nothing, and return the seconds until the next window."""
        if self.left and self.begins_s <= now_s < self.ends_s:  # nearly always, on the hot path
            self.left -= 1
            return 0.0
        return 0.0 if self.take_many(1, now_s) else self.ends_s - now_s

    def give_back(self) -> None:
        """Count the one no more that was taken just now."""
        self.left += 1

    def take_many(self, wanted: int, now_s: float) -> int:
        """Count as many of `wanted` as there is room for, and return how many those are."""
        if not self.begins_s <= now_s < self.ends_s:
            self.begins_s, self.ends_s, self.left = now_s, now_s + self._per_s, self._count
        taken = min(wanted, self.left)
        self.left -= taken
        return taken
