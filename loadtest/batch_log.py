"""Every batch of an open loop on a line of its own: when it was scheduled, sent and answered. A bounded CSV file."""

from collections.abc import Sequence
from pathlib import Path

from loadtest.arrival_source import OpenBatch
from loadtest.errors import LoadSettingsError

COLUMNS = ("first_index", "devices", "scheduled_s", "sent_s", "answered_s", "without_answer")
LINES_MAX = 1_000_000
"""Some 50 MB; later batches are in the histograms alone."""


class BatchLog:
    """Writes `file`, anew. All that it does raises OSError."""

    def __init__(self, file: Path, *, lines_max: int = LINES_MAX) -> None:
        self._file = file.open("w", encoding="ascii", buffering=1 << 16)
        self._lines_left = lines_max
        self._write(COLUMNS)

    def ended(self, batch: OpenBatch, answered_at_s: float, started_at_s: float) -> None:
        """A batch has had its last answer, or what takes its place. Written are seconds since `started_at_s`."""
        if not self._lines_left:
            return
        self._lines_left -= 1
        instants = (batch.scheduled_at_s, batch.sent_at_s, answered_at_s)
        self._write(
            (
                str(batch.indices.start),
                str(len(batch.indices)),
                *(f"{at_s - started_at_s:.4f}" for at_s in instants),
                str(batch.without_answer),
            )
        )

    def close(self) -> None:
        """All is on disk. Safe to call twice."""
        self._file.close()

    def _write(self, cells: Sequence[str]) -> None:
        self._file.write(",".join(cells) + "\n")


def batch_log(file: Path, number: int) -> BatchLog:
    """The log of a process, `number` of those that share a campaign: all but the first have files of their own beside `file`.

    Raises LoadSettingsError.
    """
    own = file if not number else file.with_name(f"{file.stem}-{number}{file.suffix}")
    try:
        return BatchLog(own)
    except OSError as error:
        raise LoadSettingsError("--batches-file", f"cannot write {own}: {error.strerror}") from None
