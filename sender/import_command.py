"""`pushrig import`: bring device registrations from a file into a device store."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer

if TYPE_CHECKING:  # imported when needed, so that the help comes at once
    from sender.import_file import Defaults, ImportFormat, Refused
    from sender.store.records import DeviceRow

EXIT_STORE_FAILED = 1
EXIT_BAD_INPUT = 2
ERRORS_SHOWN_MAX = 20
STDIN = "-"


class ProviderName(StrEnum):
    """Providers a device can belong to."""

    APNS = "apns"
    FCM = "fcm"


class FormatName(StrEnum):
    """Formats of a file, by name."""

    CSV = "csv"
    JSONL = "jsonl"


class BadLine(msgspec.Struct):
    """A refused row, as `--json` prints it."""

    line: int
    reason: str


class ImportReport(msgspec.Struct):
    """What `--json` prints. `rows` = `inserted` + `updated` + `unchanged` + `refused`; `devices`, `valid`: in the store now.

    `bad_lines`: the first of the refused rows; all of them stand in `refused_file`.
    """

    file: str
    store: str
    rows: int
    inserted: int
    updated: int
    unchanged: int
    revived: int
    refused: int
    refused_file: str | None
    bad_lines: list[BadLine]
    devices: int
    valid: int
    elapsed_s: float
    rate_per_s: float


class _BadRowsError(Exception):
    """Rows are bad and `--skip-bad` was not given."""


def import_devices(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON lines; - reads stdin.")],
    store: Annotated[
        Path, typer.Option("--store", metavar="FILE", help="Device store to import into; made if there is none.")
    ],
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic of the rows that name none, such as com.example.app.")
    ] = None,
    provider: Annotated[
        ProviderName, typer.Option("--provider", help="Provider of the rows that name none.")
    ] = ProviderName.APNS,
    registered_at_ms: Annotated[
        int | None,
        typer.Option("--registered-at-ms", min=0, help="Registration (ms since 1970) of the rows that name none."),
    ] = None,
    file_format: Annotated[
        FormatName | None,
        typer.Option("--format", help="What FILE holds. Default: its first character tells.", show_default=False),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows and write the bad ones to the file of --refused.")
    ] = False,
    refused: Annotated[
        Path | None,
        typer.Option(
            "--refused",
            metavar="FILE",
            help="Where --skip-bad writes bad rows. Default: FILE.refused.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on stdout, and no progress.")
    ] = False,
) -> None:
    """Import device registrations: all of them or, if any row is bad, none.

    CSV begins with a header row. Columns: token, topic, registered_at_ms,
    provider; every other column is an attribute of the device, for --segment
    and {{placeholders}}. JSON lines use the same names.

    A token that the store knows gets the later registration; if it was
    invalidated before that, it is valid again. Importing a file twice changes
    nothing.

    Examples:

    \b
      pushrig import devices.csv --store devices.db
      pushrig import tokens.txt --format csv --store devices.db \\
        --topic com.example.app --registered-at-ms 1735689600000
      pushrig tokens --count 1000 --topic com.example.app --out - |
        pushrig import - --store devices.db --json
      pushrig import devices.csv --store devices.db --skip-bad

    Exit codes: 0 imported; 1 the store or the disk failed, nothing was
    imported; 2 bad options, file or rows, nothing was imported.
    """
    from sender.errors import SenderConfigurationError
    from sender.import_file import Defaults, ImportFormat
    from sender.store.errors import ForeignStoreError, NewerStoreError, StoreError

    refused_path = _refused_path(file, refused, skip_bad=skip_bad)
    defaults = Defaults(topic, registered_at_ms, provider.value)
    bad = _BadRows(refused_path)
    try:
        report = _import(
            file, store, defaults, ImportFormat(file_format.value) if file_format else None, bad, progress=not as_json
        )
    except _BadRowsError:
        bad.show(file)
        typer.echo(
            "pushrig import: nothing was imported; correct the rows, or leave them out with --skip-bad", err=True
        )
        raise typer.Exit(EXIT_BAD_INPUT) from None
    except (SenderConfigurationError, ForeignStoreError, NewerStoreError) as error:
        typer.echo(f"pushrig import: {file}: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    except (StoreError, OSError) as error:
        typer.echo(f"pushrig import: {error}", err=True)
        raise typer.Exit(EXIT_STORE_FAILED) from None
    if bad.count:
        bad.show(file)
    typer.echo(msgspec.json.encode(report).decode() if as_json else _sentence(report))


def _refused_path(file: str, refused: Path | None, *, skip_bad: bool) -> Path | None:
    """Where bad rows go, None when they stop the import. Raises typer.BadParameter."""
    if not skip_bad:
        if refused is not None:
            raise typer.BadParameter("bad rows are written only with --skip-bad; add it", param_hint="--refused")
        return None
    if refused is None:
        if file == STDIN:
            raise typer.BadParameter(
                "rows from stdin need a file for the bad ones: add --refused FILE", param_hint="--skip-bad"
            )
        refused = Path(file + ".refused")
    if refused.exists():
        raise typer.BadParameter(
            f"{refused} exists, maybe with rows still to be corrected: remove it, or name another file with --refused",
            param_hint="--skip-bad",
        )
    return refused


class _BadRows:
    """Collects bad rows: the first for the eye, all for the file of `--refused`; without that file, ends the import."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.first: list[BadLine] = []
        self._file: BinaryIO | None = None

    def add(self, line_number: int, reason: str, text: bytes, header: bytes) -> None:
        """Take one. Raises _BadRowsError when enough is known to end the import."""
        self.count += 1
        if len(self.first) < ERRORS_SHOWN_MAX:
            self.first.append(BadLine(line_number, reason))
        if self.path is None:
            if self.count == ERRORS_SHOWN_MAX:
                raise _BadRowsError
            return
        if self._file is None:
            self._file = self.path.open("xb")
            self._file.write(header)
        self._file.write(text if text.endswith(b"\n") else text + b"\n")

    def check(self) -> None:
        """At the end of the file. Raises _BadRowsError when bad rows forbid the import."""
        if self.count and self.path is None:
            raise _BadRowsError

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        """Remove the file: nothing was imported, so the rows are where they were."""
        self.close()
        if self._file is not None and self.path is not None:
            self.path.unlink(missing_ok=True)

    def show(self, file: str) -> None:
        for line in self.first:
            typer.echo(f"{file}:{line.line}: {line.reason}", err=True)
        if self.path is not None:
            more = f" (the first {len(self.first)} are shown)" if self.count > len(self.first) else ""
            typer.echo(f"{self.count:,} bad rows{more} were left out and written to {self.path}", err=True)
        elif self.count == ERRORS_SHOWN_MAX:
            typer.echo(f"stopped after {ERRORS_SHOWN_MAX} bad rows", err=True)


def _import(
    file: str,
    store_path: Path,
    defaults: "Defaults",
    file_format: "ImportFormat | None",
    bad: _BadRows,
    *,
    progress: bool,
) -> ImportReport:
    """Do the import, or leave everything as it was. Raises the errors that the command explains."""
    from sender.import_file import RegistrationFile
    from sender.store.device_store import DeviceStore

    started_s = perf_counter()
    with ExitStack() as cleanup:
        source = cleanup.enter_context(_opened(file))

        def refuse(row: "Refused") -> None:
            bad.add(row.line_number, row.reason, row.text, reader.header)

        def rows() -> "Iterator[DeviceRow]":
            yield from reader.rows()
            bad.check()

        reader = RegistrationFile(source, defaults, refuse, file_format)
        undo = cleanup.enter_context(ExitStack())
        undo.callback(bad.discard)
        if not store_path.exists():
            undo.callback(_remove_store, store_path)
        with DeviceStore.open(store_path, create=True) as store, _progress(file, shown=progress) as show:
            counts = store.import_rows(rows(), refuse=lambda _, reason: reader.refuse_row(reason), progress=show)
            totals = store.counts()
        undo.pop_all()
        bad.close()
    elapsed_s = perf_counter() - started_s
    total = counts.inserted + counts.updated + counts.unchanged + bad.count
    return ImportReport(
        file=file,
        store=str(store_path),
        rows=total,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged,
        revived=counts.revived,
        refused=bad.count,
        refused_file=str(bad.path) if bad.count else None,
        bad_lines=bad.first,
        devices=totals.devices,
        valid=totals.valid,
        elapsed_s=round(elapsed_s, 3),
        rate_per_s=round(total / elapsed_s, 1),
    )


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The file's bytes. Raises SenderConfigurationError."""
    from sender.errors import SenderConfigurationError

    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115  # closed below; only opening may fail in this way
    except OSError as error:
        raise SenderConfigurationError(f"cannot be read ({error.strerror}): check the path") from None
    with source:
        yield source


def _remove_store(path: Path) -> None:
    """Take back a store that this import made and did not fill."""
    for ending in ("", "-wal", "-shm"):
        with suppress(OSError):
            Path(f"{path}{ending}").unlink(missing_ok=True)


@contextmanager
def _progress(file: str, *, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr, if anyone can see it there; how many rows will come is not known beforehand."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Importing {file}", total=None)
        yield lambda rows_read: bar.update(task, completed=rows_read)


def _sentence(report: ImportReport) -> str:
    revived = f" ({report.revived:,} valid again)" if report.revived else ""
    refused = f", {report.refused:,} refused" if report.refused else ""
    return (
        f"{report.store}: {report.rows:,} rows read in {report.elapsed_s:,.1f} s ({report.rate_per_s:,.0f} a second): "
        f"{report.inserted:,} new, {report.updated:,} updated{revived}, {report.unchanged:,} unchanged{refused}; "
        f"the store holds {report.devices:,} devices, {report.valid:,} valid"
    )
