"""docs/load-reports.md names every figure, and its conditions can be read."""

import re
from pathlib import Path

from loadtest.report.condition import read_condition
from loadtest.report.figures import FIGURES, is_figure

TEXT = (Path(__file__).parents[3] / "docs" / "load-reports.md").read_text()


def test_every_figure_is_in_the_table_and_no_other() -> None:
    table = TEXT.partition("| figure | is |")[2].partition("\n\n")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`([\w.]+)`", line.partition(" | ")[0])}
    assert named == {figure.name for figure in FIGURES} | {"rejected.REASON"}
    assert all(map(is_figure, named))


def test_its_conditions_are_conditions() -> None:
    conditions = TEXT.partition("Nothing else is evaluated.")[2].split("```")[1].strip().splitlines()
    assert len(conditions) == 3
    for condition in conditions:
        read_condition(condition)
