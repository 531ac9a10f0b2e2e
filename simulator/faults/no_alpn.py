"""TLS without an agreement on the protocol."""

from typing import ClassVar

from simulator.faults.line import Handshake
from simulator.faults.line_fault import DoorFault


class NoAlpnFault(DoorFault, frozen=True):
    """The simulator agrees on no protocol (ALPN), as an old proxy in between would. It still speaks HTTP/2 to who does."""

    name: ClassVar[str] = "no-alpn"
    good_sender: ClassVar[str] = "takes it for an error and says so, or speaks HTTP/2 all the same; never falls silent"

    def meet(self, handshake: Handshake) -> Handshake:
        return handshake._replace(alpn=False)
