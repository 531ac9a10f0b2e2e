"""One connection while faults act on it as a whole: goodbyes, settings, silence, its end. No I/O.

Made for a connection when the first fault acts on it. What is due later waits here; the shell asks `next_due_s` and calls
`wake`. The shell carries out how the connection ends, and reads nothing from the client while it is `stalled`.
"""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final

from simulator.counters import Counters
from simulator.faults.line import (
    Act,
    Announce,
    AnswerPings,
    AskPing,
    End,
    Ending,
    Goaway,
    IdleClose,
    Later,
    LoseAnswers,
    RefillWindow,
    Stall,
    StreamLimit,
    Withhold,
)
from wire import frames
from wire.errors import LocalProtocolError
from wire.server import ServerConnection

LATER_MAX: Final = 1_000
"""Ours: acts that wait on one connection. One that finds no room is done at once."""

_OF_ANSWERS: Final = frozenset((frames.DATA, frames.HEADERS, frames.CONTINUATION))


class Timeline:
    """What faults do to a connection at a later time, whatever it speaks, and how it ends.

    `ending`: how it is to be ended; None: not by a fault. `stalled`: nothing goes in or out. `mute`: nothing goes out, as
    it has ended within a stall too. `heard`: the session sets it with each read.
    """

    __slots__ = ("_idle", "_idle_looked_s", "_later", "_order", "ending", "heard", "mute", "stalled")

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.stalled = self.mute = False
        self.heard = False
        self._later: list[tuple[float, int, Act, int]] = []  # due, order, act, stream
        self._order = 0
        self._idle: IdleClose | None = None
        self._idle_looked_s = 0.0

    @property
    def next_due_s(self) -> float | None:
        """When something is due; None: nothing waits."""
        due_s = self._later[0][0] if self._later else None
        if self._idle is not None:
            idle_s = self._idle_looked_s + self._idle.idle_s
            due_s = idle_s if due_s is None else min(due_s, idle_s)
        return due_s

    def close_when_idle(self, rule: IdleClose, now_s: float) -> None:
        """End the connection once nothing has come for so long."""
        self._idle, self._idle_looked_s = rule, now_s

    def take(self, act: Act, stream_id: int, now_s: float) -> bool:
        """Do what any connection can do; False: this act is for HTTP/2 alone. `now_s`: any clock that only goes forward."""
        match act:
            case Later(delay_s, what) if len(self._later) < LATER_MAX:
                self._put(now_s + delay_s, what, stream_id)
            case Later(_, what):
                return self.take(what, stream_id, now_s)
            case Stall(for_s):
                self.stalled = self.mute = True
                self._put(now_s + for_s, _RESUME, stream_id)
            case End(how):
                self.ending = how
                self.stalled = False
                self._later.clear()
                self._idle = None
            case _:
                return False
        return True

    def _put(self, due_s: float, act: Act, stream_id: int) -> None:
        self._order += 1
        heappush(self._later, (due_s, self._order, act, stream_id))

    def due(self, now_s: float) -> Iterable[tuple[Act, int]]:
        """The acts whose time has come, each with the stream it belongs to, to be done one after the other."""
        while self._later and self._later[0][0] <= now_s:
            _, _, act, stream_id = heappop(self._later)
            if act is _RESUME:
                self.stalled = self.mute = False
                self.heard = True
            else:
                yield act, stream_id
        idle = self._idle
        if idle is not None and now_s - self._idle_looked_s >= idle.idle_s:
            heard, self.heard = self.heard, False
            self._idle_looked_s = now_s
            if not heard and not self.stalled:
                yield End(idle.how), 0


_RESUME: Final = Stall(0.0)
"""The end of a stall, among what is due."""


class FaultedLine:
    """One HTTP/2 connection. `limit_streams`: announces a limit of streams, or with None the provider's own again.
    `lose_answers`: forgets the answers that wait for their time. `withhold`: has requests answered no more."""

    def __init__(
        self,
        wire: ServerConnection,
        counters: Counters,
        limit_streams: Callable[[int | None], None],
        lose_answers: Callable[[], None],
        withhold: Callable[[Withhold], None],
    ) -> None:
        self.time = Timeline()
        self._wire = wire
        self._counters = counters
        self._limit_streams = limit_streams
        self._lose_answers = lose_answers
        self._withhold = withhold
        self._pings = 0

    def act(self, acts: Iterable[Act], stream_id: int, now_s: float) -> None:
        """Do these, in their order. `stream_id`: of the request that the fault met; 0 for none."""
        for each in acts:
            if not self.time.take(each, stream_id, now_s):
                act = each
                while isinstance(act, Later):  # it has found no room
                    act = act.act
                self._act(act, stream_id)

    def wake(self, now_s: float) -> None:
        """Do what is due."""
        for each, stream_id in self.time.due(now_s):
            self.act((each,), stream_id, now_s)

    def _act(self, act: Act, stream_id: int) -> None:
        wire = self._wire
        match act:
            case Goaway(code, last, debug):
                highest = {
                    "this": stream_id,
                    "before": max(0, stream_id - 2),
                    "all": wire.last_peer_stream_id,
                    "none": 0,
                    "max": frames.STREAM_ID_MAX,
                }[last]
                if wire.goaway_sent is not None and highest >= wire.goaway_sent:
                    return  # the client has been told as much
                wire.goaway(code, last_stream_id=highest, debug=debug)
                self._counters.goaways_sent += 1
            case StreamLimit(streams):
                self._limit_streams(streams)
            case Announce(settings):
                announce(wire, dict(settings))
            case RefillWindow(refilled):
                wire.hold_window(not refilled)
            case AnswerPings(answered):
                wire.answers_pings = answered
            case AskPing():
                self._pings += 1
                wire.ping(self._pings.to_bytes(8))
            case Withhold() as how:
                self._withhold(how)
            case LoseAnswers():
                self._lose_answers()
                wire.send_raw(without_answers(wire.data_to_send()))
            case _:
                raise AssertionError(f"not an act of HTTP/2: {act}")


def announce(wire: ServerConnection, settings: dict[int, int]) -> bool:
    """Send SETTINGS; False when the client leaves too many of them unacknowledged, and keeps those it has."""
    try:
        wire.change_settings(settings)
    except LocalProtocolError:
        return False
    return True


def without_answers(data: bytes) -> bytes:
    """Whole frames without those that make up answers."""
    kept, at = [], 0
    while len(data) - at >= frames.FRAME_HEADER_BYTES:
        high, low, kind, _, _ = frames.FRAME_HEADER.unpack_from(data, at)
        end = at + frames.FRAME_HEADER_BYTES + (high << 16 | low)
        if kind not in _OF_ANSWERS:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)
