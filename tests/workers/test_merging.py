"""What several sources found is in one order, and nothing is passed over that a source left out."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.workers.merging import Part, merged_steps

# Who has each number, and how many a source gives before it breaks off.
OWNERS = st.lists(st.integers(0, 2), max_size=30)
GIVEN = st.tuples(*[st.integers(1, 8)] * 3)


def _merged(parts: list[Part[str]], limit: int, *, newest_first: bool = False) -> list[tuple[int, str]]:
    steps = merged_steps(parts, limit, newest_first=newest_first)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: list[tuple[int, str]] = done.value
            return found


@given(OWNERS, GIVEN, st.integers(1, 12), st.booleans())
def test_pages_that_follow_each_other_pass_over_nothing(
    owners: list[int], given_: tuple[int, ...], limit: int, newest_first: bool
) -> None:
    numbers = list(range(1, len(owners) + 1))
    if newest_first:
        numbers.reverse()
    read: list[int] = []
    while len(read) < len(numbers):
        parts = []
        for source in range(3):
            fitting = [number for number in numbers[len(read) :] if owners[number - 1] == source][:limit]
            found = fitting[: given_[source]]
            parts.append(Part(found, [str(number) for number in found], len(found) == len(fitting)))
        page = _merged(parts, limit, newest_first=newest_first)
        assert page and len(page) <= limit
        assert all(item == str(number) for number, item in page)
        read += [number for number, _ in page]
        assert read == numbers[: len(read)]


def test_nothing_found_is_nothing() -> None:
    assert _merged([Part([], [], True), Part([], [], True)], 5) == []


def test_much_takes_many_steps() -> None:
    parts = [Part(range(source, 10_000, 2), range(source, 10_000, 2), True) for source in (0, 1)]
    assert sum(1 for _ in merged_steps(parts, 10_000)) >= 10
