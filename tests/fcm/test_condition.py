"""Conditions over topics: what is grammatical, and for whom a condition holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.fcm.condition import CONDITION_CHARACTERS_MAX, NESTING_MAX, TOPICS_MAX, parse_condition
from simulator.fcm.topic_name import TOPIC_NAME_CHARACTERS_MAX, is_topic_name


def holds(text: str, *topics: str) -> bool:
    condition = parse_condition(text)
    assert condition is not None, text
    return condition.evaluate(topics)


A, B, C = "'a' in topics", "'b' in topics", "'c' in topics"


def test_a_term_holds_for_those_who_follow_the_topic() -> None:
    assert holds(A, "a", "z")
    assert not holds(A, "z")
    assert not holds(A)


def test_operators_and_negation() -> None:
    assert holds(f"{A} && {B}", "a", "b") and not holds(f"{A} && {B}", "a")
    assert holds(f"{A} || {B}", "b") and not holds(f"{A} || {B}")
    assert holds(f"!({A})") and not holds(f"!({A})", "a")
    assert holds(f"!{A}") and holds(f"!!{A}", "a")
    assert holds(f"{A} && !({B} || {C})", "a") and not holds(f"{A} && !({B} || {C})", "a", "c")


def test_what_is_in_no_parentheses_is_worked_out_from_left_to_right() -> None:
    # With && binding closer, as elsewhere, a follower of `a` alone would get it.
    assert not holds(f"{A} || {B} && {C}", "a")
    assert holds(f"{A} || ({B} && {C})", "a")
    assert holds(f"{A} && {B} || {C}", "c")


def test_spaces_and_quotes_are_free() -> None:
    assert holds("  ( 'a'in  topics&&\"b\" in topics )  ", "a", "b")


def test_the_topics_are_told_once_each_in_order() -> None:
    condition = parse_condition(f"{B} && ({A} || {B})")
    assert condition is not None and condition.topics == ("b", "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a in topics",
        "'a' in topic",
        "'a' in topicss",
        "'a' IN topics",
        "'a\" in topics",
        "'' in topics",
        "'a b' in topics",
        "'/topics/a' in topics",
        "'a'",
        f"{A} &&",
        f"&& {A}",
        f"{A} & {B}",
        f"{A} and {B}",
        f"{A} {B}",
        f"({A}",
        f"{A})",
        "()",
        "!",
        f"{A} !{B}",
        f"{A} || && {B}",
        f"{A}; {B}",
    ],
)
def test_what_is_not_grammatical_is_no_condition(text: str) -> None:
    assert parse_condition(text) is None


def test_a_condition_names_five_topics_at_most() -> None:
    terms = [f"'{name}' in topics" for name in "abcdef"]
    assert parse_condition(" || ".join(terms[:TOPICS_MAX])) is not None
    assert parse_condition(" || ".join([*terms[:TOPICS_MAX], terms[0]])) is not None
    assert parse_condition(" || ".join(terms[: TOPICS_MAX + 1])) is None


def test_nesting_has_a_limit() -> None:
    assert parse_condition("(" * NESTING_MAX + A + ")" * NESTING_MAX) is not None
    assert parse_condition("(" * (NESTING_MAX + 1) + A + ")" * (NESTING_MAX + 1)) is None
    assert parse_condition("!" * 8_000 + A) is None


def test_length_has_a_limit() -> None:
    assert parse_condition(A.ljust(CONDITION_CHARACTERS_MAX)) is not None
    assert parse_condition(A.ljust(CONDITION_CHARACTERS_MAX + 1)) is None


terms = st.sampled_from("abcde").map(lambda name: (f"'{name}' in topics", f"('{name}' in followed)"))
conditions = st.recursive(
    terms,
    lambda inner: st.one_of(
        inner.map(lambda one: (f"!({one[0]})", f"(not {one[1]})")),
        st.tuples(inner, st.sampled_from([("&&", "and"), ("||", "or")]), inner).map(
            lambda parts: (
                f"({parts[0][0]}) {parts[1][0]} ({parts[2][0]})",
                f"({parts[0][1]} {parts[1][1]} {parts[2][1]})",
            )
        ),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(conditions, st.sets(st.sampled_from("abcdef")))
def test_a_condition_means_what_the_same_expression_means_in_python(texts: tuple[str, str], followed: set[str]) -> None:
    ours, python = texts
    assert holds(ours, *followed) is eval(python, {"followed": followed})


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["&&", "||"]), st.booleans(), st.sampled_from("abcde")), min_size=1, max_size=8),
    st.sets(st.sampled_from("abcde")),
)
def test_a_chain_is_folded_from_the_left(links: list[tuple[str, bool, str]], followed: set[str]) -> None:
    expected = True
    text = ""
    for at, (operator, negated, name) in enumerate(links):
        value = (name in followed) is not negated
        expected = value if at == 0 else (expected and value if operator == "&&" else expected or value)
        text += (f" {operator} " if at else "") + ("!" if negated else "") + f"'{name}' in topics"
    assert holds(text, *followed) is expected


@settings(deadline=None)
@given(st.text(st.sampled_from("ab'\"()!&| intopcs"), max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    condition = parse_condition(text)
    assert condition is None or isinstance(condition.evaluate(()), bool)


@pytest.mark.parametrize("name", ["a", "A-Z_0.9~%", "x" * TOPIC_NAME_CHARACTERS_MAX])
def test_these_are_topic_names(name: str) -> None:
    assert is_topic_name(name)


@pytest.mark.parametrize(
    "name", ["", "a b", "/topics/a", "private/a", "é", "a\n", "a@b", "x" * (TOPIC_NAME_CHARACTERS_MAX + 1)]
)
def test_these_are_none(name: str) -> None:
    assert not is_topic_name(name)
