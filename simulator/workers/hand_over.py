"""How connections come to workers: the front accepts them, and passes each to the worker that has the fewest.

Over a pair of Unix datagram sockets for each worker, the file descriptor beside the few bytes that the front knows of the
client. How many connections a worker has, the front knows: those it handed over, less those that the worker has counted as
gone in memory that both see.
"""

import asyncio
import contextlib
import mmap
import socket
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final, NamedTuple

import msgspec

from simulator.counters import Counters
from simulator.door import FILE_DESCRIPTORS, Door
from simulator.faults.line import USUAL_HANDSHAKE, Handshake

DATAGRAM_BYTES_MAX: Final = 1_024
TAKEN_A_TURN_MAX: Final = 16  # of a worker's event loop
_WORD_BYTES: Final = 8


class HandedOver(msgspec.Struct, array_like=True, frozen=True):
    """What the front knows of a client. `door`: which it came to. `number`: of its connection, over all workers.

    `handshake`: how it is to be met; None: as usual.
    """

    door: int
    number: int
    handshake: Handshake | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HandedOver).decode


class GoneCounts:
    """How many clients of each worker have gone again, in memory that front and workers share. Each writes its own."""

    def __init__(self, workers: int) -> None:
        self._words = memoryview(mmap.mmap(-1, workers * _WORD_BYTES)).cast("Q")

    def __getitem__(self, worker: int) -> int:
        return int(self._words[worker])

    def add(self, worker: int) -> None:
        """One more has gone. To be called in this worker's process."""
        self._words[worker] += 1


def next_worker(open_counts: Iterable[tuple[int, int]], last: int) -> int:
    """The worker that gets the next connection: the one with the fewest, in turn where several have as few.

    `open_counts`: number and connections of the workers there are, one at least. `last`: which got one last.
    """
    # Those behind the last come first, in their order.
    _, _, worker = min((connections, worker <= last, worker) for worker, connections in open_counts)
    return worker


def _nobody(number: int) -> None:
    pass


class _Place(NamedTuple):
    end: socket.socket
    gone_before: int


class Spread:
    """Hands connections over to the workers there are. `waiting_max`: how many wait while none can take one.

    `counters`: where it is counted that more waited. `numbered`: told the number of each connection, from 1.
    """

    def __init__(
        self, gone: GoneCounts, waiting_max: int, counters: Counters, numbered: Callable[[int], None] = _nobody
    ) -> None:
        self._numbers = count(1)
        self._numbered = numbered
        self.waiting: deque[tuple[socket.socket, HandedOver]] = deque()
        self._gone = gone
        self._waiting_max = waiting_max
        self._counters = counters
        self._places: dict[int, _Place] = {}
        self._handed: dict[int, int] = {}
        self._last = -1
        self._awaiting: list[socket.socket] = []  # ends that tell when they have room

    def join(self, worker: int, end: socket.socket) -> None:
        """A worker takes connections from now on. `end`: the front's of its pair of datagram sockets."""
        self._places[worker] = _Place(end, self._gone[worker])
        self._handed[worker] = 0
        self._hand_on()

    def leave(self, worker: int) -> None:
        """A worker takes none any more, and all that it had are gone."""
        if self._places.pop(worker, None) is not None:
            self._stop_awaiting()
            self._hand_on()

    def open_of(self, worker: int) -> int:
        """How many connections a worker has, those on their way to it among them."""
        place = self._places.get(worker)
        return 0 if place is None else self._handed[worker] - (self._gone[worker] - place.gone_before)

    def open_total(self) -> int:
        """How many connections there are."""
        return sum(map(self.open_of, self._places)) + len(self.waiting)

    def hand_over(self, accepted: socket.socket, door: int, handshake: Handshake | None) -> None:
        """Pass a connection to a worker, as soon as one can take it."""
        number = next(self._numbers)
        self._numbered(number)
        if len(self.waiting) >= self._waiting_max:
            self._counters.limits_reached["handshakes_pending_max"] += 1
            self.waiting.popleft()[0].close()
        self.waiting.append((accepted, HandedOver(door, number, handshake)))
        if not self._awaiting:
            self._hand_on()

    def drop_waiting(self) -> None:
        """Close what waits."""
        while self.waiting:
            self.waiting.popleft()[0].close()
        self._stop_awaiting()

    def _hand_on(self) -> None:
        self._stop_awaiting()
        full: set[int] = set()
        while self.waiting and len(full) < len(self._places):
            open_counts = [(worker, self.open_of(worker)) for worker in self._places if worker not in full]
            worker = next_worker(open_counts, self._last)
            accepted, handed = self.waiting[0]
            try:
                socket.send_fds(self._places[worker].end, [_encode(handed)], [accepted.fileno()])
            except OSError:  # no room, or it has just ended
                full.add(worker)
                continue
            accepted.close()
            self.waiting.popleft()
            self._handed[worker] += 1
            self._last = worker
        if self.waiting:
            loop = asyncio.get_running_loop()
            for place in self._places.values():
                loop.add_writer(place.end.fileno(), self._hand_on)
                self._awaiting.append(place.end)

    def _stop_awaiting(self) -> None:
        for end in self._awaiting:
            asyncio.get_running_loop().remove_writer(end.fileno())
        self._awaiting.clear()


class HandingDoor(Door):
    """A door of the front: whoever comes is passed on to a worker, which does the handshake. Make it with `handing`."""

    spread: Spread
    index: int

    def take(
        self,
        accepted: socket.socket,
        handshake: Handshake | None = None,
        make_connection: Callable[[], asyncio.Protocol] | None = None,
    ) -> None:
        """Pass a client on that has been accepted."""
        if self._open_count() >= self._limits.connections_max:
            self._counters.limits_reached["connections_max"] += 1
            accepted.close()
            return
        met = handshake or self._meet()
        self.spread.hand_over(accepted, self.index, None if met is USUAL_HANDSHAKE else met)

    def cut_pending(self) -> None:
        """Cut what no worker has taken yet."""
        self.spread.drop_waiting()


def handing(spread: Spread, index: int) -> type[HandingDoor]:
    """The kind of a door that passes on by `spread`. `index`: which one it is to the workers."""
    return type("HandingDoor", (HandingDoor,), {"spread": spread, "index": index})


class Taker:
    """Takes what the front hands over, in a worker. `end`: the worker's of the pair. `take`: gets each client.

    `lost`: called for one whose file descriptor this process could not take.
    """

    def __init__(
        self,
        end: socket.socket,
        take: Callable[[socket.socket, HandedOver], None],
        counters: Counters,
        lost: Callable[[], None],
    ) -> None:
        self._end = end
        self._take = take
        self._counters = counters
        self._lost = lost
        end.setblocking(False)
        asyncio.get_running_loop().add_reader(end.fileno(), self._receive)

    def _receive(self) -> None:
        for _ in range(TAKEN_A_TURN_MAX):
            try:
                data, descriptors, _, _ = socket.recv_fds(self._end, DATAGRAM_BYTES_MAX, 1)
            except (BlockingIOError, InterruptedError):
                return
            if not descriptors:  # none was free
                self._counters.limits_reached[FILE_DESCRIPTORS] += 1
                self._lost()
                continue
            accepted = socket.socket(fileno=descriptors[0])
            accepted.setblocking(False)
            self._take(accepted, _decode(data))

    def stop(self) -> None:
        """Take no more."""
        with contextlib.suppress(OSError):
            asyncio.get_running_loop().remove_reader(self._end.fileno())
        self._end.close()
