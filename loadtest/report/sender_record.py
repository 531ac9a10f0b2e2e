"""What a run of external senders leaves behind beside the figures of every run, as JSON. Pure.

All of it was seen from the simulator's side. What senders know alone is left out: when they meant to send, and how long they
waited for answers.
"""

import msgspec

from loadtest.report.ledger_record import Ledger
from loadtest.report.quantities import Count, Number


class ConnectionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Connections, those for access tokens too.

    `spoken`: how many spoke what. `most_open`: at once. `streams_most`: requests under way at once on one of them.
    `requests`: on each, `min`, `p50` and `max`. `ended`: how many were ended by whom, and how, such as `client: end`.
    `unanswered`: requests without a whole answer when their connection ended.
    """

    opened: Count
    handshakes_failed: Count
    most_open: Count
    streams_most: Count
    spoken: dict[str, Count]
    requests: dict[str, Count]
    ended: dict[str, Count]
    resets_by_client: Count
    unanswered: Count


class SenderSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of one sender: those on connections that had one about its devices before any about another's.

    `notifications`: judged, so repeats too. `elapsed_s`, `rate_per_s`: from the first of them to the last. `gap_ms`,
    `answer_ms`: as of all senders. `connections`: without those that failed or had nothing about any device.
    """

    notifications: Count
    accepted: Count
    rejected: dict[str, Count]
    elapsed_s: Number
    rate_per_s: Number
    gap_ms: dict[str, Number]
    answer_ms: dict[str, Number]
    connections: ConnectionFigures


class SenderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One sender. `command`: as typed. `overdue`: it was ended, at its time limit. `said`: one of its last lines.

    `ledger`: what became of its devices, whoever sent to them; those whose tokens no ledger can know are among `never`.
    `seen`: None where not every request was followed.
    """

    command: str
    devices: Count
    exit_code: int
    duration_s: Number
    overdue: bool
    said: str
    ledger: Ledger
    seen: SenderSeen | None = None


class SendersRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All senders of a run. `busiest_per_s`: notifications in the busiest second.

    `gap_ms`: `p50`, `p90`, `p99`, `p999`, `max` from one request to the next on the same connection. `answer_ms`: from the
    beginning of a request to its whole answer, in the simulator. `seen`: what those are taken from, in words. `connections`:
    None where requests were not followed.
    """

    senders: list[SenderRecord]
    seen: str
    busiest_per_s: Number
    gap_ms: dict[str, Number]
    answer_ms: dict[str, Number]
    handshakes_failed: Count
    protocol_errors: Count
    limits_reached: dict[str, Count]
    connections: ConnectionFigures | None = None
