"""What Locust's master and workers tell each other about a campaign, beside Locust's own messages."""

import msgspec

from loadtest.leases import Piece, Standing
from loadtest.recording import Recording
from loadtest.tally import Tally

ASK = "pushrig_ask"
"""From a worker whose users wait, or soon will: `Asked`."""
LEASE = "pushrig_lease"
"""To a worker: `Leased`."""
LOST = "pushrig_lost"
"""To a worker that was thought to be gone: others have what it holds, so it is to send no more in this run."""
REPORT = "pushrig"
"""The key of a `WorkerReport` among the figures that Locust's workers report."""


class Asked(msgspec.Struct, frozen=True):
    """`refused`: why this worker cannot take part; None when it can."""

    refused: str | None = None


class Leased(msgspec.Struct, frozen=True):
    """One lease of the run with the number `run`. Instants since the epoch, by the master's clock.

    `started_at_s`: what the instants of pieces count from. `sent_at_s`: of this message.
    """

    run: int
    number: int
    pieces: list[Piece]
    started_at_s: float
    sent_at_s: float


class Lost(msgspec.Struct, frozen=True):
    """`run`: the one meant."""

    run: int


class WorkerReport(msgspec.Struct, frozen=True):
    """Where a worker stands, with each of Locust's reports; leases and counts belong together.

    `tally`, `repeated`: from the start of the campaign. `recording`: since the report before. `idle`: it has no users now.
    `stopped`: why it sends no more. `leaving`: this is its last report.
    """

    run: int
    standing: Standing
    tally: Tally
    recording: Recording
    repeated: int
    idle: bool
    stopped: str | None
    leaving: bool
