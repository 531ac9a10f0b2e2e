"""Copies of the state that each answer at once end alike, in whatever order their changes cross."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.traffic_changes import TopicFollowed, TopicLeft, TrafficChange
from simulator.workers.own_changes import OwnChanges

WORKERS = 2
DEVICE = b"device"
WORKER = st.integers(0, WORKERS - 1)
CHANGE = st.one_of(
    st.builds(TopicFollowed, st.just(DEVICE), st.just("news"), st.integers(0, 99)),
    st.builds(TopicLeft, st.just(DEVICE), st.just("news")),
)
# A worker makes a change; the front hears the next of one worker; a worker hears the next of the front; the front begins anew.
EVENT = st.one_of(
    st.tuples(st.just("makes"), WORKER, CHANGE),
    st.tuples(st.just("told"), WORKER, st.none()),
    st.tuples(st.just("hears"), WORKER, st.none()),
    st.tuples(st.just("reset"), st.just(0), st.none()),
)

State = dict[bytes, int]


def _make(state: State, change: TrafficChange) -> None:
    """Like `Subscriptions`: who follows already keeps the first instant."""
    if isinstance(change, TopicFollowed):
        state.setdefault(change.registration, change.added_at_s)
    elif isinstance(change, TopicLeft):
        state.pop(change.registration, None)


class _Simulator:
    """A front and its workers, with the messages between them."""

    def __init__(self) -> None:
        self.front: State = {}
        self.copies: list[State] = [{} for _ in range(WORKERS)]
        self.own = [OwnChanges() for _ in range(WORKERS)]
        self.to_front: list[deque[TrafficChange]] = [deque() for _ in range(WORKERS)]
        self.to_worker: list[deque[tuple[int, TrafficChange] | None]] = [deque() for _ in range(WORKERS)]
        self.unheard = [0] * WORKERS  # changes of its own that it has not heard back
        self.follows = [False] * WORKERS  # what its last one made
        self.has_begun_anew = [False] * WORKERS  # since its last one

    def makes(self, worker: int, change: TrafficChange) -> None:
        assert isinstance(change, TopicFollowed | TopicLeft)
        follows = isinstance(change, TopicFollowed)
        if (change.registration in self.copies[worker]) is follows:
            return  # nothing changes, so nothing is told
        _make(self.copies[worker], change)
        self.own[worker].made(change)
        self.to_front[worker].append(change)
        self.unheard[worker] += 1
        self.follows[worker] = follows
        self.has_begun_anew[worker] = False

    def told(self, worker: int, _: object = None) -> None:
        if self.to_front[worker]:
            change = self.to_front[worker].popleft()
            _make(self.front, change)
            for queue in self.to_worker:
                queue.append((worker, change))

    def reset(self, *_: object) -> None:
        self.front.clear()
        for queue in self.to_worker:
            queue.append(None)

    def hears(self, worker: int, _: object = None) -> None:
        if not self.to_worker[worker]:
            return
        message = self.to_worker[worker].popleft()
        if message is None:
            self.copies[worker].clear()
            self.has_begun_anew[worker] = True
            return
        own = message[0] == worker
        self.unheard[worker] -= own
        if self.own[worker].heard(message[1], own=own):
            _make(self.copies[worker], message[1])
        if self.unheard[worker] and not self.has_begun_anew[worker]:
            assert (DEVICE in self.copies[worker]) is self.follows[worker]


@settings(max_examples=400)
@given(st.lists(EVENT, max_size=40))
def test_all_copies_end_alike_and_a_client_reads_what_it_wrote(events: list[tuple[str, int, TrafficChange]]) -> None:
    simulator = _Simulator()
    for what, worker, change in events:
        getattr(simulator, what)(worker, change)
    for worker in range(WORKERS):
        while simulator.to_front[worker]:
            simulator.told(worker)
    for worker in range(WORKERS):
        while simulator.to_worker[worker]:
            simulator.hears(worker)
    for copy in simulator.copies:
        assert copy.keys() == simulator.front.keys()
    assert not any(len(own) for own in simulator.own)
