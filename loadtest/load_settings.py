"""The options of a load test, checked: one record, made from Locust's arguments, its web form, or a master's message."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loadtest.errors import LoadSettingsError
from sender.apns.provider_token import ProviderTokenSource
from sender.errors import SenderConfigurationError
from sender.pool import CONNECTIONS_MAX, Endpoint
from sender.template import Template, TemplateError
from sender.template import compile as compile_template
from simulator.devices.token_space import COUNT_MAX, Environment, Population, parse_fates

DEVICES_DEFAULT = 100_000
SEED_DEFAULT = 1
TOPIC_DEFAULT = "com.example.app"
BATCH_SIZE_DEFAULT = 1_000
BATCH_SIZE_MAX = 1_000_000


class Options(Protocol):
    """The arguments as Locust parsed them; from its web form numbers may come as text."""

    devices: int
    seed: int
    topic: str
    apns_environment: str
    fate: str
    start_index: int
    batch_size: int
    connections_per_user: int
    notifications_rate: float
    payload: str | None
    key_file: str | None
    key_id: str | None
    team_id: str | None


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """What a load test sends, and where to. `population` ends where the test does; it starts at `start_index`.

    `rate_per_s`: of notifications, all users together; 0 for no limit. `template`: None for a short payload of our own
    that differs for each device. `ca_file`: None for the roots that OpenSSL finds.
    """

    population: Population
    start_index: int
    batch_size: int
    connections_per_user: int
    rate_per_s: float
    template: Template | None
    endpoint: Endpoint
    key_file: Path
    key_id: str
    team_id: str
    ca_file: Path | None

    @property
    def devices(self) -> int:
        """How many notifications the campaign has."""
        return self.population.count - self.start_index

    def provider_token(self) -> ProviderTokenSource:
        """A new source of provider tokens. Raises LoadSettingsError."""
        try:
            return ProviderTokenSource.from_file(self.key_file, self.key_id, self.team_id)
        except SenderConfigurationError as error:
            raise LoadSettingsError("--key-file, --key-id, --team-id", str(error)) from None


def settings_of(options: Options, host: str | None, environ: Mapping[str, str]) -> LoadSettings:
    """Check the options. `host`: of Locust, else `PUSHRIG_URL` of `environ`. Raises LoadSettingsError for the first bad one."""
    devices = _whole("--devices", options.devices, 1, COUNT_MAX)
    start_index = _whole("--start-index", options.start_index, 0, COUNT_MAX - devices)
    endpoint = _endpoint(host or environ.get("PUSHRIG_URL", ""))
    settings = LoadSettings(
        population=_population(options, start_index + devices),
        start_index=start_index,
        batch_size=_whole("--batch-size", options.batch_size, 1, BATCH_SIZE_MAX),
        connections_per_user=_whole("--connections-per-user", options.connections_per_user, 1, CONNECTIONS_MAX),
        rate_per_s=_rate(options.notifications_rate),
        template=_template(options.payload),
        endpoint=endpoint,
        key_file=Path(_required("--key-file", options.key_file, "APNS_KEY_FILE")),
        key_id=_required("--key-id", options.key_id, "APNS_KEY_ID"),
        team_id=_required("--team-id", options.team_id, "APNS_TEAM_ID"),
        ca_file=_ca_file(environ.get("SSL_CERT_FILE")),
    )
    settings.provider_token()
    return settings


def _whole(option: str, value: int, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise LoadSettingsError(option, f"{value!r} is no whole number") from None
    if not low <= number <= high:
        raise LoadSettingsError(option, f"must be from {low} to {high}, not {number}")
    return number


def _rate(value: float) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise LoadSettingsError("--notifications-rate", f"must be a number from 0 (no limit) upwards, not {value!r}")
    return rate


def _population(options: Options, count: int) -> Population:
    seed = _whole("--seed", options.seed, 0, 2**64 - 1)
    fates = [each.strip() for each in options.fate.split(",") if each.strip()]
    try:
        shares = parse_fates(fates)
    except ValueError as error:
        raise LoadSettingsError("--fate", str(error)) from None
    try:
        environment = Environment[options.apns_environment.upper()]
    except KeyError:
        raise LoadSettingsError(
            "--apns-environment", f"must be production or sandbox, not {options.apns_environment!r}"
        ) from None
    try:
        return Population(seed, count, options.topic, environment, shares)
    except ValueError as error:
        raise LoadSettingsError("--topic", str(error)) from None


def _endpoint(url: str) -> Endpoint:
    if not url:
        raise LoadSettingsError("--host", "say where to send, such as https://localhost:8443, or set PUSHRIG_URL")
    try:
        return Endpoint.parse(url)
    except SenderConfigurationError as error:
        raise LoadSettingsError("--host", str(error)) from None


def _template(name: str | None) -> Template | None:
    if not name:
        return None
    try:
        return compile_template(Path(name).read_bytes())
    except OSError as error:
        raise LoadSettingsError("--payload", f"cannot read {name}: {error.strerror}") from None
    except TemplateError as error:
        raise LoadSettingsError("--payload", f"{name}: {error}") from None


def _required(option: str, value: str | None, variable: str) -> str:
    if not value:
        raise LoadSettingsError(
            option, f'is missing; set {variable}, as `eval "$(pushrig env)"` does for a running simulator'
        )
    return value


def _ca_file(name: str | None) -> Path | None:
    # OpenSSL passes over a file that is not there, and then trusts nobody.
    if not name:
        return None
    if not Path(name).is_file():
        raise LoadSettingsError("SSL_CERT_FILE", f"there is no file {name}")
    return Path(name)
