"""Claims about the people behind the devices, and the rows they make."""

import json
import os
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.population import APP_VERSIONS, COLUMNS, PEOPLE_MAX, PLACES, POOLS_CACHED_MAX, cells, people_of, rows
from simulator.devices.draws import Devices, parse_fates
from simulator.devices.fates import Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.registration_space import RegistrationPopulation, unseal_registration
from simulator.devices.token_space import Population, unseal

POPULATION = Population(
    seed=7, count=10_000, topic="com.example.app", fates=parse_fates(["unregistered=0.1", "wrong-topic=0.1"])
)


@settings(deadline=None)  # The first example draws the people.
@given(st.integers(0, 9_950), st.integers(0, 50))
def test_rows_carry_the_devices_minted_in_order(start: int, length: int) -> None:
    minted = list(POPULATION.mint_range(start, start + length))
    devices = list(rows(POPULATION, start, start + length))
    assert [(device.token, device.registered_at_ms) for device in devices] == [
        (each.token, each.registered_at_ms) for each in minted
    ]
    assert {(device.provider, device.topic) for device in devices} <= {("apns", "com.example.app")}


MIXED = MixedPopulation(7, 500, "com.example.app", fates=parse_fates(["stale=0.1"], Provider), ios_share=0.2)


def test_rows_name_the_provider_whose_token_they_hold() -> None:
    assert {device.provider for device in rows(RegistrationPopulation(7, 50, "com.example.app"))} == {"fcm"}
    providers = [device.provider for device in rows(MIXED)]
    assert set(providers) == {"apns", "fcm"}
    for index, device in enumerate(rows(MIXED)):
        read = unseal if device.provider == "apns" else unseal_registration
        sealed = read(device.token.encode())
        assert sealed is not None and sealed.index == index


def test_a_device_has_the_same_person_whosever_its_token_is() -> None:
    both = zip(rows(POPULATION, 0, 500), rows(MIXED), strict=True)
    assert all(one.attributes == other.attributes for one, other in both)


@pytest.mark.parametrize("population", [POPULATION, MIXED])
def test_cells_are_the_rows_laid_flat(population: Devices) -> None:
    for device, line in zip(rows(population, 0, 500), cells(population, 0, 500), strict=True):
        assert isinstance(device.attributes, bytes)
        by_column = dict(zip(COLUMNS, line, strict=True))
        assert by_column == {
            "token": device.token,
            "provider": device.provider,
            "topic": device.topic,
            "registered_at_ms": device.registered_at_ms,
            **json.loads(device.attributes),
        }


def test_a_device_keeps_its_person_however_the_range_is_cut() -> None:
    assert [*rows(POPULATION, 0, 33), *rows(POPULATION, 33, 100)] == list(rows(POPULATION, 0, 100))


def test_attributes_are_encoded_on_one_line() -> None:
    assert not any(b"\n" in encoded for encoded in people_of(7).encoded)


def test_people_are_bounded_and_come_from_every_place() -> None:
    people = people_of(7).attributes
    assert len({(person.name, person.locale, person.time_zone) for person in people}) <= PEOPLE_MAX
    assert {(person.locale, person.country) for person in people} == {(place.locale, place.country) for place in PLACES}
    assert {person.app_version for person in people} == {version for version, _ in APP_VERSIONS}


def test_people_per_place_and_versions_divide_evenly_so_that_none_is_left_out() -> None:
    assert PEOPLE_MAX % len(PLACES) == 0
    assert len(people_of(7).attributes) == PEOPLE_MAX * sum(devices for _, devices in APP_VERSIONS)


def test_time_zones_exist() -> None:
    known = zoneinfo.available_timezones()
    if not known:
        pytest.skip("this machine has no time zone data")
    assert {zone for place in PLACES for zone in place.time_zones} <= known


def test_another_seed_has_other_people() -> None:
    assert people_of(7) != people_of(8)


def test_pools_of_the_seeds_last_used_are_kept_and_no_more() -> None:
    assert people_of.cache_info().maxsize == POOLS_CACHED_MAX
    for seed in range(100, 100 + POOLS_CACHED_MAX + 1):
        people_of(seed)
    assert people_of.cache_info().currsize == POOLS_CACHED_MAX


def test_people_are_the_same_in_every_process() -> None:
    program = (
        "from loadtest.population import *\n"
        "from simulator.devices.token_space import Population\n"
        "for device in rows(Population(seed=7, count=100, topic='com.example.app')): print(device)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
        ).stdout
        for hash_seed in ("0", "4242")
    }
    here = Population(seed=7, count=100, topic="com.example.app")
    assert printed == {"".join(f"{device}\n" for device in rows(here))}


def test_the_last_indices_have_people_too() -> None:
    edge = Population(seed=2**64 - 1, count=2**40, topic="com.example.app")
    last = list(rows(edge, 2**40 - 2))
    assert [sealed.index for device in last if (sealed := unseal(device.token.encode()))] == [2**40 - 2, 2**40 - 1]


def test_a_range_that_leaves_the_population_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves this population"):
        list(rows(POPULATION, 0, 10_001))
    with pytest.raises(ValueError, match="leaves this population"):
        list(cells(POPULATION, -1, 10))
