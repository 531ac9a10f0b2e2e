"""Observations put together: what each run of the sender did, by connection and by device. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, unique

from loadtest.replay.answers import Sense, sense_of
from loadtest.replay.observed import (
    Accepted,
    Answer,
    Closed,
    FaultPlayed,
    Goaway,
    HandshakeFailed,
    Observation,
    Opened,
    PhaseBegan,
    PhaseEnded,
    Ping,
    PingAcknowledged,
    RequestSeen,
    Reset,
    Verdict,
)
from wire.errors import ErrorCode

CROSSING_S = 0.5
"""A stream that the sender cancels so soon after its answer was written: the two crossed on the line."""
LOST_WITH_CONNECTION_S = 1.0
"""An answer that was written so shortly before its connection broke may have been lost with it."""


@unique
class Fate(Enum):
    """How an exchange ended, as the sender could see it."""

    ANSWERED = "answered"
    UNCERTAIN = "answered, but it may not have been read"
    REFUSED = "reset as refused: not processed"
    DISOWNED = "above the last stream id of a GOAWAY: not processed"
    RESET = "reset by the simulator"
    ABANDONED = "reset by the sender"
    LOST = "the connection ended before an answer"
    OPEN = "never answered"


SAFE_TO_REPEAT = frozenset({Fate.REFUSED, Fate.DISOWNED})


@dataclass(slots=True)
class Exchange:
    """One request about one device, and what came of it. `device`: as `device_key` makes it.

    `processed`: the simulator accepted it, whatever became of the answer. `ended_s`: when the sender could know.
    """

    request: RequestSeen
    device: str
    processed: bool = False
    answer: Answer | None = None
    reset: Reset | None = None
    fate: Fate = Fate.OPEN
    ended_s: float = 0.0

    @property
    def opened_s(self) -> float:
        """When its head came."""
        return self.request.opened_s

    @property
    def sense(self) -> Sense | None:
        """What its answer asks for; None: the sender cannot be held to have read one."""
        if self.fate is not Fate.ANSWERED or self.answer is None:
            return None
        return sense_of(self.request.provider, self.answer.status, self.answer.reason)


@dataclass(slots=True)
class Connection:
    """One connection, with all that was observed on it but its requests, verdicts and answers."""

    number: int
    opened: Opened | None = None
    closed: Closed | None = None
    goaways: list[Goaway] = field(default_factory=list)
    pings: list[Ping] = field(default_factory=list)
    pongs: list[PingAcknowledged] = field(default_factory=list)

    @property
    def ended_by_client(self) -> bool:
        """The sender has ended it."""
        return self.closed is not None and self.closed.by == "client"

    def disowned_s(self, stream: int) -> float | None:
        """When a GOAWAY of the simulator said that a stream will not be processed; None: never."""
        return next(
            (each.at_s for each in self.goaways if each.by == "simulator" and each.last_stream_id < stream), None
        )


@dataclass(slots=True)
class Run:
    """One run of the sender. Times as observed; lists in their order.

    `exchanges`: by when they were opened. `of_device`: the same by device. `accepted_s`: when notifications were accepted.
    """

    number: int
    began_s: float
    ended_s: float
    exchanges: list[Exchange] = field(default_factory=list)
    of_device: dict[str, list[Exchange]] = field(default_factory=dict)
    connections: dict[int, Connection] = field(default_factory=dict)
    arrivals: list[Accepted] = field(default_factory=list)
    handshakes_failed: list[HandshakeFailed] = field(default_factory=list)
    faults: list[FaultPlayed] = field(default_factory=list)
    phases_begun: list[PhaseBegan] = field(default_factory=list)
    phases_ended: list[PhaseEnded] = field(default_factory=list)
    accepted_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class History:
    """All runs of a scenario. `observations`: as they came, for evidence."""

    observations: Sequence[Observation]
    runs: Sequence[Run]


def device_key(provider: str, token: str) -> str:
    """What tells devices apart: an APNs token in lower case; the instance id that a registration token begins with."""
    return token.lower() if provider == "apns" else token.partition(":")[0]


def history_of(observations: Sequence[Observation], began_s: Sequence[float], ended_s: Sequence[float]) -> History:
    """Put observations together. `began_s`, `ended_s`: of each run of the sender, as `at_s` counts."""
    split: list[list[Observation]] = [[] for _ in began_s]
    for each in observations:
        split[max(0, bisect_right(began_s, each.at_s) - 1)].append(each)
    runs = [
        _run(number, began, ended, of_run)
        for number, (began, ended, of_run) in enumerate(zip(began_s, ended_s, split, strict=True), 1)
    ]
    return History(observations, runs)


def _run(number: int, began_s: float, ended_s: float, observations: Iterable[Observation]) -> Run:
    run = Run(number, began_s, ended_s)
    # Over HTTP/1.1 all requests of a connection have the same stream id, and each is answered before the next is told.
    by_stream: dict[tuple[int, int], Exchange] = {}
    for each in observations:
        match each:
            case RequestSeen():
                exchange = _asked(each)
                if exchange is not None:
                    by_stream[each.connection, each.stream] = exchange
                    run.exchanges.append(exchange)
                else:
                    by_stream.pop((each.connection, each.stream), None)
            case Verdict(status=status) | Answer(status=status) | Reset(code=status):
                exchange = by_stream.get((each.connection, each.stream))
                if exchange is None:
                    continue
                if isinstance(each, Verdict):
                    if status == 200 and not exchange.processed:
                        exchange.processed = True
                        run.accepted_s.append(each.at_s)
                elif isinstance(each, Answer):
                    exchange.answer = exchange.answer or each
                else:
                    exchange.reset = exchange.reset or each
            case Accepted():
                run.arrivals.append(each)
            case HandshakeFailed():
                run.handshakes_failed.append(each)
            case FaultPlayed():
                run.faults.append(each)
            case PhaseBegan():
                run.phases_begun.append(each)
            case PhaseEnded():
                run.phases_ended.append(each)
            case Opened() | Closed() | Goaway() | Ping() | PingAcknowledged():
                _of_connection(run.connections.setdefault(each.connection, Connection(each.connection)), each)
            case _:
                pass
    for exchange in run.exchanges:
        _end(exchange, run.connections.get(exchange.request.connection), run.ended_s)
    run.exchanges.sort(key=lambda each: each.opened_s)
    of_device: defaultdict[str, list[Exchange]] = defaultdict(list)
    for exchange in run.exchanges:
        of_device[exchange.device].append(exchange)
    run.of_device = dict(of_device)
    return run


def _asked(request: RequestSeen) -> Exchange | None:
    """None: a request about no device, such as for an access token."""
    if request.token is None:
        return None
    return Exchange(request, device_key(request.provider, request.token))


def _of_connection(connection: Connection, each: Opened | Closed | Goaway | Ping | PingAcknowledged) -> None:
    match each:
        case Opened():
            connection.opened = each
        case Closed():
            connection.closed = each
        case Goaway():
            connection.goaways.append(each)
        case Ping():
            connection.pings.append(each)
        case PingAcknowledged():
            connection.pongs.append(each)


def _end(exchange: Exchange, connection: Connection | None, run_ended_s: float) -> None:
    """Find how it ended: by the first of what happened to it, as seen from the sender."""
    answer, reset = exchange.answer, exchange.reset
    closed = None if connection is None else connection.closed
    disowned_s = None if connection is None else connection.disowned_s(exchange.request.stream)
    if disowned_s is not None and not (answer is not None and answer.at_s <= disowned_s):
        exchange.fate, exchange.ended_s = Fate.DISOWNED, disowned_s
    elif answer is not None:
        crossed = reset is not None and reset.by == "client" and reset.code == ErrorCode.CANCEL
        crossed = crossed and reset is not None and reset.at_s - answer.at_s < CROSSING_S
        exchange.fate = Fate.ANSWERED if not crossed and _outlived(answer, closed) else Fate.UNCERTAIN
        exchange.ended_s = answer.at_s
    elif reset is not None and reset.by == "client":
        exchange.fate, exchange.ended_s = Fate.ABANDONED, reset.at_s
    elif reset is not None:
        exchange.fate = Fate.REFUSED if reset.code == ErrorCode.REFUSED_STREAM else Fate.RESET
        exchange.ended_s = reset.at_s
    elif closed is not None:
        exchange.fate, exchange.ended_s = Fate.LOST, closed.at_s
    else:
        exchange.fate, exchange.ended_s = Fate.OPEN, run_ended_s


def _outlived(answer: Answer, closed: Closed | None) -> bool:
    """Whether the connection lived on for long enough after an answer that the sender must have read it."""
    return closed is None or closed.how == "end" or closed.at_s - answer.at_s > LOST_WITH_CONNECTION_S
