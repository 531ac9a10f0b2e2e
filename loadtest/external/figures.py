"""What comes of a run of external senders, and what does not add up. Pure."""

from collections.abc import Sequence

import msgspec

from loadtest.external.control_view import Counted
from loadtest.external.seconds_seen import Second
from loadtest.load_outcome import unexplained
from loadtest.load_report import BUSY_SHARE, LedgerFigures
from loadtest.replay.rows import Ending
from loadtest.report.sender_record import ConnectionFigures, SenderSeen
from simulator.devices.draws import FateShares

SAID_SHOWN_MAX = 400
"""Characters of the line that is told of a sender."""
LAST_LINES = 20
"""Of its output, among which that line is looked for."""


class SenderFigures(msgspec.Struct, frozen=True):
    """One sender. `command`: as typed. `overdue`: it was ended, at its time limit. `said`: one of its last lines.

    `ledger`: what became of its devices, whoever sent to them. `seen`: None where not every request was followed.
    """

    command: str
    devices: int
    exit_code: int
    duration_s: float
    overdue: bool
    said: str
    ledger: LedgerFigures
    seen: SenderSeen | None = None


class SendersReport(msgspec.Struct, frozen=True, kw_only=True):
    """What external senders did, by what the simulator saw.

    `notifications`: judged, so repeats too; `repeats`: of those, beyond one for each device. `unanswered`: devices that never
    got an answer, as far as the ledger can know them. `rejected`: by reason. `elapsed_s`, `rate_per_s`: from the first
    notification to the last; `busiest_per_s`: the busiest second.

    `gap_ms`: `p50`, `p90`, `p99`, `p999`, `max` from one request to the next on the same connection. `answer_ms`: from the
    beginning of a request to its whole answer, in the simulator. `seen`: what those are taken from: `every request`,
    `part of the requests` when there were too many, or `samples, in whole milliseconds`.

    `connections_opened`: since the start. `connections`: more of them, None where requests were not observed.
    `cpu_s`: `senders`, all together from their start on, and `simulator`. `bottleneck`: `simulator`, `sender`, `machine` (all
    cores are busy) or `neither` (waiting: windows, network, or by the sender's own will). `ceiling_per_s`: what the
    simulator could have answered where requests are not observed, and `ceiling_from` how that is known; None for unknown.
    `failures`: what did not come out as it must; empty when every device was answered for good.
    """

    provider: str
    devices: int
    seed: int
    endpoint: str
    senders: list[SenderFigures]
    ledger: LedgerFigures
    notifications: int
    repeats: int
    unanswered: int
    accepted: int
    rejected: dict[str, int]
    elapsed_s: float
    rate_per_s: float
    busiest_per_s: float
    seen: str
    gap_ms: dict[str, float]
    answer_ms: dict[str, float]
    connections_opened: int
    handshakes_failed: int
    protocol_errors: int
    limits_reached: dict[str, int]
    connections: ConnectionFigures | None
    over_time: list[Second]
    cpu_s: dict[str, float | None]
    peak_rss_mb: dict[str, float | None]
    bottleneck: str
    ceiling_per_s: float | None
    ceiling_from: str
    limits: str
    failures: list[str]


def bottleneck(
    elapsed_s: float, senders_s: Sequence[float], senders_cpu_s: float, simulator_cpu_s: float | None, cores: int
) -> str:
    """Which side the others waited for, by its share of the time that cores could give it. `senders_s`: how long each ran."""
    simulator_share = (simulator_cpu_s or 0.0) / elapsed_s if elapsed_s > 0 else 0.0
    sender_share = senders_cpu_s / sum(senders_s) if sum(senders_s) > 0 else 0.0
    busy, side = max((simulator_share, "simulator"), (sender_share, "sender"))
    if busy >= BUSY_SHARE:
        return side
    longest_s = max(senders_s, default=0.0)
    sides_share = simulator_share + (senders_cpu_s / longest_s if longest_s > 0 else 0.0)
    return "machine" if sides_share >= BUSY_SHARE * cores else "neither"


def sender_figures(
    command: str, devices: int, ending: Ending, ledger: LedgerFigures, seen: SenderSeen | None = None
) -> SenderFigures:
    """One sender, with the line that tells why it ended so: of its last ones the one that speaks of an error, or the last."""
    lines = [line.strip() for line in ending.said.splitlines() if line.strip()][-LAST_LINES:]
    telling = [line for line in lines if "error" in line.lower()] if ending.exit_code else []
    said = (telling or lines or [""])[-1][:SAID_SHOWN_MAX]
    duration_s = round(ending.duration_s, 3)
    return SenderFigures(command, devices, ending.exit_code, duration_s, ending.overdue, said, ledger, seen)


def failures_of(
    senders: Sequence[SenderFigures],
    ledger: LedgerFigures,
    counted: Counted,
    fates: FateShares,
    outside_ledger: int,
    time_limit_s: float,
) -> list[str]:
    """What did not come out as it must, in words. `outside_ledger`: devices whose tokens no ledger can know."""
    found = []
    for number, sender in enumerate(senders, 1):
        said = f": {sender.said}" if sender.said else ""
        if sender.overdue:
            found.append(f"sender {number} had not ended after {time_limit_s:g} s and was ended{said}")
        elif sender.exit_code:
            found.append(f"sender {number} ended with exit code {sender.exit_code}{said}")
    if ledger.never > outside_ledger:
        found.append(f"{ledger.never - outside_ledger:,} devices were never answered")
    if ledger.accepted_more:
        found.append(f"{ledger.accepted_more:,} devices were notified more than once")
    for reason, count in unexplained(counted.rejected_by_reason, fates).items():
        found.append(f"{count:,} rejections with {reason}, which no fate of the population explains")
    return found
