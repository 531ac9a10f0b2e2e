"""A port that is closed for a while."""

from typing import ClassVar, Literal

from simulator.faults.line_fault import DoorFault


class RefuseFault(DoorFault, frozen=True):
    """The provider's ports are closed as long as this is at work, then open again (`connection-refused`).

    `open_connections`: what becomes of those there are: kept, closed in good order, or reset.
    """

    name: ClassVar[str] = "refuse-connections"
    refuses: ClassVar[bool] = True
    unmatched: ClassVar[tuple[str, ...]] = (
        *DoorFault.unmatched, "from_connection", "to_connection", "every_connection", "times_max",
    )  # fmt: skip
    good_sender: ClassVar[str] = (
        "tries again with growing waits and jitter, and resumes at full speed once the port is open"
    )

    open_connections: Literal["keep", "close", "reset"] = "reset"
