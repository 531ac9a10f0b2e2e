"""On which line each part of a TOML file stands, so that what is wrong with a value can be told with its line. Pure.

`tomllib` tells lines of what it cannot read, but not of what it could. Here the same text is gone through once more for the
places alone; it has been read before, so that nothing has to be refused.
"""

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
# Strings by what they begin with: multi-line ones first. A basic string may hold escapes, among them that of its own end.
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2}(?!"))', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2}(?!'))", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def toml_lines(text: str) -> Mapping[Path, int]:
    """The line, from 1, of each table, key and array element. `text`: TOML that `tomllib` has read.

    A path is what leads to the value in what `tomllib` returned: keys of tables and indices of arrays.
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # arrays of tables, by how many they have
        self._line = 1
        self._counted_to = 0

    def scan(self) -> dict[Path, int]:
        prefix: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                prefix = self._header(2)
            elif self._text[self._at] == "[":
                prefix = self._header(1)
            else:
                self._entry(prefix)
            self._skip()
        return self._lines

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _header(self, brackets: int) -> Path:
        """A line such as `[a.b]` or `[[a]]`: the path of the table that it begins."""
        line = self._line_here()
        self._at += brackets
        *parents, last = self._key()
        self._at += brackets
        path: Path = ()
        for part in parents:
            path = self._newest((*path, part))
            self._lines.setdefault(path, line)
        path = (*path, last)
        if brackets == 2:
            number = self._tables.get(path, 0)
            self._tables[path] = number + 1
            self._lines.setdefault(path, line)
            path = (*path, number)
        self._lines[path] = line
        return path

    def _newest(self, path: Path) -> Path:
        """The table that a name stands for: of an array of tables the last."""
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _key(self) -> list[str]:
        """A key, dotted maybe; ends behind it and the space after it."""
        parts = []
        while True:
            self._skip()
            bare = _BARE_KEY.match(self._text, self._at)
            if bare is not None:
                parts.append(bare.group())
                self._at = bare.end()
            else:
                start = self._at
                self._string()
                parts.append(_text_of(self._text[start : self._at]))
            self._skip()
            if self._text[self._at : self._at + 1] != ".":
                return parts
            self._at += 1

    def _entry(self, prefix: Path) -> None:
        line = self._line_here()
        path = prefix
        for part in self._key():
            path = (*path, part)
            self._lines.setdefault(path, line)
        self._at += 1  # the sign of equality
        self._skip()
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._members(path, "]")
        elif opening == "{":
            self._members(path, "}")
        elif opening in "\"'":
            self._string()
        else:
            scalar = _SCALAR.match(self._text, self._at)
            assert scalar is not None
            self._at = scalar.end()

    def _members(self, path: Path, closing: str) -> None:
        """Elements of an array, or entries of an inline table."""
        self._at += 1
        number = 0
        self._skip()
        while self._text[self._at] != closing:
            if closing == "}":
                self._entry(path)
            else:
                self._lines[(*path, number)] = self._line_here()
                self._value((*path, number))
                number += 1
            self._skip()
            if self._text[self._at] == ",":
                self._at += 1
                self._skip()
        self._at += 1

    def _string(self) -> None:
        for form in _STRINGS:
            found = form.match(self._text, self._at)
            if found is not None:
                self._at = found.end()
                return
        raise AssertionError("tomllib has read it")


def _text_of(quoted: str) -> str:
    """What a quoted key says, but for rare escapes."""
    return quoted[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted.startswith('"') else quoted[1:-1]
