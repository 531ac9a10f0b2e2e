"""What one connection speaks once that is known: the form that HTTP/1.1 and HTTP/2 have in common, and what they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from simulator.apns.answer import RandomIds
from simulator.faults.line import Ending
from simulator.fcm.service import FcmService
from simulator.limits import Limits
from simulator.rig import Rig
from wire.budget import WireLimits


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What all sessions of one simulator share. `ids`: where made-up apns-ids come from.

    `monotonic_s`: any clock that only goes forward, the one that `Session.tick` is told of.
    """

    rig: Rig
    limits: Limits
    wire_limits: WireLimits
    ids: RandomIds
    google: FcmService
    monotonic_s: Callable[[], float]


class Session(Protocol):
    """Bytes in, answers out. No I/O: a shell hands in the bytes of each read, and writes once what is to be sent."""

    @property
    def closing(self) -> bool:
        """The connection is to be closed once everything is written."""

    @property
    def faulted(self) -> bool:
        """Faults have acted on the connection: only then `ending`, `stalled` and `next_due_s` have anything to say."""

    @property
    def ending(self) -> Ending | None:
        """How the connection is to be closed, where that was not in good order: a fault's choice."""

    @property
    def stalled(self) -> bool:
        """Nothing is to be read from the client for now."""

    @property
    def next_due_s(self) -> float | None:
        """When `wake` is to be called, as something waits for its time; None: nothing does."""

    def wake(self, now_s: float) -> None:
        """Go on with what waited for a time that has come. `now_s`: as of `tick`."""

    def receive(self, data: bytes) -> None:
        """Take the bytes of one read, and answer what they complete."""

    def data_to_send(self) -> bytes:
        """What is to be written now; b"" for nothing."""

    def tick(self, now_s: float, unread_bytes: int | None) -> bool:
        """Look at the deadlines; False: cut the connection, nothing can reach this client.

        `now_s`: of any clock that only goes forward. `unread_bytes`: what waits to be written, while the shell does not read
        because of it; else None.
        """

    def shut_down(self) -> None:
        """The simulator stops: say goodbye."""
