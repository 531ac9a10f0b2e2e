"""Whose devices a load test sends to: the options that name a population, checked, for Locust and `pushrig load` alike."""

from dataclasses import dataclass
from enum import StrEnum

from loadtest.errors import LoadSettingsError
from simulator.devices.draws import Devices, FateShares, parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import FCM_SHARE_DEFAULT, MixedPopulation
from simulator.devices.registration_space import REGISTRATION_SEED_MAX, RegistrationPopulation
from simulator.devices.token_space import SEED_MAX, Environment, Population


class ProviderName(StrEnum):
    """Whose devices a population has."""

    APNS = "apns"
    FCM = "fcm"
    BOTH = "both"


PROVIDERS = {
    ProviderName.APNS.value: (Provider.APNS,),
    ProviderName.FCM.value: (Provider.FCM,),
    ProviderName.BOTH.value: (Provider.APNS, Provider.FCM),
}
"""Which providers take part, by the value of `--provider`."""


@dataclass(frozen=True, slots=True)
class LoadPopulation:
    """The options. `provider`: a key of `PROVIDERS`. `fates`: NAME=SHARE each. `environment`: of APNs tokens."""

    provider: str
    seed: int
    count: int
    topic: str
    environment: Environment = Environment.PRODUCTION
    fates: tuple[str, ...] = ()
    fcm_share: float = FCM_SHARE_DEFAULT
    ios_share: float = 0.0


def population_of(options: LoadPopulation) -> Devices:
    """The population of these options. Raises LoadSettingsError for the first bad one."""
    providers = PROVIDERS[options.provider]
    try:
        fates = parse_fates(options.fates, providers)
    except ValueError as error:
        raise LoadSettingsError("--fate", str(error)) from None
    seed_max = REGISTRATION_SEED_MAX if Provider.FCM in providers else SEED_MAX
    if not 0 <= options.seed <= seed_max:
        raise LoadSettingsError("--seed", f"must be from 0 to {seed_max}, not {options.seed}")
    for option, share in (("--fcm-share", options.fcm_share), ("--ios", options.ios_share)):
        if not 0 <= share <= 1:  # also what is no number
            raise LoadSettingsError(option, f"must be a share from 0 to 1, not {share:g}")
    try:
        return _made(options, fates)
    except ValueError as error:
        raise LoadSettingsError("--topic", str(error)) from None


def _made(options: LoadPopulation, fates: FateShares) -> Devices:
    seed, count, topic = options.seed, options.count, options.topic
    match options.provider:
        case ProviderName.FCM:
            return RegistrationPopulation(seed, count, topic, fates, options.ios_share)
        case ProviderName.BOTH:
            return MixedPopulation(seed, count, topic, options.environment, fates, options.ios_share, options.fcm_share)
        case _:
            return Population(seed, count, topic, options.environment, fates)


def outside_ledger(population: Devices, start_index: int) -> int:
    """How many devices from `start_index` on have tokens that no ledger can know: their text is damaged."""
    if all(fate is not Fate.INVALID_SHAPE for fate, _ in population.fates):
        return 0
    return population.fate_counts(start_index)[Fate.INVALID_SHAPE]
