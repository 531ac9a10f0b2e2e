"""What a connection tells its owner besides whole messages: plain frozen records, in order of occurrence."""

from dataclasses import dataclass

from wire.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class SettingsReceived:
    """The peer's SETTINGS are in force here, and their ACK is queued. `changed`: code and value of each entry."""

    changed: dict[int, int]


@dataclass(frozen=True, slots=True)
class SettingsAcknowledged:
    """The peer has acknowledged the oldest SETTINGS of this end that was still open."""

    acknowledged: dict[int, int]


@dataclass(frozen=True, slots=True)
class PingAcknowledged:
    """The answer to a PING of this end; `opaque` is its 8 bytes."""

    opaque: bytes


@dataclass(frozen=True, slots=True)
class GoawayReceived:
    """The peer goes. `unprocessed`: streams above `last_stream_id` that it has not touched, safe to send elsewhere."""

    last_stream_id: int
    code: int
    debug: bytes
    unprocessed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StreamReset:
    """A stream ended by RST_STREAM: from the peer, or (`local`) by this end because the peer broke a rule on it."""

    stream_id: int
    code: int
    local: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """Server: a stream over the limit in force was refused; the request was not looked at."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class HeaderListRefused:
    """Server: a request over MAX_HEADER_LIST_SIZE was answered with status 431, and the rest of it is dropped (10.5.1)."""

    stream_id: int
    why: str


@dataclass(frozen=True, slots=True)
class TrailersReceived:
    """A message on this stream closed with well-formed trailers; their fields carry nothing that push senders use."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class ConnectionFailed:
    """The peer broke the protocol: GOAWAY is queued, and nothing that arrives later is read."""

    error: RemoteProtocolError


Event = (
    SettingsReceived
    | SettingsAcknowledged
    | PingAcknowledged
    | GoawayReceived
    | StreamReset
    | StreamRefused
    | HeaderListRefused
    | TrailersReceived
    | ConnectionFailed
)
