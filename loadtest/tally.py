"""What a load test has counted: constant in size however many notifications there were, and added up over processes."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from sender.delivery import Counts

# Reasons come from the network: beyond so many different ones they are counted together.
REASONS_MAX = 256
OTHER_REASONS = "(other)"
PARTS_MAX = 64
OTHER_PARTS = "(other)"

Key = TypeVar("Key", str, int)


class Tally(msgspec.Struct):
    """Notifications by outcome. `sent` counts transmissions, so repeats too; the others count notifications.

    `latency_ms`: whole milliseconds to the answer that settled the notification -> notifications; from its scheduled instant
    when it has one, else from sending.
    `started_at_s`, `ended_at_s`: of the first batch taken and the last result, since the epoch; 0 while there is none.
    `cpu_s`: of the process, between the two. `parts`: the same by what sent them, see `loadtest.workloads`.
    `further_accepted`, `further_rejected`: those of them that went to a device which had its notification already.
    `outside_ledger`: rejected before there was a notification that the provider could know of.
    """

    sent: int = 0
    accepted: int = 0
    rejected: dict[str, int] = {}
    given_up: dict[str, int] = {}
    retried: int = 0
    timed_out: int = 0
    unprocessed: int = 0
    connections_lost: int = 0
    batches: int = 0
    latency_ms: dict[int, int] = {}
    started_at_s: float = 0.0
    ended_at_s: float = 0.0
    cpu_s: float = 0.0
    parts: dict[str, "Tally"] = {}
    further_accepted: int = 0
    further_rejected: int = 0
    outside_ledger: int = 0

    @property
    def settled(self) -> int:
        """Notifications with a final result."""
        return self.accepted + sum(self.rejected.values())

    @property
    def devices(self) -> int:
        """Devices whose notification has a final result, however many each got."""
        return self.settled - self.further_accepted - self.further_rejected

    def part(self, name: str) -> "Tally":
        """The part of this name; beyond `PARTS_MAX` they are counted together."""
        known = name if name in self.parts or len(self.parts) < PARTS_MAX else OTHER_PARTS
        return self.parts.setdefault(known, Tally())

    def count(self, counts: Counts, given_up: Mapping[str, int], latency_ms: Mapping[int, int]) -> None:
        """Add what a sender has counted. `given_up`: by reason, only those that were on their way."""
        self.sent += counts.sent
        self.accepted += counts.accepted
        self.retried += counts.retried
        self.timed_out += counts.timed_out
        self.unprocessed += counts.unprocessed
        self.connections_lost += counts.connections_lost
        add_counts(self.rejected, counts.rejected, OTHER_REASONS)
        add_counts(self.given_up, given_up, OTHER_REASONS)
        add_counts(self.latency_ms, latency_ms)

    def add(self, other: "Tally") -> None:
        """Add the tally of another process."""
        self.sent += other.sent
        self.accepted += other.accepted
        self.retried += other.retried
        self.timed_out += other.timed_out
        self.unprocessed += other.unprocessed
        self.connections_lost += other.connections_lost
        self.batches += other.batches
        self.cpu_s += other.cpu_s
        add_counts(self.rejected, other.rejected, OTHER_REASONS)
        add_counts(self.given_up, other.given_up, OTHER_REASONS)
        add_counts(self.latency_ms, other.latency_ms)
        self.further_accepted += other.further_accepted
        self.further_rejected += other.further_rejected
        self.outside_ledger += other.outside_ledger
        for name, part in other.parts.items():
            self.part(name).add(part)
        self.started_at_s = min(filter(None, (self.started_at_s, other.started_at_s)), default=0.0)
        self.ended_at_s = max(self.ended_at_s, other.ended_at_s)

    @property
    def elapsed_s(self) -> float:
        """From the first batch to the last result."""
        return max(0.0, self.ended_at_s - self.started_at_s)


def final_latency_ms(counts: Counts) -> dict[int, int]:
    """The latency of answers that settled their notification."""
    if not counts.latency_not_final_ms:
        return counts.latency_ms
    return counts.latency_ms - counts.latency_not_final_ms


def add_counts(into: dict[Key, int], more: Mapping[Key, int], other: Key | None = None) -> None:
    """Add counts to counts.

    `other`: the key for what comes when `into` has `REASONS_MAX` keys; None where keys cannot run away.
    """
    for key, count in more.items():
        known = key if other is None or key in into or len(into) < REASONS_MAX else other
        into[known] = into.get(known, 0) + count
