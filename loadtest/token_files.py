"""Writes the devices of a population to files: rows of a table, lines of JSON, or a device store.

A file is written beside its place under another name and renamed when it is whole: a reader never meets half a
population, and a failed run leaves what stood there before.
"""

import csv
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, unique
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

import msgspec

from loadtest.population import COLUMNS, cells, rows
from sender.store.device_store import DeviceStore
from sender.store.errors import StoreError
from sender.store.records import DeviceRow
from simulator.devices.draws import Devices

SQLITE_COMPANIONS = ("-journal", "-wal", "-shm")  # What SQLite keeps beside a database while it is open.
ROWS_PER_WRITE_MAX = 4_096  # Rows held in memory at once, and between two reports of progress.

Progress = Callable[[int], None]
"""Told, now and then, how many rows have been written so far."""


@unique
class FileFormat(Enum):
    """What the ending of a file name asks for."""

    STORE = ".db"
    CSV = ".csv"
    JSONL = ".jsonl"


class OutputRefusedError(ValueError):
    """The place named for the output cannot be used; the message says why and what to do."""


class _Line(msgspec.Struct):
    token: str
    provider: str
    topic: str
    registered_at_ms: int
    attributes: msgspec.Raw


def format_of(path: Path) -> FileFormat:
    """The format that a file name asks for. Raises `OutputRefusedError` for an ending that names none."""
    try:
        return FileFormat(path.suffix.lower())
    except ValueError:
        raise OutputRefusedError(
            f"{path}: the ending must be .db (device store), .csv or .jsonl, or the name - for JSON lines on stdout"
        ) from None


@contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[Path]:
    """Lend a new name beside `path` to write to; on success rename it to `path`, on failure remove it.

    A symbolic link stays, and what it points to is replaced. Raises `OutputRefusedError`, before anything is written,
    when `path` exists (unless `force`) or cannot be replaced.
    """
    target = _usable_target(path, force=force)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        partial.replace(target)
    finally:
        for leftover in (partial, *(_beside(partial, ending) for ending in SQLITE_COMPANIONS)):
            leftover.unlink(missing_ok=True)


def _usable_target(path: Path, *, force: bool) -> Path:
    try:
        target = path.resolve()
        if not target.parent.is_dir():
            raise OutputRefusedError(f"{path}: the directory {target.parent} does not exist; make it first")
        if target.exists():
            if not target.is_file():
                raise OutputRefusedError(f"{path} is not a regular file; name another")
            if not force:
                raise OutputRefusedError(f"{path} exists; name another file, or replace it with --force")
        # A store that is open has them, and so has one whose process died: its last transactions stand in the log,
        # and SQLite would apply them to whatever database takes the name.
        for companion in (_beside(target, ending) for ending in SQLITE_COMPANIONS):
            if companion.exists():
                raise OutputRefusedError(
                    f"{path} is in use or was not closed, since {companion.name} stands beside it; "
                    "end the process that has it open, or delete both, or name another file"
                )
    except (OSError, RuntimeError) as error:  # A loop of symbolic links is a RuntimeError until Python 3.13.
        raise OutputRefusedError(f"{path} cannot be written to: {error}") from None
    return target


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def write_csv(file: TextIO, population: Devices, start: int, stop: int, progress: Progress) -> None:
    """Write a header and one line for each device. `file` must have been opened with `newline=""`."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    lines, done = cells(population, start, stop), 0
    while chunk := list(islice(lines, ROWS_PER_WRITE_MAX)):
        writer.writerows(chunk)
        done += len(chunk)
        progress(done)


def write_jsonl(file: BinaryIO, population: Devices, start: int, stop: int, progress: Progress) -> None:
    """Write one JSON object a line for each device, its attributes as an object inside."""
    encode_lines, devices, done = msgspec.json.Encoder().encode_lines, rows(population, start, stop), 0
    while chunk := [_line(device) for device in islice(devices, ROWS_PER_WRITE_MAX)]:
        file.write(encode_lines(chunk))
        done += len(chunk)
        progress(done)


def _line(device: DeviceRow) -> _Line:
    assert isinstance(device.attributes, bytes)
    return _Line(device.token, device.provider, device.topic, device.registered_at_ms, msgspec.Raw(device.attributes))


def write_store(path: Path, population: Devices, start: int, stop: int, progress: Progress) -> None:
    """Import the devices into a new device store at `path`. Raises `OSError` when the disk does not take it."""
    try:
        with DeviceStore.open(path, create=True) as store:
            store.import_rows(rows(population, start, stop), progress=progress)
    except (StoreError, sqlite3.Error) as error:
        raise OSError(str(error)) from error


def write_file(
    path: Path, file_format: FileFormat, population: Devices, start: int, stop: int, progress: Progress
) -> None:
    """Write the devices from `start` to before `stop` to the new file `path`.

    Raises `OSError` when the disk does not take it, `FileExistsError` when the file is there.
    """
    match file_format:
        case FileFormat.STORE:
            write_store(path, population, start, stop, progress)
        case FileFormat.CSV:
            with path.open("x", encoding="utf-8", newline="") as text:
                write_csv(text, population, start, stop, progress)
                _settle(text)
        case FileFormat.JSONL:
            with path.open("xb") as binary:
                write_jsonl(binary, population, start, stop, progress)
                _settle(binary)


def _settle(file: TextIO | BinaryIO) -> None:
    """Have the bytes on the disk before the file takes its name, so that a crash leaves the old one or the new one."""
    file.flush()
    os.fsync(file.fileno())
