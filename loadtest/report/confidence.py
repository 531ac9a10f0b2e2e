"""How sure a difference between two sets of repeats is: Welch's interval, from Student's distribution. Pure.

B. L. Welch, "The generalization of Student's problem when several different population variances are involved" (1947).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

DEGREES_MAX = 1e6
"""Beyond, Student's distribution is the normal one to many digits."""


class Interval(NamedTuple):
    """`difference`: of the means, new less old. It lies between `low` and `high` with the confidence asked for."""

    difference: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """No difference at all lies outside."""
        return self.low > 0 or self.high < 0


def difference(old: Sequence[float], new: Sequence[float], confidence: float) -> Interval | None:
    """The difference of the means with its interval; None with fewer than two values on either side.

    `confidence`: above 0 and below 1. Welch's: the two may scatter differently.
    """
    if min(len(old), len(new)) < 2:
        return None
    found = _mean(new) - _mean(old)
    parts = [_variance(values) / len(values) for values in (old, new)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return Interval(found, found, found)
    whole = sum(parts)
    degrees = 1 / sum((part / whole) ** 2 / (len(values) - 1) for part, values in zip(parts, (old, new), strict=True))
    reach = student_quantile(0.5 + confidence / 2, min(degrees, DEGREES_MAX)) * error
    return Interval(found, found - reach, found + reach)


def student_quantile(share: float, degrees: float) -> float:
    """What a variable of Student's distribution stays below with probability `share`, at least 0.5 and below 1."""
    low, high = 0.0, 1.0
    while student_share(high, degrees) < share:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_share(middle, degrees) < share else (low, middle)
    return high


def student_share(value: float, degrees: float) -> float:
    """The probability that a variable of Student's distribution is below `value`, which is not negative."""
    whole = degrees + value * value
    return 1 - _beta_share(degrees / whole, value * value / whole, degrees / 2, 0.5) / 2


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _beta_share(x: float, rest: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22, evaluated as Lentz did).

    `rest`: 1 - x, which the caller knows to more digits where x is close to 1.
    """
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, that of the opposite does not
        return 1 - _beta_share(rest, x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest))
    tiny = 1e-300
    above, below, value = 1.0, 0.0, 1.0
    for step in range(10_000):
        half = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        below = 1 / (1 + term * below or tiny)
        above = (1 + term / above) or tiny
        value *= above * below
        if step and abs(above * below - 1) < 1e-15:
            break
    return front * (value - 1) / a
