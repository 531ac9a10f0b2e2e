"""The store's file: made, recognised, refused when it is something else, and left alone then."""

import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from sender.store import schema
from sender.store.device_store import DeviceStore
from sender.store.errors import ForeignStoreError, NewerStoreError, StoreError, StoreMissingError


def test_a_store_is_made_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    with pytest.raises(StoreMissingError, match=r"no device store at .*devices\.db"):
        DeviceStore.open(path)
    assert not path.exists()
    DeviceStore.open(path, create=True).close()
    with DeviceStore.open(str(path)) as store:
        assert store.counts().devices == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    DeviceStore.open(tmp_path / "devices.db", create=True).close()
    assert stat.S_IMODE((tmp_path / "devices.db").stat().st_mode) == 0o600


def test_an_empty_file_becomes_a_store_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    path.touch()
    with pytest.raises(ForeignStoreError, match="an empty file"):
        DeviceStore.open(path)
    DeviceStore.open(path, create=True).close()


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("kind", ["text", "other database", "directory", "own id, other program"])
def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, create: bool, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "text":
        path.write_text("token,topic\n" * 500)
    elif kind == "directory":
        path.mkdir()
    else:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE person (name TEXT)")
        if kind == "own id, other program":
            other.execute("PRAGMA application_id = 7")
        other.commit()
        other.close()
    before = None if kind == "directory" else path.read_bytes()
    with pytest.raises(ForeignStoreError, match="not a device store"):
        DeviceStore.open(path, create=create)
    assert before is None or path.read_bytes() == before


def test_a_store_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    DeviceStore.open(path, create=True).close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {schema.FORMAT + 1}")
    newer.close()
    with pytest.raises(NewerStoreError, match="use a newer pushrig") as error:
        DeviceStore.open(path)
    assert (error.value.found, error.value.known) == (schema.FORMAT + 1, schema.FORMAT)


def test_a_path_without_its_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        DeviceStore.open(tmp_path / "missing" / "devices.db", create=True)


def test_a_path_may_hold_characters_that_mean_something_in_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%41 d.db"
    DeviceStore.open(path, create=True).close()
    assert path.exists()


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"needs SQLite 3\.35\.0"):
        DeviceStore.open(tmp_path / "devices.db", create=True)


def test_two_that_make_the_same_store_get_one(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    with DeviceStore.open(path, create=True) as one, DeviceStore.open(path, create=True) as two:
        assert one.counts() == two.counts()
