"""What the simulator saw and did, as its control API tells it: one JSON object a line. Source: /api/v1/observations.

The simulator's own words for these are in its `observation_records`; a test compares the two.
"""

from typing import Literal, TypeAlias

import msgspec

By: TypeAlias = Literal["client", "simulator"]


class _Observed(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """`at_s`: since observing began."""

    at_s: float


class Accepted(_Observed, frozen=True, tag="accepted"):
    """A TCP connection was accepted."""

    peer: str


class HandshakeFailed(_Observed, frozen=True, tag="handshake-failed"):
    """The TLS handshake came to nothing."""

    peer: str
    why: str


class Opened(_Observed, frozen=True, tag="opened"):
    """A connection is established."""

    connection: int
    peer: str
    spoken: str
    host: str | None
    tls: str | None
    alpn: str | None


class Closed(_Observed, frozen=True, tag="closed"):
    """A connection has ended. `frames_in`: the client's, by type."""

    connection: int
    peer: str
    by: By
    how: Literal["end", "reset", "error"]
    bytes_in: int
    bytes_out: int
    frames_in: dict[str, int]
    frames_out: dict[str, int]
    unanswered: tuple[int, ...]


class SettingsSent(_Observed, frozen=True, tag="settings"):
    """SETTINGS of either side."""

    connection: int
    by: By
    values: dict[str, int]


class SettingsAcknowledged(_Observed, frozen=True, tag="settings-ack"):
    """An ACK of SETTINGS. `streams_max`: of the client's, the limit of streams from here on."""

    connection: int
    by: By
    streams_max: int | None


class Ping(_Observed, frozen=True, tag="ping"):
    """A PING."""

    connection: int
    by: By
    opaque: str


class PingAcknowledged(_Observed, frozen=True, tag="ping-ack"):
    """The answer to a PING of the other side."""

    connection: int
    by: By
    opaque: str


class Goaway(_Observed, frozen=True, tag="goaway"):
    """A GOAWAY."""

    connection: int
    by: By
    last_stream_id: int
    code: int
    debug: str


class Reset(_Observed, frozen=True, tag="reset"):
    """A stream was reset."""

    connection: int
    by: By
    stream: int
    code: int


class RequestSeen(_Observed, frozen=True, tag="request"):
    """A whole request came. `streams_open`, `streams_max`: as they stood when it began, at `opened_s`."""

    connection: int
    stream: int
    opened_s: float
    streams_open: int
    streams_max: int | None
    provider: str
    method: str
    path: str
    token: str | None
    target: str | None
    notification_id: str | None
    topic: str | None
    credential: str | None
    body_bytes: int


class Answer(_Observed, frozen=True, tag="answer"):
    """A whole answer was written."""

    connection: int
    stream: int
    status: int
    reason: str | None
    message_id: str | None
    retry_after: str | None
    retry_after_s: float | None
    timestamp_ms: int | None
    body_bytes: int


class Verdict(_Observed, frozen=True, tag="verdict"):
    """A notification was judged: with status 200 it was processed, whatever became of its answer."""

    connection: int
    stream: int
    provider: str
    token: str
    status: int
    reason: str | None
    message_id: str


class FaultPlayed(_Observed, frozen=True, tag="fault"):
    """A fault had an effect."""

    connection: int | None
    stream: int | None
    fault: int
    name: str
    stage: str


class PhaseBegan(_Observed, frozen=True, tag="phase"):
    """A phase of the scenario began."""

    name: str
    run: int


class PhaseEnded(_Observed, frozen=True, tag="phase-end"):
    """A phase of the scenario ended."""

    name: str
    run: int


class RunBegan(_Observed, frozen=True, tag="run"):
    """A run of the scenario began."""

    run: int


Observation: TypeAlias = (
    Accepted
    | HandshakeFailed
    | Opened
    | Closed
    | SettingsSent
    | SettingsAcknowledged
    | Ping
    | PingAcknowledged
    | Goaway
    | Reset
    | RequestSeen
    | Answer
    | Verdict
    | FaultPlayed
    | PhaseBegan
    | PhaseEnded
    | RunBegan
)

_decode = msgspec.json.Decoder(Observation).decode_lines


def read_observations(lines: bytes) -> list[Observation]:
    """Read JSON lines. Raises `msgspec.DecodeError`."""
    observations: list[Observation] = _decode(lines)
    return observations
