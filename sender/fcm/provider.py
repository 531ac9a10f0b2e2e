"""FCM as the delivery of a campaign sees it: one path for all, token and id in the body."""

from collections.abc import Callable

from sender.fcm.errors import TOO_LARGE_REASON
from sender.fcm.message_template import REQUEST_BYTES_MAX
from sender.fcm.messages import FcmOptions, header_fields, read_answer
from sender.provider import Farewell
from sender.reaction import Answer
from sender.store.records import Due
from sender.template import Refusal
from wire.request import Response

STREAMS_MAX = 100
"""Of one connection: above it FCM closes with GOAWAY `exceeded_max_concurrent_streams`. Source: firebase-admin-node #2943."""


class FcmProvider:
    """See `sender.provider.Provider`. `body_of`: of the request for one device. `personalised`: messages differ in size."""

    title = "FCM"
    # The connection asks for two names each; the second ones stand in no request and no response.
    request_varying = (b":path", b"pushrig-none")
    answer_varying = (b"date", b"pushrig-none")
    streams_max: int | None = STREAMS_MAX
    body_bytes_max = REQUEST_BYTES_MAX
    too_large = Refusal(TOO_LARGE_REASON)

    def __init__(self, options: FcmOptions, body_of: Callable[[Due], bytes | Refusal], *, personalised: bool) -> None:
        self.options = options
        self.path = options.path
        self.id_format: bytes | None = None
        self.body_of = body_of
        self._personalised = personalised

    def header_fields(self, authorization: bytes) -> list[tuple[bytes, bytes]]:
        return header_fields(self.options, authorization)

    def read_answer(self, response: Response) -> Answer:
        return read_answer(response, personalised=self._personalised)

    def read_goaway(self, debug: bytes) -> Farewell:
        """FCM says nothing that would end a campaign."""
        return Farewell("", final=False)
