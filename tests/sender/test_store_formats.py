"""Stores that an older pushrig wrote: brought up to date when they are opened, whole or not at all."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sender.segment import EVERYONE
from sender.store import schema
from sender.store.device_store import DeviceStore
from sender.store.errors import CampaignFinishedError, StoreBusyError
from sender.store.records import Outcome, State

TOPIC = "com.example.app"
NOW_MS = 1_760_000_000_000
KEY = 12345

# As format 1 made its files, and what a campaign had left in one when it was killed.
FORMAT_1 = f"""
    PRAGMA page_size = 16384;
    CREATE TABLE device (
        id INTEGER PRIMARY KEY,
        provider TEXT NOT NULL,
        topic TEXT NOT NULL,
        token BLOB NOT NULL,
        registered_at_ms INTEGER NOT NULL,
        invalidated_at_ms INTEGER NOT NULL DEFAULT 0,
        invalid_reason TEXT NOT NULL DEFAULT '',
        attributes TEXT NOT NULL CHECK (json_type(attributes) = 'object' AND instr(attributes, char(10)) = 0)
    );
    CREATE UNIQUE INDEX device_token ON device (token, provider);
    CREATE INDEX device_invalidated ON device (invalidated_at_ms) WHERE invalidated_at_ms > 0;
    CREATE TABLE campaign (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        provider TEXT NOT NULL,
        topic TEXT NOT NULL,
        segment TEXT NOT NULL,
        payload_digest BLOB NOT NULL,
        key INTEGER NOT NULL,
        created_at_ms INTEGER NOT NULL,
        finished_at_ms INTEGER,
        run INTEGER NOT NULL DEFAULT 1,
        claimed_upto INTEGER NOT NULL DEFAULT 0,
        uncertain INTEGER NOT NULL DEFAULT 0,
        invalidated INTEGER NOT NULL DEFAULT 0,
        in_flight TEXT NOT NULL DEFAULT '[]'
    );
    CREATE TABLE delivery (
        campaign_id INTEGER NOT NULL,
        device_id INTEGER NOT NULL,
        state INTEGER NOT NULL,
        status INTEGER NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        retry_at_ms INTEGER NOT NULL,
        PRIMARY KEY (campaign_id, device_id)
    ) WITHOUT ROWID;
    CREATE INDEX delivery_open ON delivery (campaign_id, state, retry_at_ms) WHERE state >= 2;
    PRAGMA application_id = {schema.APPLICATION_ID};
    PRAGMA user_version = 1;
    PRAGMA journal_mode = WAL;
    INSERT INTO device VALUES (1, 'apns', '{TOPIC}', x'{"01" * 32}', 7, 0, '', '{{}}'),
        (2, 'apns', '{TOPIC}', x'{"02" * 32}', 7, 0, '', '{{}}'), (3, 'apns', '{TOPIC}', x'{"03" * 32}', 7, 9, 'Gone', '{{}}');
    INSERT INTO campaign VALUES (4, 'old', 'apns', '{TOPIC}', '', x'01', 5, 6, 7, 1, 3, 0, 1, '[]'),
        (5, 'sale', 'apns', '{TOPIC}', '', x'646967657374', {KEY - 2**63}, 6, NULL, 2, 2, 8, 1, '[2]');
    INSERT INTO delivery VALUES (5, 1, 0, 200, '', 1, 6, 0);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "devices.db"
    connection = sqlite3.connect(path)
    connection.executescript(FORMAT_1)
    connection.close()
    return path


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    try:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        }
    finally:
        connection.close()


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return found
    finally:
        connection.close()


def test_a_store_of_format_1_loses_nothing_when_it_is_opened(path: Path) -> None:
    before = tables(path)
    with DeviceStore.open(path):
        pass
    assert version(path) == schema.FORMAT
    assert tables(path) == before


def test_it_has_the_same_tables_and_indexes_as_a_new_store(path: Path, tmp_path: Path) -> None:
    DeviceStore.open(path).close()
    DeviceStore.open(tmp_path / "new.db", create=True).close()

    def shape(file: Path) -> set[tuple[str, str]]:
        connection = sqlite3.connect(file)
        try:
            found = connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()
        finally:
            connection.close()
        return {(name, " ".join((sql or "").replace('"', "").split())) for name, sql in found}

    assert shape(path) == shape(tmp_path / "new.db")


def test_a_campaign_begun_in_format_1_goes_on_with_its_key_and_what_was_in_flight(path: Path) -> None:
    with DeviceStore.open(path) as store:
        campaign = store.begin_campaign("sale", TOPIC, b"digest", EVERYONE, NOW_MS, key=1)
        assert (campaign.key, campaign.run, campaign.uncertain) == (KEY, 3, 1)
        exchange = store.exchange(campaign, [], 10, NOW_MS)
        assert [due.device_id for due in exchange.due] == [2]
        store.exchange(campaign, [Outcome(2, State.ACCEPTED, 200, "", 1, NOW_MS, 0, 0)], 0, NOW_MS)
        assert store.finish_campaign(campaign, NOW_MS)
        with pytest.raises(CampaignFinishedError):
            store.begin_campaign("old", TOPIC, b"\x01", EVERYONE, NOW_MS, key=1)


def test_one_name_stands_for_a_campaign_over_each_provider(path: Path) -> None:
    with DeviceStore.open(path) as store:
        apns = store.begin_campaign("sale", TOPIC, b"digest", EVERYONE, NOW_MS, key=1)
        fcm = store.begin_campaign("sale", TOPIC, b"other", EVERYONE, NOW_MS, key=2, provider="fcm")
        assert (fcm.run, fcm.key, apns.run) == (1, 2, 3)
        assert store.exchange(fcm, [], 10, NOW_MS).due == []
        assert store.finish_campaign(fcm, NOW_MS)
        assert store.standing(apns).finished_at_ms is None


def test_a_migration_that_is_killed_leaves_the_old_store_and_the_next_opening_does_it(path: Path) -> None:
    before = tables(path)
    program = (
        "import os, sys\n"
        "from sender.store import schema\n"
        "from sender.store.device_store import DeviceStore\n"
        "statements = schema.MIGRATIONS[1]\n"
        "import sqlite3\n"
        "class Connection(sqlite3.Connection):\n"
        "    def execute(self, sql, *more):\n"
        "        found = super().execute(sql, *more)\n"
        "        if sql == statements[-1]:\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return found\n"
        "connect = sqlite3.connect\n"
        "schema.sqlite3.connect = lambda *a, **k: connect(*a, factory=Connection, **k)\n"
        "DeviceStore.open(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=30)
    assert done.returncode == -9
    assert (version(path), tables(path)) == (1, before)
    DeviceStore.open(path).close()
    assert (version(path), tables(path)) == (schema.FORMAT, before)


def test_of_several_that_open_an_old_store_one_migrates_it(path: Path) -> None:
    before = tables(path)
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            DeviceStore.open(path).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (version(path), tables(path)) == (schema.FORMAT, before)


def test_an_old_store_that_another_process_writes_is_a_clear_error(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="locked by another process"):
        DeviceStore.open(path, busy_timeout_s=0.01)
    other.execute("ROLLBACK")
    other.close()
    assert version(path) == 1
