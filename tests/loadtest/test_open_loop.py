"""The open loop: batches at their instants, latency from there, and what happens when the users have no room."""

from collections.abc import Callable, Iterable

import gevent
import pytest

from loadtest.arrival_source import ArrivalSource, OpenBatch, Settled
from loadtest.arrivals import Arrival
from loadtest.open_loop import AT_ONCE_MAX, WAKE_STEP_S, OpenLoop
from loadtest.recording import Recording, Since
from loadtest.timetable import Timetable
from sender.store.records import Outcome, State
from simulator.devices.fates import Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.token_space import Environment, Population

BATCH = 10


class Clock:
    """A clock that each look moves on by a step."""

    def __init__(self, now_s: float = 1_000.0, step_s: float = 0.0) -> None:
        self.now_s, self.step_s = now_s, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


class User:
    """Takes batches and holds them; `on_take` is called with each."""

    def __init__(self, pending_max: int = 100, on_take: Callable[[OpenBatch], None] = lambda batch: None) -> None:
        self.pending, self.pending_max = 0, pending_max
        self.taken: list[OpenBatch] = []
        self.woken: list[int] = []  # by when: how many batches were taken
        self.ended = self.interrupted = False
        self._on_take = on_take

    def take(self, batch: OpenBatch) -> None:
        self.pending += len(batch.indices)
        self.taken.append(batch)
        self._on_take(batch)

    def wake(self) -> None:
        self.woken.append(len(self.taken))

    def no_more(self) -> None:
        self.ended = True

    def interrupt(self) -> None:
        self.interrupted = True


class Test:
    """One open loop with what it reports."""

    __test__ = False

    def __init__(
        self,
        instants_s: Iterable[float],
        clock: Clock | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.clock = clock or Clock()
        self.recording = Recording()
        self.ended: list[tuple[int, int]] = []
        self.timetable = Timetable(Arrival(at_s, BATCH * n, BATCH * (n + 1)) for n, at_s in enumerate(instants_s))
        self.loop = OpenLoop(self.timetable, self.recording, now=self.clock, stopped=stopped, on_batch=self._ended)

    def _ended(self, batch: OpenBatch, latency_ms: int) -> None:
        self.ended.append((latency_ms, batch.without_answer))

    def run(self, *users: User) -> None:
        for user in users:
            self.loop.join(user)
        for _ in range(1_000):
            gevent.sleep(0)
            if self.loop.exhausted:
                return
        raise AssertionError("the schedule has not come to its end")


def test_users_take_batches_in_turn_and_hear_of_the_end() -> None:
    test, users = Test([0.0] * 6), [User(), User(), User()]
    test.run(*users)
    assert [len(user.taken) for user in users] == [2, 2, 2]
    assert sorted(batch.indices.start for user in users for batch in user.taken) == [0, 10, 20, 30, 40, 50]
    assert all(user.ended and not user.interrupted for user in users)
    assert not test.loop.finished
    for user in users:
        test.loop.leave(user)
    assert test.loop.finished


def test_what_was_handed_out_before_is_no_further_arrival_and_counts_as_repeated_when_it_may_have_been_sent() -> None:
    test = Test([0.0])
    test.timetable.add([Arrival(0.0, 100, 107, recorded=True, unsure=True), Arrival(0.0, 200, 205, recorded=True)])
    test.run(user := User())
    assert sum(len(batch.indices) for batch in user.taken) == BATCH + 7 + 5
    assert (test.recording.scheduled, test.loop.repeated) == (BATCH, 7)


def test_nothing_leaves_before_its_instant() -> None:
    instants_s = [0.0, 0.3, 0.9, 1.0]
    test = Test(instants_s, Clock(step_s=0.05))
    seen_s: list[float] = []
    sleeps_s: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loadtest.open_loop.gevent.sleep", lambda wait_s=0.0: sleeps_s.append(wait_s))
        test.loop.join(User(on_take=lambda batch: seen_s.append(test.clock.now_s - test.loop.started_at_s)))
        assert test.loop._greenlet is not None
        test.loop._greenlet.join()
    assert all(seen >= due for seen, due in zip(seen_s, instants_s, strict=True))
    assert max(sleeps_s) <= 0.3


def test_all_that_is_due_is_handed_out_at_once_and_each_user_is_woken_once() -> None:
    test, users = Test([0.0] * 6, Clock(1_000.0)), [User(), User()]
    test.run(*users)
    assert [user.woken for user in users] == [[3], [3]]
    none = User(pending_max=5)
    test = Test([0.0])
    test.run(none)
    assert none.woken == [1]


def test_so_many_batches_go_out_before_answers_are_read() -> None:
    test, user = Test([0.0] * (AT_ONCE_MAX + 5)), User(pending_max=10_000)
    test.run(user)
    assert user.woken == [AT_ONCE_MAX, AT_ONCE_MAX + 5]


def test_batches_that_come_close_together_leave_together_a_moment_late() -> None:
    clock = Clock()
    test, user = Test([each * WAKE_STEP_S / 10 for each in range(40)], clock), User(pending_max=10_000)
    sleeps_s: list[float] = []

    def sleep(wait_s: float = 0.0) -> None:
        sleeps_s.append(wait_s)
        clock.now_s += wait_s

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loadtest.open_loop.gevent.sleep", sleep)
        test.loop.join(user)
        assert test.loop._greenlet is not None
        test.loop._greenlet.join()
    assert len(user.taken) == 40
    assert len(user.woken) <= 5
    assert all(wait_s == 0 or wait_s >= WAKE_STEP_S for wait_s in sleeps_s)
    assert test.recording.late_ms_max <= 1000 * WAKE_STEP_S


def test_latency_counts_from_the_scheduled_instant_also_when_the_batch_is_late() -> None:
    test = Test([0.0, 0.5, 2.0])
    user = User()
    test.loop.join(user)
    test.clock.now_s += 3.0
    test.run()
    assert len(user.taken) == 3
    assert (test.recording.late, test.recording.late_for_room, test.recording.late_ms_max) == (30, 0, 3_000)
    at_ms = int(test.clock.now_s * 1000) + 10
    assert test.loop.settled(Provider.APNS, Settled(user.taken[1], 4, at_ms, True)) == 2_510
    assert test.loop.settled(Provider.APNS, Settled(user.taken[1], 6, at_ms + 5, True)) == 2_515
    assert test.ended == [(2_515, 0)]
    assert sum(test.recording.latencies(Since.SCHEDULED).values()) == 10


def test_a_batch_keeps_those_that_got_no_answer_apart() -> None:
    test, user = Test([0.0]), User()
    test.run(user)
    at_ms = int(test.clock.now_s * 1000) + 7
    test.loop.settled(Provider.FCM, Settled(user.taken[0], 9, at_ms, True))
    test.loop.settled(Provider.FCM, Settled(user.taken[0], 1, at_ms, False))
    assert test.ended == [(7, 1)]
    assert test.recording.latencies(Since.SCHEDULED) == {7: 9}


def test_a_user_without_room_gets_nothing_and_the_wait_is_recorded_as_one_for_room() -> None:
    test = Test([0.0] * 4, Clock(step_s=0.2))
    full, free = User(pending_max=15), User(pending_max=15)
    test.loop.join(full)
    test.loop.join(free)
    while len(full.taken) + len(free.taken) < 2:
        gevent.sleep(0)
    gevent.sleep(0)
    assert (len(full.taken), len(free.taken)) == (1, 1)  # a second batch would be over 15
    free.pending = 0
    while not test.loop.exhausted:
        gevent.sleep(0)
        free.pending = 0
    assert (len(full.taken), len(free.taken)) == (1, 3)
    assert test.recording.late_for_room > 0


def test_a_batch_larger_than_the_room_goes_to_a_user_that_has_nothing_to_do() -> None:
    test, user = Test([0.0]), User(pending_max=5)
    test.run(user)
    assert len(user.taken) == 1


def test_when_the_campaign_stops_the_rest_is_not_sent_and_users_are_interrupted() -> None:
    users = [User(), User()]
    test = Test([0.0] * 10, stopped=lambda: len(users[0].taken) >= 1)
    test.run(*users)
    assert sum(len(user.taken) for user in users) < 10
    assert all(user.interrupted and user.ended for user in users)


def test_when_the_last_user_leaves_the_schedule_ends() -> None:
    test, user = Test([0.0, 1e6]), User()
    test.loop.join(user)
    gevent.sleep(0)
    test.loop.leave(user)
    assert test.loop.finished


def test_a_user_that_comes_after_the_end_has_nothing_to_do() -> None:
    test, late = Test([0.0]), User()
    test.run(User())
    test.loop.join(late)
    assert late.ended and not late.taken


def test_a_batch_that_was_recorded_before_is_sent_and_not_recorded_again() -> None:
    test, user = Test([0.0, 1.0]), User()
    test.timetable.add([Arrival(0.5, 90, 95, recorded=True)])
    test.clock.now_s += 2.0
    test.loop.join(user)
    test.clock.now_s += 2.0
    test.run()
    assert [batch.indices.start for batch in user.taken] == [0, 90, 10]
    assert test.recording.scheduled == 20
    assert user.taken[1].scheduled_at_s - user.taken[0].scheduled_at_s == 0.5


def test_with_an_open_end_the_schedule_goes_on_when_users_come_back() -> None:
    test, first, second = Test([]), User(), User()
    test.timetable.open_end = True
    test.loop.started_at_s = test.clock.now_s - 7.0
    test.loop.join(first)
    gevent.sleep(0)
    test.timetable.add([Arrival(6.0, 0, 10)])
    test.loop.leave(first)
    assert not test.loop.exhausted
    test.loop.join(second)
    gevent.sleep(0)
    assert (first.taken, [batch.scheduled_at_s for batch in second.taken]) == ([], [test.clock.now_s - 1.0])
    test.loop.leave(second)


# The source.


def source(
    population: Population | MixedPopulation, provider: Provider | None = None
) -> tuple[ArrivalSource, list[Settled]]:
    settled: list[Settled] = []

    def on_settled(each: Settled) -> int:
        settled.append(each)
        return 5

    return ArrivalSource(population, provider=provider, on_settled=on_settled), settled


def batch(start: int, stop: int) -> OpenBatch:
    return OpenBatch(range(start, stop), 0.0, 0.0, stop - start)


POPULATION = Population(3, 1_000, "com.example.app", Environment.PRODUCTION, ())
FIRST, SECOND = batch(100, 110), batch(110, 120)


def answered(index: int, at_ms: int, state: State = State.ACCEPTED, status: int = 200) -> Outcome:
    return Outcome(index, state, status, "", 1, at_ms, at_ms + 50 if state is State.WAITING else 0, 0)


def test_batches_are_claimed_in_order_across_their_bounds_and_no_end_comes_before_it_is_said() -> None:
    made, _ = source(POPULATION)
    assert made.exchange((), 5, 0) == ([], None, False)
    made.arrive(FIRST)
    made.arrive(SECOND)
    claimed = [due.device_id for want in (5, 8) for due in made.exchange((), want, 0).due]
    assert claimed == list(range(100, 113))
    assert (made.pending, made.unclaimed) == (20, 7)
    made.end()
    due, _, exhausted = made.exchange((), 100, 0)
    assert ([each.device_id for each in due], exhausted) == (list(range(113, 120)), True)


def test_results_are_told_by_batch_and_instant_and_only_what_ended() -> None:
    made, settled = source(POPULATION)
    made.arrive(FIRST)
    made.arrive(SECOND)
    made.exchange((), 100, 0)
    outcomes = [answered(index, 7) for index in range(100, 112)]
    outcomes.append(answered(112, 7, State.REJECTED, 410))
    outcomes.append(answered(113, 7, State.WAITING, 503))
    outcomes.append(answered(116, 8))
    outcomes.append(answered(114, 8, State.GIVEN_UP, 0))
    outcomes.append(answered(115, 8, State.REJECTED, 0))  # refused by our own check
    made.exchange(outcomes, 0, 10)
    later = Settled(SECOND, 1, 8, True), Settled(SECOND, 2, 8, False)
    assert settled == [Settled(FIRST, 10, 7, True), Settled(SECOND, 3, 7, True), *later]
    assert made.latency_ms == {5: 14}
    assert made.pending == 4
    again = made.exchange((), 10, 100).due
    assert [(due.device_id, due.attempts) for due in again] == [(113, 1)]


def test_a_mixed_batch_counts_for_each_provider_what_is_its_own() -> None:
    population = MixedPopulation(3, 1_000, "com.example.app", fcm_share=0.3)
    sides = [source(population, provider)[0] for provider in Provider]
    mixed = batch(100, 200)
    for side in sides:
        side.arrive(mixed)
    assert sum(side.pending for side in sides) == 100
    for side in sides:
        side.end()
        due, _, exhausted = side.exchange((), 100, 0)
        assert (len(due), exhausted) == (side.pending, True)
        side.exchange([answered(each.device_id, 3) for each in due], 0, 5)
        assert side.pending == 0
