"""The command `pushrig load`: Locust over a synthetic population, checked against the simulator's ledger."""

import contextlib
import math
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from loadtest.control_client import ControlClient
from loadtest.errors import ControlPlaneError, LoadSettingsError, LoadTestError
from loadtest.load_population import LoadPopulation, outside_ledger, population_of
from loadtest.load_report import LoadReport, figures_of_ledger, make_report
from loadtest.process_figures import ProcessFigures
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess
from sender.errors import SenderConfigurationError
from sender.pool import CONNECTIONS_MAX, Endpoint
from simulator.devices.draws import COUNT_MAX, Devices
from simulator.devices.mixed_population import FCM_SHARE_DEFAULT

EXIT_NOT_ACCOUNTED_FOR = 1
EXIT_BAD_INPUT = 2
EXIT_CANNOT_START = 3
USERS_MAX = 1_000


class ProviderName(StrEnum):
    """Whose devices a load test sends to."""

    APNS = "apns"
    FCM = "fcm"
    BOTH = "both"


REACH_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the load goes. `environment`: variables for Locust. `rig`: a simulator of our own, or None, with its `limits`."""

    endpoint: str
    control: ControlClient | None
    environment: dict[str, str]
    rig: RigProcess | None
    limits: str | None = None


def load(
    provider: Annotated[
        ProviderName, typer.Option(help="Whose devices; both mixes them in one population.")
    ] = ProviderName.APNS,
    devices: Annotated[int, typer.Option(help="Devices of the population; each is sent one notification.")] = 100_000,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Provider to send to, such as https://localhost:8443; a simulator of our own is started unless given.",
            show_default=False,
        ),
    ] = None,
    control_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="PUSHRIG_CONTROL_URL",
            help="Control plane of the simulator at --endpoint, whose ledger is then compared.",
            show_default=False,
        ),
    ] = None,
    control_token: Annotated[
        str | None,
        typer.Option(envvar="PUSHRIG_CONTROL_TOKEN", help="Bearer token of that control plane.", show_default=False),
    ] = None,
    users: Annotated[int, typer.Option(help=f"Locust users, 1 to {USERS_MAX}, each with connections of its own.")] = 4,
    batch_size: Annotated[int, typer.Option(help="Notifications that a user takes on at once.")] = 1_000,
    connections_per_user: Annotated[
        int, typer.Option(help=f"HTTP/2 connections that each user keeps, 1 to {CONNECTIONS_MAX}.")
    ] = 1,
    rate: Annotated[
        float, typer.Option(help="Notifications a second, all users together; 0 for as fast as they are answered.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Names the population: the same seed mints the same tokens.")] = 1,
    start_index: Annotated[int, typer.Option(help="Index of the first device.")] = 0,
    topic: Annotated[str, typer.Option(help="Topic (bundle id) of the app.")] = "com.example.app",
    fate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE",
            help="Share (0 to 1) of devices with a fate. Of either provider: unregistered; of APNs: expired, wrong-topic, "
            "wrong-environment, reregistered; of FCM: other-sender, stale, invalid-shape. Repeatable; the rest is active.",
            show_default=False,
        ),
    ] = None,
    fcm_share: Annotated[
        float, typer.Option(help="With --provider both: share (0 to 1) of devices of FCM.")
    ] = FCM_SHARE_DEFAULT,
    ios: Annotated[
        float, typer.Option(metavar="SHARE", help="Share (0 to 1) of FCM registrations that sit on an APNs token.")
    ] = 0.0,
    payload: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="APNs: JSON payload, in which {{name}}, {{locale}}, {{time_zone}}, {{country}} and {{app_version}} stand for "
            "attributes of the device; a short one of our own unless given.",
            show_default=False,
        ),
    ] = None,
    message: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="FCM: JSON message without a target, with the same placeholders; one of our own unless given.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Locust's HTML report.", show_default=False)] = None,
    csv: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Locust's CSV files: PREFIX_stats.csv and others.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Send a population its notifications with Locust, and account for each of them.

    Locust's tables, CSV and HTML count every notification; rejections are failures there, by reason. Here they are
    results: the exit code tells whether all devices are accounted for, in Locust as in the simulator's ledger.

    A simulator of our own runs with --limits off: Google's quota of 600,000 messages a minute would be the result.

    With --endpoint, credentials come from the environment: APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID,
    GOOGLE_APPLICATION_CREDENTIALS and SSL_CERT_FILE, which `pushrig env` prints for a running simulator.

    Examples:

      pushrig load --devices 1000000

      pushrig load --provider both --ios 0.2 --fate unregistered=0.02

      pushrig load --fate unregistered=0.02 --fate wrong-topic=0.005 --html report.html --json

      eval "$(pushrig env)" && pushrig load --endpoint "$PUSHRIG_URL" --users 8 --rate 20000

    Exit codes: 0 every device has a final answer, rejections are those that the fates explain, and Locust's request count
    is the ledger's; 1 something is not accounted for; 2 bad input; 3 simulator, endpoint, control plane or Locust
    cannot be used.
    """
    _in_range("--devices", devices, 1, COUNT_MAX)
    _in_range("--start-index", start_index, 0, COUNT_MAX - devices)
    population = _population(
        LoadPopulation(
            provider=provider.value,
            seed=seed,
            count=start_index + devices,
            topic=topic,
            fates=tuple(fate or ()),
            fcm_share=fcm_share,
            ios_share=ios,
        )
    )
    _in_range("--users", users, 1, USERS_MAX)
    _in_range("--batch-size", batch_size, 1, 1_000_000)
    _in_range("--connections-per-user", connections_per_user, 1, CONNECTIONS_MAX)
    if not 0 <= rate < math.inf:
        raise typer.BadParameter(f"must be a number from 0 (no limit) upwards, not {rate}", param_hint="--rate")
    _check_contents(payload, message)
    for option, path in (("--html", html), ("--csv", None if csv is None else Path(csv))):
        if path is not None and not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"there is no directory {path.parent}", param_hint=option)
    if endpoint is not None:
        _check_endpoint(endpoint)
    elif topic != topic.strip():
        raise typer.BadParameter("must not begin or end with a blank", param_hint="--topic")
    arguments = [
        *("--provider", provider.value, "--fcm-share", str(fcm_share), "--ios", str(ios)),
        *("--devices", str(devices), "--seed", str(seed), "--start-index", str(start_index), "--topic", topic),
        *("--users", str(users), "--spawn-rate", str(users), "--batch-size", str(batch_size)),
        *("--connections-per-user", str(connections_per_user), "--notifications-rate", str(rate)),
        *(each for text in fate or [] for each in ("--fate", text)),
        *(() if payload is None else ("--payload", str(payload.absolute()))),
        *(() if message is None else ("--message", str(message.absolute()))),
        *(() if html is None else ("--html", str(html.absolute()))),
        *(() if csv is None else ("--csv", str(Path(csv).absolute()))),
    ]
    try:
        with _target(endpoint, control_url, control_token) as target:
            report = _measure(target, population, start_index, users, arguments, paced=rate > 0, quiet=as_json)
    except (LoadTestError, SenderConfigurationError) as error:
        typer.echo(f"pushrig load: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT_START) from None
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        from loadtest.load_screen import show_report

        show_report(report)
    if report.failures:
        for failure in report.failures:
            typer.echo(f"pushrig load: {failure}", err=True)
        raise typer.Exit(EXIT_NOT_ACCOUNTED_FOR)


@contextlib.contextmanager
def _target(endpoint: str | None, control_url: str | None, control_token: str | None) -> Iterator[_Target]:
    """The provider named, or a simulator of our own for as long as the test takes."""
    if endpoint is not None:
        control = None if control_url is None else ControlClient(control_url, control_token)
        yield _Target(endpoint, control, {}, None)
        return
    with RigProcess(WITHOUT_LIMITS) as rig:
        running = rig.running
        environment = {
            "APNS_KEY_FILE": running.key_file,
            "APNS_KEY_ID": running.key_id,
            "APNS_TEAM_ID": running.team_id,
            "GOOGLE_APPLICATION_CREDENTIALS": running.service_account_file,
            "SSL_CERT_FILE": running.ca_file,
            "PUSHRIG_ENVIRONMENT": running.environment,
        }
        yield _Target(running.url, ControlClient(running.control_url), environment, rig, limits="off")


def _measure(
    target: _Target,
    population: Devices,
    start_index: int,
    users: int,
    arguments: list[str],
    *,
    paced: bool,
    quiet: bool,
) -> LoadReport:
    from loadtest.load_screen import progress_bar
    from loadtest.locust_process import run_locust

    control, rig = target.control, target.rig
    devices = population.count - start_index
    answered_before = 0
    if control is not None:
        control.declare(population.seed, devices, start_index)
        if rig is None:
            control.start_round()  # what was sent to these devices before is no part of this test
        answered_before = control.stats().counters.notifications
    simulator_before = ProcessFigures(None, None) if rig is None else rig.figures
    with progress_bar("Sending", devices, shown=control is not None and not quiet) as advance:
        outcome, load_figures = run_locust(
            [*arguments, "--host", target.endpoint],
            target.environment,
            _progress(control, answered_before, advance) if not quiet else lambda: None,
        )
    simulator = ProcessFigures(None, None) if rig is None else rig.figures
    simulator_cpu_s = None
    if simulator.cpu_s is not None and simulator_before.cpu_s is not None:
        simulator_cpu_s = simulator.cpu_s - simulator_before.cpu_s
    ledger = None
    if control is not None:
        ledger = figures_of_ledger(control.ledger(population.seed), population.seed)
    return make_report(
        outcome,
        seed=population.seed,
        endpoint=target.endpoint,
        users=users,
        fates=population.fates,
        outside_ledger=outside_ledger(population, start_index),
        limits=target.limits,
        paced=paced,
        ledger=ledger,
        simulator=simulator,
        simulator_cpu_s=simulator_cpu_s,
        load=load_figures,
    )


def _progress(
    control: ControlClient | None, answered_before: int, advance: Callable[[int], None]
) -> Callable[[], None]:
    def ask() -> None:
        if control is not None and sys.stderr.isatty():
            with contextlib.suppress(ControlPlaneError):  # a bar that stands still for a moment
                advance(control.stats().counters.notifications - answered_before)

    return ask


def _in_range(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise typer.BadParameter(f"must be from {low} to {high}, not {value}", param_hint=option)


def _population(options: LoadPopulation) -> Devices:
    try:
        return population_of(options)
    except LoadSettingsError as error:
        raise typer.BadParameter(error.problem, param_hint=error.option) from None


def _check_contents(payload: Path | None, message: Path | None) -> None:
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


def _check_endpoint(url: str) -> None:
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
