"""The people behind the devices of a population, and the rows that a device store imports.

Names come from Faker, some 0.02 s a locale, so a bounded pool of people is drawn once for each seed and shared by the
devices. Who holds which device hangs on the seed and the device's index alone (and on Faker's version, which may change
its names): two processes that mint parts of one population agree.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from sender.store.records import DeviceRow
from simulator.devices.draws import Devices
from simulator.devices.fates import Provider

PEOPLE_MAX = 512
POOLS_CACHED_MAX = 4  # Pools of people kept for the seeds last used, some 3 MB each.


class Attributes(NamedTuple):
    """What a campaign may choose or address a device by. Field names are the attribute names, in column order."""

    name: str
    locale: str
    time_zone: str
    country: str
    app_version: str


class Place(NamedTuple):
    """Where some of the people live: Faker's locale, ISO 3166 country, IANA time zones."""

    locale: str
    country: str
    time_zones: tuple[str, ...]


PLACES = (
    Place("en_US", "US", ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")),
    Place("en_GB", "GB", ("Europe/London",)),
    Place("en_IN", "IN", ("Asia/Kolkata",)),
    Place("en_AU", "AU", ("Australia/Sydney", "Australia/Perth", "Australia/Adelaide")),
    Place("de_DE", "DE", ("Europe/Berlin",)),
    Place("fr_FR", "FR", ("Europe/Paris",)),
    Place("es_ES", "ES", ("Europe/Madrid", "Atlantic/Canary")),
    Place("es_MX", "MX", ("America/Mexico_City", "America/Tijuana")),
    Place("pt_BR", "BR", ("America/Sao_Paulo", "America/Manaus")),
    Place("it_IT", "IT", ("Europe/Rome",)),
    Place("nl_NL", "NL", ("Europe/Amsterdam",)),
    Place("pl_PL", "PL", ("Europe/Warsaw",)),
    Place("tr_TR", "TR", ("Europe/Istanbul",)),
    Place("uk_UA", "UA", ("Europe/Kyiv",)),
    Place("ja_JP", "JP", ("Asia/Tokyo",)),
    Place("ko_KR", "KR", ("Asia/Seoul",)),
)

# Versions of the app, with how many of sixteen devices run each: most have updated, some never do.
APP_VERSIONS = (("5.2.0", 8), ("5.1.3", 4), ("5.0.1", 2), ("4.9.0", 1), ("3.14.2", 1))


class People(NamedTuple):
    """The pool of a seed. A device's attributes stand at its `Minted.person` modulo the length, in both forms."""

    attributes: tuple[Attributes, ...]
    encoded: tuple[bytes, ...]
    """The same, each a JSON object on one line."""


@lru_cache(maxsize=POOLS_CACHED_MAX)
def people_of(seed: int) -> People:
    """Draw the people of a population: `PEOPLE_MAX` names over all places, each with every version of the app."""
    from faker import Faker  # Imported here: 0.15 s that most commands need not spend.

    attributes: list[Attributes] = []
    people_per_place = PEOPLE_MAX // len(PLACES)
    for number, place in enumerate(PLACES):
        faker = Faker(place.locale)
        faker.seed_instance(seed * len(PLACES) + number)
        for _ in range(people_per_place):
            name = faker.name()
            time_zone = faker.random_element(place.time_zones)
            for app_version, devices in APP_VERSIONS:
                person = Attributes(name, place.locale, time_zone, place.country, app_version)
                attributes.extend([person] * devices)
    encode = msgspec.json.Encoder().encode
    return People(tuple(attributes), tuple(encode(person._asdict()) for person in attributes))


def rows(population: Devices, start: int = 0, stop: int | None = None) -> Iterator[DeviceRow]:
    """The device rows from index `start` to before `stop` (default: all), attributes as encoded JSON objects.

    Raises `ValueError` when the range leaves the population.
    """
    encoded = people_of(population.seed).encoded
    topic, people, new = population.topic, len(encoded), tuple.__new__
    minted, providers = population.mint_range(start, stop), population.providers(start, stop)
    fcm, name_of_fcm, name_of_apns = Provider.FCM, Provider.FCM.value, Provider.APNS.value
    for (token, registered_at_ms, _, person), provider in zip(minted, providers, strict=True):
        # Reading an enum's value for each device takes ten times as long.
        name = name_of_fcm if provider is fcm else name_of_apns
        yield new(DeviceRow, (token, name, topic, registered_at_ms, encoded[person % people]))


def cells(population: Devices, start: int = 0, stop: int | None = None) -> Iterator[tuple[str | int, ...]]:
    """The same rows flat, for tables: the columns of `COLUMNS`. Raises as `rows` does."""
    attributes = people_of(population.seed).attributes
    topic, people = population.topic, len(attributes)
    minted, providers = population.mint_range(start, stop), population.providers(start, stop)
    fcm, name_of_fcm, name_of_apns = Provider.FCM, Provider.FCM.value, Provider.APNS.value
    for (token, registered_at_ms, _, person), provider in zip(minted, providers, strict=True):
        name = name_of_fcm if provider is fcm else name_of_apns
        yield (token, name, topic, registered_at_ms, *attributes[person % people])


COLUMNS = (*DeviceRow._fields[:4], *Attributes._fields)
