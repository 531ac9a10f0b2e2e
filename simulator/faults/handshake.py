"""Handshakes that are slow, or come to nothing."""

from typing import ClassVar

from simulator.faults.line import Handshake, HandshakeManner, LineDelay
from simulator.faults.line_fault import DoorFault


class HandshakeFault(DoorFault, frozen=True):
    """TLS handshakes take seconds, or are lost (`slow-handshake`).

    - `delay_s`: between the TCP connection and the simulator's first look at it.
    - `manner`: then it goes on as usual; or nothing is ever said, for `silent_s`; or the connection is reset; or TLS's alert
      `handshake_failure` sent.
    """

    name: ClassVar[str] = "handshake"
    good_sender: ClassVar[str] = (
        "has few, long-lived connections; bounds each attempt in time, and waits between attempts"
    )

    delay_s: LineDelay = 0.0
    manner: HandshakeManner = "go-on"
    silent_s: LineDelay = 60.0

    def __post_init__(self) -> None:
        if self.manner == "go-on" and not self.delay_s:
            raise ValueError("handshake changes nothing; give delay_s, or manner=silent, reset or alert")

    def meet(self, handshake: Handshake) -> Handshake:
        handshake = handshake._replace(delay_s=handshake.delay_s + self.delay_s)
        if self.manner == "go-on":
            return handshake
        return handshake._replace(manner=self.manner, silent_s=self.silent_s)
