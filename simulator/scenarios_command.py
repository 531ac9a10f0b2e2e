"""`pushrig scenarios`: lists the scenarios that come with pushrig, shows one whole, checks files of one's own."""

import textwrap
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from simulator.faults.scenario import Expectations, Phase, Scenario
from simulator.faults.scenario_file import ReadScenario, ScenarioError, find_scenario, shipped_names

EXIT_PROBLEMS = 1
EXIT_BAD_INPUT = 2
LINE_CHARACTERS_MAX = 100


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    SHOW = "show"
    LINT = "lint"


def scenarios(
    action: Annotated[Action, typer.Argument(help="list all; show one; lint: check files.")] = Action.LIST,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Names of scenarios, or TOML files.", show_default=False),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, one scenario a line.")] = False,
) -> None:
    """List, show and check scenarios: what providers do in production, and what a good sender makes of it.

    `pushrig serve --scenario NAME` plays one; docs/scenarios.md teaches writing them.

    Examples:

      pushrig scenarios

      pushrig scenarios show goaway-mid-burst

      pushrig scenarios lint mine.toml

    Exit codes: 0 printed, or nothing is wrong; 1 lint found problems; 2 no such scenario, or bad options.
    """
    names = which or []
    if action is Action.LINT:
        _lint(names, json_output=json_output)
        return
    if action is Action.SHOW and not names:
        raise typer.BadParameter("which one? `pushrig scenarios` lists them", param_hint="NAME")
    try:
        read = [find_scenario(name) for name in names or shipped_names()]
    except ScenarioError as error:
        typer.echo(f"pushrig scenarios: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    if json_output:
        for each in read:
            typer.echo(msgspec.json.encode(each.scenario).decode())
    elif action is Action.SHOW:
        typer.echo("\n\n".join(described(each) for each in read))
    else:
        typer.echo("\n\n".join(_listed(each.scenario) for each in read))


def _lint(names: list[str], *, json_output: bool) -> None:
    if not names:
        raise typer.BadParameter("which file? Give its path", param_hint="FILE")
    faulty = 0
    for name in names:
        try:
            read = find_scenario(name)
        except ScenarioError as error:
            faulty += 1
            if json_output:
                problems = [{"line": each.line, "what": each.what} for each in error.problems]
                typer.echo(msgspec.json.encode({"where": error.where, "problems": problems}).decode())
            else:
                typer.echo(str(error))
            continue
        if json_output:
            typer.echo(msgspec.json.encode({"where": name, "problems": []}).decode())
        else:
            typer.echo(f"{name}: {_summed_up(read)}; nothing is wrong")
    if faulty:
        raise typer.Exit(EXIT_PROBLEMS)


def _summed_up(read: ReadScenario) -> str:
    scenario, faults = read.scenario, sum(map(len, read.faults))
    return f"{scenario.name}, {_counted(len(scenario.phase), 'phase')}, {_counted(faults, 'fault')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(scenario: Scenario) -> str:
    """One scenario of the list."""
    lines = [f"{scenario.name}  ({', '.join(scenario.providers)})", *_indented(f"{scenario.title}.")]
    lines += _indented(_joined(scenario.what_happens), "provider:  ")
    lines += _indented(_joined(scenario.good_sender), "sender:    ")
    if scenario.sources:
        lines += _indented(", ".join(scenario.sources), "seen in:   ")
    return "\n".join(lines)


def _joined(prose: str) -> str:
    return " ".join(prose.split())


def described(read: ReadScenario) -> str:
    """One scenario in full, as text."""
    scenario = read.scenario
    population = scenario.population
    lines = [f"{scenario.name}: {scenario.title}", "", "What happens", *_indented(_joined(scenario.what_happens))]
    lines += ["", "What a good sender does", *_indented(_joined(scenario.good_sender))]
    if scenario.sources:
        lines += ["", "Seen in", *_indented(", ".join(scenario.sources))]
    fates = "".join(f", {share:.0%} {name}" for name, share in population.fates.items())
    lines += [
        "",
        "Played",
        f"  providers   {', '.join(scenario.providers)}",
        f"  devices     {population.devices:,}{fates}, seed {scenario.seed}",
        f"  runs        {scenario.runs}, each at most {scenario.time_limit_s:g} s",
    ]
    lines += [f"  {name:<11} {value}" for name, value in scenario.serve.items()]
    for phase in scenario.phase:
        lines += ["", f"Phase {phase.name!r}: {_when(phase)}"]
        lines += [f"  {fault}" for fault in phase.faults]
        if phase.advance_s:
            lines.append(f"  the clock goes forward by {phase.advance_s} s")
    lines += ["", "Expected"]
    lines += [f"  {name:<29} {value}" for name, value in _expected(scenario.expect)]
    return "\n".join(lines)


def _when(phase: Phase) -> str:
    begins = "from the start"
    if phase.from_notifications is not None:
        begins = f"after {phase.from_notifications} notifications"
        begins += f" and {phase.wait_s:g} s" if phase.wait_s else ""
    elif phase.from_s:
        begins = f"from {phase.from_s:g} s on"
    ends = ""
    if phase.for_s is not None:
        ends = f", for {phase.for_s:g} s"
    elif phase.for_notifications is not None:
        ends = f", for {phase.for_notifications} notifications"
    return begins + ends + ("" if phase.run is None else f", in run {phase.run}")


def _expected(expect: Expectations) -> list[tuple[str, object]]:
    values = msgspec.structs.asdict(expect)
    return [(name, value) for name, value in values.items() if value is not None and value is not False]


def _indented(prose: str, label: str = "") -> list[str]:
    """Lines of a paragraph, the first one behind the label."""
    further = " " * (len(label) + 2)
    return textwrap.wrap(prose, LINE_CHARACTERS_MAX, initial_indent=f"  {label}", subsequent_indent=further)
