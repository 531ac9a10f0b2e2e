"""Every request and every connection of the senders, from the simulator's observations: one is folded in after the other. Pure.

Nothing is kept of a request but how long it took, in the buckets of a histogram; a connection is kept while it is open.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loadtest.external.control_view import Noted
from loadtest.recording import BUCKET_BITS, bucket, percentile
from loadtest.replay.observed import Answer, Closed, HandshakeFailed, Observation, Opened, RequestSeen, Reset
from loadtest.report.sender_record import ConnectionFigures

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}


@dataclass(slots=True)
class _Open:
    """A connection. `begun_s`: by stream, of those without an answer."""

    requests: int = 0
    newest_s: float | None = None
    begun_s: dict[int, float] = field(default_factory=dict)


class RequestsSeen:
    """What was seen so far. `gap_us`, `answer_us`: microseconds -> how often, by `recording.bucket`.

    A gap is the time from the beginning of one request to that of the next on the same connection; an answer takes from the
    beginning of its request.
    """

    def __init__(self) -> None:
        self.gap_us: dict[int, int] = {}
        self.answer_us: dict[int, int] = {}
        self._open: dict[int, _Open] = {}
        self._requests: dict[int, int] = {}
        self._spoken: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._opened = self._handshakes_failed = self._most_open = self._streams_most = 0
        self._resets_by_client = self._unanswered = 0

    def take(self, observations: Iterable[Observation]) -> None:
        """Fold in what was seen next."""
        for each in observations:
            match each:
                case RequestSeen():
                    self._begun(each)
                case Answer():
                    self._answered(each)
                case Opened():
                    self._opened += 1
                    self._spoken[each.spoken] += 1
                    self._open[each.connection] = _Open()
                    self._most_open = max(self._most_open, len(self._open))
                case Closed():
                    self._closed(each)
                case Reset():
                    if each.by == "client":
                        self._resets_by_client += 1
                    if each.connection in self._open:
                        self._open[each.connection].begun_s.pop(each.stream, None)
                case HandshakeFailed():
                    self._handshakes_failed += 1
                case _:
                    pass

    def _begun(self, request: RequestSeen) -> None:
        connection = self._open.setdefault(request.connection, _Open())
        self._streams_most = max(self._streams_most, request.streams_open)
        if connection.newest_s is not None:
            _count(self.gap_us, request.opened_s - connection.newest_s)
        # Requests are told of when they are whole: one that began earlier can be told of later.
        connection.newest_s = max(request.opened_s, connection.newest_s or 0.0)
        connection.requests += 1
        connection.begun_s[request.stream] = request.opened_s

    def _answered(self, answer: Answer) -> None:
        connection = self._open.get(answer.connection)
        begun_s = None if connection is None else connection.begun_s.pop(answer.stream, None)
        if begun_s is not None:
            _count(self.answer_us, answer.at_s - begun_s)

    def _closed(self, closed: Closed) -> None:
        self._ended[f"{closed.by}: {closed.how}"] += 1
        self._unanswered += len(closed.unanswered)
        connection = self._open.pop(closed.connection, None)
        if connection is not None:
            _add(self._requests, connection.requests)

    def connections(self) -> ConnectionFigures:
        """What was seen of connections, those that are still open included."""
        requests = dict(self._requests)
        for each in self._open.values():
            _add(requests, each.requests)
        return ConnectionFigures(
            opened=self._opened,
            handshakes_failed=self._handshakes_failed,
            most_open=self._most_open,
            streams_most=self._streams_most,
            spoken=dict(self._spoken),
            requests={"min": min(requests), "p50": percentile(requests, 0.5), "max": max(requests)} if requests else {},
            ended=dict(self._ended),
            resets_by_client=self._resets_by_client,
            unanswered=self._unanswered,
        )


def add_gaps(gap_us: dict[int, int], noted: Iterable[Noted]) -> None:
    """Count the gaps in a stretch of the journal, oldest first. Its instants are whole milliseconds."""
    before: dict[int, int] = {}
    for each in noted:
        if each.connection_id in before:
            _count(gap_us, (each.at_ms - before[each.connection_id]) / 1000)
        before[each.connection_id] = each.at_ms


def percentiles_ms(counts_us: Mapping[int, int]) -> dict[str, float]:
    """Percentiles in milliseconds; empty without any."""
    return {name: percentile(counts_us, share) / 1000 for name, share in SHARES.items()} if counts_us else {}


def _count(counts_us: dict[int, int], seconds: float) -> None:
    _add(counts_us, max(0, round(seconds * 1e6)))


def _add(counts: dict[int, int], value: int) -> None:
    key = bucket(value, BUCKET_BITS)
    counts[key] = counts.get(key, 0) + 1
