"""`/api/v1/populations` and `/api/v1/ledger`: a valid request, then one with one thing spoiled."""

import pytest

from simulator.control.populations import MARKS_MAX
from simulator.ledger import INDEX_RANGE, PAGE_INDICES, SEED_MAX
from tests.control.control_server import ControlServer, get


def test_a_declared_population_is_summed_up_by_the_ledger(control: ControlServer) -> None:
    declared = control.call("POST", "/api/v1/populations", {"seed": SEED_MAX, "count": 4})
    assert declared.json == {"population": {"seed": SEED_MAX, "count": 4, "start": 0}, "replaced": None}

    def answer() -> None:
        ledger = control.rig.ledger
        ledger.accept(SEED_MAX, 0)
        ledger.accept(SEED_MAX, 1)
        ledger.accept(SEED_MAX, 1)
        ledger.reject(SEED_MAX, 2, "Unregistered")

    control.on_loop(answer)
    view = get(control, f"/api/v1/ledger?seed={SEED_MAX}")
    (population,) = view.pop("populations")
    assert view == {"round": 1, "running": True, "rounds": [1], "untracked": 0}
    assert population["accepted_more_indices"] == {"indices": [1], "truncated": False}
    assert population["never_indices"] == {"indices": [3], "truncated": False}
    figures = [population[name] for name in ("accepted_once", "accepted_more", "rejected", "never")]
    assert (figures, population["answers_by_reason"]) == ([1, 1, 1, 1], {"Unregistered": 1})
    assert get(control, "/api/v1/ledger?seed=5")["populations"] == []


def test_devices_are_shown_one_by_one_across_pages(control: ControlServer) -> None:
    def answer() -> None:
        ledger = control.rig.ledger
        ledger.accept(7, PAGE_INDICES - 2)
        ledger.accept(7, PAGE_INDICES + 1)
        ledger.accept(7, PAGE_INDICES + 1)
        ledger.reject(7, PAGE_INDICES + 1, "Unregistered")
        ledger.reject(7, 3 * PAGE_INDICES, "Unregistered")

    control.on_loop(answer)
    reply = control.call("GET", f"/api/v1/ledger/marks?seed=7&start={PAGE_INDICES - 3}&count=6")
    assert (reply.headers["content-type"], reply.content) == ("application/octet-stream", bytes([0, 1, 0, 0, 6, 0]))
    marks = control.call(
        "GET", f"/api/v1/ledger/marks?seed=7&start={2 * PAGE_INDICES}&count={2 * PAGE_INDICES}"
    ).content
    assert (len(marks), marks.count(0), marks[PAGE_INDICES]) == (2 * PAGE_INDICES, 2 * PAGE_INDICES - 1, 4)
    assert control.call("GET", "/api/v1/ledger/marks?seed=8&start=5&count=3").content == bytes(3)


@pytest.mark.parametrize(
    "query",
    [
        "seed=7&start=0",
        "seed=7&start=0&count=0",
        f"seed=7&start=0&count={MARKS_MAX + 1}",
        "start=0&count=1",
        f"seed={SEED_MAX + 1}&start=0&count=1",
        "seed=7&start=-1&count=1",
        f"seed=7&start={INDEX_RANGE + 1}&count=1",
        "seed=7&start=0&count=1&round=1",
    ],
)
def test_a_spoiled_question_for_devices_is_refused(control: ControlServer, query: str) -> None:
    assert control.call("GET", f"/api/v1/ledger/marks?{query}").problem == (400, "invalid_query")


def test_a_population_declared_again_is_replaced(control: ControlServer) -> None:
    control.call("POST", "/api/v1/populations", {"seed": 7, "count": 4})
    again = control.call("POST", "/api/v1/populations", {"seed": 7, "count": 5, "start": 2})
    assert again.json["replaced"] == {"seed": 7, "count": 4, "start": 0}
    assert get(control, "/api/v1/populations") == {"populations": [{"seed": 7, "count": 5, "start": 2}]}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("seed", -1, "seed"),
        ("seed", SEED_MAX + 1, "seed"),
        ("seed", "7", "seed"),
        ("seed", None, "seed"),
        ("count", -1, "count"),
        ("count", 2**40 + 1, "count"),
        ("count", 1.5, "count"),
        ("start", -1, "start"),
        ("start", 2**40, "count"),
        ("begin", 1, "begin"),
    ],
)
def test_a_spoiled_declaration_is_refused(control: ControlServer, field: str, value: object, named: str) -> None:
    reply = control.call("POST", "/api/v1/populations", {"seed": 7, "count": 4, field: value})
    assert reply.status == 400 and named in reply.message
    assert get(control, "/api/v1/populations") == {"populations": []}


def test_a_declaration_without_body_names_the_fields(control: ControlServer) -> None:
    reply = control.call("POST", "/api/v1/populations")
    assert reply.problem == (400, "invalid_body")
    assert "`seed` (integer from 0, required)" in reply.message


def test_a_new_round_tells_two_campaigns_apart(control: ControlServer) -> None:
    control.on_loop(lambda: control.rig.ledger.accept(7, 0))
    assert control.call("POST", "/api/v1/ledger/rounds").json == {"round": 2, "finished": 1}
    assert get(control, "/api/v1/ledger?round=1")["populations"][0]["accepted_once"] == 1
    assert get(control, "/api/v1/ledger") == {
        "round": 2, "running": True, "rounds": [1, 2], "untracked": 0, "populations": [],
    }  # fmt: skip


def test_a_round_that_is_not_kept_is_not_found_and_the_kept_ones_are_named(control: ControlServer) -> None:
    reply = control.call("GET", "/api/v1/ledger?round=9")
    assert reply.problem == (404, "unknown_round") and "the rounds are 1" in reply.message


@pytest.mark.parametrize(
    "query",
    [
        "round=0",
        "round=x",
        "round=1&round=1",
        "seed=-1",
        f"seed={SEED_MAX + 1}",
        "rounds=1",
        "round",
        "seed=%ff",
        "seed=",
    ],
)
def test_a_spoiled_ledger_query_is_refused(control: ControlServer, query: str) -> None:
    reply = control.call("GET", f"/api/v1/ledger?{query}")
    assert reply.problem == (400, "invalid_query"), reply.content
