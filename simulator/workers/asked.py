"""What the front asks a worker for, and what it gets: entries of its journal, observations, frames. Pure.

Positions are the worker's own numbers; the front makes numbers of the whole simulator of them (`numbering`).
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, TypeVar

import msgspec

from simulator.changes import ControlChange
from simulator.control.observation_lines import encoded_steps
from simulator.devices.token_space import Environment
from simulator.fcm.registrations import Registrations
from simulator.frame_log import FrameLine
from simulator.journal import Entry, Numbered, Wanted
from simulator.rig import Rig
from simulator.traffic_changes import TrafficChange
from simulator.workers.reports import Report
from wire.request import Head

Item = TypeVar("Item")

CHANGE_KIND: Final = "change"
REPORT_KIND: Final = "report"
PLAYS_KIND: Final = "plays"
TRAFFIC_KIND: Final = "traffic"
SEARCH_KIND: Final = "search"
COUNT_KIND: Final = "count"
OBSERVATIONS_KIND: Final = "observations"
FRAMES_KIND: Final = "frames"

ANSWER_BODY_BYTES_MAX: Final = 1 << 20
"""Of the bodies of notifications in one answer, one more or less; further entries are left out, and the answer says so."""

ANSWER_TEXT_BYTES_MAX: Final = 4 << 20
"""The same of observations and frames."""


class WantedTold(msgspec.Struct, frozen=True, array_like=True):
    """`Wanted`, but for `names`, which every process makes for itself."""

    token: bytes | None
    topic: bytes | None
    status: int | None
    reason: str | None
    message_id: bytes | None
    since_ms: int | None
    until_ms: int | None
    provider: str | None

    @classmethod
    def of(cls, wanted: Wanted) -> "WantedTold":
        """As it is told."""
        return cls(**{name: getattr(wanted, name) for name in cls.__struct_fields__})

    def wanted(self, registrations: Registrations) -> Wanted:
        """As it was meant."""
        told = {name: getattr(self, name) for name in self.__struct_fields__}
        return Wanted(**told, names=None if self.token is None else registrations.names(self.token))


class Search(msgspec.Struct, frozen=True, array_like=True):
    """Entries of the journal that fit, of the positions behind `after` up to `until`, at most `limit`."""

    wanted: WantedTold
    after: int
    until: int
    limit: int
    newest_first: bool


class Count(msgspec.Struct, frozen=True, array_like=True):
    """How many entries fit, of the same."""

    wanted: WantedTold
    after: int
    until: int


class EntryTold(msgspec.Struct, frozen=True, array_like=True):
    """An entry of a journal, and its position there."""

    position: int
    at_ms: int
    provider: str
    sandbox: bool | None
    status: int
    reason: str | None
    token: bytes
    message_id: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    connection_id: int
    stream_id: int
    path: bytes | None

    @classmethod
    def of(cls, numbered: Numbered) -> "EntryTold":
        """As it is told."""
        position, entry = numbered
        sandbox = None if entry.environment is None else entry.environment is Environment.SANDBOX
        return cls(position, entry.at_ms, entry.provider, sandbox, *entry[3:7], entry.head.fields, *entry[8:])

    def entry(self) -> Entry:
        """As it was in the journal."""
        environment = None
        if self.sandbox is not None:
            environment = Environment.SANDBOX if self.sandbox else Environment.PRODUCTION
        return Entry(
            self.at_ms,
            self.provider,
            environment,
            self.status,
            self.reason,
            self.token,
            self.message_id,
            Head(self.fields),
            self.body,
            self.connection_id,
            self.stream_id,
            self.path,
        )


class SearchAnswer(msgspec.Struct, frozen=True, array_like=True):
    """`matched`: all that fit. `whole`: there are as many `entries` as could be; else their bodies have grown too large."""

    matched: int
    entries: list[EntryTold]
    whole: bool


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Positions behind `after` up to `until`."""

    after: int
    until: int


class FramesAsked(msgspec.Struct, frozen=True, array_like=True):
    """Lines of the frame log, of the positions behind `after` up to `until`: as `FrameLog.recent`."""

    after: int
    until: int
    connection: int | None
    stream: int | None
    limit: int


class LinesAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Observations as JSON objects without numbers, of positions in a row. `whole`: as in `SearchAnswer`."""

    lines: list[bytes]
    whole: bool


class FramesAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Lines of a frame log, numbered by their positions. `whole`: as in `SearchAnswer`."""

    lines: list[FrameLine]
    whole: bool


class TrafficTold(msgspec.Struct, frozen=True, array_like=True):
    """What requests have changed in the process `pid`."""

    pid: int
    changes: list[TrafficChange]


encode: Final = msgspec.msgpack.Encoder().encode
read_report: Final = msgspec.msgpack.Decoder(Report).decode
read_change: Final = msgspec.msgpack.Decoder(ControlChange).decode
read_traffic: Final = msgspec.msgpack.Decoder(TrafficTold).decode
read_plays: Final = msgspec.msgpack.Decoder(dict[int, int]).decode
read_search: Final = msgspec.msgpack.Decoder(Search).decode
read_search_answer: Final = msgspec.msgpack.Decoder(SearchAnswer).decode
read_count: Final = msgspec.msgpack.Decoder(Count).decode
read_number: Final = msgspec.msgpack.Decoder(int).decode
read_span: Final = msgspec.msgpack.Decoder(Span).decode
read_lines: Final = msgspec.msgpack.Decoder(LinesAnswer).decode
read_frames_asked: Final = msgspec.msgpack.Decoder(FramesAsked).decode
read_frames: Final = msgspec.msgpack.Decoder(FramesAnswer).decode


def within(items: Sequence[Item], bytes_max: int, size_of: Callable[[Item], int]) -> list[Item]:
    """The first items, until they are larger than so many bytes together: at least one, where there is any."""
    kept: list[Item] = []
    size = 0
    for item in items:
        if size > bytes_max:
            break
        size += size_of(item)
        kept.append(item)
    return kept


def search_steps(rig: Rig, body: bytes) -> Generator[None, None, bytes]:
    """The answer to a `Search`."""
    asked = read_search(body)
    found = yield from rig.journal.search_steps(
        asked.wanted.wanted(rig.fcm.registrations),
        asked.limit,
        newest_first=asked.newest_first,
        after_number=asked.after,
        until_number=asked.until,
    )
    entries: list[EntryTold] = []
    for numbered in within(found.entries, ANSWER_BODY_BYTES_MAX, lambda numbered: len(numbered.entry.body)):
        entries.append(EntryTold.of(numbered))
        if len(entries) % 64 == 0:
            yield
    return encode(SearchAnswer(found.matched, entries, len(entries) == len(found.entries)))


def count_steps(rig: Rig, body: bytes) -> Generator[None, None, bytes]:
    """The answer to a `Count`."""
    asked = read_count(body)
    matched, _ = yield from rig.journal.count_steps(
        asked.wanted.wanted(rig.fcm.registrations), asked.after, asked.until
    )
    return encode(matched)


def observations_steps(rig: Rig, body: bytes) -> Generator[None, None, bytes]:
    """The answer to a `Span` of observations: JSON objects without numbers."""
    asked = read_span(body)
    lines = yield from encoded_steps(rig.observations.page(asked.after, asked.until - asked.after))
    kept = within(lines, ANSWER_TEXT_BYTES_MAX, len)
    return encode(LinesAnswer(kept, len(kept) == len(lines)))


def frames_steps(rig: Rig, body: bytes) -> Generator[None, None, bytes]:
    """The answer to `FramesAsked`."""
    asked = read_frames_asked(body)
    found: Sequence[FrameLine] = rig.frame_log.recent(
        after=asked.after,
        until=asked.until,
        connection=asked.connection,
        stream=asked.stream,
        lines_max=asked.limit,
    )
    yield
    kept = within(found, ANSWER_TEXT_BYTES_MAX, lambda line: len(line.text))
    yield
    return encode(FramesAnswer(kept, len(kept) == len(found)))
