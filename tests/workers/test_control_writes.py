"""What the control API changes, and what requests of senders change in one worker, is so in all of them."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from simulator.changes import ClockSet
from simulator.devices.token_space import Environment
from simulator.rig import Rig
from simulator.workers.asked import CHANGE_KIND
from tests.control.control_server import FOREIGN_TOKEN, STATE, get, new_rig, row
from tests.workers.linked_workers import ENTRIES, WorkersServer, fail

REGISTRATION = b"a-foreign-registration"


@pytest.fixture
def control() -> Iterator[WorkersServer]:
    """A simulator with two workers."""
    with WorkersServer() as server:
        yield server


def _in_all(control: WorkersServer, look: Callable[[Rig], object]) -> list[object]:
    """What is seen in the front and in each worker, once all that was said before has come."""
    for _ in range(2):  # asked behind what the workers have told, then behind what they were told of it
        get(control, "/api/v1/stats")
    return [control.on_loop(lambda rig=rig: look(rig)) for rig in (control.rig, *control.workers.rigs.values())]  # type: ignore[misc]


WRITES: list[tuple[str, str, object, Callable[[Rig], object]]] = [
    ("PUT", f"tokens/{FOREIGN_TOKEN}", STATE, lambda rig: rig.registry.get(FOREIGN_TOKEN.encode())),
    ("PUT", "clock", {"mode": "freeze", "at_ms": 1_000}, lambda rig: rig.clock.now_ms()),
    ("PUT", "clock", {"advance_ms": 5_000}, lambda rig: rig.clock.offset_s),
    ("PUT", "service", {"fcm": "unavailable"}, lambda rig: rig.fcm.condition),
    ("PUT", "fcm", {"api_enabled": False}, lambda rig: rig.fcm.api_enabled),
    (
        "POST",
        "faults",
        {"fault": "reason", "options": {"reason": "TooManyRequests"}},
        lambda rig: [(each.number, each.planned, each.key, each.added_s) for each in rig.faults],
    ),
    ("POST", "ledger/rounds", None, lambda rig: rig.ledger.round),
    ("PUT", "observing", {"on": True}, lambda rig: (rig.observations.on, rig.observations.began_s)),
    ("PUT", "frame-log", {"on": True}, lambda rig: (rig.frame_log.on, rig.frame_log.began_s)),
]


@pytest.mark.parametrize(("method", "path", "body", "look"), WRITES)
def test_once_it_is_answered_a_change_is_so_in_all(
    control: WorkersServer, method: str, path: str, body: object, look: Callable[[Rig], object]
) -> None:
    (before, *_) = _in_all(control, look)
    assert control.call(method, f"/api/v1/{path}", body).status == 200
    # No read in between: the answer itself has waited.
    after = [look(rig) for rig in (control.rig, *control.workers.rigs.values())]
    assert after[0] != before
    assert after == [after[0]] * 3


def test_a_reset_begins_anew_in_all(control: WorkersServer) -> None:
    for method, path, body, _ in WRITES[:7]:
        assert control.call(method, f"/api/v1/{path}", body).status == 200
    control.journal_of(1, row())
    assert control.call("POST", "/api/v1/reset").status == 200
    for rig in (control.rig, *control.workers.rigs.values()):
        assert (len(rig.registry), len(rig.faults), rig.ledger.round, rig.clock.offset_s) == (0, 0, 1, 0)
        assert rig.fcm.api_enabled
        assert rig.journal.total == 0


def test_changes_made_at_once_are_made_in_one_order(control: WorkersServer) -> None:
    async def change(number: int) -> None:
        assert control.view is not None
        async with control.view.changing() as tell:
            made = ClockSet(None, 1_000 * number)
            made.apply(control.rig)
            for _ in range(20 - number):
                await asyncio.sleep(0)
            tell(made)

    async def race() -> None:
        await asyncio.gather(*map(change, range(1, 20)))

    asyncio.run_coroutine_threadsafe(race(), control._loop).result(5)
    offsets = _in_all(control, lambda rig: rig.clock.offset_s)
    assert offsets == [offsets[0]] * 3


def test_a_worker_that_does_not_make_a_change_is_replaced(control: WorkersServer) -> None:
    control.on_loop(lambda: control.workers.at(1, CHANGE_KIND, fail))
    assert control.call("PUT", "/api/v1/service", {"fcm": "unavailable"}).status == 200
    ((number, why),) = control.workers.replaced
    assert number == 1
    assert why.startswith("it has not made a change of the control API (change: ValueError")


def test_a_worker_that_ends_before_it_makes_a_change_holds_nobody_up(control: WorkersServer) -> None:
    control.on_loop(lambda: control.workers.at(1, CHANGE_KIND, lambda body: control.workers.end(1)))
    assert control.call("PUT", "/api/v1/service", {"fcm": "unavailable"}).status == 200
    assert control.workers.replaced == []  # whoever comes next begins with the change


# What requests change


def test_a_subscription_made_in_one_worker_is_so_in_all(control: WorkersServer) -> None:
    control.of_worker(0, lambda rig: rig.fcm.subscriptions.add(REGISTRATION, "news", 5.0))
    followed = _in_all(control, lambda rig: rig.fcm.subscriptions.of_registration(REGISTRATION))
    assert followed == [followed[0]] * 3 and followed[0]
    control.of_worker(1, lambda rig: rig.fcm.subscriptions.remove(REGISTRATION, "news"))
    assert _in_all(control, lambda rig: len(rig.fcm.subscriptions)) == [0, 0, 0]
    assert [len(each._own) for each in control.workers.attendances.values()] == [0, 0]


def test_a_batch_of_thousands_reaches_all(control: WorkersServer) -> None:
    def follow(rig: Rig) -> None:
        for number in range(3_000):
            rig.fcm.subscriptions.add(b"registration-%d" % number, "news", 5.0)

    control.of_worker(1, follow)
    assert _in_all(control, lambda rig: rig.fcm.subscriptions.count_of_topic("news")) == [3_000] * 3


def test_changes_that_cross_end_alike_in_all(control: WorkersServer) -> None:
    def cross() -> None:
        for number, rig in control.workers.rigs.items():
            for nth in range(20):
                rig.fcm.subscriptions.add(REGISTRATION, f"topic-{nth}", 5.0)
                if (nth + number) % 3 == 0:
                    rig.fcm.subscriptions.remove(REGISTRATION, f"topic-{nth}")

    control.on_loop(cross)
    followed = _in_all(
        control, lambda rig: sorted(each.topic for each in rig.fcm.subscriptions.of_registration(REGISTRATION))
    )
    assert followed == [followed[0]] * 3
    assert 0 < len(control.rig.fcm.subscriptions) < 20


def test_an_imported_token_is_known_to_all(control: WorkersServer) -> None:
    token = control.of_worker(
        0, lambda rig: rig.fcm.registrations.import_apns("com.example.app", Environment.PRODUCTION, b"ab" * 32)
    )
    found = _in_all(control, lambda rig: rig.fcm.registrations.find(token))
    assert found == [found[0]] * 3
    assert control.rig.fcm.registrations.find(token).imported is not None  # type: ignore[union-attr]
    assert get(control, "/api/v1/fcm")["imported_registrations"] == 1


def test_a_worker_that_takes_anothers_place_knows_what_requests_have_changed(control: WorkersServer) -> None:
    control.of_worker(0, lambda rig: rig.fcm.subscriptions.add(REGISTRATION, "news", 5.0))
    get(control, "/api/v1/stats")
    control.on_loop(lambda: control.workers.end(1))
    forked = new_rig(ENTRIES)
    for each in control.rig.fcm.subscriptions.of_registration(REGISTRATION):
        forked.fcm.subscriptions.put(REGISTRATION, each.topic, each.added_at_s)
    control.begin_worker(1, forked)
    control.of_worker(1, lambda rig: rig.fcm.subscriptions.remove(REGISTRATION, "news"))
    assert _in_all(control, lambda rig: len(rig.fcm.subscriptions)) == [0, 0, 0]
