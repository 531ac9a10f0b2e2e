"""The log of batches: a line for each, up to a bound; one file for each process."""

from pathlib import Path

import pytest

from loadtest.arrival_source import OpenBatch
from loadtest.batch_log import BatchLog, batch_log
from loadtest.errors import LoadSettingsError


def test_a_batch_has_its_three_instants_since_the_start(tmp_path: Path) -> None:
    log = BatchLog(tmp_path / "batches.csv")
    log.ended(OpenBatch(range(100, 150), 1_002.5, 1_002.5004, 0, without_answer=3), 1_002.75, 1_000.0)
    log.close()
    assert (tmp_path / "batches.csv").read_text().splitlines() == [
        "first_index,devices,scheduled_s,sent_s,answered_s,without_answer",
        "100,50,2.5000,2.5004,2.7500,3",
    ]


def test_beyond_the_bound_no_further_lines_are_written(tmp_path: Path) -> None:
    log = BatchLog(tmp_path / "batches.csv", lines_max=5)
    for number in range(9):
        log.ended(OpenBatch(range(number, number + 1), 0.0, 0.0, 0), 0.0, 0.0)
    log.close()
    assert [line.partition(",")[0] for line in (tmp_path / "batches.csv").read_text().splitlines()[1:]] == list("01234")


def test_processes_that_share_a_campaign_have_files_of_their_own(tmp_path: Path) -> None:
    for number in range(3):
        batch_log(tmp_path / "batches.csv", number).close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["batches-1.csv", "batches-2.csv", "batches.csv"]


def test_a_file_that_cannot_be_written_is_named() -> None:
    with pytest.raises(LoadSettingsError, match=r"--batches-file: cannot write /no/such/b\.csv"):
        batch_log(Path("/no/such/b.csv"), 0)
