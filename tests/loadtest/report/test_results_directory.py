"""Results directories: what is written is read again; what cannot be read says which file, why, and what to do."""

from pathlib import Path

import msgspec
import pytest

from loadtest.errors import ResultsDirectoryError
from loadtest.report import results_directory
from loadtest.report.results_directory import HISTOGRAMS_FILE, RUN_FILE, SERIES_FILE, read_results, write_results
from loadtest.report.run_record import FORMAT, INTERVALS_MAX, POINTS_MAX, Series
from tests.loadtest.report.result_records import histograms, results, run_record, series


def test_what_is_written_is_read_again_and_nothing_else_is_left(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    write_results(directory, results())
    assert read_results(directory) == results()
    assert sorted(each.name for each in directory.iterdir()) == sorted((RUN_FILE, SERIES_FILE, HISTOGRAMS_FILE))
    write_results(directory, results(seed=8))
    assert read_results(directory).run.seed == 8


def test_a_directory_that_was_not_written_to_its_end_has_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path, results())
    (tmp_path / f"{HISTOGRAMS_FILE}.part").mkdir()  # so that it cannot be written
    with pytest.raises(OSError, match=HISTOGRAMS_FILE):
        write_results(tmp_path, results(seed=8))
    with pytest.raises(ResultsDirectoryError, match=r"run\.json is not there; `pushrig load --out DIR` writes it"):
        read_results(tmp_path)


def test_fields_of_later_versions_are_passed_over_and_missing_ones_have_defaults(tmp_path: Path) -> None:
    write_results(tmp_path, results())
    run = msgspec.json.decode((tmp_path / RUN_FILE).read_bytes())
    run["invented_later"] = 1
    del run["ceiling_per_s"], run["ledger"]
    (tmp_path / RUN_FILE).write_bytes(msgspec.json.encode(run))
    assert read_results(tmp_path).run == run_record(ceiling_per_s=None, ledger=None)


def test_a_later_format_is_refused_before_its_fields_are_read(tmp_path: Path) -> None:
    write_results(tmp_path, results())
    (tmp_path / RUN_FILE).write_text(f'{{"format": {FORMAT + 1}}}')
    with pytest.raises(ResultsDirectoryError, match="is of format 2, this version reads 1; update pushrig"):
        read_results(tmp_path)


@pytest.mark.parametrize("file", [RUN_FILE, SERIES_FILE, HISTOGRAMS_FILE])
@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000, b'{"format": 1}', b"[1]", b"7"])
def test_content_of_another_kind_names_the_file(tmp_path: Path, file: str, content: bytes) -> None:
    write_results(tmp_path, results())
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ResultsDirectoryError, match=rf"{file} is not what `pushrig load --out DIR` writes: \S"):
        read_results(tmp_path)


def test_a_file_in_place_of_the_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsDirectoryError, match=r"run\.json cannot be read: Not a directory"):
        read_results(tmp_path / "file")


def test_more_than_the_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row, distribution = series().rows[0], histograms()[0]
    write_results(tmp_path, results()._replace(series=Series(interval_s=1.0, rows=[row] * INTERVALS_MAX)))
    assert len(read_results(tmp_path).series.rows) == INTERVALS_MAX
    write_results(tmp_path, results()._replace(series=Series(interval_s=1.0, rows=[row] * (INTERVALS_MAX + 1))))
    with pytest.raises(ResultsDirectoryError, match="has 3,601 intervals, more than 3,600"):
        read_results(tmp_path)
    many = msgspec.structs.replace(distribution, points=[(1.0, 1.0)] * (POINTS_MAX + 1))
    write_results(tmp_path, results()._replace(histograms=[many]))
    with pytest.raises(ResultsDirectoryError, match="has a histogram of more than 4,000 points"):
        read_results(tmp_path)
    monkeypatch.setattr(results_directory, "FILE_BYTES_MAX", 10)
    with pytest.raises(ResultsDirectoryError, match=r"run\.json is larger than 10 bytes"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (RUN_FILE, b'"devices": 60000', b'"devices": -1'),
        (RUN_FILE, b'"elapsed_s": 60.0', b'"elapsed_s": 1e300'),
        (SERIES_FILE, b'"interval_s": 1.0', b'"interval_s": 0'),
        (SERIES_FILE, b'"Unregistered": 10', b'"Unregistered": -10'),
        (HISTOGRAMS_FILE, b"0.999,", b"1.001,"),
    ],
)
def test_figures_that_cannot_be_are_refused_where_they_are_read(
    tmp_path: Path, file: str, old: bytes, new: bytes
) -> None:
    write_results(tmp_path, results())
    content = (tmp_path / file).read_bytes()
    assert old in content
    (tmp_path / file).write_bytes(content.replace(old, new, 1))
    with pytest.raises(ResultsDirectoryError, match=rf"{file} is not what .* writes: Expected `(int|float)` (<|>)="):
        read_results(tmp_path)
