"""docs/conformance.md, made of the transcripts and of the tests that were collected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.wire.conformance.rfc7541 import RFC7541
from tests.wire.conformance.rfc9113 import RFC9113
from tests.wire.conformance.transcript import Row

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"
TESTS = Path(__file__).parents[1]

_INTRODUCTION = """\
# Conformance

Every MUST and MUST NOT of RFC 9113 (HTTP/2), sections 3 to 8, and of RFC 7541 (HPACK), in the RFC's words, with the tests that
show it. Where no end of ours can show one, the reason stands in its place. Both ends are meant: a server against clients that
misbehave, a client against servers that do. The tests are in `tests/wire/`; a name is the claim of a test, and behind it the
row of that test where it has many.

`make docs` writes this page; a test fails when it is out of date, or when a requirement has neither a test nor a reason.
"""


@dataclass(frozen=True)
class Shown:
    """Who shows what: names of tests by requirement. `files`: all test files that were collected."""

    tests: Mapping[Row, Sequence[str]]
    files: frozenset[Path]

    @property
    def complete(self) -> bool:
        """Whether all of tests/wire was collected."""
        return self.files.issuperset(TESTS.rglob("test_*.py"))


def page(shown: Shown) -> str:
    """The page as it should stand in docs/."""
    parts = [_INTRODUCTION]
    for title, transcript in (("RFC 9113: HTTP/2", RFC9113), ("RFC 7541: HPACK", RFC7541)):
        outside = sum(bool(row.outside) for row in transcript)
        parts.append(f"## {title}\n\n{len(transcript) - outside} requirements shown, {outside} outside.\n")
        parts.append("| section | requirement | shown by |\n| --- | --- | --- |")
        parts += [_line(row, shown.tests.get(row, ())) for row in transcript]
        parts.append("")
    return "\n".join(parts)


def _line(row: Row, tests: Sequence[str]) -> str:
    what = f"*outside: {_plain(row.outside)}*" if row.outside else "<br>".join(_by_file(tests))
    return f"| {row.section} | {_plain(row.quote)} | {what} |"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _by_file(tests: Sequence[str]) -> list[str]:
    claims: dict[str, list[str]] = {}
    for test in tests:
        file, _, claim = test.partition(": ")
        claims.setdefault(file, []).append(_plain(claim))
    return [f"`{file}`: {'; '.join(several)}" for file, several in claims.items()]
