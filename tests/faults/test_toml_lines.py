"""Lines of a TOML file's parts: the same parts that `tomllib` finds, each where it stands."""

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simulator.faults.toml_lines import Path, toml_lines

TEXT = '''# a comment = with a sign
name = "a [b] # c"   # and one more
"quoted key" = 'lit\\'
fruits = [
  "one",  # comment, with ] and ,
  """two
  \\""" lines""",
  { colour = "red", sizes = [1, 2] },
]
a.b.c = 1979-05-27 07:32:00

[population]
devices = 5
[population.fates]
unregistered = 0.02

[[phase]]
name = \'\'\'one
line\'\'\'
faults = []

[[phase]]
name = "two"
[phase.clock]
advance_s = 3_600
[[phase.more]]
x = +inf
[[phase.more]]
x = true

[a.d]
e = ""
'''


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, part in value.items():
            yield from paths(part, (*path, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from paths(part, (*path, number))


def test_each_part_that_was_read_has_its_line() -> None:
    assert set(toml_lines(TEXT)) == set(paths(tomllib.loads(TEXT)))


def test_the_lines_are_those_of_the_text() -> None:
    lines, text = toml_lines(TEXT), TEXT.splitlines()
    assert text[lines["quoted key",] - 1].startswith('"quoted key"')
    assert text[lines["fruits", 0] - 1].strip().startswith('"one"')
    assert text[lines["fruits", 1] - 1].strip() == '"""two'
    assert text[lines["fruits", 2, "colour"] - 1].strip().startswith("{ colour")
    assert text[lines["population", "fates", "unregistered"] - 1] == "unregistered = 0.02"
    assert text[lines["phase", 1] - 1] == "[[phase]]"
    assert text[lines["phase", 1, "name"] - 1] == 'name = "two"'
    assert text[lines["phase", 1, "clock", "advance_s"] - 1] == "advance_s = 3_600"
    assert lines["phase", 1, "more", 1] == lines["phase", 1, "more", 0] + 2
    assert lines["a", "d", "e"] == len(text)


def test_nothing_stands_in_an_empty_file() -> None:
    assert toml_lines("") == {}
    assert toml_lines("# only\n") == {}


KEYS = st.text("abc_-9", min_size=1, max_size=4)
SCALARS = st.sampled_from(['"x"', "'y'", '"""\n,]"""', "1", "true", '"\\"]"', "[1, [2,\n 3],]", "{ k = 1, l.m = [2] }"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    parts = [f"{key} = {draw(SCALARS)}" for key in draw(st.lists(KEYS, unique=True, max_size=4))]
    for number in range(draw(st.integers(0, 4))):
        parts.append(draw(st.sampled_from([f"[t{number}]", "[[many]]", f"[t.u{number}] # c", f"[[many.of{number}]]"])))
        parts += [f"{key} = {draw(SCALARS)}" for key in draw(st.lists(KEYS, unique=True, max_size=3))]
    return "\n".join(parts) + "\n"


@given(documents())
def test_any_document_has_a_line_for_each_part(document: str) -> None:
    try:
        content = tomllib.loads(document)
    except tomllib.TOMLDecodeError:
        return
    lines = toml_lines(document)
    assert set(paths(content)) == set(lines)
    assert all(1 <= line <= document.count("\n") for line in lines.values())
