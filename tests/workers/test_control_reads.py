"""What the control API shows of a simulator with several workers: one journal over all, observations and frames."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulator.bell import LISTENERS_MAX
from simulator.observation_records import PhaseEnded
from simulator.rig import Rig
from simulator.workers.asked import SEARCH_KIND
from tests.control.control_server import FOREIGN_TOKEN, Reply, fcm_row, get, row
from tests.workers.linked_workers import ENTRIES, WorkersServer, fail


@pytest.fixture
def control() -> Iterator[WorkersServer]:
    """A simulator with two workers."""
    with WorkersServer() as server:
        yield server


def _entries(control: WorkersServer, query: str = "") -> list[tuple[int, int]]:
    """Number and instant of the entries that are found."""
    found = get(control, f"/api/v1/notifications?{query}")
    return [(each["number"], each["at_ms"]) for each in found["items"]]


# The journal


def test_entries_are_numbered_as_they_are_looked_at_and_keep_their_numbers(control: WorkersServer) -> None:
    control.journal_of(1, row(11), row(12))
    assert _entries(control, "order=oldest") == [(1, 11), (2, 12)]
    control.journal_of(0, row(1))
    control.journal_of(1, row(13))
    assert _entries(control, "order=oldest") == [(1, 11), (2, 12), (3, 1), (4, 13)]
    assert _entries(control) == [(4, 13), (3, 1), (2, 12), (1, 11)]
    assert _entries(control, "limit=2") == [(4, 13), (3, 1)]


def test_a_reader_goes_on_behind_the_last_number_and_misses_nothing(control: WorkersServer) -> None:
    read: list[tuple[int, int]] = []
    for came in range(8):
        control.journal_of(came % 2, row(2 * came), row(2 * came + 1))
        after = read[-1][0] if read else 0
        read += _entries(control, f"order=oldest&limit=1&after={after}")
    while page := _entries(control, f"order=oldest&limit=3&after={read[-1][0]}"):
        read += page
    assert [number for number, _ in read] == list(range(1, 17))
    assert sorted(at_ms for _, at_ms in read) == list(range(16))


@pytest.mark.parametrize("others", [1, 5, ENTRIES, 2 * ENTRIES])
@pytest.mark.parametrize("query", ["", "&status=200"])
def test_the_journal_holds_as_many_as_that_of_one_process(control: WorkersServer, others: int, query: str) -> None:
    control.journal_of(0, *(row() for _ in range(ENTRIES)))
    control.journal_of(1, *(row() for _ in range(others)))
    answer = get(control, f"/api/v1/notifications?order=oldest&limit=1000{query}")
    total = ENTRIES + others
    assert (answer["total"], answer["dropped"], answer["capacity"]) == (total, others, ENTRIES)
    assert answer["matched"] == ENTRIES
    assert [each["number"] for each in answer["items"]] == list(range(others + 1, total + 1))


def test_filters_hold_in_every_worker(control: WorkersServer) -> None:
    token = FOREIGN_TOKEN.encode()
    control.journal_of(0, row(1, token=token), row(2, status=410, reason="Unregistered"))
    control.journal_of(1, row(3, token=token), fcm_row(b"a-registration", 4), row(5, topic=b"com.example.other"))
    found = {
        query: sorted(at_ms for _, at_ms in _entries(control, query))
        for query in (
            f"token={FOREIGN_TOKEN}",
            "token=a-registration",
            "reason=Unregistered",
            "provider=fcm",
            "topic=com.example.other",
            "since_ms=2&until_ms=5",
            "status=200&limit=0",
        )
    }
    assert list(found.values()) == [[1, 3], [4], [2], [4], [5], [2, 3, 4], []]
    assert get(control, "/api/v1/notifications?status=200&limit=0")["matched"] == 4


def test_an_entry_reads_as_it_would_from_one_process(control: WorkersServer) -> None:
    rows = [row(1, 410, "Unregistered", b"ab12", body=b"\xff\xfe"), fcm_row(b"news", 2)]
    control.journal_of(0, *rows)
    from tests.control.control_server import ControlServer

    with ControlServer(control.app.user_middleware[0].kwargs["access"]) as one:  # type: ignore[arg-type]
        one.record(*rows)
        assert get(control, "/api/v1/notifications")["items"] == get(one, "/api/v1/notifications")["items"]


def test_large_bodies_leave_entries_for_the_next_page_and_pass_over_none(control: WorkersServer) -> None:
    body = b"x" * 300_000
    for number in (0, 1):
        control.journal_of(number, *(row(number * 10 + nth, body=body) for nth in range(5)))
    read: list[tuple[int, int]] = []
    pages = 0
    while page := _entries(control, f"order=oldest&after={read[-1][0] if read else 0}"):
        read += page
        pages += 1
    assert [number for number, _ in read] == list(range(1, 11))
    assert pages >= 4


def test_entries_are_forgotten_in_all(control: WorkersServer) -> None:
    control.journal_of(0, row(1), row(2))
    control.journal_of(1, row(3))
    reply = control.call("DELETE", "/api/v1/notifications")
    assert reply.json == {"cleared": 3}
    assert _entries(control) == []
    control.journal_of(1, row(4))
    answer = get(control, "/api/v1/notifications")
    assert (answer["total"], answer["dropped"], answer["items"][0]["number"]) == (1, 0, 4)


def test_what_ended_with_a_worker_is_forgotten_with_the_rest(control: WorkersServer) -> None:
    control.journal_of(0, row(), row())
    assert len(_entries(control)) == 2
    control.on_loop(lambda: control.workers.end(0))
    assert get(control, "/api/v1/notifications")["total"] == 2
    assert control.view is not None and control.view._journal.runs == 0
    control.call("DELETE", "/api/v1/notifications")
    assert get(control, "/api/v1/notifications")["total"] == 0


class _Waiting:
    """A request that waits, in a thread."""

    def __init__(self, control: WorkersServer, query: str) -> None:
        self.reply: Reply | None = None

        def ask() -> None:
            self.reply = control.call("GET", f"/api/v1/notifications?{query}")

        self._thread = threading.Thread(target=ask)
        self._thread.start()

    def answer(self) -> dict[str, Any]:
        self._thread.join(10)
        assert self.reply is not None and self.reply.status == 200
        return self.reply.json


def _until_listened(control: WorkersServer) -> None:
    """Returns once a request waits."""

    async def listened() -> None:
        assert control.view is not None
        while not control.view._listeners:  # noqa: ASYNC110 - the turns of this loop
            await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(listened(), control._loop).result(5)


@pytest.mark.parametrize("query", ["count=4&wait_s=30", "count=3&wait_s=30&status=200", "count=4&wait_s=30&limit=0"])
def test_a_request_waits_for_entries_of_all_workers(control: WorkersServer, query: str) -> None:
    control.journal_of(0, row(1), row(2, 410, "Unregistered"))
    waiting = _Waiting(control, query)
    _until_listened(control)
    control.journal_of(1, row(3))
    control.journal_of(0, row(4))
    answer = waiting.answer()
    assert (answer["complete"], answer["total"]) == (True, 4)


@pytest.mark.parametrize("query", ["", "&status=200"])
def test_a_wait_that_is_over_says_how_many_have_come(control: WorkersServer, query: str) -> None:
    control.journal_of(0, row(1), row(2))
    waiting = _Waiting(control, f"count=9&wait_s=0.3{query}")
    _until_listened(control)
    control.journal_of(0, row(3))
    control.journal_of(1, row(4))
    answer = waiting.answer()
    assert (answer["arrived"], answer["complete"]) == (4, False)


def test_too_many_who_wait_are_told_so(control: WorkersServer) -> None:
    assert control.view is not None
    control.on_loop(lambda: control.view._listeners.extend([lambda: None] * LISTENERS_MAX))  # type: ignore[union-attr]
    assert control.call("GET", "/api/v1/notifications?count=1&wait_s=5").problem == (409, "bound_reached")


def test_a_worker_that_ends_while_it_is_read_is_left_out(control: WorkersServer) -> None:
    control.journal_of(0, row(1))
    control.journal_of(1, row(2))
    control.on_loop(lambda: control.workers.at(0, SEARCH_KIND, fail))
    assert [at_ms for _, at_ms in _entries(control)] == [2]


# Observations and frames


def _lines(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200
    return [json.loads(line) for line in reply.content.splitlines()]


def _phase(rig: Rig, name: str) -> None:
    rig.observations.record(PhaseEnded(at_s=rig.observations.now_s(), name=name, run=1))


def test_observations_of_all_processes_are_numbered_and_read_page_by_page(control: WorkersServer) -> None:
    control.call("PUT", "/api/v1/observing", {"on": True})
    for name in "abc":
        control.of_worker(0, lambda rig, name=name: _phase(rig, name))  # type: ignore[misc]
    control.of_worker(1, lambda rig: _phase(rig, "d"))
    control.on_loop(lambda: _phase(control.rig, "e"))  # at the door
    read: list[dict[str, Any]] = []
    while page := _lines(control.call("GET", f"/api/v1/observations?after={len(read)}&limit=2")):
        read += page
    assert [each["number"] for each in read] == [1, 2, 3, 4, 5]
    assert sorted(each["name"] for each in read) == list("abcde")
    assert get(control, "/api/v1/observing")["kept"] == 5


def test_observing_anew_counts_from_one(control: WorkersServer) -> None:
    control.call("PUT", "/api/v1/observing", {"on": True})
    control.of_worker(0, lambda rig: _phase(rig, "before"))
    assert get(control, "/api/v1/observing")["kept"] == 1
    control.call("PUT", "/api/v1/observing", {"on": True})
    assert get(control, "/api/v1/observing")["kept"] == 0
    control.of_worker(1, lambda rig: _phase(rig, "after"))
    (line,) = _lines(control.call("GET", "/api/v1/observations"))
    assert (line["number"], line["name"]) == (1, "after")


def test_observations_behind_those_of_an_ended_worker_are_read_all_the_same(control: WorkersServer) -> None:
    control.call("PUT", "/api/v1/observing", {"on": True})
    for _ in range(5):
        control.of_worker(0, lambda rig: _phase(rig, "lost"))
    get(control, "/api/v1/observing")
    control.of_worker(1, lambda rig: _phase(rig, "kept"))
    get(control, "/api/v1/observing")
    control.on_loop(lambda: control.workers.end(0))
    (line,) = _lines(control.call("GET", "/api/v1/observations?limit=2"))
    assert (line["number"], line["name"]) == (6, "kept")
    observing = get(control, "/api/v1/observing")
    assert (observing["kept"], observing["missed"]) == (1, 5)


def test_frames_of_all_processes_are_numbered_and_filtered(control: WorkersServer) -> None:
    control.call("PUT", "/api/v1/frame-log", {"on": True})
    control.of_worker(0, lambda rig: rig.frame_log.note(1, "one"))
    control.of_worker(1, lambda rig: rig.frame_log.note(2, "two"))
    control.on_loop(lambda: control.rig.frame_log.note(0, "at the door"))
    lines = _lines(control.call("GET", "/api/v1/frames"))
    assert [each["number"] for each in lines] == [1, 2, 3]
    assert sorted(each["text"] for each in lines) == ["at the door", "one", "two"]
    (line,) = _lines(control.call("GET", "/api/v1/frames?connection=2"))
    assert line["text"] == "two"
    assert _lines(control.call("GET", f"/api/v1/frames?after={lines[0]['number']}&limit=1")) == lines[1:2]
    assert get(control, "/api/v1/frame-log")["lines"] == 3


def test_answers_of_workers_are_bounded_in_bytes_and_a_reader_gets_the_rest_with_its_next_page(
    control: WorkersServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.workers.asked.ANSWER_TEXT_BYTES_MAX", 1)
    monkeypatch.setattr("simulator.workers.asked.ANSWER_BODY_BYTES_MAX", 1)
    control.call("PUT", "/api/v1/observing", {"on": True})
    control.call("PUT", "/api/v1/frame-log", {"on": True})
    for number in (0, 1):
        for _ in range(3):
            control.of_worker(number, lambda rig: _phase(rig, "a phase"))
            control.of_worker(number, lambda rig: rig.frame_log.note(1, "a line"))

    def pages(read: Callable[[int], list[int]]) -> list[list[int]]:
        found: list[list[int]] = []
        while page := read(found[-1][-1] if found else 0):
            found.append(page)
        return found

    observed = pages(lambda after: [each["number"] for each in _lines(_get(control, "observations", after))])
    framed = pages(lambda after: [each["number"] for each in _lines(_get(control, "frames", after))])
    for number in (0, 1):  # which is observed as well
        control.journal_of(number, row(), row(), row())
    journaled = pages(lambda after: [number for number, _ in _entries(control, f"order=oldest&after={after}")])
    for found in (observed, framed, journaled):
        assert [number for page in found for number in page] == [1, 2, 3, 4, 5, 6]
        assert len(found) > 2


def _get(control: WorkersServer, what: str, after: int) -> Reply:
    return control.call("GET", f"/api/v1/{what}?after={after}")


def test_the_newest_lines_of_all_are_shown_as_many_as_one_process_keeps(
    control: WorkersServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.workers.gathering.RECENT_LINES_MAX", 3)
    control.call("PUT", "/api/v1/frame-log", {"on": True})
    for number in (0, 1):
        for _ in range(4):
            control.of_worker(number, lambda rig: rig.frame_log.note(1, "a line"))
    lines = _lines(control.call("GET", "/api/v1/frames"))
    assert [each["number"] for each in lines] == [6, 7, 8]
    assert get(control, "/api/v1/frame-log")["lines"] == 8


def test_what_is_kept_of_numbers_is_bounded_by_what_can_be_seen(control: WorkersServer) -> None:
    for at_ms in range(3 * ENTRIES):
        control.journal_of(at_ms % 2, row(at_ms))
        get(control, "/api/v1/stats")
    assert control.view is not None
    assert control.view._journal.last == 3 * ENTRIES
    assert control.view._journal.runs <= ENTRIES


def test_what_is_kept_of_the_numbers_of_frames_is_bounded_by_what_can_be_seen(
    control: WorkersServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.workers.gathering.RECENT_LINES_MAX", 4)
    control.call("PUT", "/api/v1/frame-log", {"on": True})
    for number in range(12):
        control.of_worker(number % 2, lambda rig: rig.frame_log.note(1, "a line"))
        get(control, "/api/v1/stats")
    assert control.view is not None
    assert control.view._frames.last == 12
    assert control.view._frames.runs <= 4
