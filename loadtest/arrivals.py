"""When each batch of an open loop is scheduled: by its profile alone, whatever became of those before. Pure.

A batch arrives when the last of its notifications is due by the profile, so that a run of so many devices takes as long as
the profile takes to schedule them. With chance, batches arrive as a Poisson process of the profile's rate.
"""

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

from loadtest.index_range import IndexRange
from loadtest.profiles import Profile, instant_of, peak_until

BATCHES_PER_S = 200
"""So many at the profile's peak, unless the size of batches is given: few enough to be cheap, small enough to be smooth."""
BATCH_SIZE_SMOOTH_MAX = 1_000


class Arrival(NamedTuple):
    """One batch: devices with the indices from `start` to before `stop`, scheduled `at_s` seconds after the start.

    `recorded`: it was handed out before, by a user that left or a worker that died, and counts as scheduled already. `unsure`:
    that one may have sent it.
    """

    at_s: float
    start: int
    stop: int
    recorded: bool = False
    unsure: bool = False

    @property
    def indices(self) -> range:
        return range(self.start, self.stop)


def arrivals(
    profile: Profile, indices: IndexRange, batch_size: int, poisson: random.Random | None = None
) -> Iterator[Arrival]:
    """The batches in order, until all of `indices` are given out or the profile ends. `poisson`: None for no chance."""
    at_s, due = 0.0, 0.0
    while batch := indices.take(batch_size):
        due += len(batch) * (1.0 if poisson is None else poisson.expovariate(1.0))
        found_s = instant_of(profile, due, at_s)
        if found_s is None:
            if poisson is None:
                indices.give_back(batch)
                return
            # Chance has it later than the profile goes: at its end.
            found_s = max(at_s, profile.duration_s) if profile.duration_s < math.inf else at_s
        at_s = found_s
        yield Arrival(at_s, batch.start, batch.stop)


def smooth_batch_size(profile: Profile, devices: int) -> int:
    """Batches of so many notifications make `BATCHES_PER_S` at the profile's peak."""
    return max(1, min(BATCH_SIZE_SMOOTH_MAX, int(peak_until(profile, devices) / BATCHES_PER_S)))
