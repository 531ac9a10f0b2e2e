"""How one simulator is to run: every option of `pushrig serve`, its meaning, its limits and its default.

`ServeSettings` is the one list. The command line takes its flags and help texts from it (`option`), the file given with
`--config` its keys (`merge`), and a test compares `docs/settings.md` with it. Flags override the file, the file
overrides the defaults.
"""

import difflib
import ipaddress
import os
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import msgspec

from simulator.errors import SettingsError
from simulator.limits import LIMITS, Limits
from simulator.rates.rates import REAL, Rates
from simulator.rates.rates_file import NAMED_RATES, rates_of
from simulator.state_directory import default_state_dir
from simulator.toml_file import read_toml

SEED_MAX = 2**64 - 1
EPOCH_MS_DEFAULT = 1_735_689_600_000  # 2025-01-01T00:00:00Z
EPOCH_MS_MAX = 253_402_300_799_999  # The last of the year 9999.
TOPIC_DEFAULT = "com.example.app"
WORKERS_MAX = 32
CAN_HAVE_WORKERS = hasattr(os, "fork")

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
HostName = Annotated[str, msgspec.Meta(min_length=1)]
Topic = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,255}\Z")]
BearerToken = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{16,256}\Z")]

EXPECTS_PORT = "a port number from 0 (picks a free one) to 65535"
EXPECTS_HOST = "an address or host name of this machine"
EXPECTS_PEM = "the path of a PEM file"


def _row(description: str, expects: str, flag: str | None = None, default_shown: str | None = None) -> msgspec.Meta:
    """A field's help text; what the message "… will not do; give …" ends with.

    `flag`: where the name gives another. `default_shown`: how the user writes a default that is neither text nor number.
    """
    return msgspec.Meta(
        description=description, extra={"expects": expects, "flag": flag, "default_shown": default_shown}
    )


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one simulator, checked. Make it with `merge`."""

    host: Annotated[HostName, _row("Address that the provider plane listens on.", EXPECTS_HOST)] = "127.0.0.1"
    port: Annotated[
        Port, _row("Port of the provider plane (TLS; HTTP/2, for FCM HTTP/1.1 too); 0 picks a free one.", EXPECTS_PORT)
    ] = 8443
    cleartext_port: Annotated[
        Port | None,
        _row("Port for HTTP/2 without TLS (prior knowledge), same address; closed unless given.", EXPECTS_PORT),
    ] = None
    control_host: Annotated[
        HostName,
        _row("Address that the control plane listens on; beyond loopback only with a control token.", EXPECTS_HOST),
    ] = "127.0.0.1"
    control_port: Annotated[Port, _row("Port of the control plane (HTTP); 0 picks a free one.", EXPECTS_PORT)] = 8080
    control_token: Annotated[
        BearerToken | None,
        _row(
            "Bearer token that the control plane asks for; it asks for none unless given.",
            "16 to 256 printable ASCII characters without spaces",
        ),
    ] = None
    state_dir: Annotated[
        Path,
        _row(
            "Directory for certificates, key and running.json; unless given, a place among the user's application data.",
            "the path of a directory",
        ),
    ] = msgspec.field(default_factory=default_state_dir)
    tls_cert: Annotated[
        Path | None,
        _row("Certificate chain (PEM) to show in place of pushrig's own; goes with --tls-key.", EXPECTS_PEM),
    ] = None
    tls_key: Annotated[Path | None, _row("Private key (PEM, unencrypted) of --tls-cert.", EXPECTS_PEM)] = None
    client_ca: Annotated[
        Path | None,
        _row("CA certificates (PEM) to trust for client certificates in place of pushrig's own.", EXPECTS_PEM),
    ] = None
    environment: Annotated[
        Literal["production", "sandbox"],
        _row("APNs environment of connections whose host name tells none.", "production or sandbox"),
    ] = "production"
    auth: Annotated[
        Literal["strict", "lenient"],
        _row(
            "strict verifies provider tokens against the known key; lenient takes any well-formed one.",
            "strict or lenient",
        ),
    ] = "strict"
    provider_token_update_interval_s: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=3_600)],
        _row(
            "Seconds before a newer provider token may replace one; sooner is TooManyProviderTokenUpdates; 0: any pace.",
            "whole seconds from 0 to 3600",
        ),
    ] = 1_200
    provider_token_update_scope: Annotated[
        Literal["connection", "key"],
        _row("What the update interval counts for: a connection, or a key on all of them.", "connection or key"),
    ] = "connection"  # noqa: S105 - no password
    unknown_tokens: Annotated[
        Literal["accept", "reject"],
        _row(
            "Well-formed device tokens that pushrig did not mint: accept, or reject with BadDeviceToken.",
            "accept or reject",
        ),
    ] = "accept"
    topics: Annotated[
        Annotated[tuple[Topic, ...], msgspec.Meta(max_length=10_000)],
        _row(
            "Topic (bundle id) that the team may send to; repeat for more; any topic unless given.",
            "at most 10000 bundle ids such as com.example.app",
            flag="--topic",
        ),
    ] = ()
    penalty: Annotated[
        Literal["on", "off"],
        _row("Slow down and drop connections that collect 4xx answers, as Apple announces.", "on or off"),
    ] = "off"
    seed: Annotated[
        Annotated[int, msgspec.Meta(ge=0)],
        _row("Seed of everything drawn by chance.", f"a whole number from 0 to {SEED_MAX}"),
    ] = 1
    epoch_ms: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=EPOCH_MS_MAX)],
        _row(
            "Instant that minted tokens count from, in milliseconds since 1970 (UTC).",
            f"milliseconds since 1970 from 0 to {EPOCH_MS_MAX} (the end of the year 9999)",
        ),
    ] = EPOCH_MS_DEFAULT
    journal_entries_max: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=100_000)],
        _row(
            "Notifications that the journal keeps for inspection, the most recent ones; 0 keeps none.",
            "a whole number from 0 to 100000",
        ),
    ] = 10_000
    limits: Annotated[
        Limits,
        _row(
            "What clients may do, as in pings_max=500; repeat for more; the names are under Limits in docs/settings.md.",
            "NAME=VALUE with a name and a number from the list under Limits in docs/settings.md",
            flag="--limit",
        ),
    ] = Limits()
    rates: Annotated[
        Rates,
        _row(
            "What the providers take: real, the rates they publish; off; or FILE, which gives others by name.",
            "real, off, or the path of a TOML file with names from the list under Rates in docs/settings.md",
            flag="--limits",
            default_shown="real",
        ),
    ] = REAL
    faults: Annotated[
        tuple[str, ...],
        _row(
            "Fault to play from the start, as in 'latency median_ms=200 share_of_requests=0.1'; repeat for more.",
            "a name and options from the list of pushrig faults, in quotes",
            flag="--fault",
        ),
    ] = ()
    faults_file: Annotated[
        Path | None,
        _row(
            "TOML file with faults to play from the start, each a table [[fault]] with its name and options.",
            "the path of a TOML file",
            flag="--faults",
        ),
    ] = None
    scenario: Annotated[
        str | None,
        _row(
            "Scenario to play: a name that pushrig scenarios lists, or a TOML file; its settings count like the file's.",
            "the name of a scenario, or the path of its TOML file",
        ),
    ] = None
    observe: Annotated[
        Literal["on", "off"],
        _row(
            "Record what is seen and done on connections, for /api/v1/observations; with a scenario it is on.",
            "on or off",
        ),
    ] = "off"
    frame_log: Annotated[
        Path | None,
        _row(
            "File for every frame of every connection, a line each, up to 256 MiB; an older log there is replaced.",
            "the path of a file that does not exist yet, or holds an older frame log",
        ),
    ] = None
    workers: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=WORKERS_MAX)],
        _row(
            "Processes that answer, for machines with several cores; docs/workers.md says what they share.",
            f"a whole number from 1 to {WORKERS_MAX}",
        ),
    ] = 1
    stop_with_stdin: Annotated[
        Literal["on", "off"],
        _row(
            "Stop when standard input ends too: held open by whoever starts the simulator, it ends with them.",
            "on or off",
        ),
    ] = "off"

    @property
    def topic(self) -> str:
        """A topic that notifications may be sent to, for whoever has to name one."""
        return self.topics[0] if self.topics else TOPIC_DEFAULT


@dataclass(frozen=True, slots=True)
class Option:
    """One field of the settings as a user meets it. `name`: key in the file. `flag`: on the command line.

    `default_shown`: the default as help and documentation print it; empty where the description speaks of it.
    """

    name: str
    flag: str
    description: str
    expects: str
    default_shown: str
    annotation: object


def _options() -> dict[str, Option]:
    options = {}
    for field in msgspec.structs.fields(ServeSettings):
        row = get_args(field.type)[-1]
        options[field.name] = Option(
            name=field.name,
            flag=row.extra["flag"] or "--" + field.name.replace("_", "-"),
            description=row.description,
            expects=row.extra["expects"],
            default_shown=row.extra["default_shown"]
            or (str(field.default) if isinstance(field.default, str | int) else ""),
            annotation=field.type,
        )
    return options


OPTIONS: Mapping[str, Option] = types.MappingProxyType(_options())


def option(name: str) -> Any:
    """Return typer's option for the field `name`: `port: Annotated[int | None, option("port")] = None`.

    The parameter's default is None, "not given"; the help shows the field's own. Limits are left to `merge`, so that
    flag and file fail with the same message.
    """
    import typer  # Here, since a simulator inside a test process has no command line.

    row = OPTIONS[name]
    return typer.Option(row.flag, help=row.description, show_default=row.default_shown or False)


def is_loopback(host: str) -> bool:
    """Tell whether a listener on `host` is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def merge(flags: Mapping[str, object], config_file: Path | None = None) -> ServeSettings:
    """Return the settings from flags, file, scenario and defaults, in this order of precedence.

    `flags`: field name -> value; None means "not given", and so does an empty list. Relative paths in
    the file count from its directory.
    Raises SettingsError that names option, value and remedy; ScenarioError for a scenario that cannot be played.
    """
    given = {name: value for name, value in flags.items() if value is not None and value not in ([], ())}
    from_file = {} if config_file is None else _read_file(config_file)
    for name in given:
        assert name in OPTIONS, f"not a setting: {name}"
    values: dict[str, object] = {}
    labels: dict[str, str] = {name: row.flag for name, row in OPTIONS.items()}
    labels.update({name: f"{name} in {config_file}" for name in from_file if name not in given or name == "limits"})
    from_scenario: Mapping[str, object] = {}
    if "scenario" in given or "scenario" in from_file:
        base = config_file.parent if config_file is not None and "scenario" not in given else Path()
        scenario = given.get("scenario", from_file.get("scenario"))
        values["scenario"], from_scenario = _scenario(scenario, labels["scenario"], base)
        new = from_scenario.keys() - from_file.keys() - given.keys()
        labels.update({name: f"{name} in the scenario {scenario}" for name in new})
    for name, value in {**from_scenario, **from_file, **given}.items():
        if name == "scenario":
            continue
        if name == "limits":
            values[name] = _limits(from_file.get(name, {}), labels[name], given.get(name, []))
            continue
        base = config_file.parent if config_file is not None and name in from_file and name not in given else Path()
        if name == "rates":
            values[name] = rates_of(value, labels[name], OPTIONS[name].expects, base)
            continue
        values[name] = _convert(OPTIONS[name], labels[name], value, base)
    settings = ServeSettings(**cast("dict[str, Any]", values))
    _check_together(settings, labels)
    return settings


def _scenario(value: object, label: str, base: Path) -> tuple[str, Mapping[str, object]]:
    """A scenario, as it can be found again from anywhere, and the settings it asks for. Raises ConfigurationError."""
    # Here, since most simulators play none.
    from simulator.faults.scenario_file import SUFFIX, find_scenario

    if not isinstance(value, str) or not value or "\0" in value:
        raise SettingsError(label, value, f"give {OPTIONS['scenario'].expects}")
    if value.endswith(SUFFIX) or "/" in value:
        value = str((base / Path(value).expanduser()).absolute())
    scenario = find_scenario(value).scenario
    return value, {"observe": "on", **scenario.serve}


def _read_file(config_file: Path) -> dict[str, object]:
    label = f"--config {config_file}"
    content = read_toml(config_file, "--config")
    for name in content:
        if name not in OPTIONS:
            close = difflib.get_close_matches(name.replace("-", "_"), OPTIONS, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"it may hold {', '.join(OPTIONS)}"
            raise SettingsError(label, name, f"there is no such setting; {remedy}")
    return content


def _convert(row: Option, label: str, value: object, base: Path) -> object:
    """Return `value` as the field's type. Relative paths count from `base`."""

    def path_from(wanted: type, given: object) -> object:
        if wanted is not Path or not isinstance(given, str | Path) or not str(given) or "\0" in str(given):
            raise msgspec.ValidationError("not a path")
        return (base / Path(given).expanduser()).absolute()

    try:
        converted: object = msgspec.convert(value, row.annotation, dec_hook=path_from)
    except (msgspec.ValidationError, RuntimeError) as error:
        shown = "(hidden)" if row.name == "control_token" else value
        raise SettingsError(label, shown, f"give {row.expects}") from error
    return converted


def _limits(table: object, table_label: str, flags: object) -> Limits:
    """Return the limits from the file's table and the flags' `NAME=VALUE`, which override it one by one."""
    row = OPTIONS["limits"]
    if not isinstance(table, dict):
        remedy = "give a table [limits] of names and numbers; what --limits takes goes under rates"
        raise SettingsError(table_label, str(table), remedy)
    if not isinstance(flags, list | tuple):
        raise SettingsError(row.flag, str(flags), f"give {row.expects}")
    named: list[tuple[str, str, object]] = [(table_label, name, value) for name, value in table.items()]
    named += [(row.flag, name, _number(text)) for name, _, text in (str(flag).partition("=") for flag in flags)]
    values: dict[str, int | float] = {}
    for label, name, value in named:
        if name not in LIMITS:
            close = [f"--limits {name}"] if name in NAMED_RATES else difflib.get_close_matches(name, LIMITS, n=1)
            remedy = f"did you mean {close[0]}?" if close else "the names are under Limits in docs/settings.md"
            raise SettingsError(label, name, f"there is no such limit; {remedy} Give {row.expects}")
        try:
            values[name] = msgspec.convert(value, LIMITS[name].annotation)
        except msgspec.ValidationError as error:
            problem = str(error).replace("`", "")
            raise SettingsError(label, f"{name}={value}", f"{problem}; give {row.expects}") from error
    return Limits(**values)  # type: ignore[arg-type]  # each converted to its field's type


def _number(text: str) -> object:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _check_together(settings: ServeSettings, labels: Mapping[str, str]) -> None:
    """Check what no field can tell alone, and what msgspec has no limit for."""
    if settings.seed > SEED_MAX:
        raise SettingsError(labels["seed"], settings.seed, f"give {OPTIONS['seed'].expects}")
    if settings.tls_cert is not None and settings.tls_key is None:
        raise SettingsError(labels["tls_cert"], str(settings.tls_cert), "give its private key too, with --tls-key")
    if settings.tls_key is not None and settings.tls_cert is None:
        raise SettingsError(labels["tls_key"], str(settings.tls_key), "give its certificate too, with --tls-cert")
    if not is_loopback(settings.control_host) and settings.control_token is None:
        remedy = "others could steer the simulator; stay with 127.0.0.1, or set --control-token"
        raise SettingsError(labels["control_host"], settings.control_host, remedy)
    if settings.faults or settings.faults_file is not None:
        from simulator.faults_given import faults_given  # Here, since most simulators start without.

        faults_given(settings.faults, settings.faults_file, labels["faults"], labels["faults_file"])
    if settings.workers > 1:
        _check_workers(settings, labels)
    taken: dict[int, str] = {}
    for name in ("port", "cleartext_port", "control_port"):
        port: int | None = getattr(settings, name)
        if port in taken:
            raise SettingsError(labels[name], port, f"{taken[port]} has it already; give another, or 0 for a free one")
        if port:
            taken[port] = labels[name]


def _check_workers(settings: ServeSettings, labels: Mapping[str, str]) -> None:
    if not CAN_HAVE_WORKERS:
        remedy = "this system cannot hand connections from process to process; leave it at 1"
        raise SettingsError(labels["workers"], settings.workers, remedy)
    if settings.scenario is not None:
        remedy = f"a scenario is played by one process; leave --workers at 1, not {settings.workers}"
        raise SettingsError(labels["scenario"], settings.scenario, remedy)
