"""Conditions over the figures of a run, such as `p99_ms > 250 or lost > 0`. Pure; nothing is evaluated but this grammar:

    condition   = alternative { "or" alternative }
    alternative = term { "and" term }
    term        = "not" term | "(" condition ")" | comparison
    comparison  = operand ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) operand
    operand     = number | figure

A figure that the run does not know makes its comparison neither true nor false, and so the condition where that decides.
"""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from loadtest.report.figures import FIGURES, is_figure, value_of
from loadtest.report.run_record import RunRecord

CONDITION_CHARACTERS_MAX = 1_000
NESTING_MAX = 20

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_WORDS = ("or", "and", "not")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[A-Za-z]\w*(?:\.\w+)?)|(?P<sign>[<>]=?|==|!=|[()]))",
    re.ASCII,
)


class ConditionError(ValueError):
    """A text is no condition. The message shows where, and what could stand there."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands: figures by name, or numbers."""

    left: str | float
    sign: str
    right: str | float


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a term."""

    term: "Term"


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of the terms."""

    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class Both:
    """All of the terms."""

    terms: tuple["Term", ...]


Term: TypeAlias = Comparison | Not | Either | Both


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read. `text`: as it was given."""

    text: str
    term: Term


class Finding(NamedTuple):
    """What a condition says of a run. `holds`: None when figures that the run does not know decide it.

    `values`: of the figures that it names, in their order.
    """

    condition: Condition
    holds: bool | None
    values: dict[str, float | None]

    @property
    def said(self) -> str:
        """The condition with the values of its figures, for people."""
        values = ", ".join(f"{name} is {_number(value)}" for name, value in self.values.items())
        verdict = {True: "holds", False: "does not hold", None: "cannot be told"}[self.holds]
        return f"{self.condition.text}: {verdict}" + (f" ({values})" if values else "")


def read_condition(text: str) -> Condition:
    """Read a condition. Raises ConditionError."""
    if len(text) > CONDITION_CHARACTERS_MAX:
        raise ConditionError(f"a condition has at most {CONDITION_CHARACTERS_MAX:,} characters, this one {len(text):,}")
    return Condition(text.strip(), _Reader(text).read())


def find(condition: Condition, run: RunRecord) -> Finding:
    """What the condition says of the run."""
    names = dict.fromkeys(_names(condition.term))
    values = {name: value_of(name, run) for name in names}
    return Finding(condition, _holds(condition.term, values), values)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Reader:
    """Recursive descent, one method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._next = 0
        self._depth = 0

    def read(self) -> Term:
        term = self._condition()
        token = self._token
        if token.kind != "end":
            raise self._error(
                token, "expected `and`, `or` or the end" if token.text != ")" else "nothing to close here"
            )
        return term

    def _split(self) -> Iterator[_Token]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._error(_Token("", self._text[at], at), self._wrong(self._text[at:]))
            kind = str(match.lastgroup)
            yield _Token(kind, match.group(kind), match.start(kind))
            at = match.end()
        yield _Token("end", "", end)

    @staticmethod
    def _wrong(rest: str) -> str:
        if rest.startswith("="):
            return "for equality write `==`"
        if rest[:2] in ("&&", "||"):
            return "write `and`, `or`"
        if rest[0] == "-":
            return "figures are never negative"
        return "expected a figure, a number, a comparison or a parenthesis"

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _took(self, text: str) -> bool:
        if self._token.kind != "end" and self._token.text == text:
            self._next += 1
            return True
        return False

    def _condition(self) -> Term:
        terms = [self._alternative()]
        while self._took("or"):
            terms.append(self._alternative())
        return terms[0] if len(terms) == 1 else Either(tuple(terms))

    def _alternative(self) -> Term:
        terms = [self._term()]
        while self._took("and"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Both(tuple(terms))

    def _term(self) -> Term:
        opened = self._token
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self._error(opened, f"nested more than {NESTING_MAX} deep")
        try:
            if self._took("not"):
                return Not(self._term())
            if not self._took("("):
                return self._comparison()
            term = self._condition()
            if not self._took(")"):
                raise self._error(self._token, f"expected `)` for the one at character {opened.at + 1}")
            return term
        finally:
            self._depth -= 1

    def _comparison(self) -> Comparison:
        left = self._operand()
        token = self._token
        if token.text not in COMPARISONS:
            raise self._error(token, f"expected one of {' '.join(COMPARISONS)}")
        self._next += 1
        return Comparison(left, token.text, self._operand())

    def _operand(self) -> str | float:
        token = self._token
        if token.kind == "number":
            number = float(token.text.replace("_", ""))
            if not math.isfinite(number):
                raise self._error(token, "the number is too large")
            self._next += 1
            return number
        if token.kind != "name" or token.text in _WORDS:
            raise self._error(token, "expected a figure or a number")
        if not is_figure(token.text):
            known = [figure.name for figure in FIGURES]
            near = difflib.get_close_matches(token.text, known, n=3)
            raise self._error(
                token,
                f"there is no figure `{token.text}`; "
                + (f"perhaps {', '.join(near)}" if near else f"there are {', '.join(known)}, rejected.REASON"),
            )
        self._next += 1
        return token.text

    def _error(self, token: _Token, problem: str) -> ConditionError:
        where = "at its end" if token.kind == "end" else f"at character {token.at + 1} (`{token.text}`)"
        return ConditionError(f"{self._text.strip()!r} {where}: {problem}")


def _names(term: Term) -> Iterator[str]:
    if isinstance(term, Comparison):
        yield from (each for each in (term.left, term.right) if isinstance(each, str))
    elif isinstance(term, Not):
        yield from _names(term.term)
    else:
        for each in term.terms:
            yield from _names(each)


def _holds(term: Term, values: Mapping[str, float | None]) -> bool | None:
    if isinstance(term, Comparison):
        left = values[term.left] if isinstance(term.left, str) else term.left
        right = values[term.right] if isinstance(term.right, str) else term.right
        return None if left is None or right is None else COMPARISONS[term.sign](left, right)
    if isinstance(term, Not):
        opposite = _holds(term.term, values)
        return None if opposite is None else not opposite
    decides = isinstance(term, Either)
    found = [_holds(each, values) for each in term.terms]
    if decides in found:
        return decides
    return None if None in found else not decides


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.10g}"
