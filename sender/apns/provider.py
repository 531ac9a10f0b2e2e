"""APNs as the delivery of a campaign sees it: the token in the path, the id in a field, one payload in the body."""

from collections.abc import Callable

from sender.apns.messages import PATH_PREFIX, ApnsOptions, goaway_reason, header_fields, read_answer
from sender.apns.reasons import action_for
from sender.notification_id import notification_id_prefix
from sender.provider import Farewell
from sender.reaction import Action, Answer
from sender.store.records import Due
from sender.template import Refusal, payload_bytes_max
from wire.request import Response


class ApnsProvider:
    """See `sender.provider.Provider`. `campaign_key`: 64 random bits. `payload_of`: the payload of one device."""

    title = "APNs"
    request_varying = (b":path", b"apns-id")
    answer_varying = (b"apns-id", b"apns-unique-id")
    streams_max: int | None = None
    path = PATH_PREFIX
    # Our own finding, in the provider's word: what is personalised can be too large for some and not for others.
    too_large = Refusal("PayloadTooLarge")

    def __init__(self, options: ApnsOptions, campaign_key: int, payload_of: Callable[[Due], bytes | Refusal]) -> None:
        self.options = options
        self.id_format: bytes | None = notification_id_prefix(campaign_key) + b"%012x"
        self.body_of = payload_of
        self.body_bytes_max = payload_bytes_max(options.push_type, options.topic)

    def header_fields(self, authorization: bytes) -> list[tuple[bytes, bytes]]:
        return header_fields(self.options, authorization or None)

    def read_answer(self, response: Response) -> Answer:
        return read_answer(response)

    def read_goaway(self, debug: bytes) -> Farewell:
        reason = goaway_reason(debug)
        return Farewell(reason, bool(reason) and action_for(403, reason) is Action.STOP)
