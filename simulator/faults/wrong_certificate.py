"""A server certificate that no client must trust."""

from typing import ClassVar, Literal

from simulator.faults.line import Handshake
from simulator.faults.line_fault import DoorFault


class WrongCertificateFault(DoorFault, frozen=True):
    """The simulator shows a certificate that does not prove who it is, as a proxy in between would.

    `kind`: of an authority that nobody knows; of that authority and for another host; or of it and expired.
    """

    name: ClassVar[str] = "wrong-certificate"
    good_sender: ClassVar[str] = (
        "sends nothing over it, names the certificate in its error, and does not try without end"
    )

    kind: Literal["unknown-authority", "wrong-host", "expired"] = "unknown-authority"

    def meet(self, handshake: Handshake) -> Handshake:
        return handshake._replace(certificate=self.kind)
