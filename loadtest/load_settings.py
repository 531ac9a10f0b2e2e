"""The options of a load test, checked: one record, made from Locust's arguments, its web form, or a master's message."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from loadtest.arrivals import smooth_batch_size
from loadtest.errors import LoadSettingsError
from loadtest.load_population import PROVIDERS, LoadPopulation, population_of
from loadtest.profile_text import HALF_CEILING, MAX, ProfileError, read_profile
from loadtest.profiles import COUNT_TOLERANCE, Curve, Profile, capacity, instant_of
from sender.apns.provider_token import ProviderTokenSource
from sender.errors import SenderConfigurationError
from sender.fcm.message_template import MessageTemplate
from sender.fcm.message_template import compile as compile_message
from sender.fcm.service_account import ServiceAccount
from sender.pool import CONNECTIONS_MAX, Endpoint
from sender.template import Template
from sender.template import compile as compile_template
from simulator.devices.draws import COUNT_MAX, Devices
from simulator.devices.fates import Provider
from simulator.devices.token_space import Environment

DEVICES_DEFAULT = 100_000
SEED_DEFAULT = 1
TOPIC_DEFAULT = "com.example.app"
BATCH_SIZE_DEFAULT = 1_000  # in a closed loop
BATCH_SIZE_MAX = 1_000_000
CONNECTIONS_PER_USER_DEFAULT = 1


class Arrivals(StrEnum):
    """How the batches of a profile are scheduled."""

    CONSTANT = "constant"
    POISSON = "poisson"


ARRIVALS = tuple(each.value for each in Arrivals)
"""The values of `--arrivals`."""

# FCM takes 100 requests at a time on one connection, where APNs's window has room for some 500 small ones: a user has as many
# in flight to either.
FCM_CONNECTIONS_FACTOR = 5


def connections_to(provider: Provider, connections_per_user: int) -> int:
    """How many connections a user keeps to a provider: to FCM more than asked for, as far as a pool may have them."""
    factor = FCM_CONNECTIONS_FACTOR if provider is Provider.FCM else 1
    return min(CONNECTIONS_MAX, connections_per_user * factor)


class Options(Protocol):
    """The arguments as Locust parsed them; from its web form numbers may come as text."""

    provider: str
    devices: int
    seed: int
    topic: str
    apns_environment: str
    fate: str
    fcm_share: float
    ios: float
    start_index: int
    batch_size: int
    connections_per_user: int
    notifications_rate: float
    load_profile: str
    arrivals: str
    ceiling: float
    batches_file: str | None
    payload: str | None
    message: str | None
    key_file: str | None
    key_id: str | None
    team_id: str | None
    service_account: str | None


@dataclass(frozen=True, slots=True)
class ApnsSettings:
    """What it takes to send over APNs. `template`: None for a short payload of our own that differs for each device."""

    key_file: Path
    key_id: str
    team_id: str
    template: Template | None

    def provider_token(self) -> ProviderTokenSource:
        """A new source of provider tokens. Raises LoadSettingsError."""
        try:
            return ProviderTokenSource.from_file(self.key_file, self.key_id, self.team_id)
        except SenderConfigurationError as error:
            raise LoadSettingsError("--key-file, --key-id, --team-id", str(error)) from None


@dataclass(frozen=True, slots=True)
class FcmSettings:
    """What it takes to send over FCM. `template`: None for a short message of our own."""

    account: ServiceAccount
    template: MessageTemplate | None


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """What a load test sends, and where to. `population` ends where the test does; it starts at `start_index`.

    `apns`, `fcm`: None for a provider that takes no part. `profile`: what is scheduled when, all users together; None for a
    closed loop, in which each user sends as fast as it is answered. `poisson`: batches come by chance. `batches_file`:
    where each batch of a profile gets a line, None for nowhere. `ca_file`: None for the roots that OpenSSL finds.
    """

    population: Devices
    start_index: int
    batch_size: int
    connections_per_user: int
    profile: Profile | None
    poisson: bool
    batches_file: Path | None
    endpoint: Endpoint
    apns: ApnsSettings | None
    fcm: FcmSettings | None
    ca_file: Path | None

    @property
    def devices(self) -> int:
        """How many notifications the campaign has."""
        return self.population.count - self.start_index


def settings_of(options: Options, host: str | None, environ: Mapping[str, str]) -> LoadSettings:
    """Check the options. `host`: of Locust, else `PUSHRIG_URL` of `environ`. Raises LoadSettingsError for the first bad one."""
    devices = _whole("--devices", options.devices, 1, COUNT_MAX)
    start_index = _whole("--start-index", options.start_index, 0, COUNT_MAX - devices)
    endpoint = _endpoint(host or environ.get("PUSHRIG_URL", ""))
    if options.provider not in PROVIDERS:
        raise LoadSettingsError("--provider", f"must be one of {', '.join(PROVIDERS)}, not {options.provider!r}")
    providers = PROVIDERS[options.provider]
    profile = profile_of(options.load_profile, _rate(options.notifications_rate), _ceiling(options.ceiling), devices)
    if options.arrivals not in ARRIVALS:
        raise LoadSettingsError("--arrivals", f"must be one of {', '.join(ARRIVALS)}, not {options.arrivals!r}")
    return LoadSettings(
        population=_population(options, start_index + devices),
        start_index=start_index,
        batch_size=_whole("--batch-size", options.batch_size, 0, BATCH_SIZE_MAX) or batch_size_of(profile, devices),
        connections_per_user=_whole("--connections-per-user", options.connections_per_user, 1, CONNECTIONS_MAX),
        profile=profile,
        poisson=options.arrivals == Arrivals.POISSON,
        batches_file=Path(options.batches_file) if options.batches_file else None,
        endpoint=endpoint,
        apns=_apns(options) if Provider.APNS in providers else None,
        fcm=_fcm(options) if Provider.FCM in providers else None,
        ca_file=_ca_file(environ.get("SSL_CERT_FILE")),
    )


def profile_of(text: str, rate_per_s: float, ceiling_per_s: float | None, devices: int) -> Profile | None:
    """What is scheduled; None for a closed loop. Raises LoadSettingsError.

    `text`: as in `profile_text`; "" for the default. `rate_per_s`: unless 0, short for that steady rate. `ceiling_per_s`: what
    100 % stands for.
    """
    try:
        profile = read_profile(text or (MAX if rate_per_s else default_profile(ceiling_per_s)), ceiling_per_s)
    except ProfileError as error:
        raise LoadSettingsError("--load-profile", str(error)) from None
    if rate_per_s:
        if profile is not None:
            raise LoadSettingsError("--notifications-rate", "goes without --load-profile, which says the rate")
        profile = Curve([(0, rate_per_s)])
    if profile is not None and instant_of(profile, devices) is None:
        scheduled = int(capacity(profile) + COUNT_TOLERANCE)
        raise LoadSettingsError(
            "--load-profile",
            f"{text or HALF_CEILING!r} schedules {scheduled:,} notifications in all, and there are {devices:,} devices: "
            f"give --devices {scheduled}, or a profile that goes on (without for=)",
        )
    return profile


def default_profile(ceiling_per_s: float | None) -> str:
    """The profile where none is given: half of what the simulator can answer; where that is not known, what it does answer."""
    return MAX if ceiling_per_s is None else HALF_CEILING


def batch_size_of(profile: Profile | None, devices: int) -> int:
    """The size of batches where none is given."""
    return BATCH_SIZE_DEFAULT if profile is None else smooth_batch_size(profile, devices)


def _ceiling(value: float) -> float | None:
    ceiling = _float(value)
    if not 0 <= ceiling < math.inf:
        raise LoadSettingsError("--ceiling", f"must be a number from 0 (unknown) upwards, not {value!r}")
    return ceiling or None


def _apns(options: Options) -> ApnsSettings:
    settings = ApnsSettings(
        template=_template(options.payload),
        key_file=Path(_required("--key-file", options.key_file, "APNS_KEY_FILE")),
        key_id=_required("--key-id", options.key_id, "APNS_KEY_ID"),
        team_id=_required("--team-id", options.team_id, "APNS_TEAM_ID"),
    )
    settings.provider_token()
    return settings


def _fcm(options: Options) -> FcmSettings:
    template = _message(options.message)
    file = _required("--service-account", options.service_account, "GOOGLE_APPLICATION_CREDENTIALS")
    try:
        return FcmSettings(ServiceAccount.from_file(Path(file)), template)
    except SenderConfigurationError as error:
        raise LoadSettingsError("--service-account", str(error)) from None


def _whole(option: str, value: int, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise LoadSettingsError(option, f"{value!r} is no whole number") from None
    if not low <= number <= high:
        raise LoadSettingsError(option, f"must be from {low} to {high}, not {number}")
    return number


def _rate(value: float) -> float:
    rate = _float(value)
    if not 0 <= rate < math.inf:
        raise LoadSettingsError("--notifications-rate", f"must be a number from 0 (no limit) upwards, not {value!r}")
    return rate


def _float(value: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _population(options: Options, count: int) -> Devices:
    try:
        environment = Environment[options.apns_environment.upper()]
    except KeyError:
        raise LoadSettingsError(
            "--apns-environment", f"must be production or sandbox, not {options.apns_environment!r}"
        ) from None
    return population_of(
        LoadPopulation(
            provider=options.provider,
            seed=_whole("--seed", options.seed, 0, 2**64 - 1),
            count=count,
            topic=options.topic,
            environment=environment,
            fates=tuple(each.strip() for each in options.fate.split(",") if each.strip()),
            fcm_share=_float(options.fcm_share),
            ios_share=_float(options.ios),
        )
    )


def _endpoint(url: str) -> Endpoint:
    if not url:
        raise LoadSettingsError("--host", "say where to send, such as https://localhost:8443, or set PUSHRIG_URL")
    try:
        return Endpoint.parse(url)
    except SenderConfigurationError as error:
        raise LoadSettingsError("--host", str(error)) from None


def _template(name: str | None) -> Template | None:
    content = _content("--payload", name)
    try:
        return None if content is None else compile_template(content)
    except SenderConfigurationError as error:
        raise LoadSettingsError("--payload", f"{name}: {error}") from None


def _message(name: str | None) -> MessageTemplate | None:
    content = _content("--message", name)
    try:
        return None if content is None else compile_message(content)
    except SenderConfigurationError as error:
        raise LoadSettingsError("--message", f"{name}: {error}") from None


def _content(option: str, name: str | None) -> bytes | None:
    if not name:
        return None
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise LoadSettingsError(option, f"cannot read {name}: {error.strerror}") from None


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
