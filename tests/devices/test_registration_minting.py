"""Claims about populations of FCM registrations, and of both providers: each device hangs on seed and index alone."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.draws import COUNT_MAX, INDEX_MAX, parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.registration_space import (
    REGISTRATION_SEED_MAX,
    Platform,
    RegistrationPopulation,
    SealedRegistration,
    malformed_registration,
    unseal_registration,
)
from simulator.devices.token_space import Environment, Population, unseal

TOPIC = "com.example.app"
FCM_FATES = (
    (Fate.UNREGISTERED, 0.2),
    (Fate.OTHER_SENDER, 0.2),
    (Fate.STALE, 0.2),
    (Fate.INVALID_SHAPE, 0.2),
)
BOTH_FATES = (
    (Fate.STALE, 0.3),
    (Fate.UNREGISTERED, 0.2),
    (Fate.WRONG_TOPIC, 0.7),
    (Fate.INVALID_SHAPE, 0.1),
)
VALID = RegistrationPopulation(seed=7, count=COUNT_MAX, topic=TOPIC, fates=FCM_FATES, ios_share=0.3)
MIXED = MixedPopulation(
    seed=7,
    count=COUNT_MAX,
    topic=TOPIC,
    environment=Environment.SANDBOX,
    fates=BOTH_FATES,
    ios_share=0.3,
    fcm_share=0.4,
)

seeds = st.integers(0, REGISTRATION_SEED_MAX)
indices = st.integers(0, INDEX_MAX)


def read(token: str) -> SealedRegistration | None:
    return unseal_registration(token.encode())


@given(seeds, indices)
def test_a_token_carries_the_seed_the_index_and_the_fate_it_was_minted_with(seed: int, index: int) -> None:
    minted = replace(VALID, seed=seed).mint(index)
    sealed = read(minted.token)
    if minted.fate is Fate.INVALID_SHAPE:
        assert minted.token == malformed_registration(seed, index)
    else:
        assert sealed is not None
        assert (sealed.seed, sealed.index, sealed.fate) == (seed, index, minted.fate)


@given(indices)
def test_a_device_has_one_life_whichever_provider_gave_it_a_token(index: int) -> None:
    fates = ((Fate.UNREGISTERED, 0.5),)
    registration = RegistrationPopulation(7, COUNT_MAX, TOPIC, fates).mint(index)
    device = Population(7, COUNT_MAX, TOPIC, fates=fates).mint(index)
    assert registration[1:] == device[1:]


@given(st.integers(0, INDEX_MAX - 40), st.integers(0, 40), st.sampled_from([VALID, MIXED]))
def test_a_range_holds_the_same_devices_as_minting_one_by_one(
    start: int, length: int, population: RegistrationPopulation | MixedPopulation
) -> None:
    one_by_one = [population.mint(index) for index in range(start, start + length)]
    assert list(population.mint_range(start, start + length)) == one_by_one
    providers = [next(population.providers(index, index + 1)) for index in range(start, start + length)]
    assert list(population.providers(start, start + length)) == providers


@pytest.mark.parametrize("population", [VALID, MIXED])
def test_the_last_of_two_to_the_forty_indices_is_minted_without_making_the_others(
    population: RegistrationPopulation | MixedPopulation,
) -> None:
    assert list(population.mint_range(INDEX_MAX)) == [population.mint(INDEX_MAX)]
    assert list(population.mint_range(5, 5)) == []


def test_shares_of_fates_and_platforms_come_out_near_what_was_asked() -> None:
    count = 20_000
    minted = list(replace(VALID, count=count).mint_range())
    fates = Counter(each.fate for each in minted)
    for fate, share in (dict(FCM_FATES) | {Fate.ACTIVE: 0.2}).items():
        assert fates[fate] == pytest.approx(share * count, rel=0.06)
    platforms = Counter(sealed.platform for each in minted if (sealed := read(each.token)))
    assert platforms[Platform.IOS] / platforms.total() == pytest.approx(0.3, rel=0.06)
    assert set(platforms) == {Platform.IOS, Platform.ANDROID}


@pytest.mark.parametrize(("share", "platform"), [(0.0, Platform.ANDROID), (1.0, Platform.IOS)])
def test_a_share_of_one_leaves_no_other_platform_and_a_share_of_nothing_none(share: float, platform: Platform) -> None:
    population = replace(VALID, count=300, fates=(), ios_share=share)
    assert {sealed.platform for each in population.mint_range() if (sealed := read(each.token))} == {platform}


@pytest.mark.parametrize("population", [VALID, MIXED])
def test_exact_counts_agree_with_the_devices_minted(population: RegistrationPopulation | MixedPopulation) -> None:
    short = replace(population, count=5_000)
    assert short.fate_counts(3, 4_001) == Counter(minted.fate for minted in short.mint_range(3, 4_001))
    assert replace(short, fates=()).fate_counts() == {Fate.ACTIVE: 5_000}


def test_every_index_of_an_unmixed_population_is_its_own_providers() -> None:
    assert list(replace(VALID, count=9).providers(2)) == [Provider.FCM] * 7
    assert list(Population(7, 9, TOPIC).providers(2, 5)) == [Provider.APNS] * 3


@given(indices)
def test_a_mixed_device_is_the_one_that_a_population_of_its_provider_has_at_the_index(index: int) -> None:
    [provider] = MIXED.providers(index, index + 1)
    alone = MIXED.fcm if provider is Provider.FCM else MIXED.apns
    assert MIXED.mint(index) == alone.mint(index)
    assert (unseal(MIXED.mint(index).token.encode()) is not None) == (provider is Provider.APNS)


@pytest.mark.parametrize("provider", Provider)
def test_the_devices_of_one_provider_are_those_of_the_mixture_with_their_indices(provider: Provider) -> None:
    devices = zip(MIXED.mint_range(7, 300), MIXED.providers(7, 300), strict=True)
    wanted = [(index, minted) for index, (minted, of) in enumerate(devices, 7) if of is provider]
    assert list(MIXED.mint_of(provider, 7, 300)) == wanted
    with pytest.raises(ValueError, match="leaves this population"):
        MIXED.mint_of(provider, 0, MIXED.count + 1)


def test_shares_of_a_mixed_population_count_among_the_devices_of_the_providers_that_know_the_fate() -> None:
    """Here they sum to 1.3 over both, which is well: to 0.6 for FCM's devices, to 0.9 for APNs's."""
    population = replace(MIXED, count=20_000)
    by_provider = {provider: Counter[Fate]() for provider in Provider}
    for provider, minted in zip(population.providers(), population.mint_range(), strict=True):
        by_provider[provider][minted.fate] += 1
    fcm, apns = by_provider[Provider.FCM], by_provider[Provider.APNS]
    assert fcm.total() == pytest.approx(0.4 * 20_000, rel=0.06)
    for counts, shares in [
        (fcm, {Fate.STALE: 0.3, Fate.UNREGISTERED: 0.2, Fate.INVALID_SHAPE: 0.1, Fate.ACTIVE: 0.4}),
        (apns, {Fate.UNREGISTERED: 0.2, Fate.WRONG_TOPIC: 0.7, Fate.ACTIVE: 0.1}),
    ]:
        assert set(counts) == set(shares)
        for fate, share in shares.items():
            assert counts[fate] == pytest.approx(share * counts.total(), rel=0.12)


@pytest.mark.parametrize(("share", "provider"), [(0.0, Provider.APNS), (1.0, Provider.FCM)])
def test_a_mixed_population_may_be_all_of_one_provider(share: float, provider: Provider) -> None:
    assert set(replace(MIXED, count=300, fcm_share=share).providers()) == {provider}


def test_the_same_population_is_minted_in_every_process() -> None:
    program = (
        "from simulator.devices.mixed_population import *\n"
        "from simulator.devices.draws import parse_fates\n"
        f"fates = parse_fates(['unregistered=0.3', 'stale=0.3', 'invalid-shape=0.1'], Provider)\n"
        f"population = MixedPopulation(seed=7, count=200, topic={TOPIC!r}, fates=fates, ios_share=0.5)\n"
        "for minted in population.mint_range(): print(minted.token, minted.registered_at_ms, minted.person)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "4242")
    }
    fates = parse_fates(["unregistered=0.3", "stale=0.3", "invalid-shape=0.1"], Provider)
    here = MixedPopulation(seed=7, count=200, topic=TOPIC, fates=fates, ios_share=0.5)
    assert printed == {"".join(f"{m.token} {m.registered_at_ms} {m.person}\n" for m in here.mint_range())}


def test_a_frozen_sample_of_the_draws() -> None:
    """Stores keep them: a change of these values is a new version of the format."""
    population = replace(MIXED, count=6)
    assert [provider.value for provider in population.providers()] == ["fcm", "fcm", "fcm", "fcm", "apns", "fcm"]
    assert [sealed.platform.name for each in replace(VALID, count=9).mint_range() if (sealed := read(each.token))] == [
        "ANDROID",
        "ANDROID",
        "ANDROID",
        "ANDROID",
        "ANDROID",
        "ANDROID",
        "IOS",
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", -1, "seed must be from 0"),
        ("seed", 2**32, r"seed must be from 0 to 4294967295 \(2\*\*32 - 1, for FCM tokens\), not 4294967296"),
        ("count", -1, "count must be from 0"),
        ("count", 2**40 + 1, "count must be from 0"),
        ("topic", "com.example app", "topic must be a bundle id"),
        ("epoch_ms", -1, "epoch_ms must be milliseconds"),
        ("ios_share", -0.1, "share of ios must be from 0 to 1"),
        ("ios_share", float("nan"), "share of ios must be from 0 to 1"),
        ("fates", ((Fate.STALE, 1.1),), "share of stale must be from 0 to 1"),
        ("fates", ((Fate.STALE, 0.1), (Fate.STALE, 0.1)), "share of stale is stated twice"),
        ("fates", ((Fate.STALE, 0.6), (Fate.UNREGISTERED, 0.5)), r"sum to 1\.1, .*stale=0\.6, unregistered=0\.5"),
    ],
)
def test_a_field_out_of_range_is_refused_and_named(field: str, value: object, message: str) -> None:
    fields: dict[str, object] = {"seed": 7, "count": 10, "topic": TOPIC, field: value}
    with pytest.raises(ValueError, match=message):
        RegistrationPopulation(**fields)  # type: ignore[arg-type]  # Spoilt on purpose.
    with pytest.raises(ValueError, match=message):
        MixedPopulation(**fields)  # type: ignore[arg-type]  # Spoilt on purpose.


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_mix_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share of fcm must be from 0 to 1"):
        replace(MIXED, fcm_share=share)


def test_a_fate_that_no_provider_of_the_population_knows_is_refused() -> None:
    with pytest.raises(
        ValueError, match="tokens of fcm know no fate expired; they know: invalid-shape, other-sender, "
    ):
        replace(VALID, fates=((Fate.EXPIRED, 0.1),))
    assert parse_fates(["expired=0.6", "stale=0.6"], Provider) == ((Fate.EXPIRED, 0.6), (Fate.STALE, 0.6))
    with pytest.raises(ValueError, match="tokens of fcm know no fate expired"):
        parse_fates(["expired=0.1"], [Provider.FCM])


@pytest.mark.parametrize("population", [VALID, MIXED])
def test_indices_and_ranges_outside_the_population_are_refused_at_the_call(
    population: RegistrationPopulation | MixedPopulation,
) -> None:
    ten = replace(population, count=10)
    with pytest.raises(ValueError, match="index 10 is beyond this population: its count is 10"):
        ten.mint(10)
    with pytest.raises(ValueError, match="index must be from 0"):
        ten.mint(-1)
    for start, stop in [(0, 11), (-1, 5), (6, 5)]:
        for method in (ten.mint_range, ten.fate_counts, ten.providers):
            with pytest.raises(ValueError, match="leaves this population"):
                method(start, stop)
