"""What a run comes to, in sentences: who was the limit, how near the ceiling it was, what did not come out. Pure."""

import re

from loadtest.report.axis import count_text, latency_text
from loadtest.report.run_record import RunRecord

LIMITS = {
    "simulator": "The simulator was the limit: it computed nearly all of the time, and the load generator waited for it.",
    "load generator": "The load generator was the limit: it computed nearly all of the time. The figures tell what it "
    "can send, not what the provider can take.",
    "sender": "The sender was the limit: it computed nearly all of the time, and the simulator waited for it.",
    "machine": "The machine was the limit: senders and simulator together kept all its cores busy.",
    "rate": "The rate asked for was the limit: neither side was busy.",
    "neither": "Neither side was busy: the run waited for windows, the network, or other programs on the machine.",
}
_NEITHER_OF_SENDERS = (
    "Neither side was busy: senders waited for their windows, their pauses, their own locks, or other programs on the "
    "machine."
)


def began_text(run: RunRecord) -> str:
    """When the run began, to the minute, where that can be read."""
    read = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(\.\d+)?(Z|\+00:00)", run.began_at)
    return f"{read[1]} {read[2]} UTC" if read else run.began_at


def limit_statement(run: RunRecord) -> str:
    """Which side the others waited for."""
    if run.senders is not None and run.bottleneck == "neither":
        return _NEITHER_OF_SENDERS
    return LIMITS.get(run.bottleneck, f"The limit was: {run.bottleneck}.")


def ceiling_statement(run: RunRecord) -> str:
    """The rate beside what the simulator could have done."""
    if not run.ceiling_per_s:
        return "The simulator's ceiling is not known of this run."
    known = f" ({run.ceiling_from})" if run.ceiling_from else ""
    share = run.rate_per_s / run.ceiling_per_s
    return (
        f"The simulator's ceiling was {count_text(run.ceiling_per_s)} a second{known}; "
        f"this run had {count_text(run.rate_per_s)} a second, {share * 100:.3g} % of it."
    )


def behind_statement(run: RunRecord) -> str | None:
    """A load generator that did not keep its schedule, None when it did."""
    if run.behind is None:
        return None
    worst = f" At worst it was {latency_text(run.behind_ms_max)} late." if run.behind_ms_max else ""
    said = run.behind.strip() or "no more is known"
    return f"The load generator fell behind its schedule: {said.rstrip('.')}.{worst}"


def _kept(run: RunRecord) -> str:
    if run.scheduled_per_s is None or run.reached_share is None:
        return ""
    return f" {count_text(run.scheduled_per_s)} a second by the schedule, {run.reached_share * 100:.4g} % of that handed out."


def latency_origin(run: RunRecord) -> str:
    """The instant that latencies of the run count from."""
    return "the scheduled instant" if run.open_loop else "sending"


def arrivals_statement(run: RunRecord) -> str:
    """Whether arrivals were scheduled."""
    if run.senders is not None:
        return (
            "Senders of others: all was measured from the simulator's side. When they meant to send, and how long they waited "
            "for answers, they alone know."
        )
    if run.open_loop:
        return f"Open loop: arrivals were scheduled ({run.arrivals}), whatever became of those before.{_kept(run)}"
    return "Closed loop: each notification waited for an answer to one before, so latency hides what waited."
