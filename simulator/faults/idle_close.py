"""A connection that the server closes because nothing comes from the client."""

from typing import Annotated, ClassVar, Literal

import msgspec

from simulator.faults.line import LINE_DELAY_S_MAX, Ending, IdleClose, Opening
from simulator.faults.line_fault import ConnectionFault


class IdleCloseFault(ConnectionFault, frozen=True):
    """A connection ends once it has idled, without a GOAWAY (`idle-close`).

    `idle_s`: without a byte from the client, PINGs included; it ends between one and two times that. `how`: in good order, or
    by TCP's RST.
    """

    name: ClassVar[str] = "idle-close"
    http1: ClassVar[bool] = True
    good_sender: ClassVar[str] = "opens another connection as if nothing had been; sends again what met the closed one"

    idle_s: Annotated[float, msgspec.Meta(gt=0, le=LINE_DELAY_S_MAX)] = 10.0
    how: Literal["close", "reset"] = "close"

    def open(self, opening: Opening) -> Opening:
        return opening._replace(idle_close=IdleClose(self.idle_s, Ending(self.how)))
