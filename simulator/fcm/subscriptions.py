"""Which registrations follow which topics: both ways, bounded, and in pieces small enough to be read a slice at a time.

A registration is named by its key (`registrations.registration_key`). A topic's registrations stand in chunks of a bounded
size, so that no table is rebuilt as a whole when it grows, and a fan-out reads one chunk after the other while others come
and go. A registration's chunks, one a topic, stand in a tuple; whoever follows one topic alone shares that tuple with the rest
of the chunk. A subscription takes some 140 bytes.

Pure: instants come in, and the order of a fan-out is the order in which the registrations came to the topic.
"""

from collections.abc import Callable, Container, Generator, Iterator
from enum import Enum, unique
from typing import Final, NamedTuple
from zlib import crc32

from simulator.bounds import BoundReachedError
from simulator.fcm.condition import Condition

TOPICS_A_REGISTRATION_MAX: Final = 2_000
"""Source: D6 and the guide "Manage topics": 2,000 topics an app instance."""

SUBSCRIPTIONS_MAX: Final = 2_000_000
"""Ours: in all; some 300 MB. Google states none."""

TOPICS_MAX: Final = 200_000
"""Ours: topics with any registration at one time; some 120 MB with short names. Google states none."""

CHUNK_REGISTRATIONS_MAX: Final = 4_096
"""Ours: registrations of one topic in one table."""

SLICE_REGISTRATIONS_MAX: Final = 128
"""Ours: what a fan-out gets at a time unless it asks for another number; judged at 5 µs each they take 0.6 ms."""

_SHARDS = 256
_FREED_A_STEP = 2_000
# Tables do not shrink when they lose entries. A chunk that has come down to one of these sizes is made anew.
_SIZES_TO_SHRINK_AT = frozenset({1_024, 256, 64, 16})


@unique
class Addition(Enum):
    """What came of adding a registration to a topic."""

    ADDED = "added"
    PRESENT = "it was there before"
    TOO_MANY_TOPICS = "the registration follows as many topics as it may"


class Subscription(NamedTuple):
    """One topic of a registration. `added_at_s`: whole seconds since the Unix epoch, by the rig's clock."""

    topic: str
    added_at_s: int


class _Topic:
    __slots__ = ("chunks", "count", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.chunks: list[_Chunk] = []

    def open_chunk(self) -> "_Chunk":
        """A chunk that takes one registration more."""
        if not self.chunks or len(self.chunks[-1].added_at_s) >= CHUNK_REGISTRATIONS_MAX:
            self.chunks.append(_Chunk(self))
        return self.chunks[-1]


class _Chunk:
    """Some registrations of one topic, each with the instant of its coming. `alone`: the topics of who follows this only."""

    __slots__ = ("added_at_s", "alone", "topic")

    def __init__(self, topic: _Topic) -> None:
        self.topic = topic
        self.added_at_s: dict[bytes, int] = {}
        self.alone: tuple[_Chunk, ...] = (self,)


def _chunk_of(topic: _Topic, followed: tuple[_Chunk, ...]) -> _Chunk | None:
    """The chunk of a topic among those that a registration stands in."""
    for chunk in followed:
        if chunk.topic is topic:
            return chunk
    return None


def _foreseen(topic: _Topic | None, followed: tuple[_Chunk, ...]) -> Addition:
    if topic is not None and _chunk_of(topic, followed) is not None:
        return Addition.PRESENT
    return Addition.TOO_MANY_TOPICS if len(followed) >= TOPICS_A_REGISTRATION_MAX else Addition.ADDED


class Subscriptions:
    """The subscriptions of one project, empty at first. `len()`: how many in all.

    `watched`: told of every registration that comes to a topic, with the instant, or leaves it, with None.
    """

    __slots__ = ("_count", "_instant_s", "_shards", "_subscriptions_max", "_topics", "_topics_max", "watched")

    def __init__(self, subscriptions_max: int = SUBSCRIPTIONS_MAX, topics_max: int = TOPICS_MAX) -> None:
        self._subscriptions_max = subscriptions_max
        self._topics_max = topics_max
        self._topics: dict[str, _Topic] = {}
        self._shards: list[dict[bytes, tuple[_Chunk, ...]]] = [{} for _ in range(_SHARDS)]
        self._count = 0
        self._instant_s = 0
        self.watched: Callable[[bytes, str, int | None], None] | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def topics_count(self) -> int:
        """How many topics have any registration."""
        return len(self._topics)

    def count_of_topic(self, name: str) -> int:
        """How many registrations follow a topic."""
        topic = self._topics.get(name)
        return 0 if topic is None else topic.count

    def foresee(self, registration: bytes, name: str) -> Addition:
        """What would come of adding a registration to a topic, but for the bounds of the rig."""
        return _foreseen(self._topics.get(name), self._followed(registration))

    def add(self, registration: bytes, name: str, now_s: float) -> Addition:
        """Let a registration follow a topic from now on; one that does already keeps its first instant.

        Raises `BoundReachedError`, with nothing changed, when the rig holds no further subscription or topic.
        """
        topic = self._topics.get(name)
        foreseen = _foreseen(topic, self._followed(registration))
        if foreseen is not Addition.ADDED:
            return foreseen
        if self._count >= self._subscriptions_max:
            raise BoundReachedError(
                "SUBSCRIPTIONS_MAX", self._subscriptions_max, "remove subscriptions, or start the simulator anew"
            )
        if topic is None and len(self._topics) >= self._topics_max:
            raise BoundReachedError(
                "TOPICS_MAX", self._topics_max, "remove the last subscriptions of topics no longer needed"
            )
        self.put(registration, name, now_s)
        if self.watched is not None:
            self.watched(registration, name, self._instant_s)
        return Addition.ADDED

    def put(self, registration: bytes, name: str, now_s: float) -> None:
        """`add` what another worker has added, whatever the bounds say here."""
        topic = self._topics.get(name)
        shard = self._shards[crc32(registration) % _SHARDS]
        followed = shard.get(registration, ())
        if topic is None:
            topic = self._topics[name] = _Topic(name)
        elif _chunk_of(topic, followed) is not None:
            return
        chunk = topic.open_chunk()
        if int(now_s) != self._instant_s:
            self._instant_s = int(now_s)  # one object for all that come within a second
        chunk.added_at_s[registration] = self._instant_s
        topic.count += 1
        self._count += 1
        shard[registration] = (*followed, chunk) if followed else chunk.alone

    def remove(self, registration: bytes, name: str) -> bool:
        """Let a registration follow a topic no longer. False: it did not."""
        removed = self.drop(registration, name)
        if removed and self.watched is not None:
            self.watched(registration, name, None)
        return removed

    def drop(self, registration: bytes, name: str) -> bool:
        """`remove` what another worker has removed."""
        topic = self._topics.get(name)
        shard = self._shards[crc32(registration) % _SHARDS]
        followed = shard.get(registration, ())
        chunk = None if topic is None else _chunk_of(topic, followed)
        if chunk is None:
            return False
        left = tuple([each for each in followed if each is not chunk])
        if not left:
            del shard[registration]
        else:
            shard[registration] = left[0].alone if len(left) == 1 else left
        self._leave(chunk, registration)
        return True

    def _leave(self, chunk: _Chunk, registration: bytes) -> None:
        topic, members = chunk.topic, chunk.added_at_s
        del members[registration]
        topic.count -= 1
        self._count -= 1
        if not members:
            topic.chunks.remove(chunk)
            chunk.alone = ()  # it holds itself: let go, it is freed at once
            if not topic.chunks:
                del self._topics[topic.name]
        elif len(members) in _SIZES_TO_SHRINK_AT:
            chunk.added_at_s = dict(members.items())

    def get(self, registration: bytes, name: str) -> Subscription | None:
        """The subscription of a registration to a topic, or None."""
        topic = self._topics.get(name)
        chunk = None if topic is None else _chunk_of(topic, self._followed(registration))
        return None if chunk is None else Subscription(name, chunk.added_at_s[registration])

    def of_registration(self, registration: bytes) -> list[Subscription]:
        """All subscriptions of a registration, in the order in which they were made."""
        return [Subscription(each.topic.name, each.added_at_s[registration]) for each in self._followed(registration)]

    def _followed(self, registration: bytes) -> tuple[_Chunk, ...]:
        return self._shards[crc32(registration) % _SHARDS].get(registration, ())

    def of_topic(self, name: str, slice_max: int = SLICE_REGISTRATIONS_MAX) -> Iterator[list[bytes]]:
        """The registrations of a topic, in slices of at most `slice_max`.

        Others may come and go between two slices. Whoever follows all the while is met once.
        """
        topic = self._topics.get(name)
        # Who comes while this runs joins the last chunk or one after it, and is met if that was not read before.
        for chunk in () if topic is None else tuple(topic.chunks):
            yield from _sliced(list(chunk.added_at_s), slice_max)

    def matching(self, condition: Condition, slice_max: int = SLICE_REGISTRATIONS_MAX) -> Iterator[list[bytes]]:
        """The registrations for which a condition holds, in slices of at most `slice_max`, which may be empty.

        A condition that holds for who follows nothing, such as `!('news' in topics)`, is held against all registrations
        that follow any topic: the rig knows of no others [choice].
        """
        if condition.evaluate(()):
            # Reading a whole shard is a matter of 100 µs when the rig is full.
            for shard in self._shards:
                for part in _sliced(list(shard), slice_max):
                    yield [each for each in part if condition.evaluate(self._names(each))]
            return
        asked: list[str] = []
        for name in condition.topics:
            for part in self.of_topic(name, slice_max):
                matched = []
                for registration in part:
                    names = self._names(registration)
                    # Each is looked at under the first of its topics that the condition names.
                    if not any(earlier in names for earlier in asked) and condition.evaluate(names):
                        matched.append(registration)
                yield matched
            asked.append(name)

    def _names(self, registration: bytes) -> Container[str]:
        followed = self._followed(registration)
        if len(followed) <= 8:  # below that, looking through a tuple is quicker than making a set
            return tuple([chunk.topic.name for chunk in followed])
        return {chunk.topic.name for chunk in followed}

    def clear_steps(self) -> Generator[None, None, None]:
        """Forget all subscriptions at the first step; the rest frees their memory, a millisecond at a time."""
        shards, topics = self._shards, self._topics
        self._shards = [{} for _ in range(_SHARDS)]
        self._topics = {}
        self._count = 0
        freed = 0
        yield
        for shard in shards:
            while shard:
                shard.popitem()
                freed += 1
                if freed % _FREED_A_STEP == 0:
                    yield
        while topics:
            _, topic = topics.popitem()
            for chunk in topic.chunks:
                chunk.alone = ()
                while chunk.added_at_s:
                    chunk.added_at_s.popitem()
                    freed += 1
                    if freed % _FREED_A_STEP == 0:
                        yield
            topic.chunks.clear()


def _sliced(registrations: list[bytes], slice_max: int) -> Iterator[list[bytes]]:
    for start in range(0, len(registrations), slice_max):
        yield registrations[start : start + slice_max]
