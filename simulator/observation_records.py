"""What the rig can have seen and done: one record for each kind, the evidence that senders of any make are graded by.

`at_s` counts from when observing began. `connection` and `stream` are the numbers that the journal has. `by` tells whose
frame it was. Credentials appear as hashes: enough to tell two apart, nothing to sign with.
"""

from typing import Literal, TypeAlias

import msgspec

By: TypeAlias = Literal["client", "simulator"]


class _Observed(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    at_s: float


class Accepted(_Observed, frozen=True, tag="accepted"):
    """A TCP connection was accepted; its TLS handshake, where there is one, begins. `peer`: the client's address and port."""

    peer: str


class HandshakeFailed(_Observed, frozen=True, tag="handshake-failed"):
    """The TLS handshake came to nothing. `why`: in OpenSSL's words, or that it took too long."""

    peer: str
    why: str


class Opened(_Observed, frozen=True, tag="opened"):
    """A connection is established, and what it speaks is known. `host`: by SNI. `tls`, `alpn`: as agreed upon."""

    connection: int
    peer: str
    spoken: str
    host: str | None
    tls: str | None
    alpn: str | None


class Closed(_Observed, frozen=True, tag="closed"):
    """A connection has ended.

    `by`: who ended it. `how`: `end` (closed in order), `reset` (TCP), or `error`. Bytes are those within TLS. `frames_in`,
    `frames_out`: how many by type; empty for HTTP/1.1. `unanswered`: streams that had no whole answer by then.
    """

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
    """SETTINGS of either side. `values`: by name, in the order of the frame."""

    connection: int
    by: By
    values: dict[str, int]


class SettingsAcknowledged(_Observed, frozen=True, tag="settings-ack"):
    """An ACK of SETTINGS. `streams_max`: of the client's ACK, the limit of streams that binds it from here on; None: none."""

    connection: int
    by: By
    streams_max: int | None


class Ping(_Observed, frozen=True, tag="ping"):
    """A PING. `opaque`: its 8 bytes in hexadecimal; the answer repeats them."""

    connection: int
    by: By
    opaque: str


class PingAcknowledged(_Observed, frozen=True, tag="ping-ack"):
    """The answer to a PING of the other side."""

    connection: int
    by: By
    opaque: str


class Goaway(_Observed, frozen=True, tag="goaway"):
    """A GOAWAY. `debug`: its text, what is not printable replaced, and cut to 200 characters."""

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
    """A whole request came. Its verdict follows, if it got to a judge, and what the client was answered.

    `opened_s`: when its head came, as `at_s` counts. `streams_open`: how many streams the client then had open on the
    connection, this one included; `streams_max`: how many it was allowed, None while it has acknowledged no limit.
    `provider`: apns or fcm. `path`: without its query. `token`: device token, registration token or FID; `target`: topic or
    condition. `notification_id`: the `apns-id`, or what the message's data holds under `pushrig_id`. `credential`: a hash
    of provider or access token. `body_bytes`: as received.
    """

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
    """A whole answer was written: what the client gets to read, whoever made it up.

    `reason`: APNs's reason, FCM's errorCode, or the `status` of an error without one; None: none, or unreadable. `retry_after`:
    the field as sent; `retry_after_s`: seconds from then on. `timestamp_ms`: of APNs's 410.
    """

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
    """A notification was judged: with status 200 it was processed, whatever became of its answer.

    Several with one stream: the registrations of a topic, which follow the verdict on the message.
    """

    connection: int
    stream: int
    provider: str
    token: str
    status: int
    reason: str | None
    message_id: str


class FaultPlayed(_Observed, frozen=True, tag="fault"):
    """A fault had an effect. `fault`: its id. `name`: which it is. `stage`: before_judge, after_verdict, or `connection`."""

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
    """A phase of the scenario ended: its faults are gone."""

    name: str
    run: int


class RunBegan(_Observed, frozen=True, tag="run"):
    """A run of the scenario began: with its first connection, from which the phases count."""

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
