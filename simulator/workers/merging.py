"""What several sources found, in one order. Pure."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")


class Part(NamedTuple, Generic[Item]):
    """What one source found: items with their numbers, in the order that is asked for. `whole`: else there are more behind."""

    found: Sequence[tuple[int, Item]]
    whole: bool


def merged(parts: Sequence[Part[Item]], limit: int, *, newest_first: bool = False) -> list[tuple[int, Item]]:
    """The items of all, in order, at most `limit`: as many as there are before the first that a source left out."""
    sign = -1 if newest_first else 1
    last = min((sign * part.found[-1][0] for part in parts if not part.whole and part.found), default=None)
    fitting = [each for part in parts for each in part.found if last is None or sign * each[0] <= last]
    return sorted(fitting, key=lambda each: sign * each[0])[:limit]
