"""The provider plane of APNs on one connection: requests in, verdicts counted and written down, answers queued. No I/O.

This is the simulator's hot path behind `wire`: the tokens of a read are unsealed together, and each notification takes one
verdict, one mark in the ledger, one row in the journal and one answer. The shell hands in what one read completed and
writes once.
"""

from collections.abc import Callable, Sequence
from typing import Final

from simulator.apns.answer import BODIES, RandomIds, body_of, id_of_answer
from simulator.apns.certificate import environment_fault
from simulator.apns.judge import verdicts
from simulator.apns.link import STREAMS_MAX, Link
from simulator.apns.penalty import GOAWAY_REASON, after_answer
from simulator.apns.reasons import Reason
from simulator.apns.request import DEVICE_PATH_PREFIX, pushed_tokens
from simulator.apns.verdict import ACCEPTED, Verdict
from simulator.devices.token_space import Environment, SealedToken, unseal_all
from simulator.journal import BODY_BYTES_KEPT_MAX
from simulator.rig import Rig
from wire.errors import ErrorCode, LocalProtocolError
from wire.frames import (
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
)
from wire.hpack import literal_name, stateless_block, string
from wire.request import Request
from wire.server import ServerConnection

_FIRST_SETTINGS: Final = {
    HEADER_TABLE_SIZE: 4_096,
    INITIAL_WINDOW_SIZE: 65_535,
    MAX_FRAME_SIZE: 16_384,
    MAX_HEADER_LIST_SIZE: 8_000,
}
"""As seen on a certificate connection (Pushy #878, 2021); the stream limit depends on the link."""

STREAM_LIMIT_ABUSE_MAX: Final = 100
"""Refused streams after which a connection is ended. The text is Apple's (Pushy #356, 2016), the number ours."""

STREAM_LIMIT_ABUSE_TEXT: Final = b"Maximum active streams violated for this endpoint."

PAYLOAD_BYTES_KEPT_MAX: Final = 8_192
"""Of one body; more is counted by `wire` and dropped. Above every limit, so that the judge still sees what is too large."""

_PATH_PREFIX_BYTES = len(DEVICE_PATH_PREFIX)
_SANDBOX = Environment.SANDBOX  # an enum's member costs a look-up of 0.1 µs
_UUID_LENGTH = b"\x24"  # 36 characters, not Huffman-coded
_ID_FIELD = literal_name(b"apns-id") + _UUID_LENGTH
_UNIQUE_ID_FIELD = literal_name(b"apns-unique-id") + _UUID_LENGTH
_ACCEPTED_BLOCK = stateless_block([(b":status", b"200")]) + _ID_FIELD
_REJECTED_BLOCKS = {reason: stateless_block([(b":status", b"%d" % reason.status)]) for reason in Reason}


Send = Callable[[int, bytes, bytes], object]
"""Stream, header block, body."""


def _nobody_else(request: Request, now_s: float) -> bool:
    return False


def first_settings(link: Link) -> dict[int, int]:
    """What the server's first SETTINGS say on a connection: one stream, or all of them with a client certificate."""
    return {**_FIRST_SETTINGS, MAX_CONCURRENT_STREAMS: link.streams_max}


class ApnsPlane:
    """One connection's side of APNs.

    `connection`: made with the `first_settings` of `link`. `link`: what the connection has shown of itself. `connection_id`:
    its number in the journal. `ids`: where made-up apns-ids come from.

    A certificate of the other environment ends the connection at once. Which environment that is, SNI or the simulator's
    default have told; no `:authority` is waited for [choice].

    `send`: takes every answer, as `ServerConnection.answer` does, which it is unless somebody puts another in its place.

    `others`: asked for every request that is no device push, with the time; it answers those that are another provider's,
    and says so.
    """

    __slots__ = (
        "_connection",
        "_ids",
        "_others",
        "_refused_streams",
        "_rig",
        "_streams_announced",
        "_streams_forced",
        "_streams_min",
        "closing",
        "connection_id",
        "link",
        "send",
    )

    def __init__(
        self,
        rig: Rig,
        connection: ServerConnection,
        link: Link,
        connection_id: int,
        ids: RandomIds,
        others: Callable[[Request, float], bool] = _nobody_else,
    ) -> None:
        self.link = link
        self.connection_id = connection_id
        self.closing = False  # the connection is to be closed once what is queued is written
        self._rig = rig
        self._connection = connection
        self.send: Send = connection.answer
        self._ids = ids
        self._others = others
        self._streams_announced = link.streams_max
        self._streams_min = 0
        self._streams_forced: int | None = None
        self._refused_streams = 0
        fault = environment_fault(link.certificate, link.environment)
        if fault is not None:
            self.end(ErrorCode.NO_ERROR, BODIES[fault])

    def answer(self, requests: Sequence[Request]) -> None:
        """Judge, count and answer the requests of one read, in their order."""
        now_s = self._rig.clock.now_s()
        self._rig.counters.streams += len(requests)
        tokens = pushed_tokens(requests)
        if len(tokens) == len(requests):
            self._answer_pushes(requests, tokens, now_s)
            return
        # Whoever else takes a request answers at once: so one by one, in their order.
        for request in requests:
            token = pushed_tokens((request,))
            if token or not self._others(request, now_s):
                self._answer_pushes((request,), token or (b"",), now_s)

    def _answer_pushes(self, requests: Sequence[Request], tokens: Sequence[bytes], now_s: float) -> None:
        """The hot path. `tokens`: what follows `/3/device/` in their paths, b"" where something else stands there."""
        rig, link, ids, connection_id = self._rig, self.link, self._ids, self.connection_id
        apns, now_ms = rig.apns, int(now_s * 1000)
        accept, journal_append, send = rig.ledger.accept, rig.journal.append, self.send
        devices = unseal_all(tokens)
        judged = verdicts(requests, tokens, devices, link, apns, now_s)
        accepted = 0
        for request, token, device, verdict in zip(requests, tokens, devices, judged, strict=True):
            if verdict is not ACCEPTED:
                self._reject(request, verdict, token, device, now_ms)
                continue
            accepted += 1
            if device is not None:
                accept(device[1], device[2])
            path, apns_id = request.varying
            if apns_id is None:
                apns_id = ids.draw()
            # All streams announced and no penalty to work off: then nothing of this can change.
            if self._streams_announced != STREAMS_MAX or link.penalty.points:
                if apns.penalty_rules is not None:
                    link.penalty = after_answer(link.penalty, verdict, apns.penalty_rules)
                self._announce_streams()
            block = _ACCEPTED_BLOCK + apns_id
            if link.environment is _SANDBOX:
                block += _UNIQUE_ID_FIELD + ids.draw()
            send(request.stream_id, block, b"")
            journal_append(
                (
                    now_ms,
                    "apns",
                    link.environment,
                    200,
                    None,
                    token,
                    apns_id,
                    request.head,
                    request.body,
                    connection_id,
                    request.stream_id,
                    path,
                )
            )
        counters = rig.counters
        counters.notifications += len(requests)
        counters.accepted += accepted
        rig.journal.settle(len(requests))

    def _reject(
        self, request: Request, verdict: Verdict, token: bytes, device: SealedToken | None, now_ms: int
    ) -> None:
        rig, link, reason = self._rig, self.link, verdict.reason
        assert reason is not None
        if device is not None:
            rig.ledger.reject(device.seed, device.index, reason.wire_name)
        rig.counters.rejected_by_reason[reason.wire_name] += 1
        rules = rig.apns.penalty_rules
        if rules is not None:
            link.penalty = after_answer(link.penalty, verdict, rules)
        self._announce_streams()
        apns_id = id_of_answer(request.varying[1], self._ids)
        block = _REJECTED_BLOCKS[reason] + literal_name(b"apns-id") + string(apns_id)
        self.send(request.stream_id, block, body_of(verdict))
        self._write_down(request, now_ms, reason.status, reason.wire_name, token, apns_id)
        if rules is not None and link.penalty.closes(rules) and not self.closing:
            self.end(ErrorCode.ENHANCE_YOUR_CALM, BODIES[GOAWAY_REASON])

    def count_refusal(
        self, request: Request, device: SealedToken | None, status: int, reason: str, apns_id: bytes
    ) -> None:
        """Count and write down a device push that was refused without being judged, whatever its answer is.

        `device`: read from its token. `reason`: the name that the refusal goes by.
        """
        rig = self._rig
        if device is not None:
            rig.ledger.reject(device.seed, device.index, reason)
        rig.counters.notifications += 1
        rig.counters.rejected_by_reason[reason] += 1
        path = request.varying[0] or b""
        self._write_down(request, int(rig.clock.now_s() * 1000), status, reason, path[_PATH_PREFIX_BYTES:], apns_id)
        rig.journal.settle(1)

    def _write_down(
        self, request: Request, now_ms: int, status: int, reason: str, token: bytes, apns_id: bytes
    ) -> None:
        self._rig.journal.append(
            (
                now_ms,
                "apns",
                self.link.environment,
                status,
                reason,
                token,
                apns_id,
                request.head,
                request.body[:BODY_BYTES_KEPT_MAX],
                self.connection_id,
                request.stream_id,
                request.varying[0],
            )
        )

    def _announce_streams(self) -> None:
        """Tell the client its stream limit when that has changed; ahead of the answer that changed it."""
        link, rules = self.link, self._rig.apns.penalty_rules
        streams_max = link.streams_max
        if rules is not None:
            streams_max = link.penalty.streams(streams_max, rules)
        streams_max = max(streams_max, self._streams_min)
        if self._streams_forced is not None:
            streams_max = self._streams_forced
        if streams_max == self._streams_announced:
            return
        try:
            self._connection.change_settings({MAX_CONCURRENT_STREAMS: streams_max})
        except LocalProtocolError:
            return  # the client leaves too many SETTINGS unacknowledged: it keeps the limit it has
        self._streams_announced = streams_max

    def allow_streams(self, streams_min: int) -> None:
        """From now on allow so many streams at least, whatever APNs thinks of the client: another provider speaks here too."""
        self._streams_min = streams_min
        self._announce_streams()

    def force_streams(self, streams_max: int | None, *, announced: bool = False) -> None:
        """Have this limit of streams from now on, whatever the client deserves: for faults. None: what it deserves again.

        `announced`: the first SETTINGS say so already.
        """
        self._streams_forced = streams_max
        if announced and streams_max is not None:
            self._streams_announced = streams_max
        self._announce_streams()

    def stream_refused(self, abuse_text: bytes = STREAM_LIMIT_ABUSE_TEXT) -> None:
        """A stream over the limit was refused: tolerated for a while. `abuse_text`: debug data of the GOAWAY after that."""
        self._refused_streams += 1
        if self._refused_streams >= STREAM_LIMIT_ABUSE_MAX and not self.closing:
            self.end(ErrorCode.ENHANCE_YOUR_CALM, abuse_text)

    def end(self, code: int, debug: bytes) -> None:
        """GOAWAY; the shell closes once it is written."""
        self._connection.goaway(code, debug=debug)
        self._rig.counters.goaways_sent += 1
        self.closing = True
