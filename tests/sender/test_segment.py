"""Segments: read, refused with a position, and the same in SQL as in Python."""

import json
import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sender.segment import (
    COMPARISONS_MAX,
    DEPTH_MAX,
    EVERYONE,
    SEGMENT_CHARS_MAX,
    VALUES_MAX,
    Segment,
    SegmentError,
    parse,
)
from sender.segment_condition import And, Comparison, Condition, Membership, Not, Or, Presence, dotted_number


def in_sql(segment: Segment, attributes: dict[str, str], registered_at_ms: int) -> object:
    connection = sqlite3.connect(":memory:")
    where = segment.where()
    try:
        (found,) = connection.execute(
            f"SELECT {where.sql} FROM (SELECT CAST(? AS TEXT) AS attributes, ? AS registered_at_ms)",
            _bound(where.sql, where.parameters, json.dumps(attributes, ensure_ascii=False), registered_at_ms),
        ).fetchone()
    finally:
        connection.close()
    return found


def _bound(
    sql: str, parameters: tuple[str | int, ...], attributes: str, registered_at_ms: int
) -> tuple[str | int, ...]:
    assert sql.count("?") == len(parameters)
    return (*parameters, attributes, registered_at_ms)


MEANINGS = [
    ("", {}, True),
    ("  \n ", {}, True),
    ('country = "DE"', {"country": "DE"}, True),
    ('country = "DE"', {"country": "de"}, False),
    ('country = "DE"', {}, False),
    ('country != "DE"', {}, True),
    ('country < "Z"', {}, False),
    ('not country < "Z"', {}, True),
    ("country is missing", {}, True),
    ("country is present", {"country": ""}, True),
    ('locale in ("fr_FR", "de_DE")', {"locale": "de_DE"}, True),
    ('locale not in ("fr_FR", "de_DE")', {"locale": "de_DE"}, False),
    ('locale not in ("fr_FR")', {}, True),
    ('a = "1" or b = "1" and c = "1"', {"a": "1"}, True),
    ('(a = "1" or b = "1") and c = "1"', {"a": "1"}, False),
    ('not a = "1" and b = "1"', {"b": "1"}, True),
    ('app_version >= "3.10"', {"app_version": "3.9"}, False),
    ("app_version >= 3.10", {"app_version": "3.10.1"}, True),
    ("app_version > 3.10", {"app_version": "3.10.0"}, False),
    ("app_version <= 3.10", {"app_version": "3.10.0"}, True),
    ("app_version <= 3.10", {"app_version": "3.10.0.1"}, False),
    ("app_version <= 3.10", {"app_version": "3.10.0.0.9"}, True),  # only four parts count
    ("app_version < 3.10", {"app_version": "3.010"}, False),
    ("app_version >= 3", {"app_version": "3.0-beta"}, False),
    ("app_version < 3", {"app_version": "3.0-beta"}, False),
    ("app_version >= 3", {"app_version": "3."}, False),
    ("app_version >= 3", {"app_version": ".3"}, False),
    ("app_version >= 3", {"app_version": "3..1"}, False),
    ("app_version >= 3", {"app_version": ""}, False),
    ("age >= 18", {"age": "9"}, False),
    ("age >= 18", {"age": "100"}, True),
    ("age >= 18", {"age": "9" * 400}, True),
    ("version = 3.1", {"version": "3.1.0"}, False),  # equality compares texts
    ('day >= "2025-01-31"', {"day": "2025-02-01"}, True),
    ('name >= "Z"', {"name": "Ä"}, True),  # by bytes, not by alphabet
    ("first-name = 'O\\'Neil \\\\ \"x\"'", {"first-name": 'O\'Neil \\ "x"'}, True),
    ("registered_at_ms >= 1735689600000", {}, True),
    ("registered_at_ms < 1735689600000", {}, False),
    ("registered_at_ms in (5, 1735689600000)", {}, True),
    ("registered_at_ms != 1735689600000", {}, False),
    (
        'country = "DE" and app_version >= "3.1" or locale in ("fr_FR", "de_DE") and not (time_zone = "Europe/Paris")',
        {"country": "DE", "app_version": "3.0", "locale": "fr_FR", "time_zone": "Europe/Brussels"},
        True,
    ),
]


@pytest.mark.parametrize(("text", "attributes", "belongs"), MEANINGS)
def test_an_expression_means_what_it_says(text: str, attributes: dict[str, str], belongs: bool) -> None:
    segment = parse(text)
    assert segment.matches(attributes, 1_735_689_600_000) is belongs
    assert in_sql(segment, attributes, 1_735_689_600_000) == int(belongs)


def test_blank_text_is_everyone() -> None:
    assert parse(" ") == EVERYONE
    assert EVERYONE.text == ""


ERRORS = [
    ("country", 8, "one of = != < <= > >= in is was expected after 'country', not the end"),
    ("country == 'DE'", 10, "a value was expected"),
    ("country = DE", 11, "a value was expected"),
    ('country = "DE', 11, "not closed"),
    ("country = 'DE", 11, "add ' at its end"),
    ('country = "DE" locale = "x"', 16, "'locale' is too much"),
    ('country = "DE" and', 19, "an attribute's name was expected"),
    ('country = "DE" & a = "b"', 16, "write `and`"),
    ('(country = "DE"', 16, "the parenthesis of character 1 is not closed"),
    ('country = "DE")', 15, "is too much"),
    ("country in 'DE'", 12, "a list such as"),
    ("country in ()", 13, "a value was expected"),
    ("country in ('a' 'b')", 17, "`,` or `)` was expected"),
    ("country not like 'a'", 13, "`in` was expected after `not`"),
    ("country is null", 12, "`missing` or `present`"),
    ("and = 'a'", 1, "a keyword"),
    ("app_version >= 3.1-beta", 16, "put other values in quotes"),
    ("app_version >= 3.", 16, "put other values in quotes"),
    ("größe = 'a'", 1, "no name and no number"),
    ("a" * 65 + " = 'a'", 1, "up to 64"),
    ("a = 'x'; drop table device", 8, "means nothing here"),
    ("a = '\0'", 5, "U+0000"),
    ("a = '\udcff'", 5, "not valid Unicode"),
    ("registered_at_ms > 3.1", 20, "whole milliseconds"),
    ("registered_at_ms > " + "9" * 30, 20, "whole milliseconds"),
    ("registered_at_ms is missing", 1, "always present"),
    ("not " * (DEPTH_MAX + 1) + "a = '1'", 4 * (DEPTH_MAX + 1) + 1, f"more than {DEPTH_MAX}"),
    ("(" * 400 + "a = '1'" + ")" * 400, DEPTH_MAX + 2, f"more than {DEPTH_MAX}"),
    (" or ".join(["a='1'"] * (COMPARISONS_MAX + 1)), 9 * COMPARISONS_MAX + 1, "more than 64 comparisons"),
    ("a in (" + ",".join(["1"] * (VALUES_MAX + 1)) + ")", 6 + 2 * VALUES_MAX + 1, "more than 256 values"),
    ("a = '" + "x" * SEGMENT_CHARS_MAX + "'", SEGMENT_CHARS_MAX + 1, "longer than 4096"),
]


@pytest.mark.parametrize(("text", "position", "what"), ERRORS)
def test_an_error_says_where_and_what(text: str, position: int, what: str) -> None:
    with pytest.raises(SegmentError) as error:
        parse(text)
    assert what in str(error.value)
    assert error.value.position == position
    assert f"character {position}:" in str(error.value)


def test_the_limits_themselves_are_allowed() -> None:
    for text in (
        "not " * DEPTH_MAX + "a = '1'",
        " or ".join(["a='1'"] * COMPARISONS_MAX),
        "a in (" + ",".join(["1"] * VALUES_MAX) + ")",
        "a = '" + "x" * (SEGMENT_CHARS_MAX - 6) + "'",
    ):
        segment = parse(text)
        assert in_sql(segment, {"a": "2"}, 0) in (0, 1)


texts = st.one_of(
    st.sampled_from(
        ["", "DE", "3.1", "3.10", "3.10.0", "03.1", "3.", "1e3", "-1", "0", "9" * 25, "ä", "'", '"', "\\", "?"]
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
    st.lists(st.integers(0, 12).map(str), min_size=1, max_size=6).map(".".join),
)
names = st.sampled_from(["a", "b", "first-name", "_x", "country"])
instants = st.integers(0, 5).map(str)
leaves = st.one_of(
    st.builds(Comparison, names, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), texts),
    st.builds(Comparison, st.just("registered_at_ms"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), instants),
    st.builds(Membership, names, st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(Membership, st.just("registered_at_ms"), st.lists(instants, min_size=1, max_size=3).map(tuple)),
    st.builds(Presence, names),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(condition=conditions, attributes=st.dictionaries(names, texts), registered_at_ms=st.integers(0, 6))
@example(condition=Comparison("a", "<", "9" * 25), attributes={"a": "9" * 24}, registered_at_ms=0)
def test_the_sql_agrees_with_the_meaning(
    condition: Condition, attributes: dict[str, str], registered_at_ms: int
) -> None:
    segment = Segment(condition)
    assert in_sql(segment, attributes, registered_at_ms) == int(segment.matches(attributes, registered_at_ms))


@settings(max_examples=300)
@given(condition=conditions)
def test_the_canonical_text_is_read_back_as_the_same_segment(condition: Condition) -> None:
    assert parse(Segment(condition).text) == Segment(condition)


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["and ", "or ", "not ", "in ", "is ", "missing ", "present ", "a ", "b", "= ", "'x' ", '"y\\"" ']
            ),
            st.sampled_from("abz01. \"'\\()=!<>,&\n"),
        )
    ).map("".join)
)
def test_any_text_is_read_or_refused_with_a_position(text: str) -> None:
    try:
        segment = parse(text)
    except SegmentError as error:
        assert 1 <= error.position <= len(text) + 1
    else:
        assert parse(segment.text) == segment


def test_names_and_values_reach_the_sql_as_parameters_only() -> None:
    where = parse("a-b = \"x' OR 1=1 --\" and c in ('\";') and d >= 7").where()
    for foreign in ("a-b", "x'", "--", ";", "7"):
        assert foreign not in where.sql


def test_a_dotted_number_is_digits_and_single_dots() -> None:
    assert dotted_number("3.10") == (3, 10, 0, 0)
    assert dotted_number("1.2.3.4.5") == (1, 2, 3, 4)
    assert [dotted_number(text) for text in ("", ".", "3.", "-1", "1e3", "٣", "3.1b")] == [None] * 7
