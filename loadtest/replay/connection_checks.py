"""How the sender treats connections, streams and credentials. Pure."""

from collections import Counter
from collections.abc import Callable

from loadtest.replay import evidence
from loadtest.replay.history import Connection, Run
from loadtest.replay.observed import Closed, Ping
from loadtest.replay.rows import Measured, Played, unobserved

PING_ANSWER_S = 1.0
"""So long a connection goes on after a PING for a missing answer to count."""

RATE_WINDOW_S = 1.0


def streams_over_limit(played: Played) -> Measured:
    """Requests on more streams than the client had acknowledged to be allowed."""
    limited = [each for run in played.history.runs for each in run.exchanges if each.request.streams_max is not None]
    if not limited:
        return unobserved("no limit was in force: HTTP/1.1, or no SETTINGS acknowledged")
    over = [each for each in limited if each.request.streams_open > (each.request.streams_max or 0)]
    found = f"{len(over):,} of {len(limited):,} requests" if over else f"none of {len(limited):,} requests"
    return Measured(len(over), found, lambda: evidence.of_observations(each.request for each in over))


def connections(played: Played) -> Measured:
    """The most connections established in a run."""
    most, run = max(((_established(run), run) for run in played.history.runs), key=lambda found: found[0])
    carried = Counter(each.request.connection for each in run.exchanges)
    share = f", {len(run.exchanges) / most:,.0f} notifications each" if most else ""
    spent = sum(1 for number in run.connections if carried[number] <= 1)
    churned = f", {spent:,} of them for one or none" if spent and most > 1 else ""
    opened = [each.opened for each in run.connections.values() if each.opened is not None]
    return Measured(most, f"{most:,}{share}{churned}", lambda: evidence.of_observations(opened))


def _established(run: Run) -> int:
    return sum(1 for each in run.connections.values() if each.opened is not None)


def connects_a_second(played: Played) -> Measured:
    """The most TCP connections within any second."""
    most, run, first = 0, played.history.runs[0], 0
    for each in played.history.runs:
        found, at = _densest([arrival.at_s for arrival in each.arrivals])
        if found > most:
            most, run, first = found, each, at
    arrivals = run.arrivals[first : first + most]
    return Measured(most, f"{most:,} at most", lambda: evidence.of_observations(arrivals))


def _densest(times_s: list[float]) -> tuple[int, int]:
    """How many fall into the fullest second, and which is the first of them."""
    most, where, first = 0, 0, 0
    for last, at_s in enumerate(times_s):
        while at_s - times_s[first] > RATE_WINDOW_S:
            first += 1
        if last - first + 1 > most:
            most, where = last - first + 1, first
    return most, where


def handshakes_failed(played: Played) -> Measured:
    """TLS handshakes that came to nothing, in the run that had the most."""
    failed = max((run.handshakes_failed for run in played.history.runs), key=len)
    tried = max(len(run.arrivals) for run in played.history.runs)
    return Measured(len(failed), f"{len(failed):,} of {tried:,}", lambda: evidence.of_observations(failed))


def pings_ignored(played: Played) -> Measured:
    """PINGs of the simulator that the sender did not answer, though it had the time."""
    asked, ignored = 0, []
    for run in played.history.runs:
        for connection in run.connections.values():
            for ping in connection.pings:
                if ping.by == "simulator" and _had_time(connection, ping, run.ended_s):
                    asked += 1
                    if not any(pong.by == "client" and pong.opaque == ping.opaque for pong in connection.pongs):
                        ignored.append(ping)
    if not asked:
        return unobserved("the simulator sent no PING")
    found = f"{len(ignored):,} of {asked:,}" if ignored else f"all {asked:,} answered"
    return Measured(len(ignored), found, lambda: evidence.of_observations(ignored))


def _had_time(connection: Connection, ping: Ping, run_ended_s: float) -> bool:
    end_s = run_ended_s if connection.closed is None else connection.closed.at_s
    return end_s - ping.at_s >= PING_ANSWER_S


def credentials(played: Played) -> Measured:
    """The most different provider or access tokens in a run."""
    by_run = [{each.request.credential for each in run.exchanges} - {None} for run in played.history.runs]
    if not any(by_run):
        return unobserved("no request carried one")
    most = max(len(each) for each in by_run)
    return Measured(most, f"{most:,}", lambda: _first_uses(played))


def _first_uses(played: Played) -> list[str]:
    seen: set[str | None] = set()
    firsts = []
    for run in played.history.runs:
        for each in run.exchanges:
            if each.request.credential not in seen:
                seen.add(each.request.credential)
                firsts.append(each.request)
    return evidence.of_observations(firsts)


def bytes_per_notification(played: Played) -> Measured:
    """Bytes from the sender, within TLS, by notification accepted."""
    return _per_notification(played, "bytes", lambda closed: closed.bytes_in)


def frames_per_notification(played: Played) -> Measured:
    """Frames from the sender by notification accepted."""
    return _per_notification(played, "frames", lambda closed: sum(closed.frames_in.values()))


def _per_notification(played: Played, noun: str, count: Callable[[Closed], int]) -> Measured:
    accepted = sum(len(run.accepted_s) for run in played.history.runs)
    ended = [each.closed for run in played.history.runs for each in run.connections.values() if each.closed is not None]
    total = sum(count(each) for each in ended)
    if not accepted or not total:
        return unobserved(f"no notification was accepted, or no {noun} were counted")
    each_has = total / accepted
    return Measured(round(each_has, 2), f"{each_has:,.1f} {noun}", lambda: evidence.of_observations(ended))
