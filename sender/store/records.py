"""What goes into the device store and comes out of it: plain records, no I/O.

Instants are milliseconds since the Unix epoch. A `device_id` is the store's own number of a device: stable, ascending in
the order of import (within one import, of the tokens), never used again.
"""

from enum import IntEnum, unique
from typing import NamedTuple


class DeviceRow(NamedTuple):
    """One registration as an import brings it.

    `token`: hexadecimal text for provider `apns` (either case means the same token), any text for others.
    `attributes`: text values by name, for segments and templates; bytes are the same as a JSON object already encoded
    (UTF-8, on one line), which spares the encoding in bulk.
    """

    token: str
    provider: str
    topic: str
    registered_at_ms: int
    attributes: dict[str, str] | bytes


class Due(NamedTuple):
    """One notification to be sent now.

    `attempts`: how often it was answered before (0 = first try, or unknown after a crash).
    `attributes`: a JSON object, `b"{}"` when the device has none.
    """

    device_id: int
    token: str
    registered_at_ms: int
    attempts: int
    attributes: bytes


@unique
class State(IntEnum):
    """Where one notification of a campaign stands after an attempt. The numbers are stored."""

    ACCEPTED = 0
    """The provider took it: final."""
    REJECTED = 1
    """The provider (or our own check) refused it for good: final."""
    WAITING = 2
    """A retryable failure: to be sent again at `retry_at_ms`."""
    GIVEN_UP = 3
    """A retryable failure after all retries: rests now, due again in the campaign's next run."""


class Outcome(NamedTuple):
    """The result of one attempt.

    `status`: HTTP status, 0 when there was no answer. `reason`: the provider's word, "" for none.
    `attempts`: attempts so far, this one included. `at_ms`: when it was answered. `retry_at_ms`: 0 unless WAITING.
    `invalidate_at_ms`: 0 keeps the token; else the instant since which the token is dead (the provider's timestamp, or
    the answer's time where the provider gives none). The store ignores it when the device registered at that instant or later.
    """

    device_id: int
    state: State
    status: int
    reason: str
    attempts: int
    at_ms: int
    retry_at_ms: int
    invalidate_at_ms: int


class Exchange(NamedTuple):
    """What one exchange with the store brings.

    `due`: claimed by now: the store counts them as in flight until their outcomes come.
    `next_retry_at_ms`: when the earliest WAITING notification falls due, None when none waits.
    `exhausted`: beyond what is in flight, no device is left to claim and nothing waits.
    """

    due: list[Due]
    next_retry_at_ms: int | None
    exhausted: bool


class ImportCounts(NamedTuple):
    """What an import did: `inserted` + `updated` + `unchanged` + `refused` are the rows read.

    `inserted`: tokens new to the store. `updated`: a later registration, or the same one with other attributes or topic.
    `unchanged`: as stored, or registered earlier than what is stored. `refused`: bad rows left out.
    `revived`: invalidated tokens that are valid again, since they were registered later than the invalidation.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    revived: int = 0


class Device(NamedTuple):
    """One device as it stands in the store. `invalidated_at_ms`: None while valid; `invalid_reason`: the provider's word."""

    device_id: int
    token: str
    provider: str
    topic: str
    registered_at_ms: int
    invalidated_at_ms: int | None
    invalid_reason: str
    attributes: bytes


class Invalidated(NamedTuple):
    """An invalidated device: `invalidated_at_ms` is the instant since which the provider calls the token dead."""

    device_id: int
    token: str
    provider: str
    topic: str
    registered_at_ms: int
    invalidated_at_ms: int
    invalid_reason: str


class StoreCounts(NamedTuple):
    """Devices in the store; `valid` + `invalidated` = `devices`."""

    devices: int
    valid: int
    invalidated: int


class Campaign(NamedTuple):
    """One run of a campaign, new or resumed.

    `key`: 64 random bits drawn once per campaign; with the device id they make a stable `apns-id`.
    `run`: counts the runs from 1; a later run takes the campaign from an earlier one that still lives.
    `uncertain`: notifications that an earlier run had claimed without storing a result: they may have been sent and
    are due again first, so this many may arrive twice. 0 for a new campaign.
    `given_up`: notifications that earlier runs gave up, due again in this one.
    """

    campaign_id: int
    name: str
    provider: str
    topic: str
    segment: str
    key: int
    run: int
    uncertain: int
    given_up: int


class Standing(NamedTuple):
    """What the store knows of a campaign without counting its results.

    `in_flight`: claimed, result not stored yet. `uncertain`: all notifications of all runs so far that may have been sent
    twice. `invalidated`: tokens that this campaign invalidated.
    """

    in_flight: int
    uncertain: int
    invalidated: int
    finished_at_ms: int | None


class Summary(NamedTuple):
    """The results of a campaign over all its runs.

    `states`: notifications by state (every State is present). `reasons`: (state, status, reason) -> notifications, for all
    but ACCEPTED. `retried`: notifications with more than one attempt.
    """

    states: dict[State, int]
    reasons: dict[tuple[State, int, str], int]
    retried: int
