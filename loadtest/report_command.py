"""`pushrig report`: what a load test left behind, as a page, on the terminal, beside another, or against conditions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from loadtest.report.condition import Condition
    from loadtest.report.run_record import RunRecord

EXIT_CONDITION = 1
EXIT_BAD_INPUT = 2
COMPARE = "compare"
CONFIDENCE_DEFAULT = 0.95


def report(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR | compare OLD NEW",
            help="A results directory, as `pushrig load --out DIR` writes it. To compare: two of them, or two directories that "
            "hold several, the repeats of a run.",
            show_default=False,
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write one HTML page that works offline, instead of printing.",
            show_default=False,
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="CONDITION",
            help="Exit code 1 when it holds, or when a figure that decides it is not known. Repeatable.",
            show_default=False,
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", help="To compare: how sure a change must be, above 0 and below 1.")
    ] = CONFIDENCE_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures, or the comparison, as JSON.")] = False,
) -> None:
    """Report on load tests by the directories that they left behind.

    A condition compares figures, such as `p99_ms > 250 or lost > 0`, with < <= > >= == !=, `and`, `or`, `not` and parentheses;
    `pushrig report DIR` prints the names of figures. `rejected.REASON` counts the rejections with one reason.

    A comparison tells of each figure how much it changed, and between which bounds the change lies with --confidence,
    by Welch's interval over the repeats. Without two runs on either side it cannot tell a change from chance.

    Examples:

      pushrig load --profile steady:rate=5000 --out results

      pushrig report results --html report.html

      pushrig report results --fail-if "p99_ms > 250 or lost > 0"

      mkdir before; for n in 1 2 3 4 5; do pushrig load --out before/$n; done

      pushrig report compare before after --confidence 0.99

    Exit codes: 0 reported; 1 a condition of --fail-if holds or cannot be told; 2 bad input.
    """
    from loadtest.report.condition_options import conditions_of

    comparing = arguments[0] == COMPARE
    if len(arguments) != (3 if comparing else 1):
        _bad_input("give one results directory, or `compare` with two; `./compare` is a directory of that name")
    conditions = conditions_of(fail_if or [])
    if html is not None and not html.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no directory {html.parent}", param_hint="--html")
    if comparing:
        for option, given in (("--html", html is not None), ("--fail-if", bool(conditions))):
            if given:
                raise typer.BadParameter("does not go with compare", param_hint=option)
        if not 0 < confidence < 1:
            raise typer.BadParameter(f"must be above 0 and below 1, not {confidence}", param_hint="--confidence")
        _compare(Path(arguments[1]), Path(arguments[2]), confidence, as_json=as_json)
    else:
        _report(Path(arguments[0]), html, conditions, as_json=as_json)


def _report(directory: Path, html: Path | None, conditions: "list[Condition]", *, as_json: bool) -> None:
    from loadtest.errors import ResultsDirectoryError
    from loadtest.report.condition_options import said_of
    from loadtest.report.page import html_page
    from loadtest.report.results_directory import read_results, read_run

    try:
        if html is None:
            run = read_run(directory)
        else:
            results = read_results(directory)
            run = results.run
            html.write_bytes(html_page(results))
    except ResultsDirectoryError as error:
        _bad_input(str(error))
    except OSError as error:
        raise typer.BadParameter(f"cannot write {html}: {error.strerror}", param_hint="--html") from None
    if as_json:
        _print_figures(run)
    elif html is None:
        from rich.console import Console

        from loadtest.report.screen import show_run

        show_run(run, Console())
    failed = said_of(conditions, run)
    for line in failed:
        typer.echo(f"pushrig report: --fail-if {line}", err=True)
    if failed:
        raise typer.Exit(EXIT_CONDITION)


def _compare(old: Path, new: Path, confidence: float, *, as_json: bool) -> None:
    import msgspec

    from loadtest.errors import ResultsDirectoryError
    from loadtest.report.compare import compare
    from loadtest.report.results_directory import read_repeats

    try:
        comparison = compare(read_repeats(old), read_repeats(new), confidence)
    except ResultsDirectoryError as error:
        _bad_input(str(error))
    if as_json:
        typer.echo(msgspec.json.encode(comparison).decode())
    else:
        from rich.console import Console

        from loadtest.report.screen import show_comparison

        show_comparison(comparison, Console())


def _print_figures(run: "RunRecord") -> None:
    import msgspec

    from loadtest.report.figures import FIGURES, REASON_PREFIX

    figures = {figure.name: figure.value(run) for figure in FIGURES}
    figures.update({f"{REASON_PREFIX}{reason}": count for reason, count in run.rejected.items()})
    typer.echo(msgspec.json.encode(figures).decode())


def _bad_input(problem: str) -> NoReturn:
    typer.echo(f"pushrig report: {problem}", err=True)
    raise typer.Exit(EXIT_BAD_INPUT)
