"""Connections come to the worker that has the fewest, and none is lost or counted wrongly on the way."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.counters import Counters
from simulator.door import FILE_DESCRIPTORS
from simulator.doors import Doors
from simulator.faults.line import Handshake
from simulator.limits import Limits
from simulator.rig import Rig
from simulator.workers.hand_over import (
    TAKEN_A_TURN_MAX,
    GoneCounts,
    HandedOver,
    Spread,
    Taker,
    handing,
    next_worker,
)
from tests.fcm.valid_send import Bench

TIMEOUT_S = 10.0
WAITING_MAX = 3


@given(st.integers(1, 5), st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=60))
def test_connections_are_spread_evenly_whatever_is_closed(workers: int, steps: list[int | None]) -> None:
    connections = dict.fromkeys(range(workers), 0)
    last = -1
    for closing in steps:
        if closing is None:
            last = next_worker(connections.items(), last)
            assert connections[last] == min(connections.values())
            connections[last] += 1
        elif connections.get(closing):
            connections[closing] -= 1


def test_workers_with_as_few_connections_take_turns() -> None:
    nothing = [(0, 0), (1, 0), (2, 0)]
    assert [next_worker(nothing, last) for last in (-1, 0, 1, 2)] == [0, 1, 2, 0]
    assert [next_worker([(0, 1), (2, 1), (3, 2)], last) for last in (0, 1, 2)] == [2, 2, 0]


class Scene:
    """A front with its workers, all in this process."""

    def __init__(self) -> None:
        self.gone = GoneCounts(3)
        self.counters = Counters()
        self.numbers: list[int] = []
        self.spread = Spread(self.gone, WAITING_MAX, self.counters, self.numbers.append)
        self.taken: list[tuple[int, HandedOver, bytes]] = []
        self._clients: list[socket.socket] = []
        self._ends: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._takers: list[Taker] = []
        self._arrived = asyncio.Condition()

    def join(self, worker: int, *, takes: bool = True) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
        ours.setblocking(False)
        self._ends[worker] = ours, theirs
        if takes:
            self.take_at(worker)
        self.spread.join(worker, ours)

    def take_at(self, worker: int) -> None:
        def take(accepted: socket.socket, handed: HandedOver) -> None:
            self.taken.append((worker, handed, accepted.recv(100)))
            accepted.close()

        theirs = self._ends[worker][1]
        self._takers.append(Taker(theirs, take, self.counters, lambda: self.gone.add(worker)))

    def fill(self, worker: int) -> None:
        """Leave no room on the way to a worker."""
        ours, _ = self._ends[worker]
        with pytest.raises(BlockingIOError):
            while True:
                ours.send(b"")

    def empty(self, worker: int) -> None:
        _, theirs = self._ends[worker]
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                theirs.recv(1)

    def come(self, said: bytes, door: int = 0, handshake: Handshake | None = None) -> socket.socket:
        client, accepted = socket.socketpair()
        client.send(said)
        self.spread.hand_over(accepted, door, handshake)
        self._clients.append(client)
        return client

    async def until_taken(self, count: int) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.taken) < count:  # noqa: ASYNC110 - it is this loop's own turns that do it
                await asyncio.sleep(0)

    def close(self) -> None:
        self.spread.drop_waiting()
        for taker in self._takers:
            taker.stop()
        for each in (*self._clients, *(end for pair in self._ends.values() for end in pair)):
            each.close()


def play(scene: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        stage = Scene()
        try:
            await scene(stage)
        finally:
            stage.close()

    asyncio.run(run())


def has_ended(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:  # what it said was never read
        return True
    except BlockingIOError:
        return False


def test_a_connection_arrives_with_what_is_known_of_it_and_is_the_workers_alone() -> None:
    async def scene(stage: Scene) -> None:
        stage.join(0)
        stage.join(1)
        late = Handshake(delay_s=2.5, manner="reset", alpn=False)
        clients = [stage.come(b"one", door=1), stage.come(b"two", handshake=late)]
        await stage.until_taken(2)
        assert sorted(stage.taken) == [(0, HandedOver(1, 1, None), b"one"), (1, HandedOver(0, 2, late), b"two")]
        assert all(map(has_ended, clients))  # the worker has closed it, and the front holds on to no copy
        assert stage.numbers == [1, 2]

    play(scene)


def test_the_next_connection_goes_to_the_worker_with_the_fewest_that_are_not_gone() -> None:
    async def scene(stage: Scene) -> None:
        for worker in range(3):
            stage.join(worker)
        for _ in range(9):
            stage.come(b"c")
        await stage.until_taken(9)
        assert Counter(worker for worker, _, _ in stage.taken) == {0: 3, 1: 3, 2: 3}
        for _ in range(2):
            stage.gone.add(1)
        assert [stage.spread.open_of(worker) for worker in range(3)] == [3, 1, 3]
        assert stage.spread.open_total() == 7
        for _ in range(3):
            stage.come(b"c")
        await stage.until_taken(12)
        assert [worker for worker, _, _ in stage.taken[9:]] == [1, 1, 2]

    play(scene)


def test_one_who_takes_anothers_place_begins_with_no_connections() -> None:
    async def scene(stage: Scene) -> None:
        stage.join(0)
        for _ in range(4):
            stage.come(b"c")
        await stage.until_taken(4)
        stage.gone.add(0)
        stage.spread.leave(0)
        assert (stage.spread.open_of(0), stage.spread.open_total()) == (0, 0)
        stage.join(0)
        assert stage.spread.open_of(0) == 0
        stage.come(b"c")
        assert stage.spread.open_of(0) == 1

    play(scene)


def test_connections_wait_while_there_is_no_worker_and_beyond_the_bound_the_oldest_is_closed() -> None:
    async def scene(stage: Scene) -> None:
        clients = [stage.come(str(number).encode()) for number in range(WAITING_MAX + 1)]
        assert [has_ended(client) for client in clients] == [True] + [False] * WAITING_MAX
        assert stage.counters.limits_reached == {"handshakes_pending_max": 1}
        assert stage.spread.open_total() == WAITING_MAX
        stage.join(2)
        await stage.until_taken(WAITING_MAX)
        assert [said for _, _, said in stage.taken] == [b"1", b"2", b"3"]
        assert [handed.number for _, handed, _ in stage.taken] == [2, 3, 4]

    play(scene)


def test_a_worker_without_room_is_passed_over_and_gets_its_turn_when_it_has_some() -> None:
    async def scene(stage: Scene) -> None:
        stage.join(0, takes=False)
        stage.join(1, takes=False)
        stage.fill(0)
        stage.come(b"one")
        stage.fill(1)
        stage.come(b"two")
        assert (stage.spread.open_of(0), stage.spread.open_of(1), len(stage.spread.waiting)) == (0, 1, 1)
        stage.empty(0)
        stage.take_at(0)
        await stage.until_taken(1)
        assert stage.taken[0][0] == 0
        assert stage.taken[0][2] == b"two"
        assert not stage.spread.waiting

    play(scene)


def test_what_waits_goes_to_any_worker_that_has_room_whoever_ends_meanwhile() -> None:
    async def scene(stage: Scene) -> None:
        for worker in range(2):
            stage.join(worker, takes=False)
            stage.fill(worker)
        stage.come(b"one")
        assert len(stage.spread.waiting) == 1
        stage.spread.leave(0)
        stage.empty(1)
        stage.take_at(1)
        await stage.until_taken(1)
        assert stage.taken == [(1, HandedOver(0, 1), b"one")]

    play(scene)


def test_a_client_whose_descriptor_was_not_to_be_had_is_counted_as_gone() -> None:
    async def scene(stage: Scene) -> None:
        stage.join(0)
        ours, _ = stage._ends[0]
        ours.send(b"a datagram without one")
        stage.come(b"one")
        await stage.until_taken(1)
        assert stage.gone[0] == 1
        assert stage.counters.limits_reached == {FILE_DESCRIPTORS: 1}

    play(scene)


def test_a_crowd_is_taken_some_at_a_time_so_that_those_inside_go_on() -> None:
    async def scene(stage: Scene) -> None:
        stage.join(0, takes=False)
        ours, _ = stage._ends[0]
        clients = []
        for _ in range(TAKEN_A_TURN_MAX + 1):
            client, accepted = socket.socketpair()
            client.send(b"one")
            socket.send_fds(ours, [msgspec.msgpack.encode(HandedOver(0, 1))], [accepted.fileno()])
            clients += [client, accepted]
        stage.take_at(0)
        stage._takers[0]._receive()
        assert len(stage.taken) == TAKEN_A_TURN_MAX
        await stage.until_taken(TAKEN_A_TURN_MAX + 1)
        for each in clients:
            each.close()

    play(scene)


def doors_of(rig: Rig, stage: Scene, limits: Limits) -> Doors:
    def no_connection() -> asyncio.Protocol:
        raise AssertionError

    return Doors(rig, limits, no_connection, stage.spread.open_total, lambda how: None)


def test_a_door_of_the_front_passes_on_and_keeps_to_the_limit_of_all_connections() -> None:
    async def scene(stage: Scene) -> None:
        rig = Bench().rig
        doors = doors_of(rig, stage, Limits(connections_max=2))
        door = doors.add((), None, handing(stage.spread, 1))
        clients = []
        for _ in range(3):
            client, accepted = socket.socketpair()
            client.send(b"hello")
            door.take(accepted)
            clients.append(client)
        assert [has_ended(client) for client in clients] == [False, False, True]
        assert rig.counters.limits_reached == {"connections_max": 1}
        stage.join(0)
        await stage.until_taken(2)
        assert [handed for _, handed, _ in stage.taken] == [HandedOver(1, 1, None), HandedOver(1, 2, None)]
        stage.gone.add(0)
        client, accepted = socket.socketpair()
        client.send(b"hello")
        door.take(accepted)
        await stage.until_taken(3)
        assert rig.faults.arrivals == 3
        for each in (*clients, client):
            each.close()

    play(scene)


def test_what_waits_is_cut_with_what_is_pending() -> None:
    async def scene(stage: Scene) -> None:
        door = doors_of(Bench().rig, stage, Limits()).add((), None, handing(stage.spread, 0))
        client, accepted = socket.socketpair()
        door.take(accepted)
        assert not has_ended(client)
        door.cut_pending()
        assert has_ended(client)
        client.close()

    play(scene)
