"""Segments: which devices a campaign is for, as one expression over their attributes.

    country = "DE" and app_version >= 3.10 or locale in ("fr_FR", "de_DE") and not (time_zone = "Europe/Paris")

    expression  = conjunction { "or" conjunction }
    conjunction = condition { "and" condition }
    condition   = "not" condition | "(" expression ")" | comparison
    comparison  = name ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
                | name [ "not" ] "in" "(" value { "," value } ")"
                | name "is" ( "missing" | "present" )
    value       = "text" | 'text' | digits with dots, unquoted      (in texts `\\` makes the next character plain)

Meaning:
- Every condition is true or false. One about an attribute that a device lacks is false; `!=` and `not in` are the exact
  opposites of `=` and `in`, so they are then true.
- `=`, `!=` and `in` compare texts exactly.
- `<`, `<=`, `>`, `>=` look at the value given. Where it is a dotted number (`18`, `3.10`), the attribute is compared as one,
  part by part, the first four parts, missing ones counting 0 (so 3.9 < 3.10, 3.10 = 3.10.0, 3.5 < 3.25); an attribute
  that is no dotted number fits none of the four. Where it is another text (`"2025-01-31"`), texts are compared by their
  UTF-8 bytes.
- `registered_at_ms` is the device's registration in ms since the Unix epoch, compared as a number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sender.attribute_name import ATTRIBUTE_NAME_PATTERN
from sender.errors import SenderConfigurationError
from sender.segment_condition import (
    INTEGER_MAX,
    REGISTERED_AT_MS,
    And,
    Comparison,
    Condition,
    Membership,
    Not,
    Or,
    Presence,
    Where,
    holds,
    sql_of,
    text_of,
)

SEGMENT_CHARS_MAX = 4_096
DEPTH_MAX = 32  # parentheses and `not` inside each other
COMPARISONS_MAX = 64
VALUES_MAX = 256  # of one `in`

KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "present"})


class SegmentError(SenderConfigurationError):
    """The expression breaks the grammar or a limit. `position`: where, counted in characters from 1."""

    def __init__(self, position: int, what: str) -> None:
        self.position = position
        super().__init__(f"segment, character {position}: {what}")


@dataclass(frozen=True, slots=True)
class Segment:
    """A parsed segment; `condition` None is everyone."""

    condition: Condition | None

    @property
    def text(self) -> str:
        """The expression in one canonical spelling (empty for everyone): equal trees have equal texts."""
        return "" if self.condition is None else text_of(self.condition)

    def where(self) -> Where:
        """The segment as SQL."""
        parameters: list[str | int] = []
        sql = "1" if self.condition is None else sql_of(self.condition, parameters)
        return Where(sql, tuple(parameters))

    def matches(self, attributes: Mapping[str, str], registered_at_ms: int) -> bool:
        """Tell whether a device belongs to the segment: the meaning that the SQL is tested against."""
        return self.condition is None or holds(self.condition, attributes, registered_at_ms)


EVERYONE = Segment(None)


def parse(text: str) -> Segment:
    """Read an expression; blank text is everyone. Raises SegmentError."""
    if len(text) > SEGMENT_CHARS_MAX:
        raise SegmentError(SEGMENT_CHARS_MAX + 1, f"longer than {SEGMENT_CHARS_MAX} characters: shorten it")
    words = _words(text)
    if len(words) == 1:
        return EVERYONE
    return Segment(_Parser(words).read())


# --- reading


class _Word(NamedTuple):
    """A piece of the expression. `kind`: name, keyword, text, number, operator, punctuation, end."""

    kind: str
    value: str
    position: int


_WORD = re.compile(
    rf"""\s*(?:
      (?P<name>{ATTRIBUTE_NAME_PATTERN})(?![\w-])
    | (?P<number>[0-9]+(?:\.[0-9]+)*)(?![\w.-])
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<operator><=|>=|!=|=|<|>)
    | (?P<punctuation>[(),])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)


def _words(text: str) -> list[_Word]:
    """Cut the expression into words; the last is `end`."""
    words: list[_Word] = []
    at = 0
    while True:
        match = _WORD.match(text, at)
        if match is None:
            raise _no_word(text, at + len(text[at:]) - len(text[at:].lstrip()))
        kind = str(match.lastgroup)
        value, position = match[kind], match.start(kind) + 1
        if kind == "name" and value in KEYWORDS:
            kind = "keyword"
        if kind == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
            if "\0" in value:
                raise SegmentError(position, "a text cannot hold the character U+0000: remove it")
            if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
                raise SegmentError(
                    position, "the text is not valid Unicode: check the encoding of your terminal or file"
                )
        words.append(_Word(kind, value, position))
        if kind == "end":
            return words
        at = match.end()


def _no_word(text: str, at: int) -> SegmentError:
    """Say what is wrong where no word begins."""
    character = text[at]
    if character in "\"'":
        return SegmentError(at + 1, f"the text is not closed: add {character} at its end")
    if character == "&" or character == "|":
        return SegmentError(at + 1, f"{character!r} means nothing here: write `and`, `or`")
    if character.isalnum() or character == "_":
        return SegmentError(
            at + 1,
            "no name and no number: names are up to 64 of A-Z a-z 0-9 _ - and begin with a letter or _; "
            'put other values in quotes, such as "3.1-beta"',
        )
    return SegmentError(
        at + 1, f"{character!r} means nothing here: put texts in quotes; operators are = != < <= > >= in is"
    )


class _Parser:
    """Recursive descent over the words, bounded in depth and number of comparisons."""

    def __init__(self, words: list[_Word]) -> None:
        self._words = words
        self._at = 0
        self._comparisons = 0

    def read(self) -> Condition:
        condition = self._expression(0)
        if (word := self._words[self._at]).kind != "end":
            raise SegmentError(word.position, f"{word.value!r} is too much: join conditions with `and` or `or`")
        return condition

    def _expression(self, depth: int) -> Condition:
        parts = [self._conjunction(depth)]
        while self._take("keyword", "or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _conjunction(self, depth: int) -> Condition:
        parts = [self._condition(depth)]
        while self._take("keyword", "and"):
            parts.append(self._condition(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _condition(self, depth: int) -> Condition:
        word = self._words[self._at]
        if depth > DEPTH_MAX:
            raise SegmentError(
                word.position, f"more than {DEPTH_MAX} parentheses and `not` inside each other: simplify"
            )
        if self._take("keyword", "not"):
            return Not(self._condition(depth + 1))
        if self._take("punctuation", "("):
            condition = self._expression(depth + 1)
            self._need("punctuation", ")", f"the parenthesis of character {word.position} is not closed: add )")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._words[self._at]
        if name.kind != "name":
            hint = " (a keyword, not usable as a name)" if name.kind == "keyword" else ""
            raise SegmentError(name.position, f"an attribute's name was expected here, not {_shown(name)}{hint}")
        self._at += 1
        self._comparisons += 1
        if self._comparisons > COMPARISONS_MAX:
            raise SegmentError(
                name.position, f"more than {COMPARISONS_MAX} comparisons: use `in`, or split the campaign"
            )
        operator = self._words[self._at]
        self._at += 1
        if operator.kind == "operator":
            return Comparison(name.value, operator.value, self._value(name.value))
        if operator.kind == "keyword" and operator.value == "in":
            return self._membership(name.value)
        if operator.kind == "keyword" and operator.value == "not":
            self._need("keyword", "in", "`in` was expected after `not`")
            return Not(self._membership(name.value))
        if operator.kind == "keyword" and operator.value == "is":
            if name.value == REGISTERED_AT_MS:
                raise SegmentError(name.position, f"{REGISTERED_AT_MS} is always present: remove the condition")
            if self._take("keyword", "missing"):
                return Not(Presence(name.value))
            self._need("keyword", "present", "`missing` or `present` was expected after `is`")
            return Presence(name.value)
        raise SegmentError(
            operator.position,
            f"one of = != < <= > >= in is was expected after {name.value!r}, not {_shown(operator)}",
        )

    def _membership(self, name: str) -> Membership:
        self._need("punctuation", "(", 'a list such as ("a", "b") was expected after `in`')
        values = [self._value(name)]
        while self._take("punctuation", ","):
            if len(values) == VALUES_MAX:
                raise SegmentError(self._words[self._at].position, f"more than {VALUES_MAX} values: split the list")
            values.append(self._value(name))
        self._need("punctuation", ")", "`,` or `)` was expected in the list")
        return Membership(name, tuple(values))

    def _value(self, name: str) -> str:
        word = self._words[self._at]
        if word.kind not in ("text", "number"):
            raise SegmentError(word.position, f'a value was expected here, such as "DE" or 3.1, not {_shown(word)}')
        if name == REGISTERED_AT_MS and not (
            word.value.isascii() and word.value.isdigit() and int(word.value) <= INTEGER_MAX
        ):
            raise SegmentError(
                word.position, f"{REGISTERED_AT_MS} is compared with whole milliseconds, such as 1735689600000"
            )
        self._at += 1
        return word.value

    def _take(self, kind: str, value: str) -> bool:
        word = self._words[self._at]
        if word.kind == kind and word.value == value:
            self._at += 1
            return True
        return False

    def _need(self, kind: str, value: str, what: str) -> None:
        word = self._words[self._at]
        if not self._take(kind, value):
            raise SegmentError(word.position, what)


def _shown(word: _Word) -> str:
    return "the end" if word.kind == "end" else repr(word.value)
