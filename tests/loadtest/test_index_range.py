"""Ranges of indices: each index is handed out once, over users and over workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.index_range import IndexRange


@given(st.integers(0, 50), st.integers(0, 200), st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_what_is_taken_is_the_range_from_its_front_without_gap_or_repeat(
    start: int, count: int, wants: list[int]
) -> None:
    indices = IndexRange(start, start + count)
    taken = [index for want in wants for index in indices.take(want)]
    assert taken == list(range(start, start + min(count, sum(wants))))
    assert indices.remaining == count - len(taken)


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="from 5 to 3"):
        IndexRange(5, 3)
