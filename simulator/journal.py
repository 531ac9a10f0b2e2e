"""The last notifications, as they came and were answered: a bounded ring, searched and waited on by the control plane.

The hot path appends plain tuples in the order of `Entry` and tells once per read how many (`settle`). Everything else is
paid by whoever asks: searches look at a copy of the ring, some hundred entries at a step, so that other work can go on in
between.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from simulator.bell import Bell
from simulator.devices.token_space import Environment
from wire.request import Head

ENTRIES_DEFAULT = 10_000
ENTRIES_MAX = 100_000  # with bodies of 4 KiB, 500 MB
BODY_BYTES_KEPT_MAX = 8_192  # of one notification; whoever appends cuts what is longer
_LOOKED_AT_A_STEP = 250
_FREED_A_STEP = 2_000
_TOPIC_TARGET = b"/topics/"

Row = tuple[int, str, Environment | None, int, str | None, bytes, bytes, Head, bytes, int, int, bytes | None]


class Entry(NamedTuple):
    """One notification and its answer.

    `at_ms`: since the Unix epoch. `provider`: "apns" or "fcm". `environment`: of APNs. `reason`: None when accepted.
    `token`: as sent; for FCM the target, whatever its kind, and of a fan-out one registration. `message_id`: of the answer, the
    `apns-id` with APNs. `head`: the request's header fields but for the path, which is `path`. `connection_id`,
    `stream_id`: where it came in.
    """

    at_ms: int
    provider: str
    environment: Environment | None
    status: int
    reason: str | None
    token: bytes
    message_id: bytes
    head: Head
    body: bytes
    connection_id: int
    stream_id: int
    path: bytes | None


def topic_of(provider: str, token: bytes, head: Head) -> bytes | None:
    """The topic of an entry: the app's with APNs, with FCM the one that is the message's target; None: there is none."""
    if provider == "fcm":
        return token[len(_TOPIC_TARGET) :] if token.startswith(_TOPIC_TARGET) else None
    return head.value(b"apns-topic")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are meant: all that fit every part that is not None.

    `token`, `message_id`: either case. `names`: with `token`, whether a target of FCM is that or means the same; there case
    matters. `topic`: of the request's `apns-topic` field, or the target of a message of FCM. `since_ms` is included,
    `until_ms` not.
    """

    token: bytes | None = None
    topic: bytes | None = None
    status: int | None = None
    reason: str | None = None
    message_id: bytes | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    provider: str | None = None
    names: Callable[[bytes], bool] | None = None

    @property
    def everything(self) -> bool:
        """Nothing is asked: every entry fits."""
        return self == _EVERYTHING

    def fits(self, row: Row) -> bool:
        """Whether this entry is meant."""
        at_ms, provider, _, status, reason, token, message_id, head, _, _, _, _ = row
        return (
            (self.status is None or status == self.status)
            and (self.reason is None or reason == self.reason)
            and (self.provider is None or provider == self.provider)
            and (self.token is None or self._fits_token(provider, token))
            and (self.message_id is None or message_id.lower() == self.message_id.lower())
            and (self.since_ms is None or at_ms >= self.since_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
            and (self.topic is None or topic_of(provider, token, head) == self.topic)
        )

    def _fits_token(self, provider: str, token: bytes) -> bool:
        assert self.token is not None
        if provider == "fcm" and self.names is not None:
            return self.names(token)
        return token.lower() == self.token.lower()


_EVERYTHING = Wanted()


class Numbered(NamedTuple):
    """An entry with its number: the first notification that the simulator ever took is 1."""

    number: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. `matched`: entries that fit, of which at most `limit` are in `entries`."""

    matched: int
    entries: Sequence[Numbered]


class Journal(Bell):
    """The ring. `append` is the deque's own; call `settle` after the appends of one read, before anything else runs.

    It rings when `settle` is told of entries. Raises `ValueError` when `entries_max` is not from 0 (keep nothing) to
    `ENTRIES_MAX`.
    """

    __slots__ = ("_cleared", "_ring", "_total", "append")

    def __init__(self, entries_max: int = ENTRIES_DEFAULT) -> None:
        if not 0 <= entries_max <= ENTRIES_MAX:
            raise ValueError(f"the journal keeps from 0 to {ENTRIES_MAX} entries, not {entries_max}")
        super().__init__()
        self._ring: deque[Row] = deque(maxlen=entries_max)
        self.append: Callable[[Row], None] = self._ring.append
        self._total = 0  # entries ever appended
        self._cleared = 0  # of those, how many came before the journal was last cleared

    def settle(self, appended: int) -> None:
        """Tell that so many entries were appended since the last call, once per read."""
        self._total += appended
        if self._listeners:
            self.ring()

    @property
    def entries_max(self) -> int:
        """How many entries the ring holds."""
        return self._ring.maxlen or 0

    @property
    def number(self) -> int:
        """The number of the newest entry; numbers go on over a clear."""
        return self._total

    @property
    def total(self) -> int:
        """Entries that came since the journal was last cleared."""
        return self._total - self._cleared

    @property
    def held(self) -> int:
        """Entries of those that can still be seen."""
        return min(len(self._ring), self.total)

    @property
    def dropped(self) -> int:
        """Entries of those that the ring had no room for any more."""
        return self.total - self.held

    def watch(self, watcher: Callable[[Row], None] | None) -> None:
        """Have a callable see every entry as it is appended; None: nobody. It takes effect as `append` is looked up anew."""
        append = self._ring.append
        if watcher is None:
            self.append = append
            return

        def append_and_show(row: Row) -> None:
            append(row)
            watcher(row)

        self.append = append_and_show

    def clear(self) -> None:
        """Forget all entries and count from 0."""
        for _ in self.clear_steps():
            pass

    def clear_steps(self) -> Generator[None, None, None]:
        """Forget all entries at the first step; the rest frees their memory, a millisecond at a time."""
        self._cleared = self._total
        while len(self._ring) > self.held:
            for _ in range(min(_FREED_A_STEP, len(self._ring) - self.held)):
                self._ring.popleft()
            yield

    def _newest(self, count: int) -> list[Row]:
        """The last `count` entries, oldest first."""
        rows = list(islice(reversed(self._ring), count))
        rows.reverse()
        return rows

    def search_steps(
        self,
        wanted: Wanted,
        limit: int,
        *,
        newest_first: bool = True,
        after_number: int = 0,
        until_number: int | None = None,
    ) -> Generator[None, None, Found]:
        """Entries that fit and came after entry `after_number` and up to `until_number`, newest or oldest first, at most
        `limit`."""
        last = self._total
        rows = self._newest(min(self.held, max(0, last - after_number)))
        first = last - len(rows) + 1
        if until_number is not None and until_number < last:
            del rows[max(0, until_number - first + 1) :]
        if wanted.everything:
            positions = range(len(rows))
            chosen = positions[::-1][:limit] if newest_first else positions[:limit]
            return Found(len(rows), [Numbered(first + at, Entry._make(rows[at])) for at in chosen])
        matched: list[int] = []
        for start in range(0, len(rows), _LOOKED_AT_A_STEP):
            matched += [at for at in range(start, min(start + _LOOKED_AT_A_STEP, len(rows))) if wanted.fits(rows[at])]
            yield
        chosen_matches = matched[::-1][:limit] if newest_first else matched[:limit]
        return Found(len(matched), [Numbered(first + at, Entry._make(rows[at])) for at in chosen_matches])

    def count_steps(
        self, wanted: Wanted, after_number: int, until_number: int
    ) -> Generator[None, None, tuple[int, int]]:
        """How many entries fit of those after one number and up to another, and how many of these are not held any more."""
        came = until_number - after_number
        rows = self._newest(min(self.held, self._total - after_number))
        del rows[max(0, len(rows) - (self._total - until_number)) :]
        matched = 0
        for start in range(0, len(rows), _LOOKED_AT_A_STEP):
            matched += sum(map(wanted.fits, rows[start : start + _LOOKED_AT_A_STEP]))
            yield
        return matched, came - len(rows)

    def search(self, wanted: Wanted, limit: int, *, newest_first: bool = True, after_number: int = 0) -> Found:
        """`search_steps` at one go: some 0.5 µs for each entry held."""
        steps = self.search_steps(wanted, limit, newest_first=newest_first, after_number=after_number)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found: Found = done.value
                return found


class Arrivals:
    """Counts the entries that fit, those already held and those that come: each entry is looked at once.

    `matched`: the count so far. `missed`: entries that the ring dropped before they could be looked at. Where everything
    is wanted, entries are counted without being looked at, dropped ones too.
    """

    __slots__ = ("_journal", "_looked_to", "_wanted", "matched", "missed")

    def __init__(self, journal: Journal, wanted: Wanted) -> None:
        self._journal = journal
        self._wanted = wanted
        self._looked_to = journal.number - journal.total
        self.matched = 0
        self.missed = 0

    def count_steps(self) -> Generator[None, None, int]:
        """Look at what came since the last call; returns `matched`."""
        journal = self._journal
        came = min(journal.number - self._looked_to, journal.total)
        self._looked_to = journal.number
        if self._wanted.everything:
            self.matched += came
            return self.matched
        number = journal.number
        matched, missed = yield from journal.count_steps(self._wanted, number - came, number)
        self.matched += matched
        self.missed += missed
        return self.matched
