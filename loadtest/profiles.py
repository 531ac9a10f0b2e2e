"""How many notifications a second are scheduled, as a pure function of the time since the start.

A profile is a rate over time, `rate_per_s(elapsed_s)`, with its integral, `total(elapsed_s)`: how many are scheduled by then.
All are made of straight lines, so that the integral is exact, and they compose.

    Profile
    |- Curve     straight lines between knots; then the last rate for ever, or the same again
    |- Until     another one, and nothing after an instant
    |- Then      one for as long as it lasts, then another
    `- Sum       two at once
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Knot = tuple[float, float]
"""Seconds since the start, rate per second."""

INSTANT_TOLERANCE_S = 1e-6
COUNT_TOLERANCE = 1e-6  # sums of fractions may miss a whole number by so much
# Further ahead nothing is scheduled: a hundred years.
HORIZON_S = 100 * 365.25 * 86_400


class Profile(Protocol):
    """A rate over time.

    `duration_s`: after it nothing is scheduled; infinite where it goes on. `natural_s`: how long its shape takes, where it ends
    when another one follows; 0 when it looks the same at any time.
    """

    @property
    def duration_s(self) -> float: ...

    @property
    def natural_s(self) -> float: ...

    def rate_per_s(self, elapsed_s: float) -> float:
        """The rate at an instant, from 0 upwards."""

    def total(self, elapsed_s: float) -> float:
        """How many are scheduled from the start to that instant."""


class Curve:
    """Straight lines between `knots`, the first at 0 s, in order; two at one instant are a jump.

    `repeats`: starts again after the last knot; otherwise the last rate stays.
    """

    duration_s = math.inf

    def __init__(self, knots: Sequence[Knot], *, repeats: bool = False) -> None:
        instants = [at_s for at_s, _ in knots]
        if not knots or instants[0] != 0 or instants != sorted(instants):
            raise ValueError(f"the knots of a profile start at 0 s and come in order, not {instants}")
        if any(not 0 <= rate < math.inf for _, rate in knots):
            raise ValueError("a rate is a number from 0 upwards")
        if repeats and instants[-1] == 0:
            raise ValueError("what repeats takes some time")
        self.natural_s = instants[-1]
        self._knots = tuple(knots)
        self._instants = instants
        self._repeats = repeats
        self._totals = [0.0]
        for (start_s, first), (end_s, last) in pairwise(knots):
            self._totals.append(self._totals[-1] + (end_s - start_s) * (first + last) / 2)

    def rate_per_s(self, elapsed_s: float) -> float:
        if self._repeats:
            elapsed_s %= self.natural_s
        start_s, first, slope = self._line(elapsed_s)
        return first + slope * (elapsed_s - start_s)

    def total(self, elapsed_s: float) -> float:
        before = 0.0
        if self._repeats:
            rounds, elapsed_s = divmod(elapsed_s, self.natural_s)
            before = rounds * self._totals[-1]
        at = bisect_right(self._instants, elapsed_s) - 1
        start_s, first, slope = self._line(elapsed_s)
        within_s = elapsed_s - start_s
        return before + self._totals[at] + within_s * (first + slope * within_s / 2)

    def _line(self, elapsed_s: float) -> tuple[float, float, float]:
        """The line that an instant lies on: its start, the rate there, and how that changes a second."""
        at = bisect_right(self._instants, elapsed_s) - 1
        start_s, first = self._knots[at]
        if at + 1 == len(self._knots):
            return start_s, first, 0.0
        end_s, last = self._knots[at + 1]
        return start_s, first, (last - first) / (end_s - start_s)


@dataclass(frozen=True, slots=True)
class Until:
    """`profile` until `duration_s`, and nothing after it."""

    profile: Profile
    duration_s: float

    @property
    def natural_s(self) -> float:
        return self.duration_s

    def rate_per_s(self, elapsed_s: float) -> float:
        return self.profile.rate_per_s(elapsed_s) if elapsed_s < self.duration_s else 0.0

    def total(self, elapsed_s: float) -> float:
        return self.profile.total(min(elapsed_s, self.duration_s))


@dataclass(frozen=True, slots=True)
class Then:
    """`first`, which ends, and `second` from its end on."""

    first: Profile
    second: Profile

    @property
    def duration_s(self) -> float:
        return self.first.duration_s + self.second.duration_s

    @property
    def natural_s(self) -> float:
        return self.first.duration_s + self.second.natural_s

    def rate_per_s(self, elapsed_s: float) -> float:
        after_s = elapsed_s - self.first.duration_s
        return self.first.rate_per_s(elapsed_s) if after_s < 0 else self.second.rate_per_s(after_s)

    def total(self, elapsed_s: float) -> float:
        after_s = elapsed_s - self.first.duration_s
        return self.first.total(elapsed_s) + (self.second.total(after_s) if after_s > 0 else 0.0)


@dataclass(frozen=True, slots=True)
class Sum:
    """Both at once."""

    one: Profile
    other: Profile

    @property
    def duration_s(self) -> float:
        return max(self.one.duration_s, self.other.duration_s)

    @property
    def natural_s(self) -> float:
        return max(self.one.natural_s, self.other.natural_s)

    def rate_per_s(self, elapsed_s: float) -> float:
        return self.one.rate_per_s(elapsed_s) + self.other.rate_per_s(elapsed_s)

    def total(self, elapsed_s: float) -> float:
        return self.one.total(elapsed_s) + self.other.total(elapsed_s)


def instant_of(profile: Profile, count: float, after_s: float = 0.0) -> float | None:
    """When `count` are scheduled, at or after `after_s`, to a microsecond; None when the profile never has so many."""
    count -= COUNT_TOLERANCE
    low_s = after_s
    if profile.total(low_s) >= count:
        return low_s
    step_s = 0.001
    high_s = low_s + step_s
    while profile.total(high_s) < count:
        if high_s > min(profile.duration_s, HORIZON_S):
            return None
        low_s, step_s = high_s, step_s * 2
        high_s = low_s + step_s
    # By the slope, as far as it helps (lines are mostly straight), by halves otherwise.
    low, high = profile.total(low_s), profile.total(high_s)
    while high_s - low_s > INSTANT_TOLERANCE_S:
        guess_s = low_s + (high_s - low_s) * (count - low) / (high - low)
        for at_s in (guess_s + INSTANT_TOLERANCE_S / 2, guess_s - INSTANT_TOLERANCE_S / 2, (low_s + high_s) / 2):
            if low_s < at_s < high_s:
                total = profile.total(at_s)
                if total < count:
                    low_s, low = at_s, total
                else:
                    high_s, high = at_s, total
    return high_s


def capacity(profile: Profile) -> float:
    """How many are scheduled in all."""
    return profile.total(min(profile.duration_s, HORIZON_S))


def peak_until(profile: Profile, count: int) -> float:
    """The highest rate until so many are scheduled."""
    end_s = instant_of(profile, count)
    return peak_per_s(profile, min(profile.duration_s, HORIZON_S) if end_s is None else end_s)


def peak_per_s(profile: Profile, until_s: float, points: int = 1_000) -> float:
    """The highest rate until an instant, looked for at so many points."""
    return max(profile.rate_per_s(until_s * point / points) for point in range(points + 1))
