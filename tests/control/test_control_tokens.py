"""`/api/v1/tokens`: a valid request, then one with one thing spoiled."""

from typing import Any

import pytest

from simulator.apns.state import UnknownTokens
from simulator.bounds import BoundReachedError
from simulator.clock import Clock
from simulator.control.device_tokens import known_of
from simulator.control.token_records import TOKENS_MINTED_MAX
from simulator.counters import Counters
from simulator.devices.fates import Fate, Provider
from simulator.devices.token_space import Environment, Population, unseal
from simulator.journal import Journal
from simulator.ledger import SEED_MAX, Ledger
from simulator.registry import DeviceState
from simulator.rig import REGISTRATION_SEED, REGISTRATION_SEEDS_MAX, Registrations, Rig
from tests.apns.valid_push import NOW_S, TOPIC, Bench, Push
from tests.control.control_server import FOREIGN_TOKEN, STATE, ControlServer, get
from tests.fcm.fcm_state import fcm_state


def test_registered_devices_get_fresh_tokens_that_carry_what_was_asked_for(control: ControlServer) -> None:
    asked = {"topic": "com.example.app", "fate": "unregistered", "count": 3, "environment": "sandbox"}
    first = control.call("POST", "/api/v1/tokens", asked).json
    second = control.call("POST", "/api/v1/tokens", asked).json
    devices: Any = [*first["devices"], *second["devices"]]  # type: ignore[misc]
    assert len({device["token"] for device in devices}) == 6
    for device in devices:
        sealed = unseal(device["token"].encode())
        assert sealed is not None
        assert (sealed.seed, sealed.index) == (REGISTRATION_SEED, device["index"])
        assert (sealed.fate, sealed.environment) == (Fate.UNREGISTERED, Environment.SANDBOX)
    assert (first["seed"], first["fate"], first["environment"]) == (REGISTRATION_SEED, "unregistered", "sandbox")


def test_registered_devices_are_a_declared_population_from_the_last_reset_on(control: ControlServer) -> None:
    control.call("POST", "/api/v1/tokens", {"topic": "com.example.app", "count": 2})
    control.call("POST", "/api/v1/tokens", {"topic": "com.example.other"})
    (population,) = get(control, "/api/v1/ledger")["populations"]
    assert (population["seed"], population["count"], population["never"]) == (REGISTRATION_SEED, 3, 3)
    control.call("POST", "/api/v1/reset", {"parts": ["ledger"]})
    control.call("POST", "/api/v1/tokens", {"topic": "com.example.app"})
    (population,) = get(control, "/api/v1/ledger")["populations"]
    assert (population["count"], population["never"]) == (1, 1)


def test_a_declaration_of_the_rigs_own_seed_by_the_user_is_left_alone(control: ControlServer) -> None:
    declared = {"seed": REGISTRATION_SEED, "count": 1_000_000, "start": 0}
    control.call("POST", "/api/v1/populations", declared)
    control.call("POST", "/api/v1/tokens", {"topic": "com.example.app"})
    assert get(control, "/api/v1/populations") == {"populations": [declared]}


def test_a_seed_of_ones_own_gives_the_tokens_of_that_population(control: ControlServer) -> None:
    asked = {"topic": "com.example.app", "seed": 424242, "count": 2}
    devices: Any = control.call("POST", "/api/v1/tokens", asked).json["devices"]
    population = Population(424242, 2, "com.example.app")
    assert [device["token"] for device in devices] == [population.mint(index).token for index in range(2)]
    assert get(control, "/api/v1/populations") == {"populations": []}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("topic", "", "topic"),
        ("topic", "with blank", "topic"),
        ("topic", None, "topic"),
        ("topic", "a" * 256, "topic"),
        ("fate", "dead", "unregistered"),
        ("fate", 1, "fate"),
        ("count", 0, "count"),
        ("count", TOKENS_MINTED_MAX + 1, "count"),
        ("environment", "development", "sandbox"),
        ("seed", -1, "seed"),
        ("seed", SEED_MAX + 1, "seed"),
        ("amount", 3, "amount"),
    ],
)
def test_a_spoiled_registration_is_refused(control: ControlServer, field: str, value: object, named: str) -> None:
    reply = control.call("POST", "/api/v1/tokens", {"topic": "com.example.app", field: value})
    assert reply.status == 400 and named in reply.message
    assert get(control, "/api/v1/populations") == {"populations": []}


def test_seeds_of_registrations_are_bounded() -> None:
    registrations = Registrations()

    def population(count: int) -> Population:
        return Population(0, count, "com.example.app")

    for seed in range(REGISTRATION_SEEDS_MAX):
        registrations.mint(seed, 1, population)
    with pytest.raises(BoundReachedError, match="REGISTRATION_SEEDS_MAX"):
        registrations.mint(REGISTRATION_SEEDS_MAX, 1, population)
    assert registrations.next_index(0) == 1


def test_a_token_shows_what_is_sealed_in_it_and_the_answer_it_would_get(control: ControlServer) -> None:
    population = Population(99, 1, "com.example.app", fates=((Fate.UNREGISTERED, 1.0),))
    minted = population.mint(0)
    control.on_loop(lambda: control.rig.ledger.reject(99, 0, "Unregistered"))
    shown = get(control, f"/api/v1/tokens/{minted.token.upper()}")
    died_at_ms = shown["sealed"]["died_at_ms"]
    assert died_at_ms > minted.registered_at_ms
    assert shown["token"] == minted.token
    assert (shown["sealed"]["seed"], shown["sealed"]["index"], shown["sealed"]["fate"]) == (99, 0, "unregistered")
    assert shown["state_set"] is None
    assert shown["answer"] == {"status": 410, "reason": "Unregistered", "timestamp_ms": died_at_ms}
    assert shown["ledger"] == {"accepted": 0, "rejected": True}


def test_a_foreign_token_is_taken_as_the_rig_was_told(control: ControlServer) -> None:
    shown = get(control, f"/api/v1/tokens/{FOREIGN_TOKEN}")
    assert (shown["sealed"], shown["ledger"]) == (None, None)
    assert shown["answer"] == {"status": 200, "reason": None, "timestamp_ms": None}


def test_a_state_is_set_shown_and_taken_back(control: ControlServer) -> None:
    shown: Any = control.call("PUT", f"/api/v1/tokens/{FOREIGN_TOKEN.upper()}", STATE).json
    assert shown["state_set"] == {"state": "unregistered", "since_ms": 5_000}
    assert shown["answer"] == {"status": 410, "reason": "Unregistered", "timestamp_ms": 5_000}
    assert control.on_loop(lambda: control.rig.registry.get(FOREIGN_TOKEN.encode())) == (Fate.UNREGISTERED, 5_000)
    removed: Any = control.call("DELETE", f"/api/v1/tokens/{FOREIGN_TOKEN}").json
    assert (removed["state_set"], removed["answer"]["status"]) == (None, 200)
    assert control.call("DELETE", f"/api/v1/tokens/{FOREIGN_TOKEN}").status == 200


def test_a_state_without_instant_begins_now_by_the_rigs_clock(control: ControlServer) -> None:
    control.call("PUT", "/api/v1/clock", {"mode": "freeze", "at_ms": 777})
    shown: Any = control.call("PUT", f"/api/v1/tokens/{FOREIGN_TOKEN}", {"state": "expired"}).json
    assert shown["answer"] == {"status": 410, "reason": "ExpiredToken", "timestamp_ms": 777}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, "state"),
        ({"state": "gone"}, "active, unregistered, expired"),
        ({"state": "reregistered"}, "cannot be set by hand"),
        ({"state": "stale"}, "there is no 'stale'"),  # of FCM's tokens; these are APNs's
        ({"state": 410}, "state"),
        ({"state": "unregistered", "since_ms": -1}, "since_ms"),
        ({"state": "unregistered", "since_ms": "now"}, "since_ms"),
        ({"state": "unregistered", "since": 5}, "since"),
        (["unregistered"], "state"),
    ],
)
def test_a_spoiled_state_is_refused(control: ControlServer, change: object, named: str) -> None:
    reply = control.call("PUT", f"/api/v1/tokens/{FOREIGN_TOKEN}", change)
    assert reply.problem == (400, "invalid_body") and named in reply.message
    assert control.on_loop(lambda: len(control.rig.registry)) == 0


@pytest.mark.parametrize("token", ["abc", "zz", "ab%2Fcd", "%2e%2e", "ab" * 257, "%F0%9F%98%80", "..%2f..%2fetc"])
def test_a_spoiled_token_is_refused(control: ControlServer, token: str) -> None:
    for reply in (
        control.call("GET", f"/api/v1/tokens/{token}"),
        control.call("PUT", f"/api/v1/tokens/{token}", STATE),
        control.call("DELETE", f"/api/v1/tokens/{token}"),
    ):
        assert reply.problem in [(400, "invalid_token"), (404, "not_found")]


def test_a_full_overlay_refuses_a_further_state(control: ControlServer) -> None:
    for number in range(4):
        assert control.call("PUT", f"/api/v1/tokens/0{number}", STATE).status == 200
    reply = control.call("PUT", "/api/v1/tokens/04", STATE)
    assert reply.problem == (409, "bound_reached") and "OVERLAY_DEVICES_MAX" in reply.message


@pytest.mark.parametrize("state", [None, *(fate for fate in Fate.of_provider(Provider.APNS) if fate.settable)])
@pytest.mark.parametrize("fate", [None, *Fate.of_provider(Provider.APNS)])
@pytest.mark.parametrize("unknown_tokens", UnknownTokens)
def test_the_answer_foretold_is_the_judges(
    fate: Fate | None, state: Fate | None, unknown_tokens: UnknownTokens
) -> None:
    bench = Bench()
    bench.apns.unknown_tokens = unknown_tokens
    clock = Clock(lambda: NOW_S)
    rig = Rig(clock, bench.apns.overlay, Ledger(), Journal(), Counters(), bench.apns, fcm_state(bench.apns))
    token = FOREIGN_TOKEN.encode()
    if fate is not None:
        shares = () if fate is Fate.ACTIVE else ((fate, 1.0),)
        token = Population(5, 1, TOPIC.decode(), fates=shares).mint(0).token.encode()
    if state is not None:
        rig.registry.set(token, DeviceState(state, 5_000))
    verdict = bench.judge(Push().to(token))
    foretold = known_of(rig, Provider.APNS, token).answer
    assert foretold.reason == (None if verdict.reason is None else verdict.reason.wire_name)
    assert foretold.status == (200 if verdict.reason is None else verdict.reason.status)
    assert foretold.timestamp_ms == verdict.timestamp_ms
