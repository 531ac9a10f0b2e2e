"""`pushrig replay`: a scenario over any sender, and a report card."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.replay.card import ReportCard, ScenarioReport
    from loadtest.replay.scenario import Scenario

EXIT_BROKEN = 1
EXIT_BAD_INPUT = 2
EXIT_NO_SIMULATOR = 125
EXIT_INTERRUPTED = 130
TIMES_MAX = 100
ALL = "all"


class ProviderChoice(StrEnum):
    """Whose devices a scenario is played with."""

    FIRST = "first"
    APNS = "apns"
    FCM = "fcm"
    BOTH = "both"


def replay(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME|FILE|all -- COMMAND [ARGUMENT]...",
            help="Which scenario, several separated by commas, or all; then the sender and its arguments.",
            show_default=False,
        ),
    ],
    provider: Annotated[
        ProviderChoice,
        typer.Option(
            "--provider",
            help="Whose devices to play with: the first that a scenario names, or those of one provider, or of both in "
            "turn. Scenarios that the provider has no part in are left out.",
        ),
    ] = ProviderChoice.FIRST,
    time_limit_s: Annotated[
        float | None,
        typer.Option(
            "--time-limit-s",
            min=1,
            max=3600,
            help="What each run of the sender may take, in place of what the scenario says.",
            show_default=False,
        ),
    ] = None,
    times: Annotated[
        int,
        typer.Option(
            "--times",
            min=1,
            max=TIMES_MAX,
            help="Play each scenario so often, and require the same grades and counts each time.",
        ),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report card as JSON on stdout.")] = False,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write it as JUnit XML: a test for each expectation."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one self-contained HTML page.")
    ] = None,
    frame_log: Annotated[
        Path | None,
        typer.Option(
            "--frame-log",
            metavar="FILE",
            help="Write down every frame of every connection, a line each; for one scenario over one provider.",
        ),
    ] = None,
    every_row: Annotated[
        bool, typer.Option("--every-row", help="Show what held and what was not graded too, also with many scenarios.")
    ] = False,
    show_output: Annotated[
        bool, typer.Option("--show-output", help="Let what the sender writes through to stderr.")
    ] = False,
) -> None:
    """Play a scenario to a sender, and grade it by what the simulator saw.

    A simulator of its own is started for each scenario; the sender runs as under `pushrig run`, with these variables
    besides:

    \b
      PUSHRIG_TOKENS     a file, one token a line: whom to send to
      PUSHRIG_DEVICES    the same as CSV: token,registered_at_ms
      PUSHRIG_PROVIDER   apns or fcm
      PUSHRIG_TOPIC      the app's bundle id or package name
      PUSHRIG_STATE      a folder that is kept from one run to the next
      PUSHRIG_RUN        which run of the scenario this is, from 1
      PUSHRIG_RESULTS    where to write what came of it, if you like:
                         CSV or JSON lines with token and outcome
                         (accepted, rejected, invalid, failed)

    It shall send one notification to each token, and end. What cannot be observed of a sender is not graded: neither pass
    nor fail. docs/replay.md tells how each expectation is measured.

    Examples:

    \b
      pushrig replay goaway-mid-burst -- python send.py
      pushrig replay all --provider apns --junit replay.xml -- node send.js
      pushrig replay mine.toml,retry-storm --html card.html -- ./send
      pushrig replay all --provider both -- pushrig send
      pushrig replay goaway-abrupt --times 3 -- pushrig send

    Exit codes: 0 everything held that could be graded; 1 something was broken; 2 bad usage, or no such scenario; 125 the
    simulator did not start; 126 the command cannot be run; 127 there is no such command; 130 interrupted.
    """
    from loadtest.errors import RigStartError, ScenarioUnknownError
    from loadtest.replay.program import CannotRunError
    from loadtest.replay.repeats import compared
    from loadtest.replay.scenario_list import scenarios_named

    names, command = _names(arguments[0]), arguments[1:]
    if not command:
        raise typer.BadParameter("which sender? Give its command behind --", param_hint="COMMAND")
    taken = [Path(name).resolve() for name in names if Path(name).is_file()]
    for file, option in ((frame_log, "--frame-log"), (junit, "--junit"), (html, "--html")):
        if file is None:
            continue
        if not file.absolute().parent.is_dir():
            raise typer.BadParameter(f"the directory {file.absolute().parent} does not exist", param_hint=option)
        if file.is_dir():
            raise typer.BadParameter(f"{file} is a directory; give a file", param_hint=option)
        if file.resolve() in taken:
            raise typer.BadParameter(f"{file} is a scenario, or named twice; give another file", param_hint=option)
        taken.append(file.resolve())
    try:
        scenarios = scenarios_named(names)
        chosen = [
            (scenario, names[number] if names else scenario.name, each)
            for number, scenario in enumerate(scenarios)
            for each in _providers(scenario, provider)
        ]
        if not chosen:
            raise ScenarioUnknownError(f"none of these scenarios is played with {provider}")
        if frame_log is not None and len(chosen) * times > 1:
            raise typer.BadParameter(f"one scenario at a time, not {len(chosen) * times}", param_hint="--frame-log")

        def played(scenario: "Scenario", which: str, provider: str) -> "ScenarioReport":
            reports = [
                _played(scenario, which, provider, command, time_limit_s, show_output=show_output, frame_log=frame_log)
                for _ in range(times)
            ]
            return reports[0] if times == 1 else compared(reports)

        card = _play_all(chosen, command, played, every_row=every_row, quiet=as_json)
    except ScenarioUnknownError as error:
        typer.echo(f"pushrig replay: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    except RigStartError as error:
        typer.echo(f"pushrig replay: {error}", err=True)
        raise typer.Exit(EXIT_NO_SIMULATOR) from None
    except CannotRunError as error:
        typer.echo(f"pushrig replay: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("pushrig replay: interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _write(card, as_json=as_json, junit=junit, html=html)
    raise typer.Exit(0 if card.held else EXIT_BROKEN)


def _names(which: str) -> list[str]:
    """What was asked for; nothing for all."""
    if which == ALL:
        return []
    if Path(which).is_file():
        return [which]
    names = [name for name in which.split(",") if name]
    if not names:
        raise typer.BadParameter("which scenario? `pushrig scenarios` lists them", param_hint="NAME")
    return names


def _providers(scenario: "Scenario", choice: ProviderChoice) -> list[str]:
    if choice is ProviderChoice.FIRST:
        return [scenario.providers[0]]
    return [name for name in scenario.providers if choice in (name, ProviderChoice.BOTH)]


def _play_all(
    chosen: "list[tuple[Scenario, str, str]]",
    command: list[str],
    played: "Callable[[Scenario, str, str], ScenarioReport]",
    *,
    every_row: bool,
    quiet: bool,
) -> "ReportCard":
    """Play one after the other, and show each as it ends."""
    import platform
    from datetime import UTC, datetime
    from importlib.metadata import version

    from rich.console import Console

    from loadtest.errors import RigStartError
    from loadtest.replay.card import failed_report, report_card
    from loadtest.replay.card_terminal import show_scenario, show_total

    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    console = Console(highlight=False, stderr=quiet)
    reports: list[ScenarioReport] = []
    for scenario, which, provider in chosen:
        try:
            report = played(scenario, which, provider)
        except RigStartError as error:
            if not reports:
                raise
            report = failed_report(scenario, provider, str(error))  # what the others showed is not lost
        reports.append(report)
        show_scenario(report, console, every_row=every_row or len(chosen) == 1)
    versions = {"pushrig": version("pushrig"), "Python": platform.python_version()}
    card = report_card(command, began_at, versions, reports)
    if len(chosen) > 1:
        show_total(card, console)
    return card


def _played(
    scenario: "Scenario",
    which: str,
    provider: str,
    command: list[str],
    time_limit_s: float | None,
    *,
    show_output: bool,
    frame_log: Path | None,
) -> "ScenarioReport":
    """One scenario. What goes wrong with it does not end the others, but for a simulator or a command that never start."""
    from loadtest.errors import ControlPlaneError
    from loadtest.replay.card import failed_report, scenario_report
    from loadtest.replay.grading import grade
    from loadtest.replay.play import play

    try:
        played = play(scenario, which, provider, command, time_limit_s, show=show_output, frame_log=frame_log)
    except (ControlPlaneError, ValueError) as error:
        return failed_report(scenario, provider, str(error))
    return scenario_report(played, grade(played))


def _write(card: "ReportCard", *, as_json: bool, junit: Path | None, html: Path | None) -> None:
    import msgspec

    from loadtest.replay.card_html import html_page
    from loadtest.replay.card_junit import junit_xml

    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(card)).decode())
    failed = False
    for file, made in ((junit, junit_xml), (html, html_page)):
        if file is not None:
            try:
                file.write_bytes(made(card))
            except OSError as error:
                typer.echo(f"pushrig replay: {file} could not be written: {error.strerror}", err=True)
                failed = True
    if failed:
        raise typer.Exit(EXIT_BAD_INPUT)
