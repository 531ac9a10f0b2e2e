"""Observations in words: what happened on a stream, on a connection, or to a device, a line each. Pure.

Everything that came from the network is made plain here; `wire`'s names of error codes stand beside their numbers.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from loadtest.replay.history import LOST_WITH_CONNECTION_S, Exchange, Fate, History
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
    RunBegan,
    SettingsAcknowledged,
    SettingsSent,
    Verdict,
)
from loadtest.replay.plain_text import plain
from wire.errors import code_name

LINES_MAX = 24
"""Of one expectation."""

CASES_MAX = 3
"""Devices, streams or connections shown of one expectation."""

EXCHANGES_MAX = 8
"""Shown of one device in one run."""

STREAM_OF_HTTP1 = 0
"""Of all requests over HTTP/1.1: they follow each other."""

BEHIND_ANSWER_S = 0.1
"""What becomes of the connection so soon after an answer is shown with it."""

TOKEN_CHARACTERS = 12


def line_of(each: Observation) -> str:
    """One observation in words, with its time in seconds."""
    return _timed(each.at_s, _words(each))


def _timed(at_s: float, words: str) -> str:
    return f"{at_s:10.3f} s  {words}"


def of_devices(history: History, devices: Iterable[str], note: str = "") -> list[str]:
    """All exchanges about some devices, over all runs."""
    chosen = list(islice(devices, CASES_MAX))
    lines: list[str] = []
    for device in chosen:
        if len(lines) > LINES_MAX:
            break
        lines.append(f"device {short(device)}{note}:")
        for run in history.runs:
            exchanges = run.of_device.get(device, [])
            if len(history.runs) > 1:
                lines.append(f"  run {run.number}: {'no request' if not exchanges else ''}".rstrip())
            elif not exchanges:
                lines.append("  no request")
            for exchange in exchanges[:EXCHANGES_MAX]:
                lines += [f"  {line}" for line in of_exchange(history, exchange)]
    return bounded(lines)


def of_exchange(history: History, exchange: Exchange) -> list[str]:
    """What happened on the stream of one exchange, and to its connection while that was open."""
    request = exchange.request
    read = exchange.fate is Fate.ANSWERED
    until_s = exchange.ended_s + (BEHIND_ANSWER_S if read else LOST_WITH_CONNECTION_S)
    timed: list[tuple[float, str]] = []
    for each in history.observations:
        if getattr(each, "connection", None) != request.connection:
            continue
        disowns = isinstance(each, Goaway) and each.by == "simulator" and each.last_stream_id < request.stream
        ends = isinstance(each, Goaway | Closed) and exchange.opened_s <= each.at_s <= until_s
        same = getattr(each, "stream", None) == request.stream
        if request.stream == STREAM_OF_HTTP1:
            same = same and exchange.opened_s <= each.at_s <= exchange.ended_s
        if same or disowns or ends:
            timed.append((each.at_s, line_of(each)))
    if exchange.answer is None:
        timed.append((exchange.ended_s, _timed(exchange.ended_s, f"{_stream(request)}: {exchange.fate.value}")))
    return [line for _, line in sorted(timed, key=lambda each: each[0])]


def of_connection(history: History, number: int) -> list[str]:
    """What happened to a connection as a whole."""
    about = (each for each in history.observations if getattr(each, "connection", None) == number)
    return bounded([line_of(each) for each in about if not isinstance(each, RequestSeen | Answer | Verdict)])


def of_observations(observations: Iterable[Observation]) -> list[str]:
    """Some observations, as they are."""
    return bounded([line_of(each) for each in islice(observations, LINES_MAX + 1)])


def bounded(lines: Sequence[str]) -> list[str]:
    """At most `LINES_MAX`; the last one then says that there are more."""
    return list(lines) if len(lines) <= LINES_MAX else [*lines[: LINES_MAX - 1], "…"]


def short(token: str) -> str:
    """A token, recognisable."""
    return plain(token if len(token) <= TOKEN_CHARACTERS else f"{token[:TOKEN_CHARACTERS]}…")


def _words(each: Observation) -> str:
    match each:
        case Accepted():
            return f"TCP connection from {plain(each.peer)}"
        case HandshakeFailed():
            return f"TLS handshake with {plain(each.peer)} failed: {plain(each.why)}"
        case Opened():
            said = [each.spoken, each.tls, f"ALPN {each.alpn}" if each.alpn else "no ALPN", each.host]
            return f"connection {each.connection}: open ({', '.join(plain(part) for part in said if part)})"
        case Closed():
            left = f", {len(each.unanswered)} streams unanswered" if each.unanswered else ""
            ways = {"end": "closed", "reset": "reset (TCP)", "error": "broken off"}
            return f"connection {each.connection}: {ways[each.how]} by the {_by(each.by)}{left}"
        case SettingsSent():
            values = ", ".join(f"{plain(name)}={value}" for name, value in each.values.items())
            return f"connection {each.connection}: SETTINGS of the {_by(each.by)}: {values or 'none'}"
        case SettingsAcknowledged():
            limit = "" if each.streams_max is None else f"; it may have {each.streams_max} streams"
            return f"connection {each.connection}: SETTINGS acknowledged by the {_by(each.by)}{limit}"
        case Ping():
            return f"connection {each.connection}: PING of the {_by(each.by)} ({plain(each.opaque)})"
        case PingAcknowledged():
            return f"connection {each.connection}: PING answered by the {_by(each.by)} ({plain(each.opaque)})"
        case Goaway():
            debug = f", {plain(each.debug)}" if each.debug else ""
            return (
                f"connection {each.connection}: GOAWAY of the {_by(each.by)}, last stream {each.last_stream_id}, "
                f"{code_name(each.code)}{debug}"
            )
        case Reset():
            return f"{_stream(each)}: RST_STREAM by the {_by(each.by)}, {code_name(each.code)}"
        case RequestSeen():
            limit = "no limit" if each.streams_max is None else str(each.streams_max)
            identity = "no id" if each.notification_id is None else f"id {plain(each.notification_id)}"
            about = short(each.token or each.target or "")
            return (
                f"{_stream(each)}: {plain(each.method, 20)} {plain(each.path, 40)} for {about or 'no device'}, {identity}, "
                f"begun at {each.opened_s:.3f} s as stream {each.streams_open} of {limit}"
            )
        case Answer():
            again = "" if each.retry_after is None else f", Retry-After: {plain(each.retry_after)}"
            since = "" if each.timestamp_ms is None else f", timestamp {each.timestamp_ms}"
            return f"{_stream(each)}: answered {each.status} {plain(each.reason or '')}".rstrip() + again + since
        case Verdict():
            return f"{_stream(each)}: judged {each.status} {plain(each.reason or '')}".rstrip()
        case FaultPlayed():
            where = "" if each.connection is None else f"connection {each.connection}"
            where += "" if each.stream is None else f" stream {each.stream}"
            return f"{where + ': ' if where else ''}fault {plain(each.name)} ({plain(each.stage)})"
        case PhaseBegan():
            return f"phase {plain(each.name)} began"
        case PhaseEnded():
            return f"phase {plain(each.name)} ended"
        case RunBegan():
            return f"run {each.run} began"


def _stream(each: Reset | RequestSeen | Answer | Verdict) -> str:
    return f"connection {each.connection} stream {each.stream}"


def _by(by: str) -> str:
    return "sender" if by == "client" else "simulator"
