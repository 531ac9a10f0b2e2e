"""Google's side of one HTTP/2 connection: takes the requests that are Google's, and queues the answers. No I/O."""

from collections.abc import Callable, Sequence
from typing import Final

from simulator.fcm.errors import Fault
from simulator.fcm.message import SendRequest
from simulator.fcm.service import ACCEPTED_FIELDS, FcmService
from simulator.host_owner import HostOwner, owner_of
from simulator.http_answer import HttpAnswer
from wire.hpack import stateless_block
from wire.request import Head, Request
from wire.server import ServerConnection

STREAMS_MAX: Final = 100
"""MAX_CONCURRENT_STREAMS. Source: B14: peers of firebase-admin for Node; firebase-admin-node #2943."""

STREAM_LIMIT_ABUSE_TEXT: Final = b"exceeded_max_concurrent_streams"
"""Debug data of the GOAWAY that FCM sends to who exceeds it. Source: firebase-admin-node #2943."""

PATH_PREFIXES: Final = (b"/v1/projects/", b"/iid/", b"/token", b"/batch", b"/fcm/send")
"""What only Google knows. On a host of Google's every path is Google's, on one of Apple's none."""

BLOCKS_KEPT_MAX: Final = 64
"""Header blocks of answers, by status and fields; at the bound they are made anew."""

_ACCEPTED_BLOCK: Final = stateless_block([(b":status", b"200"), *ACCEPTED_FIELDS])


def is_googles(path: bytes | None, head: Head, owner: HostOwner | None) -> bool:
    """Whether a request is for Google. `owner`: of the host that the connection came to, by SNI; else `:authority` tells."""
    owner = owner or owner_of(head.value(b":authority") or head.value(b"host"))
    if owner is not None:
        return owner is HostOwner.GOOGLE
    return path is not None and path.startswith(PATH_PREFIXES)


class GooglePlane:
    """One connection. `met`: called before the first answer of Google's.

    `send`: takes every answer, as `ServerConnection.answer` does, which it is unless somebody puts another in its place.
    """

    __slots__ = ("_blocks", "_connection_id", "_met", "_owner", "_path", "_service", "send")

    def __init__(
        self,
        service: FcmService,
        connection: ServerConnection,
        connection_id: int,
        owner: HostOwner | None,
        met: Callable[[], None],
    ) -> None:
        self._service = service
        self.send: Callable[[int, bytes, bytes], object] = connection.answer
        self._connection_id = connection_id
        self._owner = owner
        self._met = met
        self._path: bytes | None = None  # of a request that was Google's
        self._blocks: dict[tuple[int, tuple[tuple[bytes, bytes], ...]], bytes] = {}

    def goes_on(self, requests: Sequence[Request]) -> bool:
        """Whether a read begins as the last ones went: with a request to the path that was Google's."""
        return requests[0].varying[0] == self._path is not None

    def answer(self, requests: Sequence[Request], now_s: float) -> list[Request]:
        """Answer those requests of one read that are Google's, in their order; returns the others."""
        own: list[Request] = []
        others: list[Request] = []
        for request in requests:
            path = request.varying[0]
            (own if (path == self._path is not None) or self.takes(request) else others).append(request)
        send = self.send
        answers = self._service.accept_plainly(own, self._connection_id, now_s)
        for request, found in zip(own, answers, strict=True):
            if type(found) is bytes:
                send(request.stream_id, _ACCEPTED_BLOCK, found)
            else:
                self._answer_fully(request, found, now_s)
        return others

    def take(self, request: Request, now_s: float) -> bool:
        """Answer a request if it is Google's, and tell whether it is. `now_s`: the simulator's clock."""
        return not self.answer((request,), now_s)

    def _answer_fully(self, request: Request, found: bytes | SendRequest | Fault | None, now_s: float) -> None:
        assert not isinstance(found, bytes)
        answer = self._service.answer_fully(request, found, self._connection_id, now_s)
        body = b"" if request.head.value(b":method") == b"HEAD" else answer.body
        self.send(request.stream_id, self._block(answer), body)

    @property
    def alone(self) -> bool:
        """Every request of this connection is Google's, whatever its path."""
        return self._owner is HostOwner.GOOGLE

    def takes(self, request: Request) -> bool:
        """Whether a request is Google's to answer, which changes the connection when it is the first."""
        path = request.varying[0]
        if not is_googles(path, request.head, self._owner):
            return False
        if self._path is None:
            self._met()
        self._path = path or b""
        return True

    def _block(self, answer: HttpAnswer) -> bytes:
        known = self._blocks.get(answer[:2])
        if known is None:
            if len(self._blocks) >= BLOCKS_KEPT_MAX:
                self._blocks.clear()
            known = self._blocks[answer[:2]] = stateless_block([(b":status", b"%d" % answer.status), *answer.fields])
        return known
