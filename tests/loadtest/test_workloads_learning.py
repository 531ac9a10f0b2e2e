"""What is learnt from one campaign for the next, and the steps of connections. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.workloads.dying_devices import with_dead
from loadtest.workloads.learning_source import InvalidDevices, LearningSource
from sender.store.records import Due, Outcome, State
from simulator.devices.draws import Devices, parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.token_space import Population

APP = "com.example.app"
NOW_MS = 1_790_000_000_000


@given(st.lists(st.integers(0, 2**40 - 1) | st.integers(0, 200_000)), st.integers(0, 200_000))
def test_invalid_devices_are_those_that_were_added(indices: list[int], other: int) -> None:
    invalid = InvalidDevices()
    for index in indices:
        invalid.add(index)
    assert len(invalid) == len(set(indices))
    assert all(index in invalid for index in indices)
    assert (other in invalid) == (other in indices)


def send_all(source: LearningSource, population: Devices, count: int) -> list[int]:
    """Send to all of them as a provider would answer; returns who was sent to."""
    source.take_on(0, count)
    outcomes: list[Outcome] = []
    sent: list[int] = []
    while True:
        exchange = source.exchange(outcomes, 64, NOW_MS)
        sent += [due.device_id for due in exchange.due]
        outcomes = [_answer(due, population) for due in exchange.due]
        if not outcomes and exchange.exhausted:
            return sent


def _answer(due: Due, population: Devices) -> Outcome:
    fate = population.mint(due.device_id).fate
    if fate is Fate.ACTIVE:
        return Outcome(due.device_id, State.ACCEPTED, 200, "", 1, NOW_MS, 0, 0)
    # A device that came back registered after the instant that APNs tells.
    gone_at_ms = due.registered_at_ms + (-1_000 if fate is Fate.REREGISTERED else 1_000)
    return Outcome(due.device_id, State.REJECTED, 410, "Unregistered", 1, NOW_MS, 0, gone_at_ms)


def test_the_next_campaign_leaves_out_whom_the_one_before_found_dead() -> None:
    fates = parse_fates(["reregistered=0.1", "unregistered=0.1"], (Provider.APNS,))
    population = Population(8, 1_000, APP, fates=fates)
    source = LearningSource(population)
    source.invalid = InvalidDevices()
    assert send_all(source, population, 1_000) == list(range(1_000))
    dead = {index for index in range(1_000) if population.mint(index).fate is Fate.UNREGISTERED}
    assert len(source.invalid) == len(dead) > 50
    later = with_dead(population, 0.1, "")
    source.change(later)
    assert send_all(source, later, 1_000) == [index for index in range(1_000) if index not in dead]
    assert len(source.invalid) == sum(later.mint(index).fate is Fate.UNREGISTERED for index in range(1_000))


def test_without_feedback_all_are_sent_to_again() -> None:
    population = Population(8, 300, APP, fates=parse_fates(["unregistered=0.5"], (Provider.APNS,)))
    source = LearningSource(population)
    assert send_all(source, population, 300) == send_all(source, population, 300) == list(range(300))


@pytest.mark.parametrize("provider", list(Provider))
def test_each_provider_keeps_its_devices_when_the_fates_change(provider: Provider) -> None:
    population = MixedPopulation(8, 300, APP)
    source = LearningSource(population, provider=provider)
    before = send_all(source, population, 300)
    source.change(with_dead(population, 0.5, ""))
    assert send_all(source, population, 300) == before
    assert 100 < len(before) < 200
