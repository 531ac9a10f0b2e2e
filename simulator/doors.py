"""The ports of one simulator: how whoever comes is met, and whether anybody gets in, as faults want it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from socket import socket

from simulator.door import Door, listening_sockets
from simulator.faults.engine import ActiveFault
from simulator.faults.line import USUAL_HANDSHAKE, Ending, Handshake
from simulator.faults.refuse import RefuseFault
from simulator.limits import Limits
from simulator.rig import Rig

BACKLOG = 1_024


class Doors:
    """All doors of one simulator. `make_connection`: the protocol of a new connection. `open_count`: how many are established.
    `end_all`: ends those.

    `wait`: used for clients that a fault keeps waiting. `left`: called for each client that was let in and has gone again.
    `counts`: it is counted here that a fault closes the ports.
    """

    def __init__(
        self,
        rig: Rig,
        limits: Limits,
        make_connection: Callable[[], asyncio.Protocol],
        open_count: Callable[[], int],
        end_all: Callable[[Ending], None],
    ) -> None:
        self.rig = rig
        self.limits = limits
        self.make_connection = make_connection
        self.open_count = open_count
        self.wait: Callable[[float], Awaitable[object]] = asyncio.sleep
        self.left: Callable[[], None] = _nothing
        self.counts = True
        self._end_all = end_all
        self._doors: list[Door] = []
        self._refused_by: ActiveFault | None = None  # the fault that has the ports closed
        rig.faults.changed = self.look

    async def listen(
        self, host: str, port: int, tls: ssl.SSLContext | None, backlog: int = BACKLOG
    ) -> tuple[Door, int]:
        """Open a port; returns its door and the port (which `port` 0 leaves to the system). Raises OSError, UnicodeError."""
        sockets = await asyncio.to_thread(listening_sockets, host, port, backlog)  # may ask a name server
        bound: int = sockets[0].getsockname()[1]
        return self.add(sockets, tls, backlog=backlog), bound

    def add(
        self, sockets: Sequence[socket], tls: ssl.SSLContext | None, kind: type[Door] = Door, *, backlog: int = BACKLOG
    ) -> Door:
        """Put up a door behind sockets that listen, or behind none, where clients are brought to it."""
        door = kind(
            sockets,
            tls,
            self.make_connection,
            self.open_count,
            self.limits,
            self.rig.counters,
            self.rig.observations,
            self.meet,
            self.wait,
            self._left,
            backlog=backlog,
        )
        self._doors.append(door)
        self.look()
        return door

    def meet(self) -> Handshake:
        """How the next client is met that comes to a port."""
        if self.rig.scenario is not None:
            self.rig.scenario.connection_came()  # also for those that no fault lets in
        faults = self.rig.faults
        faults.arrivals += 1
        return faults.handshake_of(faults.arrivals, self.rig.clock.now_s()) if faults.on_arrivals else USUAL_HANDSHAKE

    def look(self) -> None:
        """Close or open the ports as faults want them now."""
        refusing = self.rig.faults.refusing(self.rig.clock.now_s())
        if refusing is None:
            for door in self._doors:
                door.accept_again()
            self._refused_by = None
            return
        for door in self._doors:
            door.refuse()
        if refusing is self._refused_by:
            return
        self._refused_by = refusing
        if self.counts:
            self.rig.faults.count_refusal(refusing)
        fault = refusing.planned.fault
        assert isinstance(fault, RefuseFault)
        if fault.open_connections != "keep":
            for door in self._doors:
                door.cut_pending()
            self._end_all(Ending(fault.open_connections))

    def look_where_it_matters(self) -> None:
        """The same, where time alone may have changed what faults want."""
        if self.rig.faults.on_arrivals or any(each.shut for each in self._doors):
            self.look()

    def close(self) -> None:
        """Accept no more at any port, and cut what is not established."""
        for door in self._doors:
            door.close()

    def leave_alone(self) -> None:
        """Take no more notice of faults."""
        self.rig.faults.changed = _nothing

    def _left(self) -> None:
        self.left()


def _nothing() -> None:
    pass
