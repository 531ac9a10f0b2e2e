"""Any sequence of imports, exchanges, crashes and resumes agrees with a campaign kept in plain dictionaries."""

import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sender.segment import parse
from sender.store.campaigns import TOKEN_INVALIDATED
from sender.store.device_store import DeviceStore
from sender.store.records import Campaign, DeviceRow, Due, Exchange, Outcome, State

TOPICS = ("com.example.app", "com.example.other")
TOPIC = TOPICS[0]
SEGMENT = parse('country in ("DE", "FR")')
COUNTRIES = ("DE", "FR", "US")
TOKENS = [random.Random(number).randbytes(32).hex() for number in range(12)]


@dataclass
class ModelDevice:
    device_id: int
    token: str
    topic: str
    registered_at_ms: int
    country: str
    dead_since_ms: int = 0

    @property
    def attributes(self) -> bytes:
        return f'{{"country":"{self.country}"}}'.encode()


@dataclass
class ModelDelivery:
    state: State
    attempts: int
    retry_at_ms: int = 0
    reason: str = ""


@dataclass
class Model:
    """What must be true of the store, whatever happened to the process."""

    devices: dict[int, ModelDevice] = field(default_factory=dict)
    deliveries: dict[int, ModelDelivery] = field(default_factory=dict)
    in_flight: set[int] = field(default_factory=set)
    claimed_upto: int = 0
    uncertain: int = 0
    invalidated: int = 0

    def reachable(self, device: ModelDevice) -> bool:
        return device.topic == TOPIC and not device.dead_since_ms

    def exchange(self, outcomes: list[Outcome], want: int, now_ms: int) -> Exchange:
        for outcome in outcomes:
            self.in_flight.remove(outcome.device_id)
            self.deliveries[outcome.device_id] = ModelDelivery(
                outcome.state, outcome.attempts, outcome.retry_at_ms, outcome.reason
            )
            device = self.devices[outcome.device_id]
            if outcome.invalidate_at_ms > device.registered_at_ms:
                self.invalidated += not device.dead_since_ms
                device.dead_since_ms = max(device.dead_since_ms, outcome.invalidate_at_ms)
        due: list[Due] = []
        fallen_due = sorted((at, one) for one, at in self.waiting().items() if at <= now_ms)
        for _, device_id in fallen_due[:want]:
            device, delivery = self.devices[device_id], self.deliveries[device_id]
            if self.reachable(device):
                self.in_flight.add(device_id)
                due.append(Due(device_id, device.token, device.registered_at_ms, delivery.attempts, device.attributes))
            else:
                self.deliveries[device_id] = ModelDelivery(State.REJECTED, delivery.attempts, reason=TOKEN_INVALIDATED)
        at_end = False
        if len(due) < want:
            for device in sorted(self.devices.values(), key=lambda device: device.device_id):
                if len(due) == want:
                    break
                if device.device_id > self.claimed_upto:
                    self.claimed_upto = device.device_id
                    if self.reachable(device) and device.country in ("DE", "FR"):
                        self.in_flight.add(device.device_id)
                        due.append(Due(device.device_id, device.token, device.registered_at_ms, 0, device.attributes))
            at_end = self.claimed_upto >= max(self.devices, default=0)
        next_retry_at_ms = min(self.waiting().values(), default=None)
        return Exchange(due, next_retry_at_ms, at_end and next_retry_at_ms is None)

    def waiting(self) -> dict[int, int]:
        return {
            device_id: delivery.retry_at_ms
            for device_id, delivery in self.deliveries.items()
            if delivery.state is State.WAITING and device_id not in self.in_flight
        }

    def begin(self) -> tuple[int, int]:
        """A new run; returns (uncertain, given up)."""
        uncertain, given_up = len(self.in_flight), 0
        for device_id in self.in_flight:
            before = self.deliveries.get(device_id)
            self.deliveries[device_id] = ModelDelivery(State.WAITING, before.attempts if before else 0, 0)
        self.in_flight.clear()
        self.uncertain += uncertain
        for delivery in self.deliveries.values():
            if delivery.state is State.GIVEN_UP:
                given_up += 1
                delivery.state, delivery.attempts, delivery.retry_at_ms = State.WAITING, 0, 1
        return uncertain, given_up


class CampaignMachine(RuleBasedStateMachine):
    """Drives a store and the model alike."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "devices.db"
        self.store = DeviceStore.open(self.path, create=True)
        self.model = Model()
        self.now_ms = 1_000
        self.campaign: Campaign | None = None
        self.held: dict[int, Due] = {}  # what the sender has in its hands

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def running(self) -> Campaign:
        assert self.campaign is not None
        return self.campaign

    @rule(
        rows=st.lists(
            st.tuples(st.integers(0, 11), st.sampled_from(TOPICS), st.integers(-40, 40), st.sampled_from(COUNTRIES)),
            max_size=6,
            unique_by=lambda row: row[0],
        )
    )
    def import_rows(self, rows: list[tuple[int, str, int, str]]) -> None:
        by_token = {device.token: device for device in self.model.devices.values()}
        self.store.import_rows(
            [
                DeviceRow(TOKENS[number], "apns", topic, self.now_ms + shift_ms, {"country": country})
                for number, topic, shift_ms, country in rows
            ]
        )
        for number, topic, shift_ms, country in rows:
            registered_at_ms = self.now_ms + shift_ms
            known = by_token.get(TOKENS[number])
            if known is None:
                found = self.store.device(TOKENS[number])
                assert found is not None and found.device_id not in self.model.devices
                device = ModelDevice(found.device_id, TOKENS[number], topic, registered_at_ms, country)
                self.model.devices[found.device_id] = device
            elif registered_at_ms >= known.registered_at_ms:
                known.topic, known.country, known.registered_at_ms = topic, country, registered_at_ms
                if registered_at_ms > known.dead_since_ms:
                    known.dead_since_ms = 0

    @rule()
    def begin(self) -> None:
        self.held.clear()
        uncertain, given_up = self.model.begin()
        self.campaign = self.store.begin_campaign("c", TOPIC, b"p", SEGMENT, self.now_ms, key=3)
        assert (self.campaign.uncertain, self.campaign.given_up) == (uncertain, given_up)

    @rule()
    def crash(self) -> None:
        """The process ends between two exchanges."""
        self.store.close()
        self.store = DeviceStore.open(self.path)
        self.begin()

    @precondition(lambda self: self.campaign is not None)
    @rule(want=st.integers(0, 8), data=st.data())
    def crash_before_commit(self, want: int, data: st.DataObject) -> None:
        """The process ends when everything of an exchange is written but its commit."""
        run = self.store._run(self.running())
        plan = run.plan(self.draw_outcomes(data), want)
        self.store._connection.execute("BEGIN IMMEDIATE")
        run.apply(plan, self.now_ms)
        self.crash()

    @precondition(lambda self: self.campaign is not None)
    @rule(want=st.integers(0, 8), elapsed_ms=st.integers(0, 30), data=st.data())
    def exchange(self, want: int, elapsed_ms: int, data: st.DataObject) -> None:
        self.now_ms += elapsed_ms
        outcomes = self.draw_outcomes(data)
        expected = self.model.exchange(outcomes, want, self.now_ms)
        assert self.store.exchange(self.running(), outcomes, want, self.now_ms) == expected
        for outcome in outcomes:
            del self.held[outcome.device_id]
        self.held.update((due.device_id, due) for due in expected.due)

    def draw_outcomes(self, data: st.DataObject) -> list[Outcome]:
        answered = data.draw(st.sets(st.sampled_from(sorted(self.held)))) if self.held else set()
        outcomes = []
        for device_id in sorted(answered):
            state = data.draw(st.sampled_from(State))
            retry_at_ms = self.now_ms + data.draw(st.integers(0, 40)) if state is State.WAITING else 0
            dead_at_ms = self.now_ms + data.draw(st.integers(-50, 50)) if state is State.REJECTED else 0
            reason = "" if state is State.ACCEPTED else state.name
            attempts = self.held[device_id].attempts + 1
            outcomes.append(
                Outcome(device_id, state, 200, reason, attempts, self.now_ms, retry_at_ms, max(0, dead_at_ms))
            )
        return outcomes

    @precondition(lambda self: self.campaign is not None)
    @invariant()
    def summary_agrees(self) -> None:
        summary = self.store.summary(self.running())
        counted = dict.fromkeys(State, 0)
        for device_id, delivery in self.model.deliveries.items():
            if device_id not in self.model.in_flight:
                counted[delivery.state] += 1
        assert summary.states == counted
        standing = self.store.standing(self.running())
        assert standing.in_flight == len(self.model.in_flight)
        assert (standing.uncertain, standing.invalidated) == (self.model.uncertain, self.model.invalidated)

    @invariant()
    def devices_agree(self) -> None:
        dead = {device.token: device.dead_since_ms for device in self.model.devices.values() if device.dead_since_ms}
        assert {one.token: one.invalidated_at_ms for one in self.store.invalidated()} == dead
        assert self.store.counts().devices == len(self.model.devices)

    @precondition(lambda self: self.campaign is not None)
    @invariant()
    def finishes_only_with_nothing_left(self) -> None:
        model = self.model
        unclaimed = [
            one
            for one in model.devices.values()
            if one.device_id > model.claimed_upto and model.reachable(one) and one.country in ("DE", "FR")
        ]
        resting = [one for one in model.deliveries.values() if one.state in (State.WAITING, State.GIVEN_UP)]
        waiting = sum(
            one.state in (State.WAITING, State.GIVEN_UP) and device_id not in model.in_flight
            for device_id, one in model.deliveries.items()
        )
        assert self.store.remaining(self.running()) == waiting + len(unclaimed)
        if unclaimed or resting or model.in_flight:
            assert not self.store.finish_campaign(self.running(), self.now_ms)


CampaignMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_history_agrees_with_the_model = CampaignMachine.TestCase
