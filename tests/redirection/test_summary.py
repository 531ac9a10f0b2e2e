"""The lines at the end of `pushrig run`: what the simulator saw, and what the proxy did not lead to."""

import msgspec

from loadtest.control_client import CounterStats, LedgerView, ListedIndices, PopulationLedger, Stats
from loadtest.redirection.summary import summary_of

SEEN = CounterStats(
    notifications=1_203,
    accepted=1_200,
    rejected=3,
    rejected_by_reason={"Unregistered": 2, "BadDeviceToken": 1},
    connections_total=1,
    bytes_in=0,
    bytes_out=0,
)
NONE_LISTED = ListedIndices([], False)
POPULATION = PopulationLedger(
    seed=7,
    start=0,
    count=1_300,
    accepted_once=1_100,
    accepted_more=50,
    rejected=3,
    never=147,
    outside=0,
    answers_by_reason={},
    accepted_more_indices=NONE_LISTED,
    rejected_indices=NONE_LISTED,
    never_indices=NONE_LISTED,
)
LEDGER = LedgerView(round=1, running=True, untracked=0, populations=[POPULATION])
EMPTY = LedgerView(round=1, running=True, untracked=0, populations=[])


def test_notifications_are_counted_with_their_reasons() -> None:
    assert summary_of(Stats(SEEN), EMPTY, {}) == [
        "1,203 notifications judged: 1,200 accepted, 3 rejected (BadDeviceToken 1, Unregistered 2)"
    ]


def test_the_ledger_has_a_line_for_each_population() -> None:
    (_, line) = summary_of(Stats(SEEN), LEDGER, {})
    assert line == "ledger of the devices with seed 7: 1,100 accepted once, 50 more than once, 3 rejected, 147 never"
    undeclared = msgspec.structs.replace(POPULATION, seed=8, never=None)
    both = summary_of(Stats(SEEN), msgspec.structs.replace(LEDGER, populations=[POPULATION, undeclared]), {})
    assert both[2] == "ledger of the devices with seed 8: 1,100 accepted once, 50 more than once, 3 rejected"


def test_a_program_that_sent_nothing_is_told_so_with_its_connections() -> None:
    nothing = msgspec.structs.replace(SEEN, notifications=0, connections_total=1)
    assert summary_of(Stats(nothing), EMPTY, {}) == ["no notification came (1 connection to the simulator)"]


def test_what_the_ledger_had_no_room_for_is_told() -> None:
    lines = summary_of(Stats(SEEN), msgspec.structs.replace(EMPTY, untracked=2), {})
    assert lines[1] == "ledger: 2 answers it had no room for"


def test_other_hosts_are_named_up_to_five() -> None:
    few = summary_of(Stats(SEEN), EMPTY, {"a.example:443": 2, "b.example:443": 1})
    assert few[1].startswith("the proxy refused 3 connections to other hosts: a.example:443, b.example:443 (")
    many = summary_of(Stats(SEEN), EMPTY, {f"{letter}.example:443": 1 for letter in "abcdefg"})
    assert "e.example:443 and 2 more" in many[1] and "f.example" not in many[1]
