"""When each batch of an open loop is scheduled: by its profile alone, whatever became of those before. Pure.

A batch arrives when the last of its notifications is due by the profile, so that a run of so many devices takes as long as
the profile takes to schedule them. With chance, batches arrive as a Poisson process of the profile's rate, in the same time.
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
    """The batches in order, until all of `indices` are given out or the profile ends. `poisson`: None for no chance.

    With chance they come as of a Poisson process of which is known how many there are: all within the time that the profile
    takes for them, and none left over at its end.
    """
    at_s, due, whole = 0.0, 0.0, float(indices.remaining)
    while batch := indices.take(batch_size):
        if poisson is None:
            due += len(batch)
        else:
            # The first of so many instants of which each lies anywhere in what is left.
            left = 1 + math.ceil(indices.remaining / batch_size)
            due += (whole - due) * (1.0 - (1.0 - poisson.random()) ** (1 / left))
        found_s = instant_of(profile, due, at_s)
        if found_s is None:
            indices.give_back(batch)
            return
        at_s = found_s
        yield Arrival(at_s, batch.start, batch.stop)


def smooth_batch_size(profile: Profile, devices: int) -> int:
    """Batches of so many notifications make `BATCHES_PER_S` at the profile's peak."""
    return max(1, min(BATCH_SIZE_SMOOTH_MAX, int(peak_until(profile, devices) / BATCHES_PER_S)))
