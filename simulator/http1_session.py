"""One connection that speaks HTTP/1.1: h11 reads and writes, Google's services answer (B1, B14). No I/O.

APNs has no HTTP/1.1. Whoever asks for a path that is none of Google's, on a host that is nobody's, is told so.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from math import inf
from typing import NamedTuple

import h11

from simulator.deadlines import Since
from simulator.faulted_line import Timeline
from simulator.faults.asked import asked_of_fcm
from simulator.faults.fault import Stage
from simulator.faults.line import USUAL_OPENING, Act, Ending, LoseAnswers
from simulator.faults.outcome import NOTHING_YET, Silent
from simulator.fcm.plane import is_googles
from simulator.fcm.service import BODY_BYTES_KEPT_MAX
from simulator.host_owner import HostOwner
from simulator.http_answer import HttpAnswer
from simulator.observation_records import Answer, RequestSeen
from simulator.request_facts import answer_facts, request_facts
from simulator.session import SessionParts
from wire.request import Head, Request, whole_fields

STREAM_ID = 0
"""In the journal, of notifications that came by HTTP/1.1."""

VARYING = (b":path", b"apns-id")
"""The fields whose values requests have apart from their head, as over HTTP/2."""

FIELDS_TOO_LARGE = 431
FIELD_OVERHEAD = 32
"""As HTTP/2 counts a field beside its name and value (RFC 9113, section 6.5.2), so that the limit is one."""

REQUESTS_A_READ_MAX = 1_000  # pipelined; the connection is closed after them, and the client sends the rest again

HELD_BYTES_MAX = 1_048_576
"""Ours: what a client may send on while a fault holds an answer back; after more the connection is closed."""


class _Held(NamedTuple):
    """An answer that waits for its time, and all later ones with it. `due_s`: infinite for one that never comes."""

    due_s: float
    answer: HttpAnswer
    without_body: bool


_TEXT = (b"content-type", b"text/plain; charset=UTF-8")
_VERSION_NOT_SUPPORTED = HttpAnswer(505, (_TEXT,), b"APNs speaks HTTP/2 only; FCM's paths are answered here as well.\n")


class Http1Session:
    """See `session.Session`. `owner`: of the host that the client came to, by SNI. `date_s`: for the `date` field."""

    def __init__(
        self,
        parts: SessionParts,
        owner: HostOwner | None,
        connection_id: int,
        now_s: float,
        date_s: Callable[[], float],
        *,
        secure: bool,
    ) -> None:
        self._parts = parts
        self._owner = owner
        self._connection_id = connection_id
        self._date_s = date_s
        self._scheme = b"https" if secure else b"http"
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=parts.limits.header_list_bytes_max)
        self._out: list[bytes] = []
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._in_request = False
        self._answered = 0
        self._heard = 0  # reads
        self._held: _Held | None = None
        self._held_bytes = 0
        self._request_since = Since(None, now_s)
        self._unread_since = Since(None, now_s)
        self._silent_since = Since(0, now_s)
        self._ended = False
        self._time: Timeline | None = None  # made when the first fault acts on the connection
        if parts.rig.faults.on_openings:
            self._open_under_faults(now_s)

    def _open_under_faults(self, now_s: float) -> None:
        rig = self._parts.rig
        provider = self._owner and self._owner.provider
        opening = rig.faults.opening_of(self._connection_id, provider, rig.clock.now_s(), http1=True)
        if opening is USUAL_OPENING:
            return
        self._act(opening.acts, now_s)
        if opening.idle_close is not None:
            self._made_time().close_when_idle(opening.idle_close, now_s)

    def _made_time(self) -> Timeline:
        if self._time is None:
            self._time = Timeline()
        return self._time

    def _act(self, acts: Iterable[Act], now_s: float) -> None:
        """Do what faults want of the connection, as far as HTTP/1.1 knows it."""
        for act in acts:
            if isinstance(act, LoseAnswers):
                self._out.clear()
                if self._held is not None:
                    self._held = self._held._replace(due_s=inf)
            else:
                self._made_time().take(act, STREAM_ID, now_s)

    @property
    def closing(self) -> bool:
        return self._ended or self.ending is not None

    @closing.setter
    def closing(self, closing: bool) -> None:
        self._ended = closing

    @property
    def faulted(self) -> bool:
        return self._time is not None or self._held is not None

    @property
    def ending(self) -> Ending | None:
        return None if self._time is None else self._time.ending

    @property
    def stalled(self) -> bool:
        return self._time is not None and self._time.stalled

    @property
    def next_due_s(self) -> float | None:
        held_s = None if self._held is None or self._held.due_s == inf else self._held.due_s
        time_s = None if self._time is None else self._time.next_due_s
        if held_s is None or time_s is None:
            return time_s if held_s is None else held_s
        return min(held_s, time_s)

    def wake(self, now_s: float) -> None:
        if self._time is not None:
            for act, _ in self._time.due(now_s):
                self._act((act,), now_s)
        held = self._held
        if held is None or held.due_s > now_s or self.closing:
            return
        self._held, self._held_bytes = None, 0
        self._give(held.answer, without_body=held.without_body)
        if not self.closing:
            self._go_on()

    def receive(self, data: bytes) -> None:
        if self._time is not None:
            self._time.heard = True
        if self.closing:
            return
        self._heard += 1
        self._h11.receive_data(data)
        if self._held is None:
            self._go_on()
            return
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES_MAX:
            self.closing = True

    def _go_on(self) -> None:
        """Answer what has come, up to an answer that has to wait."""
        try:
            self._read_events()
        except h11.RemoteProtocolError as error:
            counters = self._parts.rig.counters
            if error.error_status_hint == FIELDS_TOO_LARGE:
                counters.header_lists_refused += 1
            else:
                counters.protocol_errors += 1
            self._refuse(error.error_status_hint, str(error))
        self._parts.google.settle()

    def _read_events(self) -> None:
        for _ in range(REQUESTS_A_READ_MAX):
            event = self._h11.next_event()
            while not isinstance(event, h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    self._in_request = self._request is not None or bool(self._h11.trailing_data[0])
                    self._continue_if_waited_for()
                    return
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    self.closing = True
                    return
                self._take(event)
                event = self._h11.next_event()
            self._answer()
            if self._parts.rig.scenario is not None:
                self._parts.google.settle()
                self._parts.rig.scenario.go_on()  # so that phases begin and end at their very count
            if self.closing or self._held is not None:
                return
        self.closing = True

    def _require_in_bounds(self, asked: h11.Request) -> None:
        """h11 bounds only what is incomplete after a read, and takes any version. Raises its RemoteProtocolError."""
        if not asked.http_version.startswith(b"1."):
            raise h11.RemoteProtocolError("only versions 1.1 and 2 of HTTP are spoken here", error_status_hint=505)
        list_bytes = len(asked.target) + sum(len(name) + len(value) + FIELD_OVERHEAD for name, value in asked.headers)
        if list_bytes > self._parts.limits.header_list_bytes_max:
            raise h11.RemoteProtocolError("the request header fields are too large", error_status_hint=FIELDS_TOO_LARGE)

    def _continue_if_waited_for(self) -> None:
        if self._h11.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._request = event
            self._require_in_bounds(event)
        elif isinstance(event, h11.Data):
            self._body += event.data[: BODY_BYTES_KEPT_MAX - len(self._body)]

    def _answer(self) -> None:
        asked = self._request
        assert asked is not None
        body = bytes(self._body)
        self._request, self._in_request = None, False
        self._body = bytearray()
        self._answered += 1
        self._parts.rig.counters.streams += 1
        request = self._as_request(asked, body)
        if self._parts.rig.observations.on:
            self._observe_request(request)
        without_body = asked.method == b"HEAD"
        if not is_googles(request.varying[0], request.head, self._owner):
            self._give(_VERSION_NOT_SUPPORTED, without_body=without_body)
        elif self._parts.rig.faults.on_requests:
            self._answer_under_faults(request, without_body=without_body)
        else:
            answer = self._parts.google.answer(request, self._connection_id, self._parts.rig.clock.now_s())
            self._give(answer, without_body=without_body)

    def _answer_under_faults(self, request: Request, *, without_body: bool) -> None:
        """Answer as far as the faults let it, now or later. Those of streams and frames are not played here."""
        rig, google, connection_id = self._parts.rig, self._parts.google, self._connection_id
        faults, now_s = rig.faults, rig.clock.now_s()
        asked = asked_of_fcm(request, connection_id, self._answered, rig.fcm.project.project_number, now_s)
        hits = faults.hits(asked, http1=True)
        outcome = faults.play(hits, Stage.BEFORE_JUDGE, NOTHING_YET, asked)
        if not outcome.decided:
            outcome = outcome._replace(answer=google.answer(request, connection_id, now_s))
        elif outcome.answer is not None and outcome.reason is not None and asked.send:
            google.count_refusal(request, outcome.answer.status, outcome.reason, connection_id, now_s)
        outcome = faults.play(hits, Stage.AFTER_VERDICT, outcome, asked)
        self._act(outcome.acts, self._parts.monotonic_s())
        if outcome.answer is None or isinstance(outcome.manner, Silent):
            self._held = _Held(inf, _VERSION_NOT_SUPPORTED, without_body)
        elif outcome.delay_s > 0:
            self._held = _Held(self._parts.monotonic_s() + outcome.delay_s, outcome.answer, without_body)
        else:
            self._give(outcome.answer, without_body=without_body)

    def _give(self, answer: HttpAnswer, *, without_body: bool) -> None:
        """Answer the request that has come, and make ready for the next."""
        if self._parts.rig.observations.on:
            self._observe_answer(answer)
        self._write(answer, without_body=without_body)
        if self._h11.our_state is h11.MUST_CLOSE or self._h11.their_state is h11.MUST_CLOSE:
            self.closing = True
            return
        self._h11.start_next_cycle()

    def _observe_request(self, request: Request) -> None:
        """Write down one request. They come one at a time: all have the stream id 0, and answers follow in order."""
        observations = self._parts.rig.observations
        at_s = observations.now_s()
        observations.record(
            RequestSeen(
                at_s=at_s,
                connection=self._connection_id,
                stream=STREAM_ID,
                opened_s=at_s,
                streams_open=1,
                streams_max=None,
                body_bytes=len(request.body),
                **request_facts(whole_fields(request, VARYING), request.body, self._owner)._asdict(),
            )
        )

    def _observe_answer(self, answer: HttpAnswer) -> None:
        rig = self._parts.rig
        fields = ((b":status", b"%d" % answer.status), *answer.fields)
        rig.observations.record(
            Answer(
                at_s=rig.observations.now_s(),
                connection=self._connection_id,
                stream=STREAM_ID,
                body_bytes=len(answer.body),
                **answer_facts(fields, answer.body, rig.clock.now_s)._asdict(),
            )
        )

    def _as_request(self, asked: h11.Request, body: bytes) -> Request:
        """The request as HTTP/2 would bring it."""
        authority, path = _parts_of_target(bytes(asked.target))
        if authority is None:
            authority = next((bytes(value) for name, value in asked.headers if name == b"host"), b"")
        fields = [
            (b":method", bytes(asked.method)),
            (b":scheme", self._scheme),
            (b":authority", authority),
            (b":path", b""),
            *((bytes(name), bytes(value)) for name, value in asked.headers if name != b"host"),
        ]
        return Request(STREAM_ID, Head(tuple(fields)), (path, None), body)

    def _refuse(self, status: int, why: str) -> None:
        self.closing = True
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        without_body = self._request is not None and self._request.method == b"HEAD"
        self._write(HttpAnswer(status, (_TEXT,), f"{why}\n".encode("utf-8", "replace")), without_body=without_body)

    def _write(self, answer: HttpAnswer, *, without_body: bool) -> None:
        date = format_datetime(datetime.fromtimestamp(self._date_s(), UTC), usegmt=True)
        headers = [
            *answer.fields,
            (b"date", date.encode()),
            (b"content-length", b"%d" % len(answer.body)),
        ]
        if self.closing:
            headers.append((b"connection", b"close"))
        self._send(h11.Response(status_code=answer.status, headers=headers))
        if not without_body:
            self._send(h11.Data(data=answer.body))
        self._send(h11.EndOfMessage())

    def _send(self, event: "h11.Event") -> None:
        data = self._h11.send(event)
        if data:
            self._out.append(data)

    def data_to_send(self) -> bytes:
        if self._time is not None and self._time.mute:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def tick(self, now_s: float, unread_bytes: int | None) -> bool:
        limits, reached = self._parts.limits, self._parts.rig.counters.limits_reached
        if self.stalled:
            return True  # what comes is not read, so that nothing of the client is late
        if self._unread_since.stuck_s(unread_bytes, now_s) >= limits.unread_timeout_s:
            reached["unread_timeout_s"] += 1
            return False
        # What is not read cannot end.
        begun = self._answered if self._in_request and unread_bytes is None else None
        if self._request_since.stuck_s(begun, now_s) >= limits.request_timeout_s:
            reached["request_timeout_s"] += 1
            self._refuse(408, "the request was not ended in time")
        elif self._silent_since.stuck_s(self._heard, now_s) >= limits.idle_timeout_s:
            reached["idle_timeout_s"] += 1
            self.closing = True
        return True

    def shut_down(self) -> None:
        self.closing = True


def _parts_of_target(target: bytes) -> tuple[bytes | None, bytes]:
    """Authority, path and query of a request target. The authority is told by the absolute form alone, and wins over the
    field `host` there (RFC 9112, sections 3.2.1 and 3.2.2)."""
    _, separator, rest = target.partition(b"://")
    if target.startswith(b"/") or not separator:
        return None, target
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    path = rest[len(authority) :]
    return authority, path if path.startswith(b"/") else b"/" + path
