"""`pushrig load --sender`: the options that it has, checked, and what it prints. The command `pushrig load` calls it first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer

from loadtest.external.command_text import CommandTextError, names_in, words_of
from loadtest.load_options import EXIT_CANNOT_START, EXIT_INTERRUPTED, tell_failures, write_out
from loadtest.report.condition import Condition
from simulator.devices.draws import Devices
from simulator.devices.fates import Provider

TIME_LIMIT_S_DEFAULT = 600.0
TIME_LIMIT_S_MAX = 86_400.0
OBSERVED_DEVICES_MAX = 20_000
"""Observed unless told otherwise. It makes a notification three times as dear for the simulator: long runs go without."""
_OF_SENDERS = frozenset(("sender", "copies", "time_limit_s", "observe", "show_output"))
_OF_BOTH = frozenset(
    (
        "out",
        "fail_if",
        "as_json",
        "ceiling",
        "provider",
        "devices",
        "seed",
        "start_index",
        "topic",
        "fate",
        "fcm_share",
        "ios",
    )
)
"""Options of `pushrig load`, by its parameters; all others are for Locust's users alone."""


@dataclass(frozen=True, slots=True)
class SendersAsked:
    """The options.

    `conditions`: of --fail-if. `shares`, `ceiling_per_s`: as `SendersPlan` has them. `observe`: None: as the number of devices
    suggests. `out`: where the results go, made already; None for nowhere.
    """

    commands: Sequence[str]
    conditions: Sequence[Condition]
    shares: dict[Provider, float]
    ceiling_per_s: float | None
    copies: int
    time_limit_s: float
    observe: bool | None
    show: bool
    as_json: bool
    out: Path | None


def refuse_mixed_options(context: typer.Context, *, with_senders: bool) -> None:
    """Options that do nothing here shall not be passed over in silence. Raises `typer.BadParameter`."""
    for parameter in context.command.params:
        name, source = parameter.name or "", context.get_parameter_source(parameter.name or "")
        if name in _OF_BOTH or source is None or source.name != "COMMANDLINE":
            continue
        if with_senders and name not in _OF_SENDERS:
            raise typer.BadParameter(
                "is for Locust's users: with --sender the program decides", param_hint=parameter.opts[0]
            )
        if not with_senders and name in _OF_SENDERS:
            raise typer.BadParameter("is for a program of yours: give --sender too", param_hint=parameter.opts[0])


def load_with_senders(asked: SendersAsked, provider: str, population: Devices, start_index: int) -> None:
    """Measure, print, and exit as `pushrig load` does."""
    from loadtest.errors import LoadTestError
    from loadtest.external.measuring import SendersPlan, measure
    from loadtest.external.screen import show_senders_report
    from loadtest.load_screen import progress_bar
    from loadtest.replay.program import CannotRunError

    devices = population.count - start_index
    plan = SendersPlan(
        commands=_commands(asked, provider, devices),
        population=population,
        start_index=start_index,
        provider=provider,
        shares=asked.shares,
        ceiling_per_s=asked.ceiling_per_s,
        time_limit_s=_time_limit_s(asked.time_limit_s),
        observe=devices <= OBSERVED_DEVICES_MAX if asked.observe is None else asked.observe,
        show=asked.show,
        name="senders" if asked.out is None else asked.out.absolute().name,
    )
    try:
        with progress_bar("Sending", devices, shown=not asked.as_json and not asked.show) as advance:
            report, results = measure(plan, advance)
    except (LoadTestError, OSError) as error:
        typer.echo(f"pushrig load: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT_START) from None
    except CannotRunError as error:
        typer.echo(f"pushrig load: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("pushrig load: interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if asked.out is not None:
        write_out(asked.out, results)
    if asked.as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        show_senders_report(report)
    tell_failures(report.failures, asked.conditions, results.run)


def _commands(asked: SendersAsked, provider: str, devices: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    from loadtest.external.measuring import SENDERS_MAX

    commands = []
    for command in asked.commands:
        try:
            words = words_of(command)
        except CommandTextError as error:
            raise typer.BadParameter(str(error), param_hint="--sender") from None
        if provider != "apns" and "urls" in names_in(words):
            raise typer.BadParameter("{urls} is for devices of APNs alone: --provider apns", param_hint="--sender")
        commands.append((command, words))
    if asked.copies < 1 or len(commands) * asked.copies > SENDERS_MAX:
        raise typer.BadParameter(
            f"there can be from 1 to {SENDERS_MAX} senders, not {len(commands) * asked.copies}", param_hint="--copies"
        )
    if len(commands) * asked.copies > devices:
        raise typer.BadParameter("there are fewer devices than senders", param_hint="--devices")
    return tuple(commands * asked.copies)


def _time_limit_s(asked_s: float) -> float:
    if not 1 <= asked_s <= TIME_LIMIT_S_MAX:
        raise typer.BadParameter(
            f"must be from 1 to {TIME_LIMIT_S_MAX:g}, not {asked_s:g}", param_hint="--time-limit-s"
        )
    return asked_s
