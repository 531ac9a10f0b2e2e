"""What the page of a run of external senders has besides: each sender, their connections. Pure; everything is escaped."""

from loadtest.report.axis import count_text, latency_text, linear_axis, time_axis, time_text
from loadtest.report.charts import Chart, Line, draw, text
from loadtest.report.moments import Moments
from loadtest.report.page_charts import HEADROOM, bands_of, end_of
from loadtest.report.page_parts import section, table
from loadtest.report.run_record import RunRecord
from loadtest.report.sender_record import SenderRecord

SENDERS_MAX = 64
UNKNOWN = "unknown"


def sender_tiles(run: RunRecord) -> list[tuple[str, str]]:
    """(name, HTML) of the figures that stand where latencies stand otherwise."""
    if run.senders is None:
        return []
    tiles = [("busiest second", f"{count_text(run.senders.busiest_per_s)}<small>/s</small>")]
    for says, times in (("between requests", run.senders.gap_ms), ("answer time", run.senders.answer_ms)):
        tiles += [(f"{says}, {words}", text(latency_text(times[name]))) for words, name in _SHOWN if name in times]
    return tiles


_SHOWN = (("50 %", "p50"), ("99 %", "p99"))


def senders_section(run: RunRecord) -> str:
    """Each sender with its figures; "" for other runs."""
    if run.senders is None:
        return ""
    senders = run.senders.senders
    head = ("sender", "ended", "devices#", "accepted once#", "more than once#", "rejected#", "never answered#")
    devices = [_devices(number, sender) for number, sender in enumerate(senders[:SENDERS_MAX], 1)]
    rows = [
        _requests(number, sender) for number, sender in enumerate(senders[:SENDERS_MAX], 1) if sender.seen is not None
    ]
    requests = ""
    if rows:
        titles = ("sent#", "a second#", "gap, 50 %#", "gap, 99 %#", "answer, 99 %#")
        connections = ("opened#", "each#", "at once#", "resets#")
        requests = table(("sender", *titles, *connections), rows)
    notes = [
        "By the simulator's ledger: what became of each sender's own devices, whoever sent to them.",
        _FOLLOWED if rows else _NOT_FOLLOWED,
    ]
    return section("Senders", senders, table(head, devices) + requests, notes)


_FOLLOWED = (
    "Below, by connection: how many were opened that began with a device of the sender, with how many requests on each (half "
    "of them had no more) and at once."
)
_NOT_FOLLOWED = "Requests were not followed (--observe), so rates and connections of each are not known."


def _devices(number: int, sender: SenderRecord) -> tuple[str, ...]:
    ended = "overdue" if sender.overdue else f"exit code {sender.exit_code}"
    ledger = sender.ledger
    counts = (sender.devices, ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never)
    return (
        f"{number}: {sender.command}",
        f"{ended}, {time_text(sender.duration_s)}",
        *(count_text(each) for each in counts),
    )


def _requests(number: int, sender: SenderRecord) -> tuple[str, ...]:
    seen = sender.seen
    assert seen is not None
    times = (seen.gap_ms.get("p50"), seen.gap_ms.get("p99"), seen.answer_ms.get("p99"))
    connections = seen.connections
    counts = (
        connections.opened,
        connections.requests.get("p50"),
        connections.streams_most,
        connections.resets_by_client,
    )
    return (
        f"{number}",
        count_text(seen.notifications),
        count_text(seen.rate_per_s),
        *("" if each is None else latency_text(each) for each in times),
        *("" if each is None else count_text(each) for each in counts),
    )


def connection_section(run: RunRecord, moments: Moments) -> str:
    """Open connections over time, and what is known of them all."""
    rows = [row for row in moments.moments if row.connections is not None]
    line = Line("open connections", "s4", [(row.middle_s, row.connections) for row in rows])
    end_s = end_of(run, moments)
    chart = Chart(
        says="Open connections over time",
        x=time_axis(end_s),
        y=linear_axis(max((row.connections or 0 for row in rows), default=0) * HEADROOM),
        y_name="connections",
        lines=[line],
        bands=bands_of(run, end_s),
        columns=[
            (
                row.at_s,
                row.at_s + row.duration_s,
                f"{time_text(row.at_s)}\n{count_text(row.connections or 0)} connections",
            )
            for row in rows
        ],
    )
    return section("Connections over time", rows, draw(chart) + _known_of_all(run), [])


def _known_of_all(run: RunRecord) -> str:
    senders = run.senders
    assert senders is not None
    rows = [("opened", run.connections), ("TLS handshakes that failed", senders.handshakes_failed)]
    rows += [("protocol errors", senders.protocol_errors)]
    rows += [(f"stopped at the limit {name}", count) for name, count in senders.limits_reached.items()]
    if senders.connections is not None:
        seen = senders.connections
        rows += [("open at once, at most", seen.most_open), ("requests under way on one, at most", seen.streams_most)]
        rows += [(f"spoke {spoken}", count) for spoken, count in seen.spoken.items()]
        rows += [(f"ended by {ended}", count) for ended, count in sorted(seen.ended.items())]
        rows += [("streams reset by senders", seen.resets_by_client), ("requests left unanswered", seen.unanswered)]
    return table(("connections", "how many#"), [(name, count_text(count)) for name, count in rows])
