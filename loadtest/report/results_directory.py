"""Results directories on disk: written whole or not at all, read with clear errors."""

from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from loadtest.errors import ResultsDirectoryError
from loadtest.report.run_record import FORMAT, INTERVALS_MAX, POINTS_MAX, Histogram, RunRecord, Series

RUN_FILE = "run.json"
SERIES_FILE = "series.json"
HISTOGRAMS_FILE = "histograms.json"
REPEATS_MAX = 100
FILE_BYTES_MAX = 64 * 1024 * 1024
"""Read at most: an hour of intervals with a dozen reasons each is some 2 MB."""

Record = TypeVar("Record")


class _Format(msgspec.Struct):
    format: int = 0


class Results(NamedTuple):
    """One run as its directory has it."""

    run: RunRecord
    series: Series
    histograms: list[Histogram]


def write_results(directory: Path, results: Results) -> None:
    """Write the files into `directory`, which is made when missing; `run.json` comes last, so its presence says all is there.

    Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / RUN_FILE).unlink(missing_ok=True)
    for name, record in (
        (SERIES_FILE, results.series),
        (HISTOGRAMS_FILE, results.histograms),
        (RUN_FILE, results.run),
    ):
        partial = directory / f"{name}.part"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
        partial.replace(directory / name)


def read_run(directory: Path) -> RunRecord:
    """Read `run.json` of one directory. Raises ResultsDirectoryError."""
    run_file = directory / RUN_FILE
    content = _content(run_file)
    written = _decoded(run_file, content, _Format).format
    if written > FORMAT:
        raise ResultsDirectoryError(run_file, f"is of format {written}, this version reads {FORMAT}; update pushrig")
    return _decoded(run_file, content, RunRecord)


def read_results(directory: Path) -> Results:
    """Read one directory. Raises ResultsDirectoryError."""
    run = read_run(directory)
    series_file, histograms_file = directory / SERIES_FILE, directory / HISTOGRAMS_FILE
    series = _decoded(series_file, _content(series_file), Series)
    histograms = _decoded(histograms_file, _content(histograms_file), list[Histogram])
    if len(series.rows) > INTERVALS_MAX:
        raise ResultsDirectoryError(series_file, f"has {len(series.rows):,} intervals, more than {INTERVALS_MAX:,}")
    if any(len(each.points) > POINTS_MAX for each in histograms):
        raise ResultsDirectoryError(histograms_file, f"has a histogram of more than {POINTS_MAX:,} points")
    return Results(run, series, histograms)


def read_repeats(directory: Path) -> list[RunRecord]:
    """The runs of `directory`: its own, or those of the directories in it, by name. Raises ResultsDirectoryError."""
    if (directory / RUN_FILE).exists():
        return [read_run(directory)]
    try:
        within = sorted(each for each in directory.iterdir() if (each / RUN_FILE).exists())
    except OSError as error:
        raise ResultsDirectoryError(directory, f"cannot be read: {error.strerror}") from None
    if not within:
        raise ResultsDirectoryError(
            directory, f"has no {RUN_FILE}, nor have directories in it; `pushrig load --out DIR` writes it"
        )
    if len(within) > REPEATS_MAX:
        raise ResultsDirectoryError(directory, f"has {len(within):,} runs, more than {REPEATS_MAX:,}")
    return [read_run(each) for each in within]


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ResultsDirectoryError(file, "is not there; `pushrig load --out DIR` writes it") from None
    except OSError as error:
        raise ResultsDirectoryError(file, f"cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise ResultsDirectoryError(file, f"is larger than {FILE_BYTES_MAX:,} bytes")
    return content


def _decoded(file: Path, content: bytes, kind: type[Record]) -> Record:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ResultsDirectoryError(file, f"is not what `pushrig load --out DIR` writes: {error}") from None
