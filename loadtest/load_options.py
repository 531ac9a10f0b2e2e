"""The options of `pushrig load`, checked: each that cannot be used ends the command with its name and what would do."""

import math
import socket
from collections.abc import Sequence
from pathlib import Path

import typer

from loadtest.errors import LoadSettingsError
from loadtest.load_population import LoadPopulation, ProviderName, population_of
from loadtest.load_settings import DEVICES_DEFAULT, profile_of
from loadtest.profiles import COUNT_TOLERANCE, Profile, capacity
from loadtest.report.condition import Condition
from loadtest.report.results_directory import Results
from loadtest.report.run_record import RunRecord
from loadtest.workloads.asked import WORKLOAD, WorkloadsAsked, workloads_asked
from sender.errors import SenderConfigurationError
from sender.pool import Endpoint
from simulator.devices.draws import COUNT_MAX, Devices
from simulator.devices.fates import Provider

EXIT_NOT_ACCOUNTED_FOR = 1
EXIT_BAD_INPUT = 2
EXIT_CANNOT_START = 3
EXIT_INTERRUPTED = 130
REACH_TIMEOUT_S = 5.0
MEASURE, OFF = "measure", "off"


def schedule_of(text: str, rate: float, ceiling_per_s: float | None, devices: int | None) -> tuple[Profile | None, int]:
    """The profile, and how many devices it is for. Exits for one that cannot be used."""
    try:
        # How many a profile that ends schedules is asked before it is held against a number of devices.
        unbounded = profile_of(text, rate, ceiling_per_s, 0)
        count = devices or DEVICES_DEFAULT
        if devices is None and unbounded is not None and unbounded.duration_s < math.inf:
            count = max(1, min(COUNT_MAX, int(capacity(unbounded) + COUNT_TOLERANCE)))
        return profile_of(text, rate, ceiling_per_s, count), count
    except LoadSettingsError as error:
        option = "--rate" if error.option == "--notifications-rate" else "--profile"
        raise typer.BadParameter(error.problem.replace("--load-profile", "--profile"), param_hint=option) from None


def asked_for(names: list[str], options: list[str], *, profiled: bool) -> WorkloadsAsked:
    """The workloads. `profiled`: a schedule is wanted. Exits for one that cannot be used."""
    try:
        asked = workloads_asked(names, options)
    except LoadSettingsError as error:
        raise typer.BadParameter(error.problem, param_hint=error.option) from None
    if profiled and asked.in_batches:
        raise typer.BadParameter(
            f"{', '.join(asked.names)}: sends batch after batch, as its options are: leave --profile and --rate out",
            param_hint=WORKLOAD,
        )
    return asked


def draw(profile: Profile | None, devices: int) -> None:
    """Print the profile as a drawing. Exits for the closed loop."""
    from loadtest.profile_plot import plot

    if profile is None:
        raise typer.BadParameter(
            "max, the default while no --ceiling is given, has no rate of its own that could be drawn",
            param_hint="--plot",
        )
    typer.echo(plot(profile, devices))


def ceiling_of(text: str) -> float | None:
    """What `Target.ceiling` takes."""
    if text == MEASURE:
        return None
    if text == OFF:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise typer.BadParameter(f"must be measure, off, or a number above 0, not {text!r}", param_hint="--ceiling")
    return value


def shares_of(provider: ProviderName, fcm_share: float) -> dict[Provider, float]:
    """What part of the notifications each provider gets."""
    if provider is not ProviderName.BOTH:
        return {Provider(provider.value): 1.0}
    return {each: share for each, share in ((Provider.APNS, 1 - fcm_share), (Provider.FCM, fcm_share)) if share}


def check_parents(*paths: tuple[str, Path | None]) -> None:
    """Exits for the first, by its option, whose directory is not there."""
    for option, path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"there is no directory {path.absolute().parent}", param_hint=option)


def make_directory(out: Path) -> None:
    """Make the directory of the results, unless it is there. Exits when it cannot be made.

    Files of batches go: the run before may have had more workers, or a schedule.
    """
    try:
        out.mkdir(exist_ok=True)
        for left in (*out.glob("batches.csv"), *out.glob("batches-[0-9]*.csv")):
            left.unlink()
    except OSError as error:
        raise typer.BadParameter(f"cannot make the directory {out}: {error.strerror}", param_hint="--out") from None


def write_out(out: Path, results: Results) -> None:
    """Write the results, and the page that shows them. Exits when they cannot be written."""
    from loadtest.report.page import html_page
    from loadtest.report.results_directory import write_results

    try:
        write_results(out, results)
        (out / "report.html").write_bytes(html_page(results))
    except OSError as error:
        typer.echo(f"pushrig load: cannot write the results into {out}: {error.strerror}", err=True)
        raise typer.Exit(EXIT_CANNOT_START) from None


def tell_failures(failures: Sequence[str], conditions: Sequence[Condition], run: RunRecord) -> None:
    """Say what did not come out as it must, and which `conditions` of --fail-if hold. Exits unless there is nothing to say."""
    from loadtest.report.condition_options import said_of

    said = [*failures, *(f"--fail-if {condition}" for condition in said_of(conditions, run))]
    for each in said:
        typer.echo(f"pushrig load: {each}", err=True)
    if said:
        raise typer.Exit(EXIT_NOT_ACCOUNTED_FOR)


def in_range(option: str, value: int, low: int, high: int) -> None:
    """Exits for a value outside, both ends included."""
    if not low <= value <= high:
        raise typer.BadParameter(f"must be from {low} to {high}, not {value}", param_hint=option)


def checked_population(options: LoadPopulation) -> Devices:
    """The population of the options. Exits for the first that cannot be used."""
    try:
        return population_of(options)
    except LoadSettingsError as error:
        raise typer.BadParameter(error.problem, param_hint=error.option) from None


def check_contents(payload: Path | None, message: Path | None) -> None:
    """Exits for a file that cannot be read, or is none."""
    from sender.fcm.message_template import compile as compile_message
    from sender.template import compile as compile_template

    for option, file, read in (("--payload", payload, compile_template), ("--message", message, compile_message)):
        if file is None:
            continue
        try:
            read(file.read_bytes())
        except OSError as error:
            raise typer.BadParameter(f"cannot read {file}: {error.strerror}", param_hint=option) from None
        except SenderConfigurationError as error:
            raise typer.BadParameter(f"{file}: {error}", param_hint=option) from None


def check_control_urls(context: typer.Context, urls: Sequence[str], *, alone: bool) -> None:
    """`alone`: a simulator of our own is started. Exits for one that is given twice, or that would not be asked."""
    source = context.get_parameter_source("control_url")
    if alone and source is not None and source.name == "COMMANDLINE":  # in the environment it is of no harm
        raise typer.BadParameter(
            "is of the simulator at --endpoint: give that too; one of our own needs none", param_hint="--control-url"
        )
    known = [url.rstrip("/") for url in urls]
    for url in known:
        if known.count(url) > 1:
            raise typer.BadParameter(f"{url} is given twice: its devices would count twice", param_hint="--control-url")


def check_endpoint(url: str) -> None:
    """A typing error shall not cost the minute that Locust tries for. Exits when nothing listens there."""
    try:
        endpoint = Endpoint.parse(url)
    except SenderConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint="--endpoint") from None
    try:
        socket.create_connection((endpoint.host, endpoint.port), REACH_TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        typer.echo(f"pushrig load: --endpoint {url} cannot be reached: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT_START) from None
