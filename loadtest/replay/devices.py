"""The devices of a scenario, and the files that the sender is told of them with."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from loadtest.replay.history import device_key
from loadtest.replay.scenario import Scenario
from simulator.devices.draws import Devices
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Environment, Population


class Device(NamedTuple):
    """One device. `fate`: what is sealed into its token."""

    token: str
    registered_at_ms: int
    fate: Fate


def devices_of(scenario: Scenario, provider: str) -> dict[str, Device]:
    """The devices that a scenario has with one provider, by `device_key`. Raises `ValueError` for what cannot be minted."""
    minted = _population(scenario, Provider(provider)).mint_range()
    return {device_key(provider, each.token): Device(each.token, each.registered_at_ms, each.fate) for each in minted}


def _population(scenario: Scenario, provider: Provider) -> Devices:
    """A fate that the provider does not know is none of its devices'."""
    asked = scenario.population
    named = [(Fate.of_name(name), share) for name, share in asked.fates.items()]
    fates = tuple((fate, share) for fate, share in named if provider in fate.providers)
    if provider is Provider.FCM:
        return RegistrationPopulation(scenario.seed, asked.devices, asked.topic, fates, asked.ios)
    return Population(scenario.seed, asked.devices, asked.topic, Environment.PRODUCTION, fates)


def write_tokens(path: Path, devices: Sequence[Device]) -> None:
    """One token a line."""
    path.write_text("".join(f"{device.token}\n" for device in devices), encoding="utf-8")


def write_devices(path: Path, devices: Sequence[Device]) -> None:
    """CSV with a header: token, registered_at_ms."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("token", "registered_at_ms"))
        writer.writerows((device.token, device.registered_at_ms) for device in devices)
