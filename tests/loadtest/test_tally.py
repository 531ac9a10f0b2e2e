"""The tally of a load test: sums over users and processes, bounded reasons, percentiles."""

from collections import Counter

import msgspec
import pytest

from loadtest.tally import OTHER_REASONS, REASONS_MAX, Tally, final_latency_ms
from sender.delivery import Counts


def tally(**changed: object) -> Tally:
    valid = Tally(
        sent=12, accepted=9, rejected={"Unregistered": 1}, retried=2, batches=1, latency_ms={5: 8, 7: 2},
        started_at_s=100.0, ended_at_s=110.0, cpu_s=4.0,
    )  # fmt: skip
    return msgspec.structs.replace(valid, **changed)


def test_two_processes_add_up() -> None:
    total = Tally()
    total.add(tally())
    total.add(tally(rejected={"Unregistered": 2, "BadDeviceToken": 1}, started_at_s=99.0, ended_at_s=105.0))
    assert (total.sent, total.accepted, total.batches, total.cpu_s) == (24, 18, 2, 8.0)
    assert total.rejected == {"Unregistered": 3, "BadDeviceToken": 1}
    assert total.latency_ms == {5: 16, 7: 4}
    assert (total.started_at_s, total.ended_at_s, total.elapsed_s) == (99.0, 110.0, 11.0)


def test_every_count_adds_up() -> None:
    counts = [each.name for each in msgspec.structs.fields(Tally) if each.type is int]
    assert {"further_accepted", "further_rejected", "outside_ledger"} <= set(counts)
    total = msgspec.convert(dict.fromkeys(counts, 1), Tally)
    total.add(msgspec.convert(dict.fromkeys(counts, 2), Tally))
    assert {name: getattr(total, name) for name in counts} == dict.fromkeys(counts, 3)


def test_a_process_that_sent_nothing_does_not_move_the_start() -> None:
    total = tally()
    total.add(Tally())
    assert (total.started_at_s, total.elapsed_s) == (100.0, 10.0)


def test_it_survives_the_way_to_the_master() -> None:
    assert msgspec.json.decode(msgspec.json.encode(tally()), type=Tally) == tally()


def test_two_tallies_share_nothing() -> None:
    first = Tally()
    first.rejected["Unregistered"] = 1
    assert Tally().rejected == {}


def test_latency_counts_only_answers_that_settled_a_notification() -> None:
    counted = Tally()
    counts = Counts(
        sent=3, accepted=2, retried=1, latency_ms=Counter({5: 2, 900: 1}), latency_not_final_ms=Counter({900: 1})
    )
    counted.count(counts, {}, final_latency_ms(counts))
    assert counted.latency_ms == {5: 2}
    assert counted.settled == 2


@pytest.mark.parametrize("name", ["rejected", "given_up"])
def test_reasons_beyond_the_bound_are_counted_together(name: str) -> None:
    counted = Tally()
    reasons = Counter({f"Reason{number}": 1 for number in range(REASONS_MAX + 10)})
    counted.count(
        Counts(rejected=reasons if name == "rejected" else Counter()), reasons if name == "given_up" else {}, {}
    )
    found = getattr(counted, name)
    assert len(found) == REASONS_MAX + 1
    assert found[OTHER_REASONS] == 10
    assert sum(found.values()) == REASONS_MAX + 10
