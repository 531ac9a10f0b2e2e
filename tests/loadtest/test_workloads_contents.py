"""What workloads send, and to whom: payloads of the sizes asked for, devices of which more and more are gone. Pure."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import LoadSettingsError
from loadtest.source import PopulationSource
from loadtest.workloads.dying_devices import uninstall_wave, with_dead
from loadtest.workloads.payload_sizes import (
    BYTES_MAX,
    BYTES_MIN,
    SIZES_MAX,
    PayloadSizes,
    padded_message,
    padded_payload,
    padding_of,
)
from sender.store.records import Due
from simulator.devices.draws import Devices, parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Population

APP = "com.example.app"


@given(st.integers(0, 2**40), st.integers(BYTES_MIN, BYTES_MAX), st.integers(BYTES_MIN, BYTES_MAX))
def test_a_payload_of_apns_has_exactly_the_size_of_its_device(index: int, one: int, other: int) -> None:
    sizes = PayloadSizes(f"{min(one, other)}..{max(one, other)}")
    payload = padded_payload().render(padding_of(sizes, Provider.APNS)(index, 0))
    assert isinstance(payload, bytes)
    assert min(one, other) <= len(payload) == sizes.of(index) <= max(one, other)
    assert msgspec.json.decode(payload)["aps"]["alert"]["title"]


@given(st.integers(0, 2**40), st.integers(BYTES_MIN, BYTES_MAX))
def test_a_message_of_fcm_has_it_in_what_fcm_counts(index: int, size: int) -> None:
    attributes = padding_of(PayloadSizes(str(size)), Provider.FCM)(index, 0)
    body = padded_message().bodies(1)(Due(index, "token", 0, 0, attributes))
    assert isinstance(body, bytes)
    message = msgspec.json.decode(body)["message"]
    assert len(msgspec.json.encode({name: message[name] for name in ("notification", "data")})) == size


def test_sizes_come_in_the_shares_asked_for_from_any_index_on() -> None:
    sizes = PayloadSizes("300=0.8, 1000..2000=0.15, max=0.05")
    drawn = Counter(min(sizes.of(index) // 1000, 4) for index in range(123_456, 133_456))
    assert drawn[0] == pytest.approx(8_000, abs=20)
    assert drawn[1] + drawn[2] == pytest.approx(1_500, abs=20)
    assert drawn[4] == pytest.approx(500, abs=20)
    within = sorted(size for index in range(10_000) if 1000 <= (size := sizes.of(index)) <= 2000)
    assert within[len(within) // 2] == pytest.approx(1_500, abs=20)
    assert (within[0], within[-1]) == (1_000, 2_000)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot read ''"),
        ("0x10", "cannot read '0x10'"),
        ("300,400", "cannot read '300'"),
        ("300=1", "cannot read '300=1'"),
        ("300=0.5,400=0.4", "the shares sum to 0.9"),
        ("300=0,400=1", "'300=0': a share is above 0"),
        (f"{BYTES_MIN - 1}", f"sizes are from {BYTES_MIN} to {BYTES_MAX} bytes"),
        (f"300..{BYTES_MAX + 1}", f"sizes are from {BYTES_MIN} to {BYTES_MAX} bytes"),
        ("400..300", "the least one first"),
        (",".join(["300=0.01"] * (SIZES_MAX + 1)), f"{SIZES_MAX + 1} sizes: give at most {SIZES_MAX}"),
    ],
)
def test_sizes_that_cannot_be_used_are_explained(text: str, says: str) -> None:
    with pytest.raises(LoadSettingsError, match="--payload-bytes") as caught:
        PayloadSizes(text)
    assert says in caught.value.problem


def populations(count: int) -> list[Devices]:
    apns = parse_fates(["expired=0.05", "unregistered=0.05"], (Provider.APNS,))
    fcm = parse_fates(["stale=0.05", "unregistered=0.05"], (Provider.FCM,))
    both = parse_fates(["stale=0.05", "expired=0.05", "unregistered=0.05"], Provider)
    return [
        Population(3, count, APP, fates=apns),
        RegistrationPopulation(3, count, APP, fates=fcm),
        MixedPopulation(3, count, APP, fates=both),
    ]


@pytest.mark.parametrize("population", populations(20_000))
def test_the_share_of_dead_devices_grows_in_a_wave(population: Devices) -> None:
    wave = uninstall_wave(population, 10_000, 0.0, 0.4)
    minted = list(wave.mint_range(10_000, 20_000))
    dead = [
        sum(each.fate is Fate.UNREGISTERED for each in minted[start : start + 2_000])
        for start in range(0, 10_000, 2_000)
    ]
    assert dead == sorted(dead)
    assert dead[0] == pytest.approx(2_000 * (0.05 + 0.04), abs=60)
    assert dead[-1] == pytest.approx(2_000 * (0.05 + 0.36), abs=90)
    counted = Counter(each.fate for each in minted)
    assert {fate: count for fate, count in wave.fate_counts(10_000).items() if count} == counted
    # Everybody else is who they are without it, token and all.
    for before, after in zip(population.mint_range(10_000), minted, strict=True):
        assert after == before or (before.fate, after.fate) == (Fate.ACTIVE, Fate.UNREGISTERED)
    assert list(wave.providers(10_000)) == list(population.providers(10_000))
    assert wave.mint(12_345) == minted[2_345]


def test_a_wave_over_both_providers_gives_each_its_own_devices() -> None:
    population = populations(3_000)[2]
    wave = uninstall_wave(population, 0, 0.0, 0.4)
    found: dict[int, str] = {}
    for provider in Provider:
        source = PopulationSource(wave, provider=provider)
        while not (exchange := source.exchange([], 500, 0)).exhausted or exchange.due:
            found.update({due.device_id: due.token for due in exchange.due})
    assert found == {index: each.token for index, each in enumerate(wave.mint_range())}


def test_whoever_is_dead_stays_dead_as_more_die() -> None:
    population = Population(5, 5_000, APP, fates=parse_fates(["expired=0.1", "unregistered=0.1"], (Provider.APNS,)))
    before = set[int]()
    for share in (0.0, 0.05, 0.1, 0.5):
        later = with_dead(population, share, "--uninstalls")
        dead = {index for index, each in enumerate(later.mint_range()) if each.fate is Fate.UNREGISTERED}
        assert before <= dead
        assert len(dead) == pytest.approx(5_000 * (0.1 + share), abs=120)
        before = dead


def test_more_dead_devices_than_there_are_is_refused() -> None:
    population = Population(5, 5_000, APP, fates=parse_fates(["expired=0.8"], (Provider.APNS,)))
    with pytest.raises(
        LoadSettingsError, match="--dead-from, --dead-to: together with --fate: the shares of the fates sum"
    ):
        uninstall_wave(population, 0, 0.0, 0.3)


def test_the_fate_whose_share_grows_is_named_last() -> None:
    population = Population(5, 5_000, APP, fates=parse_fates(["unregistered=0.1", "expired=0.1"], (Provider.APNS,)))
    with pytest.raises(LoadSettingsError, match="--fate: name unregistered last"):
        with_dead(population, 0.1, "--uninstalls")
