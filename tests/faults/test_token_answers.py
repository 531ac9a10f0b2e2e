"""Answers counted for each token: exact while there is room, bounded when there is none."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.faults.token_answers import ANSWERS_COUNTED_MAX, PAGE_INDICES, PagesLeft, TokenAnswers


@given(
    tokens=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, PAGE_INDICES - 1, PAGE_INDICES, 2**40 - 1])))
)
def test_each_minted_token_is_counted_alone(tokens: list[tuple[int, int]]) -> None:
    answers = TokenAnswers(PagesLeft())
    counted: dict[tuple[int, int], int] = {}
    for device in tokens:
        counted[device] = counted.get(device, 0) + 1
        assert answers.count(device, b"%d" % device[1]) == counted[device]


def test_a_count_stays_where_it_cannot_grow() -> None:
    answers = TokenAnswers(PagesLeft())
    for device in ((1, 1), None):
        last = [answers.count(device, b"t") for _ in range(ANSWERS_COUNTED_MAX + 2)][-3:]
        assert last == [ANSWERS_COUNTED_MAX] * 3


def test_the_foreign_token_counted_first_is_forgotten_at_the_bound() -> None:
    answers = TokenAnswers(PagesLeft(), foreign_max=2)
    assert [answers.count(None, token) for token in (b"a", b"b", b"a", b"c")] == [1, 1, 2, 1]
    assert [answers.count(None, token) for token in (b"b", b"a")] == [2, 1]


def test_minted_tokens_without_a_page_are_counted_like_foreign_ones() -> None:
    left = PagesLeft(1)
    first, second = TokenAnswers(left), TokenAnswers(left)
    assert first.count((1, 5), b"a") == 1
    assert [second.count((1, 5), b"a"), second.count((1, 5), b"a")] == [1, 2]
    assert left.pages == 0
    assert first.count((1, 5), b"a") == 2
    first.release()
    assert left.pages == 1
    assert first.count((1, 5), b"a") == 1
