"""Transactions of the device store: whole or not at all, with SQLite's refusals in our words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sender.store.errors import StoreBusyError, StoreError

BUSY_TIMEOUT_S = 120.0  # an import of ten million devices holds the write lock for half a minute


@contextmanager
def writing(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> Iterator[None]:
    """One transaction that holds the write lock from its beginning, so that what it reads stays true.

    Raises StoreBusyError when another process keeps the lock, StoreError when the disk fails; nothing is stored then.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise StoreBusyError(path, busy_timeout_s) from error
        raise StoreError(f"{path}: {error}; nothing of this step was stored: check the disk") from error
