"""What a fault is: a frozen record of options, and a pure plan of what it makes of an answer.

One module of this package for each fault; `table` lists them. `docs/faults.md` tells how to write the next.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import ClassVar, TypeAlias

import msgspec

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.outcome import Outcome


@unique
class Stage(Enum):
    """When a fault comes in.

    Before the judge, a fault that answers, resets or keeps silent takes its place: the notification is not processed, and a
    refusal counts as one. After the verdict the notification has been processed, and is accepted or not; a fault changes what
    the sender gets to hear of it, and the ledger keeps the verdict.
    """

    BEFORE_JUDGE = "before_judge"
    AFTER_VERDICT = "after_verdict"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all. The first line of a fault's docstring says what it plays, `good_sender` what a good sender does then.

    `http1`: whether it is played over HTTP/1.1 too; elsewhere it does nothing there.
    """

    name: ClassVar[str]
    good_sender: ClassVar[str]
    http1: ClassVar[bool] = True


class RequestFault(Fault, frozen=True):
    """A fault of single requests. `stages`: those it can have, the usual one first. `draws`: it needs chance."""

    stages: ClassVar[tuple[Stage, ...]]
    draws: ClassVar[bool] = False

    @property
    def provider(self) -> Provider | None:
        """Whose requests it can meet; None: anybody's."""
        return None

    @property
    def on_requests(self) -> bool:
        """Whether it is asked about requests, with the options it has."""
        return True

    def at_work(self) -> "Play":
        """What plays it: a fault that has to remember something is played by an object that does."""
        return self.play

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        """What becomes of a request that `outcome` would have become of: the same object when nothing else does."""
        raise NotImplementedError


Play: TypeAlias = Callable[[Outcome, Asked, Draws], Outcome]
