"""`pushrig report`: page, terminal, conditions, comparison; bad input is named and ends with 2."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import pushrig
from loadtest.report import results_directory
from loadtest.report.condition_options import CONDITIONS_MAX
from loadtest.report.figures import FIGURES
from loadtest.report.results_directory import write_results
from tests.loadtest.report.result_records import results


def report(*arguments: object) -> Result:
    return CliRunner().invoke(pushrig.application("report"), ["report", *map(str, arguments)], prog_name="pushrig")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_results(tmp_path / "run", results())
    return tmp_path / "run"


@pytest.fixture
def repeats(tmp_path: Path) -> tuple[Path, Path]:
    for side, rate in (("before", 1_000.0), ("after", 1_200.0)):
        for number in range(3):
            write_results(tmp_path / side / str(number), results(rate_per_s=rate + number))
    return tmp_path / "before", tmp_path / "after"


def test_the_terminal_shows_every_figure_and_which_side_was_the_limit(directory: Path) -> None:
    shown = report(directory)
    assert shown.exit_code == 0
    assert all(figure.name in shown.output for figure in FIGURES if not figure.of_senders)
    assert "rejected.Unregistered" in shown.output
    assert "The rate asked for was the limit" in shown.output


def test_hostile_words_stay_words_on_the_terminal(tmp_path: Path) -> None:
    words = "[bold]\x1b[31m\nname"
    write_results(tmp_path, results(name=words, rejected={words: 1}, failures=[words], bottleneck=words))
    shown = report(tmp_path)
    assert shown.exit_code == 0
    assert "\x1b" not in shown.output
    assert shown.output.count("[bold]\\x1b[31m\\nname") == 4


def test_figures_as_json(directory: Path) -> None:
    figures = json.loads(report(directory, "--json").output)
    assert figures["p99_ms"] == 14.0
    assert figures["rejected.Unregistered"] == 600
    assert set(figures) == {figure.name for figure in FIGURES} | {"rejected.Unregistered"}


def test_the_page_is_written_and_nothing_printed(directory: Path, tmp_path: Path) -> None:
    shown = report(directory, "--html", tmp_path / "page.html")
    assert (shown.exit_code, shown.output) == (0, "")
    assert (tmp_path / "page.html").read_bytes().startswith(b"<!DOCTYPE html>")


def test_conditions_that_hold_or_cannot_be_told_fail(tmp_path: Path, directory: Path) -> None:
    assert report(directory, "--json", "--fail-if", "p99_ms > 250 or lost > 0").exit_code == 0
    failed = report(
        directory, "--json", "--fail-if", "lost > 0", "--fail-if", "p99_ms > 10", "--fail-if", "retried > 9"
    )
    assert failed.exit_code == 1
    assert failed.stderr == (
        "pushrig report: --fail-if p99_ms > 10: holds (p99_ms is 14)\n"
        "pushrig report: --fail-if retried > 9: holds (retried is 10)\n"
    )
    write_results(tmp_path / "other", results(ceiling_per_s=None))
    untold = report(tmp_path / "other", "--json", "--fail-if", "rate_per_s < ceiling_per_s")
    assert untold.exit_code == 1
    assert "cannot be told (rate_per_s is 1,000, ceiling_per_s is unknown)" in untold.stderr


def test_repeats_are_compared(repeats: tuple[Path, Path]) -> None:
    shown = report("compare", *repeats)
    assert shown.exit_code == 0
    assert "3 runs before, 3 now" in shown.output
    assert re.search(r"^ *rate_per_s .* better *$", shown.output, re.MULTILINE)
    assert "Exactly as before: p50_ms, " in shown.output
    told = json.loads(report("compare", *repeats, "--json", "--confidence", 0.5).output)
    assert (told["confidence"], told["old_runs"], told["changes"][0]["verdict"]) == (0.5, 3, "better")


def test_single_runs_are_compared_too(directory: Path, repeats: tuple[Path, Path]) -> None:
    shown = report("compare", directory, repeats[1])
    assert shown.exit_code == 0
    assert "unsure" in shown.output
    assert "nothing tells a change from chance" in shown.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{run}", "{run}"), "give one results directory, or `compare` with two"),
        (("compare", "{run}"), "give one results directory, or `compare` with two"),
        (("{run}/nothing",), "run.json is not there; `pushrig load --out DIR` writes it"),
        (("compare", "{run}", "{run}/nothing"), "cannot be read: No such file or directory"),
        (("compare", "{run}", "{empty}"), "has no run.json, nor have directories in it"),
        (("{run}", "--fail-if", "p99 > 3"), "there is no figure `p99`"),
        (("{run}", "--html", "{run}/no/page.html"), "there is no directory"),
        (("{run}", "--html", "{run}"), "Is a directory"),
        (("compare", "{run}", "{run}", "--html", "x.html"), "does not go with compare"),
        (("compare", "{run}", "{run}", "--fail-if", "lost > 0"), "does not go with compare"),
        (("compare", "{run}", "{run}", "--confidence", "1"), "must be above 0 and below 1, not 1.0"),
        (("compare", "{run}", "{run}", "--confidence", "nan"), "must be above 0 and below 1, not nan"),
    ],
)
def test_bad_input_is_named(directory: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty").mkdir()
    shown = report(*(each.format(run=directory, empty=tmp_path / "empty") for each in arguments))
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert "Traceback" not in shown.output


def test_more_repeats_or_conditions_than_their_bound_are_refused(
    repeats: tuple[Path, Path], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_directory, "REPEATS_MAX", 2)
    assert "has 3 runs, more than 2" in report("compare", *repeats).stderr
    many = [each for _ in range(CONDITIONS_MAX + 1) for each in ("--fail-if", "lost > 0")]
    assert report(directory, *many[2:]).exit_code == 0
    assert "at most 50 conditions, not 51" in report(directory, *many).stderr
