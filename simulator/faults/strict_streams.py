"""A server that has no patience with streams over its limit."""

from typing import ClassVar

from simulator.faults.line import DebugText, ErrorCodeNumber, Opening, StrictStreams
from simulator.faults.line_fault import ConnectionFault
from wire.errors import ErrorCode


class StrictStreamsFault(ConnectionFault, frozen=True):
    """The first stream over the limit ends the connection with GOAWAY (`too-many-streams`, `fcm-exceeded-streams`).

    By themselves the providers refuse a hundred of them first [choice]. `code`: of the GOAWAY; 7 is REFUSED_STREAM, 11
    ENHANCE_YOUR_CALM. `debug`: its debug data. `at_once`: a limit binds from when it is sent; else, as HTTP/2 has it, once the
    client has acknowledged it.
    """

    name: ClassVar[str] = "strict-streams"
    good_sender: ClassVar[str] = "never opens more streams than the limit in force allows, and spreads over connections"

    code: ErrorCodeNumber = int(ErrorCode.ENHANCE_YOUR_CALM)
    debug: DebugText = "exceeded_max_concurrent_streams"
    at_once: bool = False

    def open(self, opening: Opening) -> Opening:
        return opening._replace(strict_streams=StrictStreams(self.code, self.debug.encode(), self.at_once))
