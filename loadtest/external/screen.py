"""What the user of `pushrig load --sender` sees: a table on stdout. Everything shown is plain text to rich."""

from rich import box
from rich.console import Console
from rich.table import Table

from loadtest.external.figures import SendersReport
from loadtest.load_report import LedgerFigures
from loadtest.report.sender_record import SenderSeen
from sender.summary import plain

REASONS_SHOWN_MAX = 20
SENDERS_SHOWN_MAX = 8


def show_senders_report(report: SendersReport) -> None:
    """The table on stdout."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for number, sender in enumerate(report.senders[:SENDERS_SHOWN_MAX], 1):
        ended = "overdue" if sender.overdue else f"exit code {sender.exit_code}"
        table.add_row(f"sender {number}", f"{sender.devices:,} devices, {sender.duration_s:,.2f} s, {ended}")
        if len(report.senders) > 1:
            table.add_row(f"sender {number}, its devices", _devices(sender.ledger))
            if sender.seen is not None:
                table.add_row(f"sender {number}, its requests", _requests(sender.seen))
    if len(report.senders) > SENDERS_SHOWN_MAX:
        table.add_row("and more senders", f"{len(report.senders) - SENDERS_SHOWN_MAX}")
    counts = [
        ("devices", report.devices),
        ("accepted once", report.ledger.accepted_once),
        ("accepted more than once", report.ledger.accepted_more),
        ("rejected", report.ledger.rejected),
        ("never answered", report.ledger.never),
        ("notifications", report.notifications),
        *((f"rejected: {reason}", count) for reason, count in list(report.rejected.items())[:REASONS_SHOWN_MAX]),
        ("connections", report.connections_opened),
        *((name, count) for name, count in _troubles(report) if count),
    ]
    for name, count in counts:
        table.add_row(plain(name), f"{count:,}")
    if report.connections is not None:
        seen = report.connections
        table.add_row("connections at once", f"{seen.most_open:,}")
        table.add_row("requests under way on one of them", f"{seen.streams_most:,}")
        for ended, count in sorted(seen.ended.items()):
            table.add_row(f"connections ended by {plain(ended)}", f"{count:,}")
    table.add_row("seconds", f"{report.elapsed_s:,.2f}")
    table.add_row("notifications per second", f"{report.rate_per_s:,.0f}")
    table.add_row("in the busiest second", f"{report.busiest_per_s:,.0f}")
    for name, value in report.gap_ms.items():
        table.add_row(f"between requests of a connection, {name}", f"{value:,.3f} ms")
    for name, value in report.answer_ms.items():
        table.add_row(f"answer time in the simulator, {name}", f"{value:,.3f} ms")
    table.add_row("times are of", report.seen)
    for side, seconds in report.cpu_s.items():
        table.add_row(f"CPU, {side}", "unknown" if seconds is None else f"{seconds:,.2f} s")
    ceiling = "unknown" if report.ceiling_per_s is None else f"{report.ceiling_per_s:,.0f}"
    table.add_row("the simulator's ceiling, per second", ceiling)
    table.add_row("bottleneck", report.bottleneck)
    table.add_row("rates of the providers (--limits)", report.limits)
    Console().print(table)


def _devices(ledger: LedgerFigures) -> str:
    return f"{ledger.accepted_once:,} once, {ledger.accepted_more:,} more, {ledger.rejected:,} rejected, {ledger.never:,} never"


def _requests(seen: SenderSeen) -> str:
    gap = f", p99 between them {seen.gap_ms['p99']:,.3f} ms" if seen.gap_ms else ""
    return f"{seen.notifications:,}, {seen.rate_per_s:,.0f} a second on {seen.connections.opened:,} connections{gap}"


def _troubles(report: SendersReport) -> list[tuple[str, int]]:
    return [
        ("TLS handshakes that failed", report.handshakes_failed),
        ("protocol errors", report.protocol_errors),
        *((f"stopped at the limit {name}", count) for name, count in report.limits_reached.items()),
    ]
