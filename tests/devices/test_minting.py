"""Claims about populations: every device hangs on seed and index alone, and its life is in order."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.fates import Death, Fate, Provider
from simulator.devices.token_space import (
    COUNT_MAX,
    DEFAULT_EPOCH_MS,
    INDEX_MAX,
    SEED_MAX,
    Environment,
    Minted,
    Population,
    SealedToken,
    other_topic,
    parse_fates,
    topic_tag,
    unseal,
)

TOPIC = "com.example.app"
YEAR_2026_MS = 1_767_225_600_000
EVERY_FATE = (
    (Fate.UNREGISTERED, 0.2),
    (Fate.EXPIRED, 0.2),
    (Fate.WRONG_TOPIC, 0.2),
    (Fate.WRONG_ENVIRONMENT, 0.1),
    (Fate.REREGISTERED, 0.2),
)
VALID = Population(seed=7, count=COUNT_MAX, topic=TOPIC, fates=EVERY_FATE)

seeds = st.integers(0, SEED_MAX)
indices = st.integers(0, INDEX_MAX)


def read(minted: Minted) -> SealedToken:
    sealed = unseal(minted.token.encode())
    assert sealed is not None
    return sealed


@given(seeds, indices)
def test_a_token_carries_the_seed_the_index_and_the_fate_it_was_minted_with(seed: int, index: int) -> None:
    minted = replace(VALID, seed=seed).mint(index)
    sealed = read(minted)
    assert (sealed.seed, sealed.index, sealed.fate) == (seed, index, minted.fate)


@given(seeds, indices)
def test_a_life_is_in_order_and_ends_before_2026(seed: int, index: int) -> None:
    minted = replace(VALID, seed=seed).mint(index)
    instant_s = read(minted).instant_s
    died_at_ms = DEFAULT_EPOCH_MS + instant_s * 1000
    hour_ms, sixty_days_ms = 3_600_000, 60 * 86_400_000
    assert DEFAULT_EPOCH_MS <= minted.registered_at_ms < DEFAULT_EPOCH_MS + 180 * 86_400_000
    match minted.fate.death:
        case Death.NONE:
            assert instant_s == 0
        case Death.AFTER_REGISTRATION:
            assert hour_ms <= died_at_ms - minted.registered_at_ms <= sixty_days_ms
            assert died_at_ms < YEAR_2026_MS
        case Death.BEFORE_REGISTRATION:
            assert instant_s > 0
            assert hour_ms <= minted.registered_at_ms - died_at_ms <= sixty_days_ms


@given(indices, st.sampled_from(Environment))
def test_topic_and_environment_are_the_populations_own_but_for_the_fates_that_say_otherwise(
    index: int, environment: Environment
) -> None:
    minted = replace(VALID, environment=environment).mint(index)
    sealed = read(minted)
    assert (sealed.environment is environment) == (minted.fate is not Fate.WRONG_ENVIRONMENT)
    tag = topic_tag(other_topic(TOPIC).encode() if minted.fate is Fate.WRONG_TOPIC else TOPIC.encode())
    assert sealed.topic_tag == tag


@given(st.integers(0, INDEX_MAX - 40), st.integers(0, 40))
def test_a_range_holds_the_same_devices_as_minting_one_by_one(start: int, length: int) -> None:
    one_by_one = [VALID.mint(index) for index in range(start, start + length)]
    assert list(VALID.mint_range(start, start + length)) == one_by_one


@given(indices, st.integers(1, 1000))
def test_a_device_does_not_hang_on_the_count(index: int, more: int) -> None:
    short = replace(VALID, count=index + 1)
    assert short.mint(index) == replace(VALID, count=min(COUNT_MAX, index + more)).mint(index)


def test_the_last_of_two_to_the_forty_indices_is_minted_without_making_the_others() -> None:
    assert read(VALID.mint(INDEX_MAX)).index == INDEX_MAX
    assert [read(minted).index for minted in VALID.mint_range(INDEX_MAX - 2)] == [
        INDEX_MAX - 2,
        INDEX_MAX - 1,
        INDEX_MAX,
    ]


def test_shares_come_out_near_what_was_asked() -> None:
    count = 40_000
    fates = Counter(minted.fate for minted in replace(VALID, count=count).mint_range())
    asked = dict(EVERY_FATE) | {Fate.ACTIVE: 0.1}
    for fate, share in asked.items():
        assert fates[fate] == pytest.approx(share * count, rel=0.05)


def test_exact_counts_agree_with_the_devices_minted() -> None:
    population = replace(VALID, count=5_000)
    assert population.fate_counts(3, 4_001) == Counter(minted.fate for minted in population.mint_range(3, 4_001))
    assert replace(population, fates=()).fate_counts() == {Fate.ACTIVE: 5_000}


@pytest.mark.parametrize("fate", [fate for fate in Fate.of_provider(Provider.APNS) if fate is not Fate.ACTIVE])
def test_a_share_of_one_leaves_no_other_and_a_share_of_nothing_none(fate: Fate) -> None:
    whole = replace(VALID, count=300, fates=((fate, 1.0),))
    assert {minted.fate for minted in whole.mint_range()} == {fate}
    none = replace(VALID, count=300, fates=((fate, 0.0),))
    assert {minted.fate for minted in none.mint_range()} == {Fate.ACTIVE}


def test_ten_tenths_are_a_whole_in_spite_of_binary_fractions() -> None:
    tenths = parse_fates(["unregistered=0.1", "expired=0.2", "wrong-topic=0.3", "reregistered=0.4"])
    assert Fate.ACTIVE not in {minted.fate for minted in replace(VALID, count=2_000, fates=tenths).mint_range()}


def test_the_same_population_is_minted_in_every_process() -> None:
    program = (
        "from simulator.devices.token_space import *\n"
        f"population = Population(seed=7, count=200, topic={TOPIC!r}, fates=parse_fates(['unregistered=0.5']))\n"
        "for minted in population.mint_range(): print(minted.token, minted.registered_at_ms, minted.person)"
    )
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    here = replace(VALID, count=200, fates=((Fate.UNREGISTERED, 0.5),))
    assert printed == {"".join(f"{m.token} {m.registered_at_ms} {m.person}\n" for m in here.mint_range())}


def test_a_frozen_sample_of_the_draws() -> None:
    """Stores keep fates and registrations: a change of these values is a new version of the format."""
    assert [(m.fate.wire_name, m.registered_at_ms, m.person) for m in VALID.mint_range(0, 5)] == [
        ("reregistered", 1744294417838, 2626364239),
        ("wrong-topic", 1750838911803, 1991381336),
        ("expired", 1740903916226, 2118349259),
        ("wrong-environment", 1745023773432, 1354708497),
        ("wrong-topic", 1744779612335, 2918961717),
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", -1, "seed must be from 0"),
        ("seed", 2**64, "seed must be from 0"),
        ("count", -1, "count must be from 0"),
        ("count", 2**40 + 1, "count must be from 0"),
        ("topic", "", "topic must be a bundle id"),
        ("topic", "com.example app", "topic must be a bundle id"),
        ("topic", "com.exämple.app", "topic must be a bundle id"),
        ("topic", "com.example.app\n", "topic must be a bundle id"),
        ("topic", "a" * 256, "topic must be a bundle id"),
        ("epoch_ms", -1, "epoch_ms must be milliseconds"),
        ("epoch_ms", 2**48, "epoch_ms must be milliseconds"),
        ("fates", ((Fate.EXPIRED, -0.1),), "share of expired must be from 0 to 1"),
        ("fates", ((Fate.EXPIRED, 1.1),), "share of expired must be from 0 to 1"),
        ("fates", ((Fate.EXPIRED, float("nan")),), "share of expired must be from 0 to 1"),
        ("fates", ((Fate.EXPIRED, 0.1), (Fate.EXPIRED, 0.1)), "share of expired is stated twice"),
        ("fates", ((Fate.ACTIVE, 0.1),), "share of active is what the other fates leave"),
        ("fates", ((Fate.STALE, 0.1),), "tokens of apns know no fate stale; they know: expired, reregistered, unreg"),
        ("fates", ((Fate.EXPIRED, 0.6), (Fate.UNREGISTERED, 0.5)), r"sum to 1\.1, .*expired=0\.6, unregistered=0\.5"),
    ],
)
def test_a_field_out_of_range_is_refused_and_named(field: str, value: object, message: str) -> None:
    fields: dict[str, object] = {"seed": 7, "count": 10, "topic": TOPIC, field: value}
    with pytest.raises(ValueError, match=message):
        Population(**fields)  # type: ignore[arg-type]  # Spoilt on purpose.


def test_indices_and_ranges_outside_the_population_are_refused_at_the_call() -> None:
    ten = replace(VALID, count=10)
    with pytest.raises(ValueError, match="index 10 is beyond this population: its count is 10"):
        ten.mint(10)
    with pytest.raises(ValueError, match="index must be from 0"):
        ten.mint(-1)
    for start, stop in [(0, 11), (-1, 5), (6, 5)]:
        with pytest.raises(ValueError, match="leaves this population"):
            ten.mint_range(start, stop)
        with pytest.raises(ValueError, match="leaves this population"):
            ten.fate_counts(start, stop)
    assert list(ten.mint_range(4, 4)) == []


def test_options_read_into_shares_in_their_order() -> None:
    assert parse_fates(["wrong-topic=0.005", "unregistered=.02", "expired=1e-3"]) == (
        (Fate.WRONG_TOPIC, 0.005),
        (Fate.UNREGISTERED, 0.02),
        (Fate.EXPIRED, 0.001),
    )
    assert parse_fates([]) == ()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("unregistered", "'unregistered' is not NAME=SHARE"),
        ("", "'' is not NAME=SHARE"),
        ("dead=0.1", "'dead=0.1': no fate is called 'dead'; there are: active, unregistered"),
        ("other-sender=0.1", "tokens of apns know no fate other-sender; they know: expired, "),
        ("expired=", "'expired=': the share must be a number from 0 to 1"),
        ("expired=2%", "the share must be a number"),
        ("expired=nan", "the share must be a number"),
        ("expired=inf", "the share must be a number"),
        ("expired=-0.1", "the share must be a number"),
        ("expired=0,1", "the share must be a number"),
        ("expired=٠.١", "the share must be a number"),
        ("expired=1.5", "share of expired must be from 0 to 1, not 1.5"),
        ("active=0.5", "do not state it"),
    ],
)
def test_a_faulty_option_is_refused_and_quoted(option: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_fates(["wrong-topic=0.1", option])
