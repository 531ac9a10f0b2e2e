"""A simulator with two workers, over real sockets: senders and the control API meet one, whichever process they reach."""

import asyncio
import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from aioapns import NotificationRequest

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from tests.end_to_end.aioapns_client import aioapns_client
from tests.end_to_end.h2_client import ConnectionEndedError, H2Client, valid_push
from tests.end_to_end.provider_tokens import provider_token
from tests.end_to_end.test_push_simulator_fcm import GoogleClient

WORKERS = 2
REACHES_ALL_WITHIN_S = 0.1
ATTEMPTS = 3  # the best one counts: the machine may be busy with something else
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def simulator(push_simulator_factory: PushSimulatorFactory) -> Iterator[PushSimulator]:
    """A simulator with two workers."""
    with push_simulator_factory("--workers", str(WORKERS), "--provider-token-update-interval-s", "1") as started:
        yield started


@pytest.fixture
def clients(simulator: PushSimulator) -> Iterator[list[H2Client]]:
    """A connection to each worker; the simulator has heard of nothing yet."""
    simulator.reset()
    with ExitStack() as opened:
        clients = [opened.enter_context(H2Client.connect(simulator)) for _ in range(WORKERS)]
        for client in clients:
            client.ping()  # established, so that the next one goes elsewhere
        yield clients
    _wait(simulator, lambda stats: stats["counters"]["connections_open"] == 0)


def _call(simulator: PushSimulator, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection(simulator.control_url.removeprefix("http://"), timeout=TIMEOUT_S)
    try:
        fields = {} if body is None else {"content-type": "application/json"}
        connection.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), fields)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        return content
    finally:
        connection.close()


def _wait(simulator: PushSimulator, awaited: Any) -> Any:
    """Ask for the stats until they are as awaited."""
    until_s = time.monotonic() + TIMEOUT_S
    while not awaited(stats := _call(simulator, "GET", "stats")):
        assert time.monotonic() < until_s, stats
    return stats


def _statuses(simulator: PushSimulator, clients: list[H2Client], **changes: str) -> list[int]:
    """What a push gets over each connection."""
    return [client.push(valid_push(simulator, **changes)).status for client in clients]


def test_connections_spread_and_all_that_they_bring_is_seen_as_one(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    devices = simulator.tokens(6)
    for at, device in enumerate(devices):
        assert clients[at % WORKERS].push(valid_push(simulator, device=device)).status == 200
    stats = _call(simulator, "GET", "stats")
    workers = stats["workers"]
    assert [(each["number"], each["connections_open"], each["notifications"]) for each in workers] == [
        (1, 1, 3),
        (2, 1, 3),
    ]
    assert len({each["pid"] for each in workers}) == WORKERS
    assert stats["counters"]["notifications"] == 6
    found = simulator.notifications(6)
    for worker in range(WORKERS):  # each worker's in their order; how those of two mix, looks decide
        assert [each.token for each in found if each.token in devices[worker::WORKERS]] == devices[worker::WORKERS]
    assert len(found) == 6
    assert len({each.connection_id for each in simulator.notifications()}) == WORKERS
    ledger = simulator.ledger()
    assert (ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never) == (6, 0, 0, 0)


def test_the_same_device_reached_over_two_workers_was_reached_twice(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    device = simulator.token()
    assert _statuses(simulator, clients, device=device) == [200, 200]
    ledger = simulator.ledger()
    assert (ledger.accepted_once, ledger.accepted_more) == (0, 1)
    assert _call(simulator, "GET", f"tokens/{device}")["ledger"] == {"accepted": 2, "rejected": False}


def test_numbers_are_dense_and_a_reader_misses_nothing(simulator: PushSimulator, clients: list[H2Client]) -> None:
    last = max([each["number"] for each in _call(simulator, "GET", "notifications?limit=1")["items"]], default=0)
    read: list[int] = []
    for at in range(12):
        assert clients[at % WORKERS].push(valid_push(simulator)).status == 200
        after = read[-1] if read else last
        page = _call(simulator, "GET", f"notifications?order=oldest&limit=1&after={after}&count={at + 1}&wait_s=5")
        read += [each["number"] for each in page["items"]]
    assert read == list(range(read[0], read[0] + 12))


def test_a_fault_is_at_work_in_all_workers_once_it_is_answered_and_so_is_its_end(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    fault = {"fault": "reason", "options": {"reason": "TooManyRequests"}}
    number = _call(simulator, "POST", "faults", fault)["id"]
    assert _statuses(simulator, clients) == [429, 429]
    assert _call(simulator, "GET", "faults")["faults"][0]["played"] == 2
    _call(simulator, "DELETE", f"faults/{number}")
    assert _statuses(simulator, clients) == [200, 200]


def test_a_fault_that_is_played_so_often_stops_in_all_workers(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    taken_s = []
    for _ in range(ATTEMPTS):
        options = {"reason": "TooManyRequests", "times_max": 3}
        number = _call(simulator, "POST", "faults", {"fault": "reason", "options": options})["id"]
        faulted = sum(clients[0].push(valid_push(simulator)).status == 429 for _ in range(4))
        assert faulted == 3
        told_s = time.monotonic()
        while clients[1].push(valid_push(simulator)).status == 429:
            faulted += 1
        taken_s.append(time.monotonic() - told_s)
        assert _call(simulator, "GET", "faults")["faults"][0]["played"] == faulted
        _call(simulator, "DELETE", f"faults/{number}")
    assert min(taken_s) < REACHES_ALL_WITHIN_S


def test_states_set_by_hand_and_conditions_hold_in_all_workers(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    device = simulator.token()
    simulator.set_state(device, "unregistered")
    assert _statuses(simulator, clients, device=device) == [410, 410]
    simulator.remove_state(device)
    simulator.set_condition(apns="unavailable")
    assert _statuses(simulator, clients, device=device) == [503, 503]
    simulator.set_condition(apns="ok")
    assert _statuses(simulator, clients, device=device) == [200, 200]


def test_a_provider_token_ages_from_its_first_sight_in_any_worker(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    authorization = f"bearer {provider_token(simulator)}"
    assert clients[0].push(valid_push(simulator, authorization=authorization)).status == 200
    _call(simulator, "PUT", "clock", {"advance_ms": 3_660_000})
    answer = clients[1].push(valid_push(simulator, authorization=authorization))
    assert json.loads(answer.body) == {"reason": "ExpiredProviderToken"}


def test_a_reset_begins_anew_in_all_workers(simulator: PushSimulator, clients: list[H2Client]) -> None:
    _statuses(simulator, clients)
    simulator.reset()
    stats = _call(simulator, "GET", "stats")
    assert (stats["counters"]["notifications"], stats["journal"]["total"]) == (0, 0)
    assert stats["counters"]["connections_open"] == WORKERS
    assert simulator.notifications() == []
    assert _call(simulator, "GET", "ledger")["populations"] == []


def test_a_topic_that_is_followed_at_one_worker_is_sent_to_at_another_within_a_moment(
    simulator: PushSimulator,
) -> None:
    simulator.reset()
    token = simulator.token(provider="fcm")
    here = GoogleClient(simulator)
    assert here.call("/iid/v1:batchAdd", {"to": "/topics/other", "registration_tokens": [token]})[0] == 200
    there = GoogleClient(simulator)
    assert there.send(dry_run=True, token=token)[0] == 200
    open_at = [each["connections_open"] for each in _call(simulator, "GET", "stats")["workers"]]
    assert open_at == [1, 1]

    taken_s = []
    for attempt in range(ATTEMPTS):
        batch = {"to": f"/topics/news-{attempt}", "registration_tokens": [token]}
        assert here.call("/iid/v1:batchAdd", batch) == (200, {"results": [{}]})
        told_s = time.monotonic()
        while not _delivered(simulator, there, f"news-{attempt}", token):
            assert time.monotonic() - told_s < TIMEOUT_S
        taken_s.append(time.monotonic() - told_s)
        # What one worker takes back, the other does not keep.
        assert there.call("/iid/v1:batchRemove", batch) == (200, {"results": [{}]})
        while _delivered(simulator, here, f"news-{attempt}", token):
            assert time.monotonic() - told_s < TIMEOUT_S
    assert min(taken_s) < REACHES_ALL_WITHIN_S
    assert _call(simulator, "GET", f"tokens/{token}")["registration"]["topics"] == ["other"]
    here.close()
    there.close()


def _delivered(simulator: PushSimulator, client: GoogleClient, topic: str, token: str) -> bool:
    """Send to a topic, and look whether it comes to the only one who may follow it."""
    status, answer = client.send(topic=topic)
    assert status == 200
    # Delivered are messages in their order, each before the answer to what comes next on the connection.
    assert client.send(dry_run=True, token=token)[0] == 200
    return any(each.token == token[:22] for each in simulator.notifications(message_id=answer["name"]))


def test_an_apns_token_imported_at_one_worker_is_a_registration_at_another(simulator: PushSimulator) -> None:
    simulator.reset()
    here, there = GoogleClient(simulator), GoogleClient(simulator)
    simulator.set_condition(fcm="ok")
    imported = {"application": simulator.topic, "sandbox": False, "apns_tokens": [simulator.token()]}
    status, answer = here.call("/iid/v1:batchImport", imported)
    assert status == 200
    (result,) = answer["results"]
    _wait(simulator, lambda stats: stats["fcm"]["imported_registrations"] == 1)
    assert _call(simulator, "GET", f"tokens/{result['registration_token']}")["registration"]["imported"]
    assert there.send(token=result["registration_token"])[0] == 200
    here.close()
    there.close()


def test_a_killed_worker_is_replaced_by_one_that_knows_all_but_what_only_it_knew(
    simulator: PushSimulator, clients: list[H2Client]
) -> None:
    devices = simulator.tokens(4)
    for at, device in enumerate(devices):
        assert clients[at % WORKERS].push(valid_push(simulator, device=device)).status == 200
    _call(simulator, "POST", "faults", {"fault": "reason", "options": {"reason": "TooManyRequests"}})
    before = _call(simulator, "GET", "stats")
    os.kill(before["workers"][0]["pid"], signal.SIGKILL)
    after = _wait(simulator, lambda stats: stats["workers"][0]["pid"] not in (None, before["workers"][0]["pid"]))
    assert after["workers"][0]["restarts"] == before["workers"][0]["restarts"] + 1
    assert after["counters"]["notifications"] == 4
    assert after["journal"] == {"total": 4, "held": 2, "dropped": 2, "capacity": 10_000}
    with pytest.raises(ConnectionEndedError):
        clients[0].ping()
    with H2Client.connect(simulator) as another:
        assert _statuses(simulator, [another, clients[1]]) == [429, 429]
    ledger = simulator.ledger()
    assert (ledger.accepted_once, ledger.accepted_more, ledger.rejected) == (4, 0, 2)


def test_observations_and_frames_of_all_workers_are_read_as_one(simulator: PushSimulator) -> None:
    simulator.reset()
    _call(simulator, "PUT", "observing", {"on": True})
    _call(simulator, "PUT", "frame-log", {"on": True})
    with H2Client.connect(simulator) as one, H2Client.connect(simulator) as other:
        one.ping()
        other.ping()
        assert _statuses(simulator, [one, other]) == [200, 200]
    _wait(simulator, lambda stats: stats["counters"]["connections_open"] == 0)
    kept = _call(simulator, "GET", "observing")["kept"]
    lines = _lines(simulator, "observations?limit=10000")
    assert [each["number"] for each in lines] == list(range(1, kept + 1))
    kinds = [each["kind"] for each in lines]
    assert [kinds.count(kind) for kind in ("accepted", "opened", "verdict", "closed")] == [2, 2, 2, 2]
    frames = _lines(simulator, "frames?limit=10000")
    assert [each["number"] for each in frames] == list(range(1, _call(simulator, "GET", "frame-log")["lines"] + 1))
    assert len({each["connection"] for each in frames}) == 2
    _call(simulator, "PUT", "observing", {"on": False})
    _call(simulator, "PUT", "frame-log", {"on": False})


def _lines(simulator: PushSimulator, path: str) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection(simulator.control_url.removeprefix("http://"), timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/api/v1/{path}")
        return [json.loads(line) for line in connection.getresponse().read().splitlines()]
    finally:
        connection.close()


def test_aioapns_over_several_connections_reaches_every_device_once(simulator: PushSimulator) -> None:
    simulator.reset()
    requests = [NotificationRequest(token, {"aps": {"alert": "Hello"}}) for token in simulator.tokens(400)]

    async def send() -> list[str]:
        clients = [aioapns_client(simulator) for _ in range(4)]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for client in clients:  # connected one after the other, so that they spread evenly
                    await client.send_notification(requests[clients.index(client)])
                sending = [clients[at % 4].send_notification(request) for at, request in enumerate(requests[4:])]
                return [each.status for each in await asyncio.gather(*sending)]
        finally:
            for client in clients:
                client.pool.close()

    assert asyncio.run(send()) == ["200"] * 396
    ledger = simulator.ledger()
    assert (ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never) == (400, 0, 0, 0)
    taken = [each["notifications"] for each in _call(simulator, "GET", "stats")["workers"]]
    assert sum(taken) == 400
    assert min(taken) >= 100  # the library opens more connections as it likes
