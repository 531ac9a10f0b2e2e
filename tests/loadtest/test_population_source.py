"""A population as the source of a run: every device once, repeats at their time, bounded waiting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.source import PopulationSource
from sender.store.records import Due, Outcome, State
from simulator.devices.draws import Devices, parse_fates
from simulator.devices.fates import Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Population

NOW_MS = 1_760_000_000_000
POPULATION = Population(3, 100, "com.example.app")


def outcome(due: Due, state: State, *, status: int = 200, reason: str = "", retry_at_ms: int = 0) -> Outcome:
    return Outcome(due.device_id, state, status, reason, due.attempts + 1, NOW_MS, retry_at_ms, 0)


def waiting(due: Due, retry_at_ms: int) -> Outcome:
    return outcome(due, State.WAITING, status=429, reason="TooManyRequests", retry_at_ms=retry_at_ms)


@pytest.mark.parametrize(
    "population",
    [
        POPULATION,
        RegistrationPopulation(3, 100, "com.example.app"),
        MixedPopulation(3, 100, "com.example.app", fates=parse_fates(["stale=0.5", "expired=0.5"], Provider)),
    ],
)
def test_devices_come_with_the_tokens_of_their_indices_whosever_they_are(population: Devices) -> None:
    exchange = PopulationSource(population, 10, 13).exchange([], 5, NOW_MS)
    minted = [population.mint(index) for index in (10, 11, 12)]
    assert [(due.device_id, due.token, due.registered_at_ms, due.attempts) for due in exchange.due] == [
        (index, each.token, each.registered_at_ms, 0) for index, each in enumerate(minted, 10)
    ]
    assert (exchange.exhausted, exchange.next_retry_at_ms) == (True, None)


@given(st.lists(st.integers(1, 20), max_size=30), st.sampled_from(Provider))
def test_of_a_mixed_population_one_source_sends_the_devices_of_one_provider(
    wants: list[int], provider: Provider
) -> None:
    mixed = MixedPopulation(3, 100, "com.example.app", fcm_share=0.3)
    devices = zip(mixed.mint_range(5, 90), mixed.providers(5, 90), strict=True)
    of_provider = [(index, minted.token) for index, (minted, of) in enumerate(devices, 5) if of is provider]
    source = PopulationSource(mixed, 5, 90, provider=provider)
    claimed: list[tuple[int, str]] = []
    for want in wants:
        exchange = source.exchange([], want, NOW_MS)
        assert len(exchange.due) == want or exchange.exhausted
        claimed += [(due.device_id, due.token) for due in exchange.due]
        assert source.unclaimed == len(of_provider) - len(claimed)
    assert claimed == of_provider[: sum(wants)]


def test_a_repeat_of_a_mixed_population_is_the_same_device() -> None:
    mixed = MixedPopulation(3, 100, "com.example.app")
    source = PopulationSource(mixed, provider=Provider.FCM)
    [due] = source.exchange([], 1, NOW_MS).due
    [again] = source.exchange([waiting(due, NOW_MS)], 1, NOW_MS).due
    assert again == due._replace(attempts=1)


def test_attributes_are_those_of_index_and_person() -> None:
    source = PopulationSource(POPULATION, attributes=lambda index, person: b"%d %d" % (index, person))
    [due] = source.exchange([], 1, NOW_MS).due
    assert due.attributes == b"0 %d" % POPULATION.mint(0).person


@given(st.lists(st.integers(0, 40), max_size=20))
def test_each_device_is_claimed_once(wants: list[int]) -> None:
    source = PopulationSource(POPULATION)
    claimed = [due.device_id for want in wants for due in source.exchange([], want, NOW_MS).due]
    assert claimed == list(range(min(100, sum(wants))))
    assert source.unclaimed == 100 - len(claimed)


def test_a_waiting_notification_comes_again_at_its_time_with_its_attempts() -> None:
    source = PopulationSource(POPULATION, 0, 2)
    first, second = source.exchange([], 2, NOW_MS).due
    exchange = source.exchange([waiting(first, NOW_MS + 500), outcome(second, State.ACCEPTED)], 2, NOW_MS)
    assert (exchange.due, exchange.next_retry_at_ms, exchange.exhausted) == ([], NOW_MS + 500, False)
    exchange = source.exchange([], 2, NOW_MS + 500)
    assert exchange.due == [first._replace(attempts=1)]
    assert exchange.exhausted


def test_waiting_notifications_come_before_new_ones_the_longest_due_first() -> None:
    source = PopulationSource(POPULATION)
    first, second, third = source.exchange([], 3, NOW_MS).due
    source.exchange([waiting(second, NOW_MS), waiting(third, NOW_MS + 9), waiting(first, NOW_MS + 1)], 0, NOW_MS)
    again = source.exchange([], 3, NOW_MS + 5).due
    assert [due.device_id for due in again] == [1, 0, 3]


def test_at_the_bound_of_waiting_notifications_no_further_token_is_minted() -> None:
    source = PopulationSource(POPULATION, waiting_max=2)
    due = source.exchange([], 2, NOW_MS).due
    exchange = source.exchange([waiting(each, NOW_MS + 10) for each in due], 5, NOW_MS)
    assert (exchange.due, exchange.exhausted) == ([], False)
    assert [each.device_id for each in source.exchange([], 5, NOW_MS + 10).due] == [0, 1, 2, 3, 4]


def test_results_are_counted_by_what_came_of_them() -> None:
    source = PopulationSource(POPULATION)
    due = source.exchange([], 5, NOW_MS).due
    unsent = Outcome(due[4].device_id, State.GIVEN_UP, 0, "", 0, NOW_MS, 0, 0)
    source.exchange(
        [
            outcome(due[0], State.ACCEPTED),
            outcome(due[1], State.REJECTED, status=410, reason="Unregistered"),
            outcome(due[2], State.REJECTED, status=418),
            outcome(due[3], State.GIVEN_UP, status=429, reason="TooManyRequests"),
            unsent,
        ],
        0,
        NOW_MS,
    )
    assert (source.accepted, source.unsent) == (1, 1)
    assert source.rejected == {"Unregistered": 1, "418": 1}
    assert source.given_up == {"429 TooManyRequests": 1}


def test_a_range_outside_the_population_is_refused() -> None:
    with pytest.raises(ValueError, match="its count is 100"):
        PopulationSource(POPULATION, 0, 101)
