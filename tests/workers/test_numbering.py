"""Numbers given at first look: dense, never twice, in each source's own order, however looks and entries come."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.workers.numbering import Numbering

SOURCES = st.integers(0, 3)
# Each look: how many entries each source has had since the one before.
LOOKS = st.lists(st.dictionaries(SOURCES, st.integers(0, 5)), max_size=30)


def number_of(numbering: Numbering, source: int, position: int) -> int:
    (number,) = numbering.numbers_of(source, (position,))
    return number


class Looked:
    """A numbering beside the plain list of what it should say. `order`: (source, position), by number from 1."""

    def __init__(self) -> None:
        self.numbering = Numbering()
        self.order: list[tuple[int, int]] = []
        self.totals: Counter[int] = Counter()

    def look(self, came: dict[int, int]) -> None:
        for source, count in came.items():
            self.order += [(source, self.totals[source] + nth) for nth in range(1, count + 1)]
            self.totals[source] += count
        self.numbering.look({source: self.totals[source] for source in came})


@given(LOOKS)
def test_numbers_are_dense_and_each_source_keeps_its_order(looks: list[dict[int, int]]) -> None:
    looked = Looked()
    for came in looks:
        looked.look(came)
    assert looked.numbering.last == len(looked.order)
    for number, (source, position) in enumerate(looked.order, 1):
        assert number_of(looked.numbering, source, position) == number
    for source, total in looked.totals.items():
        positions = range(1, total + 1)
        rising = looked.numbering.numbers_of(source, positions) if total else []
        assert rising == [number for number, (each, _) in enumerate(looked.order, 1) if each == source]
        assert not total or looked.numbering.numbers_of(source, positions[::-1]) == rising[::-1]


@given(LOOKS, st.integers(0, 200))
def test_a_reader_goes_on_behind_any_number(looks: list[dict[int, int]], number: int) -> None:
    looked = Looked()
    for came in looks:
        looked.look(came)
    for source in looked.totals:
        seen = sum(each == source for each, _ in looked.order[:number])
        assert looked.numbering.position_at(source, number) == seen


@given(LOOKS, st.integers(0, 200))
def test_what_is_forgotten_leaves_all_others_as_they_were(looks: list[dict[int, int]], number: int) -> None:
    looked = Looked()
    for came in looks:
        looked.look(came)
    looked.numbering.forget_to(number)
    for at, (source, position) in enumerate(looked.order, 1):
        if at > number:
            assert number_of(looked.numbering, source, position) == at
            assert looked.numbering.position_at(source, at) == position
            assert looked.numbering.position_at(source, max(at - 1, number)) == sum(
                each == source for each, _ in looked.order[: max(at - 1, number)]
            )
    looked.look({0: 2})
    assert number_of(looked.numbering, 0, looked.totals[0]) == len(looked.order) == looked.numbering.last


@given(LOOKS)
def test_runs_are_bounded_by_what_is_not_forgotten(looks: list[dict[int, int]]) -> None:
    looked, kept = Looked(), 10
    for came in looks:
        looked.look(came)
        looked.numbering.forget_to(looked.numbering.last - kept)
        assert looked.numbering.runs <= kept


def test_the_only_source_that_has_entries_makes_one_run() -> None:
    numbering = Numbering()
    for total in range(1, 1_000):
        numbering.look({1: total, 2: 0})
    assert (numbering.runs, numbering.last) == (1, 999)


def test_news_that_is_out_of_date_changes_nothing() -> None:
    numbering = Numbering()
    numbering.look({1: 5})
    numbering.look({1: 3, 2: 1})
    assert number_of(numbering, 1, 5) == 5
    assert number_of(numbering, 2, 1) == 6
    assert numbering.last == 6


def test_numbers_of_a_source_that_has_gone_are_not_given_again() -> None:
    numbering = Numbering()
    numbering.look({1: 2, 2: 2})
    numbering.forget_source(1)
    numbering.look({2: 3})
    assert number_of(numbering, 2, 3) == 5
    assert numbering.position_at(1, 5) == 0


def test_an_entry_that_nobody_has_looked_at_has_no_number() -> None:
    numbering = Numbering()
    numbering.look({1: 2})
    with pytest.raises(LookupError):
        number_of(numbering, 1, 3)
