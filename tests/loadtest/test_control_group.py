"""Several simulators asked as one: counts add up, and a device that two of them accepted was accepted twice."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.control_client import ControlClient, ListedIndices
from loadtest.control_group import ControlGroup, control_of
from loadtest.errors import ControlPlaneError
from loadtest.ledger_marks import LISTED_INDICES_MAX, MarkCounts, add_marks
from simulator.control.security import ControlAccess
from simulator.ledger import Ledger
from tests.control.control_server import ControlServer

FAULT = {"fault": "reason", "options": {"reason": "TooManyRequests"}}
MARKS = st.sampled_from([0, 1, 2, 4, 5, 6])


@given(st.lists(st.lists(MARKS, min_size=4, max_size=4), min_size=1, max_size=5))
def test_marks_add_up_device_by_device(ledgers: list[list[int]]) -> None:
    added = add_marks([bytes(marks) for marks in ledgers])
    for mark, *singles in zip(added, *ledgers, strict=True):
        assert mark & 3 == min(2, sum(each & 3 for each in singles))
        assert bool(mark & 4) == any(each & 4 for each in singles)


@given(st.lists(st.tuples(st.sampled_from("ar"), st.integers(0, 1), st.integers(5, 14)), max_size=40))
def test_figures_are_those_of_one_ledger_that_saw_everything(answers: list[tuple[str, int, int]]) -> None:
    whole, parts = Ledger(), [Ledger(), Ledger()]
    for ledger in (whole, *parts):
        ledger.declare(3, 10, 5)
    for what, part, index in answers:
        for ledger in (whole, parts[part]):
            if what == "a":
                ledger.accept(3, index)
            else:
                ledger.reject(3, index, "Unregistered")
    counts = MarkCounts(3, 5)
    for start, count in ((5, 4), (9, 6)):
        counts.add(add_marks([_marks(ledger, start, count) for ledger in parts]))
    figures = counts.figures([])
    [expected] = whole.view().populations
    for name in ("start", "count", "accepted_once", "accepted_more", "rejected", "never"):
        assert getattr(figures, name) == getattr(expected, name)
    for name in ("accepted_more_indices", "rejected_indices", "never_indices"):
        assert getattr(figures, name).indices == getattr(expected, name).indices


def _marks(ledger: Ledger, start: int, count: int) -> bytes:
    steps = ledger.marks_steps(3, start, count)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            marks: bytes = done.value
            return marks


def test_lists_of_devices_are_bounded_and_say_so() -> None:
    counts = MarkCounts(3, 0)
    for _ in range(2):
        counts.add(bytes(LISTED_INDICES_MAX))
    counts.add(bytes([2, 4]))
    figures = counts.figures([])
    assert figures.never_indices == ListedIndices(list(range(LISTED_INDICES_MAX)), truncated=True)
    assert figures.accepted_more_indices == ListedIndices([2 * LISTED_INDICES_MAX], truncated=False)
    for _ in range(2):
        counts.add(bytes([6, 4]) * (LISTED_INDICES_MAX // 2 + 1))
    figures = counts.figures([])
    assert figures.accepted_more_indices.truncated and figures.rejected_indices.truncated


@pytest.fixture
def servers() -> Iterator[list[ControlServer]]:
    with ControlServer(ControlAccess()) as one, ControlServer(ControlAccess()) as other:
        yield [one, other]


@pytest.fixture
def group(servers: list[ControlServer]) -> ControlGroup:
    return ControlGroup([ControlClient(f"http://127.0.0.1:{server.port}") for server in servers])


def test_a_population_is_counted_over_all(
    servers: list[ControlServer], group: ControlGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.control_group.MARKS_MAX", 3)
    group.declare(7, 5, 2)
    assert group.start_round() == 2
    assert [server.rig.ledger.round for server in servers] == [2, 2]
    one, other = (server.rig.ledger for server in servers)
    for seed, index in ((7, 2), (7, 3), (9, 1)):
        one.accept(seed, index)
    one.reject(7, 4, "Unregistered")
    for index in (3, 20):
        other.accept(7, index)
    other.reject(7, 5, "Unregistered")
    view = group.ledger(7)
    [population] = view.populations
    assert (view.round, view.running, view.untracked) == (2, True, 0)
    assert (population.accepted_once, population.accepted_more, population.rejected, population.never) == (1, 1, 2, 1)
    assert (population.outside, population.answers_by_reason) == (1, {"Unregistered": 2})
    assert population.accepted_more_indices.indices == [3]
    assert [each.seed for each in group.ledger().populations] == [7]  # 9 was not declared


def test_counters_and_faults_are_those_of_all(servers: list[ControlServer], group: ControlGroup) -> None:
    for notifications, server in enumerate(servers, 3):
        server.rig.counters.notifications = notifications
        server.rig.counters.rejected_by_reason["Unregistered"] = 1
        server.call("POST", "/api/v1/faults", FAULT)
    counters = group.stats().counters
    assert (counters.notifications, counters.rejected_by_reason) == (7, {"Unregistered": 2})
    faults = group.faults()
    assert len({fault.id for fault in faults}) == len(faults) == 2
    assert group.rates().keys() == ControlClient(f"http://127.0.0.1:{servers[0].port}").rates().keys()


def test_one_url_is_asked_alone_and_a_bad_one_is_named() -> None:
    assert control_of([], None) is None
    assert isinstance(control_of(["http://127.0.0.1:1"], None), ControlClient)
    assert isinstance(control_of(["http://127.0.0.1:1", "http://127.0.0.1:2"], None), ControlGroup)
    with pytest.raises(ControlPlaneError, match="nonsense"):
        control_of(["http://127.0.0.1:1", "nonsense"], None)
