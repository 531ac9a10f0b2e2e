"""Campaigns in the device store: what is claimed, what came of it, what is due again.

A campaign walks the devices by id (`claimed_upto`). What it hands out is *in flight*: the ids stand in the campaign's row from
the transaction that hands them out until the one that brings their outcomes, so that after a crash exactly they are
uncertain. The caller bounds how many that are.

    in flight ──► ACCEPTED, REJECTED            final
              ├─► WAITING ──► RETRYING (in flight again) ──► …
              └─► GIVEN_UP ──► WAITING          in the next run
    after a crash: in flight ──► WAITING, due at once, before all others

Batches cross to SQLite as JSON and come back as joined text, one statement each (see DeviceStore for the reason).
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, groupby, repeat
from operator import itemgetter

import msgspec

from sender.segment import Segment
from sender.store.errors import CampaignChangedError, CampaignError, CampaignFinishedError, CampaignTakenError
from sender.store.records import Campaign, Due, Exchange, Outcome, Standing, State, Summary
from sender.store.registration import APNS, APNS_TOKEN_BYTES_MIN

IN_FLIGHT_MAX = 65_536  # no run has more; the sender's own bound is far lower
NAME_CHARS_MAX = 200

RETRYING = 4  # stored state of a waiting notification that is in flight again

DUE_AT_UNCERTAIN_MS, DUE_AT_GIVEN_UP_MS = 0, 1  # in the past, and in the order in which a resumed campaign sends them

TOKEN_INVALIDATED = "TokenInvalidated"  # noqa: S105  # no password
"""Reason of a waiting notification closed unsent: meanwhile its token was invalidated, or registered for another topic."""

# SQLite uses the partial index `delivery_open` only where its own condition stands in the query.
_WAITING = f"state >= 2 AND state = {State.WAITING:d}"
_GIVEN_UP = f"state >= 2 AND state = {State.GIVEN_UP:d}"

_BEGIN_COLUMNS = "id, topic, segment, payload_digest, key, finished_at_ms, run, claimed_upto"

_STORE = """
    WITH batch AS MATERIALIZED (
        SELECT json_extract(value, '$[0]') AS state, json_extract(value, '$[1]') AS status,
            json_extract(value, '$[2]') AS reason, json_extract(value, '$[3]') AS attempts,
            json_extract(value, '$[4]') AS at_ms, json_extract(value, '$[5]') AS retry_at_ms,
            json_extract(value, '$[6]') AS device_ids
        FROM json_each(?2)
    )
    INSERT OR REPLACE INTO delivery (campaign_id, device_id, state, status, reason, attempts, at_ms, retry_at_ms)
    SELECT ?1, device.value, state, status, reason, attempts, at_ms, retry_at_ms
    FROM batch CROSS JOIN json_each(batch.device_ids) AS device
"""

_INVALIDATE = """
    WITH dead AS MATERIALIZED (
        SELECT json_extract(value, '$[0]') AS device_id, json_extract(value, '$[1]') AS since_ms,
            json_extract(value, '$[2]') AS reason
        FROM json_each(?)
    )
    UPDATE device SET invalidated_at_ms = since_ms, invalid_reason = reason
    FROM dead
    WHERE device.id = device_id AND registered_at_ms < since_ms AND invalidated_at_ms {known}
"""
_INVALIDATE_VALID = _INVALIDATE.format(known="= 0")
_INVALIDATE_AGAIN = _INVALIDATE.format(known="BETWEEN 1 AND since_ms - 1")

_TOKENS_OF_ANY_LENGTH = """
    SELECT lower(group_concat(hex(token), char(10))) FROM (
        SELECT token FROM json_each(?) AS wanted CROSS JOIN device ON device.id = wanted.value ORDER BY wanted.key
    )
"""

_decode_integers = msgspec.json.Decoder(list[int]).decode
_encode = msgspec.json.Encoder().encode
_SHARED = itemgetter(slice(1, 7))  # of an outcome: `state` to `retry_at_ms`
_new_tuple = tuple.__new__  # a named tuple at a third of the cost of `_make`


@dataclass(slots=True)
class Plan:
    """One exchange on its way: what it brings, and what the run knows if it is committed."""

    outcomes: Sequence[Outcome]
    want: int
    in_flight: set[int]
    claimed_upto: int = 0
    next_retry_at_ms: int | None = None


@dataclass(slots=True)
class CampaignRun:
    """One run of a campaign on one connection. `apply` and `finish` belong inside a transaction of the caller."""

    campaign: Campaign
    connection: sqlite3.Connection
    segment: Segment
    with_attributes: bool
    claimed_upto: int
    next_retry_at_ms: int | None
    in_flight: set[int] = field(default_factory=set)

    def plan(self, outcomes: Sequence[Outcome], want: int) -> Plan:
        """Check the outcomes against what is in flight. Raises ValueError, a bug of the caller."""
        answered = set(map(itemgetter(0), outcomes))
        if len(answered) != len(outcomes) or not answered <= self.in_flight:
            strange = sorted(answered - self.in_flight)[:5]
            raise ValueError(f"outcomes for devices that are not in flight {strange}, or two for one device")
        in_flight = self.in_flight - answered
        return Plan(outcomes, max(0, min(want, IN_FLIGHT_MAX - len(in_flight))), in_flight, self.claimed_upto)

    def apply(self, plan: Plan, now_ms: int) -> Exchange:
        """Store the outcomes and claim. Raises CampaignTakenError."""
        invalidated = 0
        retry_at_ms = self.next_retry_at_ms
        if plan.outcomes:
            self._store(plan.outcomes)
            invalidated = self._invalidate(plan.outcomes)
            waiting = [outcome[6] for outcome in plan.outcomes if outcome[6]]  # `retry_at_ms`, 0 for all others
            if waiting:
                retry_at_ms = min(waiting) if retry_at_ms is None else min(retry_at_ms, *waiting)
        due: list[Due] = []
        if plan.want and retry_at_ms is not None and retry_at_ms <= now_ms:
            due = self._claim_waiting(plan.want, now_ms)
            retry_at_ms = _next_retry_at_ms(self.connection, self.campaign.campaign_id)
        at_end = False
        if len(due) < plan.want:
            fresh, at_end = self._claim_devices(plan, plan.want - len(due))
            due += fresh
        plan.in_flight.update(map(itemgetter(0), due))
        plan.next_retry_at_ms = retry_at_ms
        updated = self.connection.execute(
            "UPDATE campaign SET claimed_upto = ?, invalidated = invalidated + ?, in_flight = ? "
            "WHERE id = ? AND run = ? AND finished_at_ms IS NULL",
            (
                plan.claimed_upto,
                invalidated,
                _json(list(plan.in_flight)),
                self.campaign.campaign_id,
                self.campaign.run,
            ),
        )
        if updated.rowcount != 1:
            raise CampaignTakenError(self.campaign.name, self.campaign.run)
        return Exchange(due, retry_at_ms, at_end and retry_at_ms is None)

    def keep(self, plan: Plan) -> None:
        """Remember what an exchange changed, once it is committed."""
        self.in_flight = plan.in_flight
        self.claimed_upto = plan.claimed_upto
        self.next_retry_at_ms = plan.next_retry_at_ms

    def _store(self, outcomes: Sequence[Outcome]) -> None:
        # Outcomes of one read share all but the device and follow each other: grouped, a row costs a third of what one JSON
        # array each would. Their ids are JSON within JSON, as what is no text would be read and written again at each level.
        groups = [(*shared, _json([outcome[0] for outcome in group])) for shared, group in groupby(outcomes, _SHARED)]
        self.connection.execute(_STORE, (self.campaign.campaign_id, _json(groups)))

    def _invalidate(self, outcomes: Sequence[Outcome]) -> int:
        """Apply feedback; count the tokens that were valid until now."""
        dead = [(outcome.device_id, outcome[7], outcome.reason) for outcome in outcomes if outcome[7]]
        if not dead:
            return 0
        batch = (_json(dead),)
        # Another campaign may have heard first; the later instant counts, as it decides which registrations revive.
        self.connection.execute(_INVALIDATE_AGAIN, batch)
        self.connection.execute(_INVALIDATE_VALID, batch)
        # `rowcount` knows no statement that begins with WITH.
        changed: tuple[int] = self.connection.execute("SELECT changes()").fetchone()
        return changed[0]

    def _claim_waiting(self, want: int, now_ms: int) -> list[Due]:
        """Take up to `want` waiting notifications that are due, the longest due first."""
        found = self.connection.execute(
            f"""
            SELECT {self._joined}, group_concat(attempts), group_concat(sendable) FROM (
                SELECT device.id AS id, token, registered_at_ms, attributes, attempts,
                    invalidated_at_ms = 0 AND topic = ?4 AS sendable
                FROM delivery CROSS JOIN device ON device.id = delivery.device_id
                WHERE campaign_id = ?1 AND {_WAITING} AND retry_at_ms <= ?2
                ORDER BY retry_at_ms, device_id LIMIT ?3
            )
            """,  # noqa: S608  # our own constants
            (self.campaign.campaign_id, now_ms, want, self.campaign.topic),
        ).fetchone()
        attempts, sendable = _integers(found[4]), _integers(found[5])
        due = self._due(found[:4], attempts)
        claimed = list(compress(due, sendable))
        if len(claimed) != len(due):
            self._store(
                [
                    Outcome(one.device_id, State.REJECTED, 0, TOKEN_INVALIDATED, one.attempts, now_ms, 0, 0)
                    for one, good in zip(due, sendable, strict=True)
                    if not good
                ]
            )
        self.connection.execute(
            "UPDATE delivery SET state = ?, retry_at_ms = 0 "
            "WHERE campaign_id = ? AND device_id IN (SELECT value FROM json_each(?))",
            (RETRYING, self.campaign.campaign_id, _json([one.device_id for one in claimed])),
        )
        return claimed

    def _claim_devices(self, plan: Plan, want: int) -> tuple[list[Due], bool]:
        """Take the next devices of the segment; tell whether the last device of the store was passed."""
        where = self.segment.where()
        found = self.connection.execute(
            f"""
            SELECT (SELECT max(id) FROM device), {self._joined} FROM (
                SELECT id, token, registered_at_ms, attributes FROM device
                WHERE id > ? AND provider = ? AND topic = ? AND invalidated_at_ms = 0 AND {where.sql}
                ORDER BY id LIMIT ?
            )
            """,  # noqa: S608  # our own constants and bound parameters
            (plan.claimed_upto, self.campaign.provider, self.campaign.topic, *where.parameters, want),
        ).fetchone()
        due = self._due(found[1:], None)
        last_id: int = found[0] or 0
        plan.claimed_upto = due[-1].device_id if len(due) == want else max(plan.claimed_upto, last_id)
        return due, plan.claimed_upto >= last_id

    @property
    def _joined(self) -> str:
        """The columns of Due, each as one text with one line (or, of numbers, one comma) per device; see `_tokens`."""
        token = (
            "CAST(group_concat(token, '') AS BLOB)"
            if self.campaign.provider == APNS
            else "group_concat(token, char(10))"
        )
        attributes = "CAST(group_concat(attributes, char(10)) AS BLOB)" if self.with_attributes else "NULL"
        return f"group_concat(id), {token}, group_concat(registered_at_ms), {attributes}"

    def _tokens(self, joined: str | bytes, ids: list[int]) -> list[str]:
        """The tokens of these devices, bytes as hexadecimal digits: which SQLite would make at twice the cost."""
        if isinstance(joined, str):
            return joined.split("\n")
        if len(joined) == APNS_TOKEN_BYTES_MIN * len(ids):  # none is shorter, so that all are this long
            return joined.hex("\n", APNS_TOKEN_BYTES_MIN).split("\n")
        tokens: tuple[str] = self.connection.execute(_TOKENS_OF_ANY_LENGTH, (_json(ids),)).fetchone()
        return tokens[0].split("\n")

    def _due(self, joined: tuple[str | None, str | bytes, str, bytes], attempts: list[int] | None) -> list[Due]:
        ids_text, tokens, registered, attributes = joined
        if ids_text is None:
            return []
        ids = _integers(ids_text)
        each = attributes.split(b"\n") if self.with_attributes else repeat(b"{}", len(ids))
        tries = repeat(0, len(ids)) if attempts is None else attempts
        # Strict: a column that lost a line would give devices the tokens or attributes of others.
        columns = zip(ids, self._tokens(tokens, ids), _integers(registered), tries, each, strict=True)
        return list(map(_new_tuple, repeat(Due), columns))

    def finish(self, now_ms: int) -> bool:
        """Close the campaign if nothing is left of it. Raises CampaignTakenError."""
        closed = self.connection.execute(
            "UPDATE campaign SET finished_at_ms = ? WHERE id = ? AND run = ? AND finished_at_ms IS NULL",
            (now_ms, self.campaign.campaign_id, self.campaign.run),
        )
        if closed.rowcount != 1:
            raise CampaignTakenError(self.campaign.name, self.campaign.run)
        if self.in_flight or self.remaining():
            self.connection.execute(
                "UPDATE campaign SET finished_at_ms = NULL WHERE id = ?", (self.campaign.campaign_id,)
            )
            return False
        return True

    def remaining(self) -> int:
        """Waiting and given-up notifications, and unclaimed devices of the segment."""
        where = self.segment.where()
        stored, unclaimed = self.connection.execute(
            f"""
            SELECT (SELECT count(*) FROM delivery WHERE campaign_id = ? AND state >= 2 AND state <> {RETRYING}), (
                SELECT count(*) FROM device
                WHERE id > ? AND provider = ? AND topic = ? AND invalidated_at_ms = 0 AND {where.sql}
            )
            """,  # noqa: S608  # our own constants and bound parameters
            (
                self.campaign.campaign_id,
                self.claimed_upto,
                self.campaign.provider,
                self.campaign.topic,
                *where.parameters,
            ),
        ).fetchone()
        total: int = stored + unclaimed
        return total

    def summary(self) -> Summary:
        """Count the results."""
        states = dict.fromkeys(State, 0)
        reasons: dict[tuple[State, int, str], int] = {}
        retried = 0
        for stored, status, reason, count, repeats in self.connection.execute(
            "SELECT state, status, reason, count(*), sum(attempts > 1) FROM delivery WHERE campaign_id = ? "
            "GROUP BY state, status, reason ORDER BY count(*) DESC",
            (self.campaign.campaign_id,),
        ):
            retried += repeats
            if stored == RETRYING:
                continue
            state = State(stored)
            states[state] += count
            if state is not State.ACCEPTED:
                reasons[state, status, reason] = count
        return Summary(states, reasons, retried)

    def standing(self) -> Standing:
        """Read the campaign's own row."""
        found = self.connection.execute(
            "SELECT json_array_length(in_flight), uncertain, invalidated, finished_at_ms FROM campaign WHERE id = ?",
            (self.campaign.campaign_id,),
        ).fetchone()
        return Standing._make(found)


def begin(
    connection: sqlite3.Connection,
    *,
    name: str,
    provider: str,
    topic: str,
    payload_digest: bytes,
    segment: Segment,
    key: int,
    now_ms: int,
    with_attributes: bool,
) -> CampaignRun:
    """Begin or resume a campaign, inside a transaction of the caller. See DeviceStore.begin_campaign."""
    if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise CampaignError(name[:NAME_CHARS_MAX], f"cannot be named so: 1 to {NAME_CHARS_MAX} printable characters")
    if not 0 <= key < 2**64:
        raise ValueError(f"key {key} is not 64 bits")
    found = connection.execute(
        f"SELECT {_BEGIN_COLUMNS} FROM campaign WHERE name = ? AND provider = ?",  # noqa: S608  # our own constants
        (name, provider),
    ).fetchone()
    if found is None:
        campaign_id = connection.execute(
            "INSERT INTO campaign (name, provider, topic, segment, payload_digest, key, created_at_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, provider, topic, segment.text, payload_digest, key - 2**63, now_ms),
        ).lastrowid
        assert campaign_id is not None
        campaign = Campaign(campaign_id, name, provider, topic, segment.text, key, run=1, uncertain=0, given_up=0)
        return CampaignRun(campaign, connection, segment, with_attributes, 0, None)
    campaign_id, was_topic, was_segment, was_digest, stored_key, finished_at_ms, run, claimed_upto = found
    if finished_at_ms is not None:
        raise CampaignFinishedError(name, provider, finished_at_ms)
    for what, was, given in (
        ("topic", was_topic, topic),
        ("segment", was_segment or "(everyone)", segment.text or "(everyone)"),
        ("a payload of digest", was_digest.hex(), payload_digest.hex()),
    ):
        if was != given:
            raise CampaignChangedError(name, what, was, given)
    uncertain, given_up = _reopen(connection, campaign_id)
    campaign = Campaign(
        campaign_id, name, provider, topic, segment.text, stored_key + 2**63, run + 1, uncertain, given_up
    )
    next_retry_at_ms = _next_retry_at_ms(connection, campaign_id)
    return CampaignRun(campaign, connection, segment, with_attributes, claimed_upto, next_retry_at_ms)


def _reopen(connection: sqlite3.Connection, campaign_id: int) -> tuple[int, int]:
    """Make due again what the last run had in flight and what it gave up; count both."""
    uncertain = connection.execute(
        "INSERT INTO delivery (campaign_id, device_id, state, status, reason, attempts, at_ms, retry_at_ms) "
        "SELECT ?1, json_each.value, ?2, 0, '', 0, 0, ?3 FROM campaign, json_each(campaign.in_flight) WHERE campaign.id = ?1 "
        "ON CONFLICT DO UPDATE SET state = excluded.state, retry_at_ms = excluded.retry_at_ms",
        (campaign_id, int(State.WAITING), DUE_AT_UNCERTAIN_MS),
    ).rowcount
    given_up = connection.execute(
        f"UPDATE delivery SET state = ?, retry_at_ms = ?, attempts = 0 WHERE campaign_id = ? AND {_GIVEN_UP}",  # noqa: S608  # our own constants
        (int(State.WAITING), DUE_AT_GIVEN_UP_MS, campaign_id),
    ).rowcount
    connection.execute(
        "UPDATE campaign SET run = run + 1, in_flight = '[]', uncertain = uncertain + ? WHERE id = ?",
        (uncertain, campaign_id),
    )
    return uncertain, given_up


def _next_retry_at_ms(connection: sqlite3.Connection, campaign_id: int) -> int | None:
    found: tuple[int | None] = connection.execute(
        f"SELECT min(retry_at_ms) FROM delivery WHERE campaign_id = ? AND {_WAITING}",  # noqa: S608  # our own constants
        (campaign_id,),
    ).fetchone()
    return found[0]


def _json(value: object) -> str:
    return _encode(value).decode()


def _integers(joined: str | None) -> list[int]:
    return [] if joined is None else _decode_integers(f"[{joined}]")
