"""The device store's file: its tables, and how it is made, opened and recognised.

SQLite in WAL mode with `synchronous=NORMAL`: a killed process loses nothing that was committed; a power cut may lose the last
transactions but leaves the file whole, so that notifications may then be sent twice, never skipped.
"""

import os
import sqlite3
from pathlib import Path

from sender.store.errors import ForeignStoreError, NewerStoreError, StoreError, StoreMissingError
from sender.store.transaction import writing

APPLICATION_ID = 0x70757368  # "push"
FORMAT = 2  # user_version; stores of format 1 are brought up to it when they are opened
SQLITE_VERSION_MIN = (3, 35, 0)  # materialised common table expressions; UPDATE … FROM

PAGE_BYTES = 16_384  # Imports and claims read and write long runs of rows: a third faster than pages of 4,096 bytes.
CACHE_KIB = 32_768
WAL_BYTES_KEPT_MAX = 64 * 1024 * 1024  # an import's WAL grows to the size of the import; it is cut back to this

# One row for each provider that a campaign is sent over.
# `in_flight`: JSON array of the ids claimed without a result. `claimed_upto`: every device up to this id was looked at.
# `uncertain`: sum over all runs. `key`: 64 random bits, stored as a signed integer.
CAMPAIGN = """
    CREATE TABLE campaign (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
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
        in_flight TEXT NOT NULL DEFAULT '[]',
        UNIQUE (name, provider)
    )
"""

SCHEMA = (
    # `token`: BLOB of the bytes behind the hexadecimal digits for apns (half the size in the index), TEXT for others.
    # `invalidated_at_ms`: 0 while valid. `attributes`: one JSON object on one line (claims are read newline-separated).
    """
    CREATE TABLE device (
        id INTEGER PRIMARY KEY,
        provider TEXT NOT NULL,
        topic TEXT NOT NULL,
        token BLOB NOT NULL,
        registered_at_ms INTEGER NOT NULL,
        invalidated_at_ms INTEGER NOT NULL DEFAULT 0,
        invalid_reason TEXT NOT NULL DEFAULT '',
        attributes TEXT NOT NULL CHECK (json_type(attributes) = 'object' AND instr(attributes, char(10)) = 0)
    )
    """,
    "CREATE UNIQUE INDEX device_token ON device (token, provider)",
    "CREATE INDEX device_invalidated ON device (invalidated_at_ms) WHERE invalidated_at_ms > 0",
    CAMPAIGN,
    # `state`: records.State, or campaigns.RETRYING while a repeat is in flight. No foreign keys: what is not in flight is
    # refused before it comes here, devices are never deleted, and the two look-ups would be a seventh of an exchange.
    """
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
    ) WITHOUT ROWID
    """,
    "CREATE INDEX delivery_open ON delivery (campaign_id, state, retry_at_ms) WHERE state >= 2",
)

# From one format to the next: statements of one transaction, by the format that they begin with.
MIGRATIONS = {
    # The name alone was unique, which SQLite cannot take back: the table is made anew.
    1: (
        "ALTER TABLE campaign RENAME TO campaign_1",
        CAMPAIGN,
        "INSERT INTO campaign SELECT id, name, provider, topic, segment, payload_digest, key, created_at_ms, finished_at_ms, "
        "run, claimed_upto, uncertain, invalidated, in_flight FROM campaign_1",
        "DROP TABLE campaign_1",
    ),
}


def connect(path: Path, *, create: bool, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the store at `path`; with `create`, make it where no file (or an empty one) stands.

    The connection may be used from any thread, by one thread at a time: the store is opened where the program starts
    and then belongs to one worker thread. Transactions are begun and ended explicitly.

    Raises StoreMissingError, ForeignStoreError, NewerStoreError; StoreError when SQLite is too old or the path is unusable.
    """
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        needed = ".".join(map(str, SQLITE_VERSION_MIN))
        raise StoreError(f"the device store needs SQLite {needed} or later, this Python has {sqlite3.sqlite_version}")
    if create:
        _touch(path)
    elif not path.exists():
        raise StoreMissingError(path)
    if path.is_dir():
        raise ForeignStoreError(path, "a directory")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot open {path}: {error}; check the path and its permissions") from error
    try:
        _prepare(connection, path, create=create, busy_timeout_s=busy_timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def _touch(path: Path) -> None:
    """Make an empty file for the owner alone: device tokens and attributes are personal data."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except IsADirectoryError:
        raise ForeignStoreError(path, "a directory") from None
    except OSError as error:
        raise StoreError(f"cannot make a device store at {path}: {error.strerror}; check the path") from error


def _prepare(connection: sqlite3.Connection, path: Path, *, create: bool, busy_timeout_s: float) -> None:
    """Recognise the file, fill it when it is new, bring it up to date when it is old, and set up the connection."""
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # heeded only while the file is empty
        application_id = _pragma(connection, "application_id")
    except sqlite3.DatabaseError as error:
        raise ForeignStoreError(path, str(error)) from error
    if application_id == 0 and create and _is_empty(connection):
        _fill(connection)
        application_id = _pragma(connection, "application_id")
    if application_id != APPLICATION_ID:
        raise ForeignStoreError(path, "an empty file" if _is_empty(connection) else "another program's SQLite database")
    if (found := _pragma(connection, "user_version")) > FORMAT:
        raise NewerStoreError(path, found, FORMAT)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"cache_size = -{CACHE_KIB}",
        "temp.journal_mode = OFF",  # what an import stages is never rolled back, only dropped
        f"journal_size_limit = {WAL_BYTES_KEPT_MAX}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if found < FORMAT:
        with writing(connection, path, busy_timeout_s):
            _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to `FORMAT`, inside a transaction of the caller; of several processes that try, one does it."""
    for number in range(_pragma(connection, "user_version"), FORMAT):
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _fill(connection: sqlite3.Connection) -> None:
    """Make the tables in one transaction; of several processes that try, one does it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
