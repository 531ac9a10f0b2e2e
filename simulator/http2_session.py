"""One connection that speaks HTTP/2: `wire` reads, the planes of the providers answer, deadlines are looked at. No I/O."""

from collections.abc import Sequence

from simulator.apns.link import Link
from simulator.apns.plane import PAYLOAD_BYTES_KEPT_MAX, STREAM_LIMIT_ABUSE_TEXT, ApnsPlane, first_settings
from simulator.deadlines import Deadlines, Overdue
from simulator.faulted_line import FaultedLine, announce
from simulator.faulted_streams import FaultedStreams
from simulator.faults.line import USUAL_OPENING, Act, Ending, Opening, StreamLimit, StrictStreams, Withhold
from simulator.fcm import plane as google
from simulator.fcm.plane import GooglePlane
from simulator.fcm.service import BODY_BYTES_KEPT_MAX
from simulator.host_owner import HostOwner
from simulator.session import SessionParts
from wire.errors import ErrorCode
from wire.events import ConnectionFailed, GoawayReceived, HeaderListRefused, StreamRefused, StreamReset
from wire.frames import MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE
from wire.request import Request
from wire.server import ServerConnection


class Http2Session:
    """See `session.Session`. `owner`: of the host that the client came to, by SNI; None: both providers answer, by path.

    On a host of Google's 100 streams are allowed at once. On one that is nobody's the connection begins as APNs's do, with
    one stream, and the first request to Google raises that to 100 [choice]. Streams over the limit are refused there in
    Google's words from then on [choice].
    """

    def __init__(
        self, parts: SessionParts, link: Link, owner: HostOwner | None, connection_id: int, now_s: float
    ) -> None:
        self._parts = parts
        settings = {**first_settings(link), MAX_HEADER_LIST_SIZE: parts.limits.header_list_bytes_max}
        if owner is HostOwner.GOOGLE:
            settings[MAX_CONCURRENT_STREAMS] = google.STREAMS_MAX
        opening, rig = USUAL_OPENING, parts.rig
        if rig.faults.on_openings:
            opening = rig.faults.opening_of(connection_id, owner and owner.provider, rig.clock.now_s())
            settings.update(opening.settings)
        self._wire = ServerConnection(
            settings,
            body_bytes_max=PAYLOAD_BYTES_KEPT_MAX if owner is HostOwner.APPLE else BODY_BYTES_KEPT_MAX,
            limits=parts.wire_limits,
        )
        self._deadlines = Deadlines(self._wire, now_s)
        self._google = parts.google
        self._googles_alone = owner is HostOwner.GOOGLE
        self._google_plane = GooglePlane(parts.google, self._wire, connection_id, owner, self._met_google)
        self._plane = ApnsPlane(parts.rig, self._wire, link, connection_id, parts.ids, self._google_plane.take)
        self.faulted = False
        self._faulted: FaultedStreams | None = None  # made when the first fault is at work
        self._line: FaultedLine | None = None  # made when the first one acts on the connection
        self._strict: StrictStreams | None = None
        self._withholds = False  # a fault has answers withheld, though it may be gone
        self._streams_announced = settings[MAX_CONCURRENT_STREAMS]
        self._abuse_text = google.STREAM_LIMIT_ABUSE_TEXT if self._googles_alone else STREAM_LIMIT_ABUSE_TEXT

        if opening is not USUAL_OPENING:
            self._open(opening, now_s)

    def _open(self, opening: Opening, now_s: float) -> None:
        """Begin as faults want it, but for the first SETTINGS, which have their part already."""
        wire = self._wire
        if not opening.greeted:
            wire.data_to_send()
        self._strict = opening.strict_streams
        if self._strict is not None and self._strict.at_once:
            wire.bind_streams_at_once()
        line = self._made_line()
        for act in opening.acts:
            if isinstance(act, StreamLimit):
                self._limit_streams(act.streams, announced=True)
            else:
                line.act((act,), 0, now_s)
        if opening.idle_close is not None:
            line.time.close_when_idle(opening.idle_close, now_s)

    def _made_line(self) -> FaultedLine:
        if self._line is None:
            self.faulted = True
            self._line = FaultedLine(
                self._wire, self._parts.rig.counters, self._limit_streams, self._lose_answers, self._withhold
            )
        return self._line

    def _act(self, acts: tuple[Act, ...], stream_id: int) -> bool:
        line = self._made_line()
        line.act(acts, stream_id, self._parts.monotonic_s())
        return line.time.ending is None

    def _lose_answers(self) -> None:
        if self._faulted is not None:
            self._faulted.lose_waiting()

    def _withhold(self, how: Withhold) -> None:
        assert self._faulted is not None, "it comes in with a request"
        self._faulted.withhold(how)
        self._withholds = True

    def _limit_streams(self, streams: int | None, *, announced: bool = False) -> None:
        if not self._googles_alone:
            self._plane.force_streams(streams, announced=announced)
            return
        wanted = google.STREAMS_MAX if streams is None else streams
        if wanted != self._streams_announced and (announced or announce(self._wire, {MAX_CONCURRENT_STREAMS: wanted})):
            self._streams_announced = wanted

    def _met_google(self) -> None:
        self._abuse_text = google.STREAM_LIMIT_ABUSE_TEXT
        if not self._googles_alone:
            self._plane.allow_streams(google.STREAMS_MAX)

    @property
    def closing(self) -> bool:
        return self._plane.closing or self._wire.failed is not None or (self.faulted and self.ending is not None)

    @property
    def ending(self) -> Ending | None:
        return None if self._line is None else self._line.time.ending

    @property
    def stalled(self) -> bool:
        return self._line is not None and self._line.time.stalled

    @property
    def next_due_s(self) -> float | None:
        line_s = None if self._line is None else self._line.time.next_due_s
        streams_s = None if self._faulted is None else self._faulted.next_due_s
        if line_s is None or streams_s is None:
            return streams_s if line_s is None else line_s
        return min(line_s, streams_s)

    def wake(self, now_s: float) -> None:
        if self._line is not None:
            self._line.wake(now_s)
        if self._faulted is not None:
            self._faulted.wake(now_s)

    def receive(self, data: bytes) -> None:
        self._deadlines.heard = True
        if self.faulted and self._line is not None:
            self._line.time.heard = True
            if self._line.time.ending is not None:
                return  # half closed: what still comes is read and dropped
        requests = self._wire.receive_data(data)
        if requests:
            rig = self._parts.rig
            if rig.faults.on_requests or self._withholds or (rig.scenario is not None and rig.scenario.counts):
                self._answer_under_faults(requests)
            elif self._googles_alone or self._google_plane.goes_on(requests):
                others = self._google_plane.answer(requests, rig.clock.now_s())
                rig.counters.streams += len(requests) - len(others)
                if others:
                    self._plane.answer(others)
            else:
                self._plane.answer(requests)
            self._google.settle()
        if self._wire.events:
            self._happened()

    def _answer_under_faults(self, requests: Sequence[Request]) -> None:
        if self._faulted is None:
            self.faulted = True
            self._faulted = FaultedStreams(
                self._parts, self._wire, self._plane, self._google_plane, self._plane.connection_id, self._act
            )
        self._faulted.answer(requests)

    def _happened(self) -> None:
        counters = self._parts.rig.counters
        for event in self._wire.take_events():
            match event:
                case StreamReset(local=True):
                    counters.resets_sent += 1
                case StreamReset():
                    counters.resets_received += 1
                case StreamRefused():
                    counters.resets_sent += 1
                    self._refused_stream()
                case HeaderListRefused():
                    counters.header_lists_refused += 1
                case GoawayReceived():
                    counters.goaways_received += 1
                case ConnectionFailed(error):
                    counters.protocol_errors += 1
                    if error.limit is not None:
                        counters.limits_reached[error.limit] += 1
                    counters.goaways_sent += 1
                case _:
                    pass

    def _refused_stream(self) -> None:
        if self._strict is None:
            self._plane.stream_refused(self._abuse_text)
        elif not self._plane.closing:
            self._plane.end(self._strict.code, self._strict.debug)

    def data_to_send(self) -> bytes:
        return b"" if self._line is not None and self._line.time.mute else self._wire.data_to_send()

    def tick(self, now_s: float, unread_bytes: int | None) -> bool:
        counters, limits, wire = self._parts.rig.counters, self._parts.limits, self._wire
        if self.stalled:
            return True  # what comes is not read, so that nothing of the client is late
        overdue = self._deadlines.overdue(limits, now_s, unread_bytes)
        if overdue is not None:
            counters.limits_reached[overdue.limit] += 1
            if overdue is Overdue.UNREAD:
                return False
            self._plane.end(overdue.code, overdue.debug)
            return True
        requests = self._deadlines.overdue_requests(limits, now_s)
        answers = self._deadlines.overdue_answers(limits, now_s)
        for limit, streams in (("request_timeout_s", requests), ("unread_timeout_s", answers)):
            for stream_id in streams:
                wire.reset(stream_id, ErrorCode.CANCEL)
            if streams:
                counters.limits_reached[limit] += len(streams)
        counters.resets_sent += len(requests) + len(answers)
        return True

    def shut_down(self) -> None:
        self._plane.end(0, b'{"reason":"Shutdown"}')
