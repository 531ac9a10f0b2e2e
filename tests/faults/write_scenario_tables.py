"""The tables of docs/scenarios.md that are made of what the code says; `make docs` writes them."""

import inspect
from pathlib import Path
from typing import get_args

import msgspec

from simulator.faults.scenario import Expectations
from simulator.faults.scenario_file import find_scenario, shipped_names
from simulator.observation_records import Observation

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"


def scenario_rows() -> list[str]:
    """Name and title of each that ships."""
    return [f"| `{name}` | {find_scenario(name).scenario.title} |" for name in shipped_names()]


def expectation_rows() -> list[str]:
    """Each expectation with its default and what is counted."""
    rows = []
    for field in msgspec.structs.fields(Expectations):
        default = "–" if field.default is None else str(field.default).lower()
        rows.append(f"| `{field.name}` | {default} | {get_args(field.type)[-1].description} |")
    return rows


def observation_rows() -> list[str]:
    """Each kind of record with the first sentence of its docstring."""
    rows = []
    for record in get_args(Observation):
        first = inspect.cleandoc(record.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        fields = ", ".join(f"`{name}`" for name in record.__struct_fields__ if name != "at_s")
        rows.append(f"| `{record.__struct_config__.tag}` | {first.partition('. `')[0].rstrip('.')}. {fields} |")
    return rows


TABLES = (
    ("scenarios", "| scenario | what it is about |\n| --- | --- |", scenario_rows),
    ("expectations", "| key | default | what is counted |\n| --- | --- | --- |", expectation_rows),
    ("observations", "| kind | tells |\n| --- | --- |", observation_rows),
)
"""Mark on the page, head, and what makes the rows."""


def page_with_tables(page: str) -> str:
    """The page with its tables as they ought to be: each is what follows its mark."""
    for mark, head, rows in TABLES:
        before, found, rest = page.partition(f"<!-- {mark} -->\n\n")
        assert found, f"the page has lost its mark {mark}"
        after = rest.partition("\n\n")[2]
        page = before + found + "\n".join([head, *rows()]) + "\n\n" + after
    return page


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
