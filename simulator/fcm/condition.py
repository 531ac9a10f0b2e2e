"""Conditions over topics, such as `'news' in topics && !('sports' in topics)` (B3). Pure.

    condition = operand { ("&&" | "||") operand }
    operand   = "!" operand | "(" condition ")" | name "in" "topics"
    name      = a topic name in single or double quotes; the latter are [unconfirmed]

The two operators bind alike: what is not in parentheses is worked out from left to right, as the guide says. A condition
names five topics at most, so all it can say is a table of 32 truth values: one bit each of an integer, made while parsing.
"""

import re
from collections.abc import Container
from typing import Final, NamedTuple

from simulator.fcm.topic_name import is_topic_name

TOPICS_MAX: Final = 5
"""Different topics of one condition; a repeated one counts once [choice]."""

CONDITION_CHARACTERS_MAX: Final = 8_192
"""Ours: five topics of 900 characters and room for the rest."""

NESTING_MAX: Final = 50
"""Ours: how deep parentheses and negations may nest."""

_TOKEN: Final = re.compile(r"""\s*(?:(&&|\|\||[!()])|(?:'([^']*)'|"([^"]*)")\s*in\s+topics\b)\s*""")

_ALL: Final = (1 << (1 << TOPICS_MAX)) - 1
_COLUMNS: Final = tuple(
    sum(1 << row for row in range(1 << TOPICS_MAX) if row >> topic & 1) for topic in range(TOPICS_MAX)
)
"""For each topic the rows of the table in which a device follows it."""


class Condition(NamedTuple):
    """A parsed condition. `topics`: its names, each once, in order. `truth`: bit r says whether it holds in row r of the
    table, where bit i of r says whether the i-th topic is followed."""

    topics: tuple[str, ...]
    truth: int

    def evaluate(self, topics: Container[str]) -> bool:
        """Whether it holds for a device that follows `topics`."""
        row = 0
        for place, topic in enumerate(self.topics):
            if topic in topics:
                row |= 1 << place
        return bool(self.truth >> row & 1)


def parse_condition(text: str) -> Condition | None:
    """The condition that a text writes; None when it writes none."""
    if len(text) > CONDITION_CHARACTERS_MAX:
        return None
    parser = _Parser(text)
    truth = parser.condition(0)
    if truth is None or parser.symbol is not None or parser.broken:
        return None
    return Condition(tuple(parser.topics), truth)


class _Parser:
    """Recursive descent with one token of lookahead. What is not grammatical gives None all the way up.

    `symbol`: the current operator or parenthesis, "name" for a topic's term, whose name is in `name`; None at the end.
    `broken`: the text has something else at this place.
    """

    def __init__(self, text: str) -> None:
        self.topics: list[str] = []
        self.broken = False
        self.symbol: str | None = None
        self.name = ""
        self._text = text
        self._at = 0
        self._advance()

    def _advance(self) -> None:
        self.symbol = None
        if self._at == len(self._text):
            return
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            self.broken = True
            return
        self._at = found.end()
        self.symbol = found[1] or "name"
        self.name = found[2] or found[3] or ""

    def condition(self, depth: int) -> int | None:
        truth = self._operand(depth)
        while truth is not None and self.symbol in ("&&", "||"):
            conjunction = self.symbol == "&&"
            self._advance()
            right = self._operand(depth)
            if right is None:
                return None
            truth = truth & right if conjunction else truth | right
        return truth

    def _operand(self, depth: int) -> int | None:
        if depth > NESTING_MAX:
            return None
        opening, name = self.symbol, self.name
        self._advance()
        if opening == "name":
            return self._column(name)
        if opening == "!":
            inner = self._operand(depth + 1)
            return None if inner is None else _ALL ^ inner
        if opening != "(":
            return None
        inner = self.condition(depth + 1)
        closing = self.symbol
        self._advance()
        return inner if closing == ")" else None

    def _column(self, name: str) -> int | None:
        if name not in self.topics:
            if len(self.topics) == TOPICS_MAX or not is_topic_name(name):
                return None
            self.topics.append(name)
        return _COLUMNS[self.topics.index(name)]
