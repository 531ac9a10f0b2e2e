"""Files of device registrations: CSV or JSON lines in, rows of the device store out, each bad one with its line and reason.

CSV: a header row, then one device a row. Columns `token` (needed), `topic`, `registered_at_ms`, `provider`; any other column is
an attribute, and a blank cell means that the device lacks it.

JSON lines: one object a line with the same names; attributes stand beside them or in an object named `attributes`. Numbers,
true and false become text, null means that the device lacks the attribute.
"""

import csv
from collections.abc import Callable, Iterator
from enum import Enum, unique
from itertools import chain
from typing import BinaryIO, NamedTuple

import msgspec

from sender.errors import SenderConfigurationError
from sender.store.records import DeviceRow
from sender.store.registration import PROVIDERS, attribute_names_fault

LINE_BYTES_MAX = 65_536
FIELD_CHARS_MAX = 65_536  # of one CSV cell, which may span lines
REGISTERED_AT_MS_PLAUSIBLE_MIN = 100_000_000_000  # in 1973; an instant in seconds stays below it until the year 5138

COLUMNS = ("token", "topic", "registered_at_ms", "provider")


@unique
class ImportFormat(Enum):
    """What an import's file holds."""

    CSV = "csv"
    JSONL = "jsonl"


class ImportFileError(SenderConfigurationError):
    """The file as a whole cannot be imported. `line_number` from 1."""

    def __init__(self, line_number: int, what: str) -> None:
        self.line_number = line_number
        super().__init__(f"line {line_number}: {what}")


class Defaults(NamedTuple):
    """What stands in for columns that a file lacks; None where each row must say it."""

    topic: str | None = None
    registered_at_ms: int | None = None
    provider: str = PROVIDERS[0]


class Refused(NamedTuple):
    """A bad row: the line it begins on (from 1), why, and its text as it stands in the file."""

    line_number: int
    reason: str
    text: bytes


Scalar = str | int | float | bool | None

_decode_line = msgspec.json.Decoder(dict[str, Scalar | dict[str, Scalar]]).decode


class _RowFault(Exception):  # noqa: N818  # never leaves this module
    """Why the row being read is bad."""


class RegistrationFile:
    """The rows of one file. Bad rows go to `refuse`; reading goes on after them.

    A row that reads well may still break a rule of the store: `refuse_row` reports the one handed out last.
    """

    def __init__(
        self,
        file: BinaryIO,
        defaults: Defaults,
        refuse: Callable[[Refused], None],
        file_format: ImportFormat | None = None,
    ) -> None:
        """Begin to read. `file_format` None: the first character tells, `{` for JSON lines.

        Raises ImportFileError when the file holds nothing, or a CSV header that cannot be used.
        """
        self._lines = _Lines(file)
        self._defaults = defaults
        self._refuse = refuse
        first = self._lines.peek()
        if not first.strip():
            raise ImportFileError(1, "the file holds nothing: CSV begins with a header row, JSON lines with {")
        if first.startswith(b"SQLite format 3"):
            raise ImportFileError(
                1, "this is a SQLite file, not CSV or JSON lines: a device store is opened with --store"
            )
        self.format = file_format or (ImportFormat.JSONL if first.lstrip().startswith(b"{") else ImportFormat.CSV)
        self.header = b""
        if self.format is ImportFormat.CSV:
            self._cells = csv.reader(self._lines.texts(), strict=True)
            self._read_header()

    def rows(self) -> Iterator[DeviceRow]:
        """The good rows, as they come."""
        return self._csv_rows() if self.format is ImportFormat.CSV else self._json_rows()

    def refuse_row(self, reason: str) -> None:
        """Report the row handed out last as bad."""
        self._refuse(Refused(self._lines.first_number, reason, self._lines.taken_bytes()))

    # CSV

    def _read_header(self) -> None:
        csv.field_size_limit(FIELD_CHARS_MAX)
        try:
            names = [name.strip() for name in next(self._cells)]
        except csv.Error as error:
            raise ImportFileError(1, f"the header row is no CSV: {error}") from error
        self.header = self._lines.taken_bytes()
        if "token" not in names:
            raise ImportFileError(
                1,
                f"no column named token among {_listed(names)}: the first line must name the columns "
                f"({_listed(COLUMNS)}, attributes)",
            )
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ImportFileError(1, f"the column {repeated[0]!r} stands more than once: name each column once")
        for column, default in (("topic", self._defaults.topic), ("registered_at_ms", self._defaults.registered_at_ms)):
            if column not in names and default is None:
                raise ImportFileError(
                    1, f"no column named {column}: add it, or give one value for all with {_option(column)}"
                )
        if fault := attribute_names_fault(tuple(name for name in names if name not in COLUMNS)):
            raise ImportFileError(1, f"{fault}; rename or remove the column")
        self._names = names
        self._places = {column: names.index(column) for column in COLUMNS if column in names}
        self._attributes = [(place, name) for place, name in enumerate(names) if name not in COLUMNS]

    def _csv_rows(self) -> Iterator[DeviceRow]:
        cells, lines, width = self._cells, self._lines, len(self._names)
        while True:
            lines.begin_row()
            try:
                row = next(cells)
                if not row:
                    continue  # a blank line
                if lines.too_long:
                    raise _RowFault(f"the line is longer than {LINE_BYTES_MAX} bytes")
                if len(row) != width:
                    raise _RowFault(f"{len(row)} cells where the header has {width}: is a comma or a quote missing?")
                device = self._device(row)
            except StopIteration:
                return
            except csv.Error as error:
                self.refuse_row(f"no CSV: {error}")
            except _RowFault as fault:
                self.refuse_row(str(fault))
            else:
                yield device

    def _device(self, row: list[str]) -> DeviceRow:
        places, defaults = self._places, self._defaults
        place = places.get("topic")
        topic = (row[place] if place is not None else "") or defaults.topic or ""
        place = places.get("provider")
        provider = (row[place] if place is not None else "") or defaults.provider
        place = places.get("registered_at_ms")
        text = row[place].strip() if place is not None else ""
        if text:
            if not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise _RowFault(f"registered_at_ms {text[:40]!a} is no whole number of milliseconds since 1970")
            registered_at_ms = int(text)
        else:
            registered_at_ms = _needed_instant(defaults)
        attributes = {name: value for place, name in self._attributes if (value := row[place])}
        return DeviceRow(row[places["token"]].strip(), provider, topic, _plausible(registered_at_ms), attributes)

    # JSON lines

    def _json_rows(self) -> Iterator[DeviceRow]:
        lines = self._lines
        while True:
            lines.begin_row()
            line = lines.read()
            if not line:
                return
            if line.isspace():
                continue
            try:
                if lines.too_long:
                    raise _RowFault(f"the line is longer than {LINE_BYTES_MAX} bytes")
                device = self._device_of(line)
            except _RowFault as fault:
                self.refuse_row(str(fault))
            else:
                yield device

    def _device_of(self, line: bytes) -> DeviceRow:
        try:
            found = _decode_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _RowFault(f"no JSON object of texts and numbers: {error}") from None
        token = found.pop("token", None)
        topic = found.pop("topic", None) or self._defaults.topic or ""
        provider = found.pop("provider", None) or self._defaults.provider
        registered_at_ms = found.pop("registered_at_ms", None)
        if registered_at_ms is None:
            registered_at_ms = _needed_instant(self._defaults)
        inner = found.pop("attributes", None) or {}
        if not (isinstance(token, str) and isinstance(topic, str) and isinstance(provider, str)):
            raise _RowFault("token, topic and provider must be texts, and the token must be there")
        if type(registered_at_ms) is not int:
            raise _RowFault("registered_at_ms must be a whole number of milliseconds since 1970")
        if not isinstance(inner, dict):
            raise _RowFault("attributes must be an object")
        attributes: dict[str, str] = {}
        for name, value in chain(found.items(), inner.items()):
            if isinstance(value, dict):
                raise _RowFault(f"the attribute {name[:40]!a} is an object: attributes are texts or numbers")
            if name in attributes:
                raise _RowFault(f"the attribute {name[:40]!a} stands both beside and in `attributes`")
            if value is not None:
                attributes[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return DeviceRow(token.strip(), provider, topic, _plausible(registered_at_ms), attributes)


class _Lines:
    """Lines of a file, bounded in length, with the bytes of the current row kept for a report."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0
        self._peeked: bytes | None = None
        self._taken: list[bytes] = []
        self.first_number = 1
        self.too_long = False

    def peek(self) -> bytes:
        """The first line, which stays to be read; a byte order mark is dropped."""
        self._peeked = self._file.readline(LINE_BYTES_MAX).removeprefix(b"\xef\xbb\xbf")
        return self._peeked

    def begin_row(self) -> None:
        self._taken.clear()
        self.first_number = self._number + 1
        self.too_long = False

    def read(self) -> bytes:
        """The next line with its end, b"" after the last. Of a longer one only the beginning, and `too_long`."""
        if self._peeked is not None:
            line, self._peeked = self._peeked, None
        else:
            line = self._file.readline(LINE_BYTES_MAX)
        if line:
            self._number += 1
            self._taken.append(line)
        if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
            self.too_long = True
            while (rest := self._file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
                pass
        return line

    def texts(self) -> Iterator[str]:
        """The lines for the CSV reader. Bytes that are not UTF-8 become lone surrogates, which the store's checks refuse."""
        while line := self.read():
            yield line.decode(errors="surrogateescape")

    def taken_bytes(self) -> bytes:
        """The lines of the current row."""
        return b"".join(self._taken)


def _needed_instant(defaults: Defaults) -> int:
    if defaults.registered_at_ms is None:
        raise _RowFault(
            "no registered_at_ms: an answer 410 cannot be judged without it; add it, or give one for all with "
            + _option("registered_at_ms")
        )
    return defaults.registered_at_ms


def _plausible(registered_at_ms: int) -> int:
    if 0 < registered_at_ms < REGISTERED_AT_MS_PLAUSIBLE_MIN:
        raise _RowFault(f"registered_at_ms {registered_at_ms} looks like seconds: multiply by 1,000")
    return registered_at_ms


def _option(column: str) -> str:
    return "--" + column.replace("_", "-")


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(ascii(name[:40])[1:-1] for name in names[:10])
    return shown + (", ..." if len(names) > 10 else "")
