"""The device store: registered devices and the campaigns sent to them, in one SQLite file."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from sender.segment import Segment
from sender.store import schema
from sender.store.campaigns import CampaignRun, begin
from sender.store.errors import BadRowError, StoreError
from sender.store.records import (
    Campaign,
    Device,
    DeviceRow,
    Exchange,
    ImportCounts,
    Invalidated,
    Outcome,
    Standing,
    State,
    StoreCounts,
    Summary,
)
from sender.store.registration import APNS, registration
from sender.store.transaction import BUSY_TIMEOUT_S, writing

PROGRESS_ROWS = 10_000  # an import reports its progress once per so many rows
LISTING_ROWS = 10_000  # listings read so many rows at a time, holding no transaction in between

_TOKEN = "CASE typeof(token) WHEN 'blob' THEN lower(hex(token)) ELSE token END"  # noqa: S105  # no password

_STATE_IN_CAMPAIGN = """
    (SELECT delivery.state FROM campaign JOIN delivery ON campaign_id = campaign.id AND device_id = device.id
    WHERE campaign.name = :name AND campaign.provider = :provider)
"""

_STAGE = """
    CREATE TEMP TABLE incoming (
        row_number INTEGER PRIMARY KEY,
        provider TEXT, topic TEXT, token BLOB, registered_at_ms INTEGER, attributes TEXT
    )
"""

# In the order of the tokens, each page of the index is visited once, however large the store is.
# A later registration replaces an earlier one, and so does the same registration told again with other attributes.
_MERGE = """
    INSERT INTO device (provider, topic, token, registered_at_ms, attributes)
    SELECT provider, topic, token, registered_at_ms, attributes FROM temp.incoming WHERE true
    ORDER BY token, provider, row_number
    ON CONFLICT (token, provider) DO UPDATE SET
        topic = excluded.topic,
        registered_at_ms = excluded.registered_at_ms,
        attributes = excluded.attributes,
        invalid_reason = CASE WHEN excluded.registered_at_ms > invalidated_at_ms THEN '' ELSE invalid_reason END,
        invalidated_at_ms = CASE WHEN excluded.registered_at_ms > invalidated_at_ms THEN 0 ELSE invalidated_at_ms END
    WHERE excluded.registered_at_ms > registered_at_ms
        OR excluded.registered_at_ms = registered_at_ms
            AND (excluded.attributes <> attributes OR excluded.topic <> topic)
"""

_FIRST_WITHOUT_OBJECT = """
    SELECT min(row_number) FROM temp.incoming
    WHERE CASE WHEN json_valid(attributes) THEN json_type(attributes) <> 'object' ELSE true END
    HAVING min(row_number) IS NOT NULL
"""


class DeviceStore:
    """One open store. Any thread may use it, but one at a time; processes share the file, one writes at a time.

    Long batches cross the border to SQLite as a few statements, never row by row: each step of a statement gives up the
    interpreter's lock, and a worker thread beside a busy event loop would wait up to 5 ms to get it back for every row.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
        """Use `open`."""
        self._connection = connection
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._runs: dict[int, CampaignRun] = {}

    @classmethod
    def open(cls, path: Path | str, create: bool = False, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open the store at `path`; with `create`, make it when there is none.

        `busy_timeout_s`: how long to wait for another process that writes.
        Raises StoreMissingError, ForeignStoreError, NewerStoreError, StoreError.
        """
        path = Path(path)
        return cls(schema.connect(path, create=create, busy_timeout_s=busy_timeout_s), path, busy_timeout_s)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Devices

    def import_rows(
        self,
        rows: Iterable[DeviceRow],
        *,
        refuse: Callable[[int, str], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> ImportCounts:
        """Store registrations, all or none. The memory used does not grow with their number.

        A token that is known already gets the later registration, and is valid again when that came after its invalidation.
        `refuse(row number from 1, reason)` hears of bad rows, which are left out; without it a bad row raises BadRowError.
        `progress(rows read)` is called now and then. While rows are read, other writers are not held up.
        """
        count = refused = 0

        def checked() -> Iterator[tuple[int, str, str, bytes | str, int, bytes]]:
            nonlocal count, refused
            for row in rows:
                count += 1
                if progress is not None and count % PROGRESS_ROWS == 0:
                    progress(count)
                stored = registration(row)
                if not isinstance(stored, str):
                    yield (count, *stored)
                elif refuse is None:
                    raise BadRowError(count, stored)
                else:
                    refused += 1
                    refuse(count, stored)

        connection = self._connection
        connection.execute(_STAGE)
        try:
            connection.execute("BEGIN")  # touches the temporary table only: the store is not locked
            try:
                connection.executemany("INSERT INTO temp.incoming VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT))", checked())
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"cannot stage the import in the directory for temporary files: {error}; nothing was imported: "
                    "make room there, or set SQLITE_TMPDIR to another directory"
                ) from error
            finally:
                connection.execute("COMMIT")
            if progress is not None:
                progress(count)
            with self._writing():
                before = self.counts()
                changed = self._merge()
                after = self.counts()
        finally:
            connection.execute("DROP TABLE temp.incoming")
        inserted = after.devices - before.devices
        return ImportCounts(
            inserted=inserted,
            updated=changed - inserted,
            unchanged=count - refused - changed,
            refused=refused,
            revived=before.invalidated - after.invalidated,
        )

    def _merge(self) -> int:
        """Bring the staged rows into the device table; count those that changed it. Raises BadRowError."""
        try:
            return self._connection.execute(_MERGE).rowcount
        except (sqlite3.IntegrityError, sqlite3.OperationalError) as error:
            # Only attributes that came encoded can fail here; the search is for the message's sake.
            bad = self._connection.execute(_FIRST_WITHOUT_OBJECT).fetchone()
            if bad is None:
                raise
            raise BadRowError(bad[0], "the attributes, given as JSON, are not a JSON object") from error

    def device(self, token: str, provider: str = APNS) -> Device | None:
        """Look a device up by its token; hexadecimal tokens in either case."""
        key: bytes | str = token
        if provider == APNS:
            try:
                key = bytes.fromhex(token)
            except ValueError:
                return None
        found = self._connection.execute(
            f"SELECT id, {_TOKEN}, provider, topic, registered_at_ms, nullif(invalidated_at_ms, 0), invalid_reason, "  # noqa: S608
            "CAST(attributes AS BLOB) FROM device WHERE token = ? AND provider = ?",
            (key, provider),
        ).fetchone()
        return None if found is None else Device._make(found)

    def counts(self) -> StoreCounts:
        """How many devices the store holds."""
        devices, invalidated = self._connection.execute(
            "SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM device WHERE invalidated_at_ms > 0)"
        ).fetchone()
        return StoreCounts(devices, devices - invalidated, invalidated)

    def invalidated(self) -> Iterator[Invalidated]:
        """The invalidated devices, by id."""
        columns = f"id, {_TOKEN}, provider, topic, registered_at_ms, invalidated_at_ms, invalid_reason"
        for found in self._listing(columns, "invalidated_at_ms > 0"):
            yield Invalidated._make(found)

    def rows(self) -> Iterator[DeviceRow]:
        """All devices as an import would bring them, by id: an export. Invalidations are not part of it."""
        columns = f"id, {_TOKEN}, provider, topic, registered_at_ms, CAST(attributes AS BLOB)"
        for found in self._listing(columns, "true"):
            yield DeviceRow._make(found[1:])

    def results(self, campaign: str, provider: str) -> Iterator[tuple[str, State | None, bool]]:
        """Token, result and validity of the devices of a provider, by id, after a campaign over it.

        The result is None of devices that it did not come to, and of those that are under way.
        """
        columns = f"id, {_TOKEN}, invalidated_at_ms = 0, {_STATE_IN_CAMPAIGN}"
        known = {int(state): state for state in State}
        for _, token, valid, state in self._listing(columns, "provider = :provider", name=campaign, provider=provider):
            yield str(token), known.get(state), bool(valid)

    def _listing(self, columns: str, where: str, **values: str) -> Iterator[tuple[int, ...]]:
        """Rows of the device table by id; `columns` begins with the id. `values`: of the names that both may use."""
        after = 0
        while found := self._connection.execute(
            f"SELECT {columns} FROM device WHERE id > :after AND {where} ORDER BY id LIMIT :rows",  # noqa: S608  # constants
            {"after": after, "rows": LISTING_ROWS, **values},
        ).fetchall():
            yield from found
            after = found[-1][0]

    # Campaigns

    def begin_campaign(
        self,
        name: str,
        topic: str,
        payload_digest: bytes,
        segment: Segment,
        now_ms: int,
        *,
        key: int,
        provider: str = APNS,
        with_attributes: bool = True,
    ) -> Campaign:
        """Begin a campaign over one provider, or resume the unfinished one of that name.

        `key`: 64 random bits (0 to 2^64 - 1), kept when the campaign is new. `with_attributes` False spares reading the
        attributes (each Due then has `b"{}"`), where the payload is the same for all.
        What an earlier run had in flight or gave up becomes due again, the former first.
        Raises CampaignChangedError, CampaignFinishedError.
        """
        with self._writing():
            run = begin(
                self._connection,
                name=name,
                provider=provider,
                topic=topic,
                payload_digest=payload_digest,
                segment=segment,
                key=key,
                now_ms=now_ms,
                with_attributes=with_attributes,
            )
        self._runs[run.campaign.campaign_id] = run
        return run.campaign

    def exchange(self, campaign: Campaign, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Store outcomes, apply their feedback, and claim up to `want` notifications, in one transaction.

        What is returned is in flight from now on: it must be sent, and its outcome brought to a later exchange; after a
        crash it counts as uncertain. Waiting notifications that are due come first. Fewer than `want` may come
        while `exhausted` is False: ask again.

        Raises ValueError for an outcome of what is not in flight, CampaignTakenError when a later run took over,
        StoreBusyError; nothing has happened then.
        """
        run = self._run(campaign)
        plan = run.plan(outcomes, want)
        with self._writing():
            exchange = run.apply(plan, now_ms)
        run.keep(plan)
        return exchange

    def finish_campaign(self, campaign: Campaign, now_ms: int) -> bool:
        """Close the campaign if nothing is in flight, waiting, given up or unclaimed; tell whether it is closed."""
        with self._writing():
            return self._run(campaign).finish(now_ms)

    def remaining(self, campaign: Campaign) -> int:
        """How many notifications are due: now, later, or (given up) in the next run; those in flight are not counted."""
        return self._run(campaign).remaining()

    def standing(self, campaign: Campaign) -> Standing:
        """How the campaign stands, without counting its results."""
        return self._run(campaign).standing()

    def summary(self, campaign: Campaign) -> Summary:
        """The results of all runs of the campaign; reads every one of them."""
        return self._run(campaign).summary()

    def _run(self, campaign: Campaign) -> CampaignRun:
        run = self._runs.get(campaign.campaign_id)
        if run is None or run.campaign.run != campaign.run:
            raise ValueError(f"campaign {campaign.name!r}, run {campaign.run}, was not begun with this store object")
        return run

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self._connection, self._path, self._busy_timeout_s)
