"""Who sends to which devices: a master leases pieces of a campaign to its workers, and takes back what they leave open. Pure.

Every index of a campaign is at any time in one place: not leased yet, with one worker, given back, or closed, which is to
say that its worker has told of its end. A worker tells by reports, which say all at once: what is still open of the leases
that it has received, and what it gives back; whatever else it held is closed. The reports are numbered: a worker that lost one
is lost, since its counts are. What a lost worker held is leased again; it may have been sent already, and counts as `repeated`.
"""

from collections import deque
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

import msgspec

from loadtest.arrivals import Arrival


class Piece(NamedTuple):
    """Devices with the indices from `start` to before `stop`.

    `at_s`: when they are scheduled, seconds since the start of the campaign; None in a closed loop. `recorded`: they count as
    scheduled already. `unsure`: somebody may have sent them, who will not tell.
    """

    start: int
    stop: int
    at_s: float | None = None
    recorded: bool = False
    unsure: bool = False

    @property
    def devices(self) -> int:
        return self.stop - self.start

    @classmethod
    def of(cls, batch: Arrival) -> "Piece":
        """A scheduled batch."""
        return cls(batch.start, batch.stop, batch.at_s, batch.recorded, batch.unsure)

    def batch(self) -> Arrival:
        """The same as a batch of a schedule; without an instant it is due at once."""
        return Arrival(self.at_s or 0.0, self.start, self.stop, self.recorded, self.unsure)


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """What a worker tells of its leases. `number`: of the report, from 1. `received`: its last lease, 0 for none.

    `open`: what it holds and goes on with. `given_back`: what it will not send.
    """

    number: int
    received: int
    open: list[Piece]
    given_back: list[Piece]


class Lease(NamedTuple):
    """`number`: of the worker's leases, from 1."""

    number: int
    pieces: list[Piece]


class _Holder:
    """What one worker holds: `open` as of its last report, and `on_the_way` since."""

    def __init__(self) -> None:
        self.reports = 0
        self.leases = 0
        self.open: list[Piece] = []
        self.on_the_way: deque[Lease] = deque()

    def pieces(self) -> list[Piece]:
        return [*self.open, *(piece for lease in self.on_the_way for piece in lease.pieces)]


class Leases:
    """The state of a campaign's leases. Workers are named by the caller.

    `closed`: devices whose end was told. `repeated`: devices leased again after they may have been sent, each time counted.
    """

    def __init__(self, devices: int) -> None:
        self.devices = devices
        self.closed = 0
        self.repeated = 0
        self._holders: dict[str, _Holder] = {}
        self._given_back: deque[Piece] = deque()

    @property
    def workers(self) -> list[str]:
        """Those that take part, in the order in which they joined."""
        return list(self._holders)

    @property
    def finished(self) -> bool:
        """Every device has come to its end."""
        return self.closed == self.devices

    @property
    def given_back(self) -> int:
        """Devices that were leased before, or dealt, and wait for a worker."""
        return devices_in(self._given_back)

    @property
    def unsure(self) -> int:
        """Those of `given_back` that may have been sent."""
        return devices_in(piece for piece in self._given_back if piece.unsure)

    def held_by(self, worker: str) -> int:
        """How many devices a worker holds, as far as is known here."""
        holder = self._holders.get(worker)
        return 0 if holder is None else devices_in(holder.pieces())

    def join(self, worker: str) -> None:
        """One more takes part."""
        self._holders.setdefault(worker, _Holder())

    def take_given_back(self, count: int) -> list[Piece]:
        """Up to `count` devices that were leased before; they are to be leased now."""
        taken: list[Piece] = []
        while count > 0 and self._given_back:
            piece = self._given_back.popleft()
            if piece.devices > count and piece.at_s is None:  # a scheduled batch stays whole
                self._given_back.appendleft(piece._replace(start=piece.start + count))
                piece = piece._replace(stop=piece.start + count)
            taken.append(piece)
            count -= piece.devices
        return taken

    def put_back(self, piece: Piece) -> None:
        """Nobody has room for it now: it is the first of `take_given_back`."""
        self._given_back.appendleft(piece)

    def lease(self, worker: str, pieces: Sequence[Piece]) -> Lease:
        """Give a worker that takes part some more. `pieces`: fresh ones, or from `take_given_back`."""
        holder = self._holders[worker]
        unsure = devices_in(piece for piece in pieces if piece.unsure)
        self.repeated += unsure
        holder.leases += 1
        lease = Lease(holder.leases, [piece._replace(unsure=False) if piece.unsure else piece for piece in pieces])
        holder.on_the_way.append(lease)
        return lease

    def hear(self, worker: str, standing: Standing) -> bool:
        """Take a report. False, and nothing is changed, when it cannot be believed: `lose` the worker then."""
        holder = self._holders.get(worker)
        if holder is None or standing.number != holder.reports + 1 or not 0 <= standing.received <= holder.leases:
            return False
        arrived = [piece for lease in holder.on_the_way if lease.number <= standing.received for piece in lease.pieces]
        known = [*holder.open, *arrived]
        told = [*standing.open, *standing.given_back]
        if not _within(told, known):
            return False
        self.closed += devices_in(known) - devices_in(told)
        holder.reports = standing.number
        holder.open = list(standing.open)
        while holder.on_the_way and holder.on_the_way[0].number <= standing.received:
            holder.on_the_way.popleft()
        self._given_back.extend(standing.given_back)
        return True

    def leave(self, worker: str) -> None:
        """A worker takes no part any more, and has said so in its last report: what was on the way to it was not sent."""
        holder = self._holders[worker]
        self._given_back.extend(piece for lease in holder.on_the_way for piece in lease.pieces)
        holder.on_the_way.clear()
        self.lose(worker)

    def lose(self, worker: str) -> int:
        """A worker takes no part any more: returns how many devices it held. They wait for others."""
        holder = self._holders.pop(worker, None)
        if holder is None:
            return 0
        pieces = joined(holder.pieces())
        # In front: their time has passed, or will soon.
        self._given_back.extendleft(piece._replace(unsure=True) for piece in reversed(pieces))
        return devices_in(pieces)


class Holding:
    """A worker's own account of its leases: what it tells of them, see `Leases.hear`."""

    def __init__(self) -> None:
        self._received = self._reports = 0
        self._held: list[Piece] = []  # as far as the master knows

    def take(self, lease: Lease) -> bool:
        """A lease has come. False when one before it was lost, which the master believes to be here: it is not to be sent."""
        if lease.number != self._received + 1:
            self._reports += 1  # as if a report were missing: the master takes everything back
            return False
        self._received = lease.number
        self._held += lease.pieces
        return True

    def standing(self, open_: Iterable[Piece], given_back: list[Piece]) -> Standing:
        """The next report. What is sent once more, though it has come to its end for the master, is no matter of leases."""
        self._held = within(open_, self._held)
        self._reports += 1
        return Standing(self._reports, self._received, self._held, given_back)


def devices_in(pieces: Iterable[Piece]) -> int:
    """How many devices there are in all."""
    return sum(piece.stop - piece.start for piece in pieces)


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """The same in order of their indices, with neighbours in one piece where nothing tells them apart."""
    found: list[Piece] = []
    for piece in sorted(pieces, key=_start):
        if found and found[-1].stop == piece.start and found[-1][2:] == piece[2:]:
            found[-1] = found[-1]._replace(stop=piece.stop)
        else:
            found.append(piece)
    return found


def runs(indices: Iterable[int]) -> list[range]:
    """Single indices as ranges, in order."""
    found: list[range] = []
    start = stop = -1
    for index in sorted(indices):
        if index != stop:
            if stop > start:
                found.append(range(start, stop))
            start = index
        stop = index + 1
    if stop > start:
        found.append(range(start, stop))
    return found


def without(pieces: Iterable[Piece], indices: Set[int]) -> list[Piece]:
    """The pieces less single indices."""
    return [
        piece._replace(start=run.start, stop=run.stop)
        for piece in pieces
        for run in runs(index for index in range(piece.start, piece.stop) if index not in indices)
    ]


def marked_unsure(pieces: Iterable[Piece], indices: Set[int]) -> list[Piece]:
    """The same, with single indices marked."""
    all_of_them = list(pieces)
    others = without(all_of_them, indices)
    rest = {index for piece in others for index in range(piece.start, piece.stop)}
    return [*others, *(piece._replace(unsure=True) for piece in without(all_of_them, rest))]


def within(pieces: Iterable[Piece], covering: Iterable[Piece]) -> list[Piece]:
    """The pieces as far as they lie in what others cover, each index once."""
    covered = joined(Piece(piece.start, piece.stop) for piece in covering)
    found: list[Piece] = []
    at = seen = 0
    for piece in sorted(pieces, key=_start):
        while at < len(covered) and covered[at].stop <= piece.start:
            at += 1
        here = at  # the next one may begin before this one ends
        while here < len(covered) and covered[here].start < piece.stop:
            start, stop = max(seen, piece.start, covered[here].start), min(piece.stop, covered[here].stop)
            if start < stop:
                found.append(piece._replace(start=start, stop=stop))
            here += 1
        seen = max(seen, piece.stop)
    return found


def _start(piece: Piece) -> int:
    return piece.start


def _within(inner: Iterable[Piece], outer: Iterable[Piece]) -> bool:
    """Whether no two of `inner` overlap, and each lies in what `outer` covers."""
    covered = joined(Piece(piece.start, piece.stop) for piece in outer)
    at = last_stop = 0
    for start, stop, *_ in sorted(inner, key=_start):
        while at < len(covered) and covered[at].stop <= start:
            at += 1
        if at == len(covered) or not max(last_stop, covered[at].start) <= start < stop <= covered[at].stop:
            return False
        last_stop = stop
    return True
