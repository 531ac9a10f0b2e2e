"""`pushrig import`: good files in every form, bad ones named by line, and nothing half done."""

import io
import json
import random
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sender import import_command, import_file
from sender.import_file import Defaults, Refused, RegistrationFile
from sender.store.device_store import DeviceStore
from sender.store.records import DeviceRow

app = typer.Typer(rich_markup_mode=None)
app.command()(import_command.import_devices)

TOPIC = "com.example.app"
REGISTERED_AT_MS = 1_760_000_000_000
A, B, C = (random.Random(number).randbytes(32).hex() for number in range(3))

HEADER = "token,topic,registered_at_ms,name,country\n"
GOOD_CSV = HEADER + f"{A},{TOPIC},{REGISTERED_AT_MS},Jané,DE\n{B},{TOPIC},{REGISTERED_AT_MS},,FR\n"
GOOD_ROWS = [
    DeviceRow(A, "apns", TOPIC, REGISTERED_AT_MS, '{"name":"Jané","country":"DE"}'.encode()),
    DeviceRow(B, "apns", TOPIC, REGISTERED_AT_MS, b'{"country":"FR"}'),
]


def attributes_of(row: DeviceRow) -> object:
    assert isinstance(row.attributes, bytes)
    return json.loads(row.attributes)


class Run:
    """One call of the command, in a directory of its own."""

    def __init__(self, directory: Path, content: str | bytes, *options: str, name: str = "devices.csv") -> None:
        self.file, self.store = directory / name, directory / "devices.db"
        data = content.encode() if isinstance(content, str) else content
        source = "-"
        if name != "-":
            self.file.write_bytes(data)
            source = str(self.file)
        result = CliRunner().invoke(app, [source, "--store", str(self.store), *options], input=data)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

    def rows(self) -> list[DeviceRow]:
        with DeviceStore.open(self.store) as store:
            return sorted(store.rows(), key=lambda row: [A, B, C].index(row.token))


def test_csv_is_imported_with_its_attributes(tmp_path: Path) -> None:
    run = Run(tmp_path, GOOD_CSV)
    assert run.code == 0, run.err
    assert run.rows() == GOOD_ROWS
    assert "2 rows read" in run.out and "2 new" in run.out


@pytest.mark.parametrize(
    "lines",
    [
        [
            {"token": A, "topic": TOPIC, "registered_at_ms": REGISTERED_AT_MS, "name": "Jané", "country": "DE"},
            {"token": B, "topic": TOPIC, "registered_at_ms": REGISTERED_AT_MS, "name": None, "country": "FR"},
        ],
        [
            {
                "token": A,
                "topic": TOPIC,
                "registered_at_ms": REGISTERED_AT_MS,
                "attributes": {"name": "Jané", "country": "DE"},
            },
            {"token": B, "provider": "apns", "topic": TOPIC, "registered_at_ms": REGISTERED_AT_MS, "country": "FR"},
        ],
    ],
)
def test_json_lines_are_imported_with_attributes_beside_or_inside(tmp_path: Path, lines: list[object]) -> None:
    run = Run(tmp_path, "\n\n".join(json.dumps(line) for line in lines), name="devices.txt")
    assert run.code == 0, run.err
    assert run.rows() == GOOD_ROWS


def test_numbers_and_booleans_of_json_become_text(tmp_path: Path) -> None:
    line = {"token": A, "topic": TOPIC, "registered_at_ms": REGISTERED_AT_MS, "age": 18, "vip": True, "score": 1.5}
    (row,) = Run(tmp_path, json.dumps(line)).rows()
    assert attributes_of(row) == {"age": "18", "vip": "true", "score": "1.5"}


@pytest.mark.parametrize(
    "content", [GOOD_CSV, GOOD_CSV.replace("\n", "\r\n"), "\ufeff" + GOOD_CSV, GOOD_CSV + "\n\n", GOOD_CSV[:-1]]
)
def test_ends_of_lines_blank_lines_and_byte_order_marks_make_no_difference(tmp_path: Path, content: str) -> None:
    run = Run(tmp_path, content)
    assert run.code == 0, run.err
    assert run.rows() == GOOD_ROWS


def test_a_cell_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    (row,) = Run(tmp_path, HEADER + f'{A},{TOPIC},{REGISTERED_AT_MS},"a,""b""\nc",DE\n').rows()
    assert attributes_of(row) == {"name": 'a,"b"\nc', "country": "DE"}


def test_options_stand_in_for_columns_that_are_missing_or_blank(tmp_path: Path) -> None:
    options = ("--topic", TOPIC, "--registered-at-ms", "7", "--provider", "fcm")
    run = Run(tmp_path, f"token,topic\nxyz,\n{A},com.other\n", *options)
    assert run.code == 2 and "looks like seconds" in run.err
    run = Run(
        tmp_path, f"token,topic\n{A},com.other\n{B},\n", "--topic", TOPIC, "--registered-at-ms", str(REGISTERED_AT_MS)
    )
    assert run.rows() == [
        DeviceRow(A, "apns", "com.other", REGISTERED_AT_MS, b"{}"),
        DeviceRow(B, "apns", TOPIC, REGISTERED_AT_MS, b"{}"),
    ]


def test_stdin_and_json_result(tmp_path: Path) -> None:
    run = Run(tmp_path, GOOD_CSV, "--json", name="-")
    report = json.loads(run.out)
    assert run.code == 0 and run.err == ""
    assert {name: report[name] for name in ("file", "rows", "inserted", "refused", "devices", "valid")} == {
        "file": "-",
        "rows": 2,
        "inserted": 2,
        "refused": 0,
        "devices": 2,
        "valid": 2,
    }
    again = json.loads(Run(tmp_path, GOOD_CSV, "--json", name="-").out)
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 2)


BAD_CSV_LINES = [
    (f"zz,{TOPIC},{REGISTERED_AT_MS},,", "not hexadecimal"),
    (f",{TOPIC},{REGISTERED_AT_MS},,", "0 hex digits"),
    (f"{C},,{REGISTERED_AT_MS},,", "topic is empty"),
    (f"{C},{TOPIC},,,", "no registered_at_ms"),
    (f"{C},{TOPIC},1.5,,", "no whole number"),
    (f"{C},{TOPIC},-5,,", "no whole number"),
    (f"{C},{TOPIC},{'9' * 30},,", "no whole number"),
    (f"{C},{TOPIC},{'9' * 18},,", "not an instant"),
    (f"{C},{TOPIC},1760000000,,", "looks like seconds: multiply by 1,000"),
    (f"{C},{TOPIC},{REGISTERED_AT_MS},x", "4 cells where the header has 5"),
    (f"{C},{TOPIC},{REGISTERED_AT_MS},x,y,z", "6 cells where the header has 5"),
    (f'{C},{TOPIC},{REGISTERED_AT_MS},"x"y,DE', "no CSV"),
    (f"{C},{TOPIC},{REGISTERED_AT_MS},{'x' * import_file.LINE_BYTES_MAX},DE", "longer than 65536 bytes"),
    (f"{C},{TOPIC},{REGISTERED_AT_MS},{'x' * 5000},DE", "bytes of JSON"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_CSV_LINES)
def test_a_bad_line_of_csv_is_named_and_nothing_is_imported(tmp_path: Path, line: str, reason: str) -> None:
    run = Run(tmp_path, GOOD_CSV + line + "\n" + f"{C},{TOPIC},{REGISTERED_AT_MS},,\n")
    assert run.code == 2
    assert f"{run.file}:4: " in run.err and reason in run.err
    assert "nothing was imported" in run.err
    assert not run.store.exists(), "a store made for nothing is taken back"


BAD_JSON_LINES = [
    ("[1]", "no JSON object"),
    ("{", "no JSON object"),
    ('{"token": 5, "topic": "a.b", "registered_at_ms": 1760000000000}', "must be texts"),
    ('{"topic": "a.b", "registered_at_ms": 1760000000000}', "the token must be there"),
    ('{"token": "' + C + '", "topic": "a.b", "registered_at_ms": "1760000000000"}', "whole number"),
    ('{"token": "' + C + '", "topic": "a.b", "registered_at_ms": true}', "whole number"),
    ('{"token": "' + C + '", "topic": "a.b"}', "no registered_at_ms"),
    ('{"token": "' + C + '", "topic": "a.b", "registered_at_ms": 1760000000000, "attributes": 5}', "must be an object"),
    ('{"token": "' + C + '", "topic": "a.b", "registered_at_ms": 1760000000000, "a": {"b": "c"}}', "is an object"),
    ('{"token": "' + C + '", "topic": "a.b", "registered_at_ms": 1760000000000, "a": ["b"]}', "no JSON object"),
    ('{"token": "' + C + '", "topic": "a.b", "registered_at_ms": 1760000000000, "a b": "c"}', "attribute name 'a b'"),
    (
        '{"token": "' + C + '", "topic": "a.b", "registered_at_ms": 1760000000000, "a": "1", "attributes": {"a": "2"}}',
        "both beside and in",
    ),
]


@pytest.mark.parametrize(("line", "reason"), BAD_JSON_LINES)
def test_a_bad_json_line_is_named_and_nothing_is_imported(tmp_path: Path, line: str, reason: str) -> None:
    good = json.dumps({"token": A, "topic": TOPIC, "registered_at_ms": REGISTERED_AT_MS})
    run = Run(tmp_path, f"{good}\n\n{line}\n{good}\n", name="devices.jsonl")
    assert run.code == 2
    assert f"{run.file}:3: " in run.err and reason in run.err
    assert not run.store.exists()


BAD_FILES = [
    (b"", "holds nothing"),
    (b"\n", "holds nothing"),
    (b"SQLite format 3\0rest", "a SQLite file"),
    (b"topic,registered_at_ms\n", "no column named token"),
    (f"{A},{TOPIC},{REGISTERED_AT_MS}\n".encode(), "no column named token"),
    (b"token,registered_at_ms\n", "no column named topic: add it, or give one value for all with --topic"),
    (b"token,topic\n", "--registered-at-ms"),
    (b"token,topic,registered_at_ms,a,a\n", "'a' stands more than once"),
    (b"token,topic,registered_at_ms,first name\n", "attribute name 'first name'"),
    (b"token,topic,registered_at_ms,\n", "attribute name ''"),
    (b"token,topic,registered_at_ms,attributes\n", "reserved"),
    (b'token,"topic\n', "the header row is no CSV"),
]


@pytest.mark.parametrize(("content", "what"), BAD_FILES)
def test_a_file_that_cannot_be_imported_is_refused_as_a_whole(tmp_path: Path, content: bytes, what: str) -> None:
    run = Run(tmp_path, content)
    assert run.code == 2
    assert what in run.err and "line 1" in run.err
    assert not run.store.exists()


def test_bytes_that_are_not_utf8_are_a_bad_row(tmp_path: Path) -> None:
    run = Run(tmp_path, GOOD_CSV.encode() + f"{C},{TOPIC},{REGISTERED_AT_MS},J\xfcrgen,DE\n".encode("latin-1"))
    assert run.code == 2 and f"{run.file}:4: an attribute is not valid UTF-8" in run.err


def test_a_row_over_several_lines_is_named_by_its_first(tmp_path: Path) -> None:
    content = HEADER + f'{A},{TOPIC},{REGISTERED_AT_MS},"a\nb\nc",DE\n\nzz,{TOPIC},{REGISTERED_AT_MS},"a\nb",DE\n'
    run = Run(tmp_path, content)
    assert f"{run.file}:6: " in run.err


def test_reading_stops_after_enough_bad_rows(tmp_path: Path) -> None:
    run = Run(tmp_path, HEADER + "zz,a.b,5,,\n" * 100)
    assert run.code == 2
    assert run.err.count(f"{run.file}:") == import_command.ERRORS_SHOWN_MAX
    assert "stopped after 20 bad rows" in run.err


def test_skipped_rows_are_kept_as_they_were_to_be_corrected(tmp_path: Path) -> None:
    bad = f'zz,{TOPIC},{REGISTERED_AT_MS},"a\nb",DE\n{C},{TOPIC},5,,'
    run = Run(tmp_path, GOOD_CSV + bad, "--skip-bad", "--json")
    refused = Path(f"{run.file}.refused")
    assert run.code == 0
    assert run.rows() == GOOD_ROWS
    assert refused.read_text() == HEADER + bad + "\n"
    report = json.loads(run.out)
    assert (report["rows"], report["refused"], report["refused_file"]) == (4, 2, str(refused))
    assert [line["line"] for line in report["bad_lines"]] == [4, 6]
    assert "2 bad rows were left out" in run.err

    again = Run(tmp_path, GOOD_CSV + bad, "--skip-bad")
    assert again.code == 2 and "exists, maybe with rows still to be corrected" in again.err
    other = tmp_path / "other"
    assert Run(tmp_path, GOOD_CSV + bad, "--skip-bad", "--refused", str(other)).code == 0
    assert other.read_text() == refused.read_text()


def test_no_file_of_refused_rows_is_made_without_need_or_when_nothing_was_imported(tmp_path: Path) -> None:
    run = Run(tmp_path, GOOD_CSV, "--skip-bad")
    assert run.code == 0 and not Path(f"{run.file}.refused").exists()
    run.store.unlink()
    run.store.write_text("something else")
    run = Run(tmp_path, GOOD_CSV + "zz,,,,\n", "--skip-bad")
    assert run.code == 2 and "not a device store" in run.err
    assert not Path(f"{run.file}.refused").exists()
    assert run.store.read_text() == "something else"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--refused", "x"), "only with --skip-bad"),
        (("--provider", "wns"), "wns"),
        (("--registered-at-ms", "-1"), "--registered-at-ms"),
        (("--format", "xml"), "xml"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, options: tuple[str, ...], what: str) -> None:
    run = Run(tmp_path, GOOD_CSV, *options)
    assert run.code == 2 and what in run.err
    assert not run.store.exists()


def test_bad_rows_of_stdin_need_a_file(tmp_path: Path) -> None:
    run = Run(tmp_path, GOOD_CSV, "--skip-bad", name="-")
    assert run.code == 2 and "--refused FILE" in run.err


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "none.csv"), "--store", str(tmp_path / "devices.db")])
    assert result.exit_code == 2
    assert "none.csv" in result.stderr and "cannot be read" in result.stderr


def test_a_store_that_cannot_be_made_is_the_stores_failure(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text(GOOD_CSV)
    store = tmp_path / "missing" / "devices.db"
    result = CliRunner().invoke(app, [str(tmp_path / "devices.csv"), "--store", str(store)])
    assert result.exit_code == 1
    assert "cannot make a device store" in result.stderr


def test_a_bad_file_leaves_an_existing_store_as_it_was(tmp_path: Path) -> None:
    assert Run(tmp_path, GOOD_CSV).code == 0
    run = Run(tmp_path, HEADER + f"{C},{TOPIC},{REGISTERED_AT_MS},,\nzz,,,,\n")
    assert run.code == 2
    assert run.rows() == GOOD_ROWS


def test_the_help_lists_exit_codes_and_examples() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert "Exit codes" in text and "Examples" in text


def read(data: bytes, file_format: import_file.ImportFormat | None = None) -> tuple[list[DeviceRow], list[Refused]]:
    refused: list[Refused] = []
    return list(RegistrationFile(io.BytesIO(data), Defaults(), refused.append, file_format).rows()), refused


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"{", A.encode(), b"1760000000000", b"a.b"])
        ).map(b"".join),
    )
)
def test_whatever_follows_the_header_is_read_or_refused_line_by_line(garbage: bytes) -> None:
    _, refused = read(HEADER.encode() + garbage)
    lines = garbage.count(b"\n") + 2
    assert all(2 <= row.line_number <= lines for row in refused)
    assert [row.line_number for row in refused] == sorted({row.line_number for row in refused})


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_whatever_follows_a_json_line_is_read_or_refused_line_by_line(garbage: bytes) -> None:
    rows, refused = read(b"{}\n" + garbage)
    assert not rows
    assert refused[0].line_number == 1


cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=100)
@given(st.lists(st.tuples(cells, cells), max_size=5))
def test_csv_and_json_lines_of_the_same_devices_read_alike(people: list[tuple[str, str]]) -> None:
    import csv

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["token", "topic", "registered_at_ms", "name", "country"])
    lines = [b'{"token":"0","topic":"a.b","registered_at_ms":1760000000000}']
    for name, country in people:
        writer.writerow([A, TOPIC, REGISTERED_AT_MS, name, country])
        device = {"token": A, "topic": TOPIC, "registered_at_ms": REGISTERED_AT_MS}
        device |= {key: value for key, value in (("name", name), ("country", country)) if value}
        lines.append(json.dumps(device).encode())
    from_csv, refused = read(text.getvalue().encode())
    assert not refused
    from_json, _ = read(b"\n".join(lines))
    assert from_csv == from_json[1:]
