"""The requests of one HTTP/2 connection while faults are at work: each is answered alone, and may wait. No I/O.

The planes judge as ever; what they would send is kept back and handed to the faults. While nothing is at work none of this
is asked.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Final

from simulator.apns.answer import id_of_answer
from simulator.apns.plane import ApnsPlane
from simulator.apns.request import DEVICE_PATH_PREFIX
from simulator.devices.fates import Provider
from simulator.devices.token_space import unseal
from simulator.faults.asked import Asked, asked_of_apns, asked_of_fcm
from simulator.faults.fault import Stage
from simulator.faults.line import Act, Withhold
from simulator.faults.outcome import NOTHING_YET, Dribbled, Outcome, Oversized, Reset, Silent, Twice, Unended, Whole
from simulator.fcm.plane import GooglePlane
from simulator.http_answer import HttpAnswer
from simulator.session import SessionParts
from wire import frames
from wire.hpack import Decoder, stateless_block
from wire.request import Request
from wire.server import ServerConnection

WAITING_MAX: Final = 4_096
"""Ours: answers that wait on one connection. Streams that wait are open, so that its limit of streams comes first, but for a
client that resets them; an answer that finds no room goes out at once."""

WINDOW_WAIT_S: Final = 0.05
"""Until a dribbled body looks again whether the client has opened its windows."""


class FaultedStreams:
    """One connection. `plane`, `google_plane`: who answers on it, and whose answers are kept back meanwhile.

    `act`: does to the connection what faults want, for the request on a stream; False: the connection is at its end.
    """

    def __init__(
        self,
        parts: SessionParts,
        wire: ServerConnection,
        plane: ApnsPlane,
        google_plane: GooglePlane,
        connection_id: int,
        act: Callable[[tuple[Act, ...], int], bool],
    ) -> None:
        self._parts = parts
        self._wire = wire
        self._plane = plane
        self._google_plane = google_plane
        self._connection_id = connection_id
        self._act = act
        self._kept: tuple[bytes, bytes] | None = None
        self._waiting: list[
            tuple[float, int, int, Outcome, int]
        ] = []  # due, order, stream, what is sent, bytes sent of it
        self._order = 0
        self._withheld: Withhold | None = None

    @property
    def next_due_s(self) -> float | None:
        """When `wake` is to be called; None: nothing waits."""
        return self._waiting[0][0] if self._waiting else None

    def answer(self, requests: Sequence[Request]) -> None:
        """Answer the requests of one read, in their order, as far as the faults let it."""
        scenario = self._parts.rig.scenario
        self._plane.send = self._google_plane.send = self._keep
        try:
            for request in requests:
                if self._withheld is not None and not self._withheld.processed:
                    break
                if not self._is_disowned(request.stream_id) and not self._answer(request):
                    break
                if scenario is not None:
                    self._parts.google.settle()
                    scenario.go_on()  # so that phases begin and end at their very count
        finally:
            self._plane.send = self._google_plane.send = self._wire.answer

    def _keep(self, stream_id: int, block: bytes, body: bytes) -> None:
        self._kept = (block, body)

    def lose_waiting(self) -> None:
        """Forget the answers that wait."""
        self._waiting.clear()

    def withhold(self, how: Withhold) -> None:
        """Give no answer any more to what comes."""
        self._withheld = how

    def _is_disowned(self, stream_id: int) -> bool:
        """Whether a GOAWAY has said that this stream is not looked at."""
        last = self._wire.goaway_sent
        return last is not None and stream_id > last

    def _answer(self, request: Request) -> bool:
        """Answer one; False: the connection is at its end, and what came behind is not looked at."""
        faults, counters = self._parts.rig.faults, self._parts.rig.counters
        asked = self._asked(request)
        hits = faults.hits(asked)
        outcome = faults.play(hits, Stage.BEFORE_JUDGE, NOTHING_YET, asked)
        if outcome.decided:
            counters.streams += 1
            if outcome.answer is not None and outcome.reason is not None and asked.send:
                self._count_refusal(request, asked, outcome.answer.status, outcome.reason)
        else:
            block, body = self._judged(request, asked)
            if not hits and self._withheld is None:
                self._wire.answer(request.stream_id, block, body)
                return True
            outcome = outcome._replace(answer=_as_answer(block, body))
        outcome = faults.play(hits, Stage.AFTER_VERDICT, outcome._replace(past_judge=True), asked)
        if self._withheld is not None:
            outcome = outcome._replace(manner=Silent())
        if outcome.answer is not None and outcome.answer.body and request.head.value(b":method") == b"HEAD":
            outcome = outcome._replace(answer=outcome.answer._replace(body=b""))
        goes_on = not outcome.acts or self._act(outcome.acts, request.stream_id)
        waits = outcome.delay_s > 0 and not isinstance(outcome.manner, Silent)
        if waits and len(self._waiting) < WAITING_MAX:
            self._wait(outcome.delay_s, request.stream_id, outcome, 0)
        else:
            self._send(request.stream_id, outcome)
        return goes_on

    def _asked(self, request: Request) -> Asked:
        path, apns_id = request.varying
        rig, number = self._parts.rig, (request.stream_id + 1) // 2
        now_s = rig.clock.now_s()
        plane, device = self._google_plane, (path or b"").startswith(DEVICE_PATH_PREFIX)
        if (plane.alone or not device) and plane.takes(request):
            return asked_of_fcm(request, self._connection_id, number, rig.fcm.project.project_number, now_s)
        return asked_of_apns(request, self._connection_id, number, id_of_answer(apns_id, self._parts.ids), now_s)

    def _count_refusal(self, request: Request, asked: Asked, status: int, reason: str) -> None:
        if asked.provider is Provider.APNS:
            self._plane.count_refusal(request, unseal(asked.key), status, reason, asked.apns_id)
        else:
            self._parts.google.count_refusal(request, status, reason, self._connection_id, asked.now_s)

    def _judged(self, request: Request, asked: Asked) -> tuple[bytes, bytes]:
        """Header block and body of what the provider answers by itself."""
        self._kept = None
        if asked.provider is Provider.APNS:
            self._plane.answer([request])
        else:
            self._parts.rig.counters.streams += 1
            self._google_plane.take(request, asked.now_s)
        assert self._kept is not None
        return self._kept

    # Sending

    def _wait(self, for_s: float, stream_id: int, outcome: Outcome, sent_bytes: int) -> None:
        self._order += 1
        due_s = self._parts.monotonic_s() + for_s
        heappush(self._waiting, (due_s, self._order, stream_id, outcome, sent_bytes))

    def wake(self, now_s: float) -> None:
        """Send what is due."""
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, stream_id, outcome, sent_bytes = heappop(self._waiting)
            if sent_bytes:
                self._send_piece(stream_id, outcome, sent_bytes)
            else:
                self._send(stream_id, outcome)

    def _send(self, stream_id: int, outcome: Outcome) -> None:
        wire, answer = self._wire, outcome.answer
        if not wire.is_open(stream_id) or self._is_disowned(stream_id):
            return  # the client has reset it, or was told to send it elsewhere
        match outcome.manner:
            case Reset(code):
                wire.reset(stream_id, code)
                self._parts.rig.counters.resets_sent += 1
            case Silent():
                pass
            case Whole():
                assert answer is not None
                wire.answer(stream_id, block_of(answer), answer.body)
            case Twice():
                assert answer is not None
                self._send_twice(stream_id, answer)
            case Unended(with_body):
                assert answer is not None
                wire.begin_answer(stream_id, block_of(answer))
                if with_body:
                    wire.continue_answer(stream_id, answer.body, end_stream=False)
            case Oversized():
                assert answer is not None
                self._send_oversized(stream_id, answer)
            case Dribbled():
                assert answer is not None
                if not answer.body:
                    wire.answer(stream_id, block_of(answer))
                    return
                wire.begin_answer(stream_id, block_of(answer))
                self._send_piece(stream_id, outcome, 0)

    def _send_oversized(self, stream_id: int, answer: HttpAnswer) -> None:
        size = self._wire.remote.frame_bytes_max + 1
        if self._wire.begin_answer(stream_id, block_of(answer)):
            self._wire.send_raw(frames.frame(frames.DATA, frames.END_STREAM, stream_id, answer.body.ljust(size)))
            self._wire.abandon(stream_id)

    def _send_twice(self, stream_id: int, answer: HttpAnswer) -> None:
        self._wire.answer(stream_id, block_of(answer), answer.body)
        # Without its body, which no window has room for: the stream is over.
        frame_bytes_max = self._wire.remote.frame_bytes_max
        for frame in frames.headers_frames(
            stream_id, block_of(answer), end_stream=True, frame_bytes_max=frame_bytes_max
        ):
            self._wire.send_raw(frame)

    def _send_piece(self, stream_id: int, outcome: Outcome, sent_bytes: int) -> None:
        """Send the next pieces of a dribbled body: one, or all at once where nothing lies between them."""
        answer, manner, wire = outcome.answer, outcome.manner, self._wire
        assert answer is not None and isinstance(manner, Dribbled)
        body = answer.body
        while sent_bytes < len(body):
            piece = body[sent_bytes : sent_bytes + manner.piece_bytes]
            end = sent_bytes + len(piece) >= len(body)
            if not wire.continue_answer(stream_id, piece, end_stream=end):
                if wire.is_open(stream_id):
                    self._wait(WINDOW_WAIT_S, stream_id, outcome, sent_bytes)
                return
            sent_bytes += len(piece)
            if manner.gap_s and not end:
                self._wait(manner.gap_s, stream_id, outcome, sent_bytes)
                return


def block_of(answer: HttpAnswer) -> bytes:
    """The header block of an answer."""
    return stateless_block([(b":status", b"%d" % answer.status), *answer.fields])


def _as_answer(block: bytes, body: bytes) -> HttpAnswer:
    """What a plane would send, which touches no table."""
    (_, status), *fields = Decoder().decode(block)
    return HttpAnswer(int(status), tuple(fields), body)
