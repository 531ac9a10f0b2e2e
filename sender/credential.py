"""What shows a provider who is sending: the value of the `authorization` field, and what renews it. No I/O.

Some credentials are made here, some have to be asked for over the network. The latter say what to ask; a shell carries it
there and back (see `Run.credential_request`).
"""

from abc import ABC, abstractmethod
from typing import NamedTuple


class CredentialRequest(NamedTuple):
    """A form to be posted. `url`: with path; `body`: URL-encoded."""

    url: str
    body: bytes


class CredentialAnswer(NamedTuple):
    """What came of a request. `status` 0: no answer, and `error` says why."""

    status: int
    body: bytes = b""
    error: str = ""


class Credential(ABC):
    """One credential, shared by all connections that use it.

    `refused`: why no notification can be sent with it any more, or None. `trouble`: what stood in the way of getting it
    when it was last asked for, "" for nothing.
    """

    refused: str | None = None
    trouble: str = ""

    @abstractmethod
    def text(self, now_s: float) -> bytes | None:
        """Value of the `authorization` field, the same object until it is renewed; b"": no such field; None: not there yet."""

    @abstractmethod
    def renew(self, refused: bytes, now_s: float) -> bool:
        """The provider refused the text `refused`. True when another one is there, or will be."""

    def request(self, now_s: float) -> CredentialRequest | None:
        """What has to be asked for now; each request that is returned ends in one call of `answered`."""
        return None

    def answered(self, answer: CredentialAnswer, now_s: float, draw: float) -> None:
        """A request came to its end. `draw`: uniform in [0, 1), for jitter."""
        raise AssertionError("nothing was asked for")


class ShownInTls(Credential):
    """A client certificate: the connection itself says who is sending."""

    def text(self, now_s: float) -> bytes | None:
        return b""

    def renew(self, refused: bytes, now_s: float) -> bool:
        return False
