"""Which part of a campaign a worker is leased next: of the devices in a closed loop, of the schedule in an open one. Pure.

In a closed loop workers ask, and get half of an even share of what is left: large leases first, small ones at the end, so that
nobody waits long for the last. In an open loop batches are dealt in turn, a little ahead of their instants.
"""

import math
from collections.abc import Sequence

from loadtest.index_range import IndexRange
from loadtest.leases import Lease, Leases, Piece, devices_in
from loadtest.timetable import Timetable

LEASE_DEVICES_MAX = 50_000
"""In one lease of a closed loop, and so in one batch of a worker's user."""
HELD_DEVICES_MAX = 500_000
"""Of one worker that have not come to their end by its reports: what may be sent twice when it dies. Then it gets no more."""
AHEAD_S = 2.0
"""So long before its instant a batch is dealt."""


class ClosedPlan:
    """Devices with the indices from `start` to before `stop`, in leases of whole batches."""

    def __init__(self, start: int, stop: int, batch_size: int) -> None:
        self._indices = IndexRange(start, stop)
        self._batch_size = batch_size

    def lease_to(self, worker: str, leases: Leases) -> Lease | None:
        """The next lease of a worker that takes part; None when there is nothing, or it holds enough."""
        if leases.held_by(worker) >= HELD_DEVICES_MAX:
            return None
        left = self._indices.remaining + leases.given_back
        batches = max(1, math.ceil(left / (2 * len(leases.workers)) / self._batch_size))
        size = min(LEASE_DEVICES_MAX, batches * self._batch_size)
        pieces = leases.take_given_back(size)
        fresh = self._indices.take(size - devices_in(pieces))
        if fresh:
            pieces.append(Piece(fresh.start, fresh.stop))
        return leases.lease(worker, pieces) if pieces else None


class OpenPlan:
    """The batches of a timetable, dealt in turn."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._turn = 0

    def deal(self, workers: Sequence[str], leases: Leases, until_s: float) -> dict[str, Lease]:
        """What each of `workers`, who take part, gets of the batches up to an instant, and of those given back."""
        dealt: dict[str, list[Piece]] = {worker: [] for worker in workers}
        held = {worker: leases.held_by(worker) for worker in workers}
        while workers:
            piece = self._next(leases, until_s)
            if piece is None:
                break
            worker = self._next_worker(workers, held, piece.devices)
            if worker is None:
                leases.put_back(piece)
                break
            dealt[worker].append(piece)
            held[worker] += piece.devices
        return {worker: leases.lease(worker, pieces) for worker, pieces in dealt.items() if pieces}

    def _next(self, leases: Leases, until_s: float) -> Piece | None:
        again = leases.take_given_back(1)
        if again:
            return again[0]
        head = self._timetable.head
        return Piece.of(self._timetable.pop()) if head is not None and head.at_s <= until_s else None

    def _next_worker(self, workers: Sequence[str], held: dict[str, int], devices: int) -> str | None:
        for _ in workers:
            self._turn = (self._turn + 1) % len(workers)
            worker = workers[self._turn]
            if not held[worker] or held[worker] + devices <= HELD_DEVICES_MAX:
                return worker
        return None
