"""Claims about `pushrig tokens`: whole files, the same each time, and a clear error for each spoilt option."""

import csv
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from loadtest import token_files, tokens_command
from loadtest.population import COLUMNS
from loadtest.tokens_command import tokens
from sender.store.device_store import DeviceStore
from sender.store.errors import StoreError
from simulator.devices.registration_space import Platform, SealedRegistration, unseal_registration
from simulator.devices.token_space import Environment, Population, unseal

VALID = ["--count", "300", "--topic", "com.example.app", "--seed", "7", "--fate", "unregistered=0.1"]

app = typer.Typer()
app.command()(tokens)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})


def said(result: Result) -> str:
    """The whole output as one line, without the frame that errors are printed in."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", result.output)


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def options(**changed: str) -> list[str]:
    """The valid options, of which some are replaced."""
    by_name = dict(zip(VALID[::2], VALID[1::2], strict=True))
    by_name |= {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return [part for pair in by_name.items() for part in pair]


def test_csv_has_a_header_and_a_line_for_each_device(tmp_path: Path) -> None:
    out = tmp_path / "devices.csv"
    assert run(*VALID, "--out", str(out)).exit_code == 0
    with out.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert len(lines) == 300
    assert all(len(line) == len(COLUMNS) for line in lines)
    sealed = [unseal(line[0].encode()) for line in lines]
    assert [each.index for each in sealed if each is not None] == list(range(300))


def test_a_topic_that_needs_quotes_in_csv_gets_them(tmp_path: Path) -> None:
    out = tmp_path / "devices.csv"
    assert run(*options(topic='com,"example"'), "--out", str(out)).exit_code == 0
    with out.open(newline="", encoding="utf-8") as file:
        assert {line["topic"] for line in csv.DictReader(file)} == {'com,"example"'}


def test_json_lines_hold_the_same_devices_as_csv(tmp_path: Path) -> None:
    assert run(*VALID, "--out", str(tmp_path / "devices.csv")).exit_code == 0
    assert run(*VALID, "--out", str(tmp_path / "devices.jsonl")).exit_code == 0
    with (tmp_path / "devices.csv").open(newline="", encoding="utf-8") as file:
        from_csv = list(csv.DictReader(file))
    lines = (tmp_path / "devices.jsonl").read_text(encoding="utf-8").splitlines()
    devices = [json.loads(line) for line in lines]
    assert [
        {key: str(value) for key, value in device.items() if key != "attributes"} | device["attributes"]
        for device in devices
    ] == from_csv


def test_stdout_gets_the_same_lines_as_a_file(tmp_path: Path) -> None:
    out = tmp_path / "devices.jsonl"
    assert run(*VALID, "--out", str(out)).exit_code == 0
    result = run(*VALID, "--out", "-")
    assert result.exit_code == 0
    assert result.stdout_bytes == out.read_bytes()


def test_a_device_store_holds_every_device_and_is_closed(tmp_path: Path) -> None:
    out = tmp_path / "devices.db"
    result = run(*VALID, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert names_in(tmp_path) == ["devices.db"]
    assert run(*VALID, "--out", str(tmp_path / "devices.jsonl")).exit_code == 0
    with (tmp_path / "devices.jsonl").open(encoding="utf-8") as file:
        from_lines = {device["token"]: device for device in map(json.loads, file)}
    with DeviceStore.open(out) as store:
        stored = list(store.rows())
    assert len(stored) == 300
    for device in stored:
        assert isinstance(device.attributes, bytes)
        assert device._asdict() | {"attributes": json.loads(device.attributes)} == from_lines[device.token]


def test_two_parts_make_the_whole(tmp_path: Path) -> None:
    whole, first, second = (tmp_path / f"{name}.jsonl" for name in ("whole", "first", "second"))
    assert run(*VALID, "--out", str(whole)).exit_code == 0
    assert run(*options(count="101"), "--out", str(first)).exit_code == 0
    assert run(*options(count="199", start_index="101"), "--out", str(second)).exit_code == 0
    assert first.read_bytes() + second.read_bytes() == whole.read_bytes()


def test_the_last_indices_of_the_space_can_be_minted() -> None:
    result = run(*options(count="2", start_index=str(2**40 - 2)), "--out", "-")
    assert result.exit_code == 0
    sealed = [unseal(json.loads(line)["token"].encode()) for line in result.stdout.splitlines()]
    assert [each.index for each in sealed if each is not None] == [2**40 - 2, 2**40 - 1]


def test_environment_and_epoch_reach_the_tokens() -> None:
    result = run(*options(environment="sandbox", epoch_ms="0"), "--out", "-")
    devices = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(0 <= device["registered_at_ms"] < 180 * 86_400_000 for device in devices)
    sealed = [unseal(device["token"].encode()) for device in devices]
    assert {each.environment for each in sealed if each is not None} == {Environment.SANDBOX}


def test_the_summary_as_json_tells_what_was_written(tmp_path: Path) -> None:
    out = tmp_path / "devices.csv"
    result = run(*VALID, "--out", str(out), "--json")
    summary = json.loads(result.stdout)
    assert summary["out"] == str(out)
    assert summary["size_bytes"] == out.stat().st_size
    assert (summary["count"], summary["seed"], summary["start_index"]) == (300, 7, 0)
    fates = [sealed.fate.wire_name for line in _tokens(out) if (sealed := unseal(line.encode()))]
    assert summary["fates"] == {name: fates.count(name) for name in ("active", "unregistered")}


def _tokens(out: Path) -> list[str]:
    with out.open(newline="", encoding="utf-8") as file:
        return [line["token"] for line in csv.DictReader(file)]


def test_the_summary_in_words_tells_it_too(tmp_path: Path) -> None:
    result = run(*VALID, "--out", str(tmp_path / "devices.csv"))
    assert re.search(r"devices\.csv: 300 devices \(\d+ active, \d+ unregistered\)", said(result))


FCM = ["--provider", "fcm", "--ios", "0.25", "--fate", "stale=0.1"]


@pytest.mark.parametrize("name", ["devices.csv", "devices.jsonl", "devices.db"])
def test_fcm_registrations_are_written_like_apns_tokens(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    result = run(*VALID, *FCM, "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    written = _registrations(out)
    assert sorted(each.index for each in written) == list(range(300))
    summary = json.loads(result.stdout)
    assert (summary["provider"], summary["providers"], summary["environment"]) == ("fcm", {"fcm": 300}, None)
    fates = [each.fate.wire_name for each in written]
    assert summary["fates"] == {name: fates.count(name) for name in ("active", "unregistered", "stale")}
    assert 40 < sum(each.platform is Platform.IOS for each in written) < 110


def _registrations(out: Path) -> list[SealedRegistration]:
    match out.suffix:
        case ".csv":
            found = _tokens(out)
        case ".jsonl":
            found = [json.loads(line)["token"] for line in out.read_text(encoding="utf-8").splitlines()]
        case _:
            with DeviceStore.open(out) as store:
                found = [device.token for device in store.rows()]
    return [sealed for each in found if (sealed := unseal_registration(each.encode()))]


def test_damaged_tokens_fit_into_a_device_store_since_a_campaign_is_to_find_them(tmp_path: Path) -> None:
    out = tmp_path / "devices.db"
    assert run(*options(provider="fcm", fate="invalid-shape=1"), "--out", str(out)).exit_code == 0
    with DeviceStore.open(out) as store:
        assert store.counts().devices == 300
    assert _registrations(out) == []


def test_both_providers_are_mixed_by_the_share_that_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "devices.csv"
    shares = ("--provider", "both", "--fcm-share", "0.2", "--fate", "wrong-topic=0.9")
    result = run(*VALID, *shares, "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    with out.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    by_provider = [line["provider"] for line in lines]
    summary = json.loads(result.stdout)
    assert summary["providers"] == {name: by_provider.count(name) for name in ("apns", "fcm")}
    assert 30 < summary["providers"]["fcm"] < 90
    for index, line in enumerate(lines):
        sealed = (unseal if line["provider"] == "apns" else unseal_registration)(line["token"].encode())
        assert sealed is not None and sealed.index == index
    in_words = run(*VALID, *shares, "--out", str(out), "--force")
    assert re.search(r"300 devices \(\d+ of apns, \d+ of fcm; \d+ wrong-topic", said(in_words))


@pytest.mark.parametrize("name", ["devices.csv", "devices.jsonl", "devices.db"])
def test_an_existing_file_is_kept_unless_forced(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    out.write_text("precious")
    result = run(*VALID, "--out", str(out))
    assert result.exit_code == 2
    assert "exists; name another file, or replace it with --force" in said(result)
    assert out.read_text() == "precious"
    assert run(*VALID, "--out", str(out), "--force").exit_code == 0
    assert out.read_bytes() != b"precious"
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("companion", ["devices.db-wal", "devices.db-journal", "devices.db-shm"])
def test_a_store_in_use_is_not_replaced_even_by_force(tmp_path: Path, companion: str) -> None:
    (tmp_path / "devices.db").write_text("precious")
    (tmp_path / companion).write_text("last transactions")
    result = run(*VALID, "--out", str(tmp_path / "devices.db"), "--force")
    assert result.exit_code == 2
    assert f"is in use or was not closed, since {companion} stands beside it" in said(result)
    assert (tmp_path / "devices.db").read_text() == "precious"


@pytest.mark.parametrize("name", ["devices.csv", "devices.jsonl", "devices.db"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_midway_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, failure: BaseException
) -> None:
    out = tmp_path / name
    out.write_text("precious")

    def fail_after_some(path: Path, *_: object) -> None:
        path.write_text("half a popul")
        path.with_name(path.name + "-wal").write_text("half")
        raise failure

    monkeypatch.setattr(tokens_command, "write_file", fail_after_some)
    result = run(*VALID, "--out", str(out), "--force")
    assert result.exit_code not in (0, 2)
    if isinstance(failure, OSError):
        assert result.exit_code == 1
        assert "could not be written: No space left on device" in said(result)
    assert names_in(tmp_path) == [name]
    assert out.read_text() == "precious"


@pytest.mark.parametrize("failure", [StoreError("the disk is full"), sqlite3.OperationalError("disk I/O error")])
def test_a_store_that_fails_is_an_output_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(DeviceStore, "import_rows", fail)
    result = run(*VALID, "--out", str(tmp_path / "devices.db"))
    assert result.exit_code == 1
    assert f"could not be written: {failure}" in said(result)
    assert names_in(tmp_path) == []


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    assert run(*VALID, "--out", str(link), "--force").exit_code == 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("token,")


def test_a_reader_that_stops_early_is_no_failure() -> None:
    program = "import typer; from loadtest.tokens_command import tokens; typer.run(tokens)"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *options(count="60000"), "--out", "-"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b'{"token":')
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


def test_rows_are_written_in_bounded_chunks_with_progress_after_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_files, "ROWS_PER_WRITE_MAX", 128)
    population = Population(7, 300, "com.example.app")
    for file_format in (token_files.FileFormat.CSV, token_files.FileFormat.JSONL):
        reports: list[int] = []
        token_files.write_file(tmp_path / f"x{file_format.value}", file_format, population, 0, 300, reports.append)
        assert reports == [128, 256, 300]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"count": "0"}, "--count: must be at least 1, not 0"),
        ({"count": "-5"}, "--count: must be at least 1, not -5"),
        ({"count": str(2**40 + 1)}, "--count: must be at most 1099511627776 (2^40), not 1099511627777"),
        ({"count": "many"}, "--count"),
        ({"seed": "-1"}, "seed must be from 0 to 18446744073709551615 (2**64 - 1), not -1"),
        ({"seed": str(2**64)}, "seed must be from 0 to 18446744073709551615"),
        ({"topic": ""}, "topic must be a bundle id"),
        ({"topic": "com.example app"}, "topic must be a bundle id"),
        ({"environment": "moon"}, "--environment"),
        ({"provider": "gcm"}, "--provider"),
        ({"fate": "stale=0.1"}, "--fate: tokens of apns know no fate stale; they know: expired, reregistered, "),
        ({"fate": "expired=0.1", "provider": "fcm"}, "--fate: tokens of fcm know no fate expired; they know: invalid-"),
        ({"provider": "fcm", "seed": str(2**32)}, "seed must be from 0 to 4294967295 (2**32 - 1, for FCM tokens), not"),
        (
            {"provider": "both", "seed": str(2**32)},
            "seed must be from 0 to 4294967295 (2**32 - 1, for FCM tokens), not",
        ),
        ({"provider": "fcm", "environment": "sandbox"}, "--environment: FCM tokens belong to no environment; leave it"),
        ({"provider": "fcm", "fcm_share": "0.4"}, "--fcm-share: tokens of fcm are not mixed; use --provider both"),
        ({"provider": "both", "fcm_share": "1.4"}, "--fcm-share: must be from 0 to 1, not 1.4"),
        ({"provider": "both", "fcm_share": "nan"}, "--fcm-share: must be from 0 to 1, not nan"),
        ({"provider": "fcm", "ios": "-1"}, "--ios: must be from 0 to 1, not -1.0"),
        ({"ios": "0.5"}, "--ios: only FCM registrations sit on another token; use --provider fcm or both"),
        ({"fate": "unregistered"}, "--fate: 'unregistered' is not NAME=SHARE"),
        ({"fate": "dead=0.1"}, "no fate is called 'dead'; there are: active, unregistered"),
        ({"fate": "expired=2"}, "the share of expired must be from 0 to 1, not 2.0"),
        ({"fate": "expired=2%"}, "the share must be a number from 0 to 1"),
        ({"fate": "active=0.5"}, "do not state it"),
        ({"start_index": "-1"}, "--start-index: must be at least 0, not -1"),
        ({"start_index": str(2**40 - 1)}, "--start-index: 1099511627775 + 300 devices pass the last index"),
        ({"epoch_ms": "-1"}, "epoch_ms must be milliseconds since 1970"),
        ({"out": "devices.txt"}, "devices.txt: the ending must be .db (device store), .csv or .jsonl"),
        ({"out": "devices"}, "devices: the ending must be .db"),
        ({"out": ""}, "the ending must be .db"),
        ({"out": "absent/devices.csv"}, "absent does not exist; make it first"),
        ({"out": "directory.csv"}, "directory.csv is not a regular file"),
        ({"out": f"{'x' * 300}.csv"}, "cannot be written to: [Errno 36] File name too long"),
        ({"out": "loop.csv"}, "loop.csv cannot be written to"),
    ],
)
def test_a_spoilt_option_gets_a_clear_error_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    before = names_in(tmp_path)
    result = run(*options(**{"out": "devices.csv"} | changed))
    assert result.exit_code == 2, result.output
    assert message in said(result)
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("missing", ["--count", "--topic", "--out"])
def test_a_missing_option_is_named(missing: str) -> None:
    arguments = [*VALID, "--out", "devices.csv"]
    at = arguments.index(missing)
    result = run(*arguments[:at], *arguments[at + 2 :])
    assert result.exit_code == 2
    assert f"Missing option '{missing}'" in said(result)


def test_shares_above_a_whole_and_fates_stated_twice_are_refused() -> None:
    above = run(*VALID, "--fate", "expired=0.95", "--out", "devices.csv")
    assert (above.exit_code, "sum to 1.05, which is more than 1" in said(above)) == (2, True)
    twice = run(*VALID, "--fate", "unregistered=0.2", "--out", "devices.csv")
    assert (twice.exit_code, "the share of unregistered is stated twice" in said(twice)) == (2, True)


def test_rows_and_summary_are_not_mixed_on_stdout() -> None:
    result = run(*VALID, "--out", "-", "--json")
    assert result.exit_code == 2
    assert "stdout takes the rows already (--out -)" in said(result)


def test_help_shows_examples_exit_codes_and_every_option() -> None:
    result = run("--help")
    assert result.exit_code == 0
    text = said(result)
    assert "pushrig tokens --count 100000 --topic com.example.app \\ --fate unregistered=0.02 --out devices.db" in text
    assert "Exit codes: 0 done, 1 the file could not be written, 2 bad options." in text
    for option in ("--provider", "--count", "--seed", "--topic", "--environment", "--fate", "--start-index"):
        assert option in text
    for option in ("--fcm-share", "--ios", "--epoch-ms", "--out", "--force", "--json"):
        assert option in text
