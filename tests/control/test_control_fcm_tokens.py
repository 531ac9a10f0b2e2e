"""`/api/v1/tokens` for registrations of FCM: a valid request, then one with one thing spoiled."""

from typing import Any

import msgspec
import pytest

from simulator.apns.state import Condition, UnknownTokens
from simulator.clock import Clock
from simulator.control.device_tokens import known_of
from simulator.control.fcm_tokens import TOPICS_SHOWN_MAX
from simulator.counters import Counters
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import (
    REGISTRATION_SEED_MAX,
    Platform,
    RegistrationPopulation,
    SealedRegistration,
    is_registration_token_shape,
    kind_of_registration,
    seal_registration,
    unseal_registration,
)
from simulator.devices.token_space import Environment, Population, unseal
from simulator.fcm.judge import judge
from simulator.fcm.state import ApnsCredential
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.rates.bucket import KeyedBuckets
from simulator.rates.rates import BucketRate
from simulator.registry import DeviceState
from simulator.rig import FCM_REGISTRATION_SEED, MALFORMED_REGISTRATION_SEED, Registrations, Rig
from tests.apns.valid_push import NOW_S, Bench
from tests.control.control_server import FOREIGN_TOKEN, ControlServer, get
from tests.fcm.fcm_state import APPLICATION, fcm_state
from tests.fcm.service_account import MESSAGING, PROJECT_ID
from tests.fcm.valid_message import TOKEN as FOREIGN_REGISTRATION
from tests.fcm.valid_message import body_with
from wire.request import Head, Request

FCM = {"provider": "fcm"}


def registration(
    fate: Fate = Fate.ACTIVE, platform: Platform = Platform.ANDROID, seed: int = 99, index: int = 0
) -> str:
    """A synthetic registration token."""
    return seal_registration(SealedRegistration(kind_of_registration(platform, fate), seed, index))


def registered(control: ControlServer, **asked: object) -> Any:
    reply = control.call("POST", "/api/v1/tokens", {**FCM, **asked})
    assert reply.status == 200, reply.content
    return reply.json


@pytest.mark.parametrize("platform", [None, "android", "ios", "web"])
@pytest.mark.parametrize("fate", [fate for fate in Fate.of_provider(Provider.FCM) if fate is not Fate.INVALID_SHAPE])
def test_registrations_get_fresh_tokens_that_carry_what_was_asked_for(
    control: ControlServer, platform: str | None, fate: Fate
) -> None:
    asked = {"fate": fate.wire_name, "count": 3, **({} if platform is None else {"platform": platform})}
    first, second = registered(control, **asked), registered(control, **asked)
    devices = [*first["devices"], *second["devices"]]
    assert len({device["token"] for device in devices}) == 6
    for device in devices:
        sealed = unseal_registration(device["token"].encode())
        assert sealed is not None
        assert (sealed.seed, sealed.index) == (FCM_REGISTRATION_SEED, device["index"])
        assert (sealed.fate, sealed.platform.name.lower()) == (fate, platform or "android")
    told = {name: first[name] for name in ("seed", "provider", "topic", "fate", "environment", "platform")}
    assert told == {
        "seed": FCM_REGISTRATION_SEED, "provider": "fcm", "topic": APPLICATION, "fate": fate.wire_name,
        "environment": None, "platform": platform or "android",
    }  # fmt: skip


def test_a_registration_of_no_shape_is_taken_by_nobody_and_the_ledger_does_not_wait_for_it(
    control: ControlServer,
) -> None:
    torn = registered(control, fate="invalid-shape", count=2, platform="web")
    whole = registered(control)
    assert torn["seed"] == MALFORMED_REGISTRATION_SEED
    assert len({device["token"] for device in torn["devices"]}) == 2
    assert not any(is_registration_token_shape(device["token"].encode()) for device in torn["devices"])
    (population,) = get(control, "/api/v1/populations")["populations"]
    assert (population["seed"], population["count"]) == (whole["seed"], 1)


def test_registered_registrations_are_a_declared_population_from_the_last_reset_on(control: ControlServer) -> None:
    registered(control, count=2)
    registered(control, platform="ios")
    control.call("POST", "/api/v1/tokens", {"topic": "com.example.app"})
    of_fcm, of_apns = get(control, "/api/v1/ledger")["populations"]
    assert (of_fcm["seed"], of_fcm["count"], of_fcm["never"], of_apns["count"]) == (FCM_REGISTRATION_SEED, 3, 3, 1)
    control.call("POST", "/api/v1/reset", {"parts": ["ledger"]})
    registered(control)
    (population,) = get(control, "/api/v1/ledger")["populations"]
    assert (population["count"], population["never"]) == (1, 1)


def test_a_seed_of_ones_own_gives_that_population_and_no_index_twice_whoever_the_provider(
    control: ControlServer,
) -> None:
    devices = registered(control, seed=424_243, count=2)["devices"]
    population = RegistrationPopulation(424_243, 2, APPLICATION)
    assert [device["token"] for device in devices] == [population.mint(index).token for index in range(2)]
    asked = {"topic": "com.example.app", "seed": 424_243}
    of_apns: Any = control.call("POST", "/api/v1/tokens", asked).json
    assert [device["index"] for device in of_apns["devices"]] == [2]
    assert of_apns["devices"][0]["token"] == Population(424_243, 3, "com.example.app").mint(2).token
    assert get(control, "/api/v1/populations") == {"populations": []}


@pytest.mark.parametrize("seed", [1, 2**63 + 7])
def test_simulators_of_other_seeds_have_populations_of_their_own(seed: int) -> None:
    one, other = Registrations(), Registrations(seed)
    for provider, fate in (
        (Provider.APNS, Fate.ACTIVE),
        (Provider.FCM, Fate.ACTIVE),
        (Provider.FCM, Fate.INVALID_SHAPE),
    ):
        assert one.own_seed(provider, fate) != other.own_seed(provider, fate)
        if provider is Provider.FCM:
            assert 0 <= other.own_seed(provider, fate) <= REGISTRATION_SEED_MAX


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("provider", "gcm", "fcm"),
        ("platform", "windows", "android"),
        ("topic", "com.example.other", "com.example.app"),
        ("environment", "production", "environment"),
        ("fate", "expired", "unregistered, other-sender, stale, invalid-shape"),
        ("seed", 2**32, "2**32 - 1"),
        ("count", 0, "count"),
    ],
)
def test_a_spoiled_registration_is_refused(control: ControlServer, field: str, value: object, named: str) -> None:
    reply = control.call("POST", "/api/v1/tokens", {**FCM, field: value})
    assert reply.status == 400 and named in reply.message
    assert get(control, "/api/v1/populations") == {"populations": []}


@pytest.mark.parametrize(("field", "value", "named"), [("platform", "ios", "platform"), ("fate", "stale", "stale")])
def test_what_is_fcms_does_not_go_with_apns(control: ControlServer, field: str, value: object, named: str) -> None:
    reply = control.call("POST", "/api/v1/tokens", {"topic": "com.example.app", field: value})
    assert reply.problem == (400, "invalid_body") and named in reply.message


def test_a_registration_shows_what_is_sealed_in_it_and_what_follows(control: ControlServer) -> None:
    token = registration(Fate.ACTIVE, Platform.IOS, 99, 7)
    topics = [f"t{number}" for number in range(TOPICS_SHOWN_MAX + 1)]

    def follow() -> None:
        for topic in topics:
            control.rig.fcm.subscriptions.add(token[:22].encode(), topic, NOW_S)
        control.rig.ledger.accept(99, 7)

    control.on_loop(follow)
    shown = get(control, f"/api/v1/tokens/{token}")
    seat = unseal(shown["registration"]["apns"].pop("token").encode())
    assert seat is not None and (seat.seed, seat.index) == (99, 7)
    assert shown == {
        "token": token,
        "provider": "fcm",
        "sealed": {
            "seed": 99, "index": 7, "fate": "active", "died_at_ms": None, "environment": None, "topic_tag": None,
            "platform": "ios",
        },
        "state_set": None,
        "answer": {"status": 200, "reason": None, "timestamp_ms": None},
        "ledger": {"accepted": 1, "rejected": False},
        "registration": {
            "fid": token[:22], "platform": "ios", "imported": False,
            "apns": {"topic": APPLICATION, "environment": "production"},
            "topics_count": TOPICS_SHOWN_MAX + 1, "topics": topics[:TOPICS_SHOWN_MAX],
        },
    }  # fmt: skip
    by_fid = get(control, f"/api/v1/tokens/{token[:22]}")
    assert by_fid["sealed"] == shown["sealed"] and by_fid["registration"]["topics_count"] == TOPICS_SHOWN_MAX + 1


def test_a_foreign_registration_is_taken_as_the_rig_was_told(control: ControlServer) -> None:
    shown = get(control, f"/api/v1/tokens/{FOREIGN_REGISTRATION}")
    assert (shown["provider"], shown["sealed"], shown["ledger"]) == ("fcm", None, None)
    assert (shown["registration"]["platform"], shown["registration"]["fid"]) == ("android", FOREIGN_REGISTRATION[:22])
    assert shown["answer"]["status"] == 200
    assert get(control, f"/api/v1/tokens/{'x' * 150}")["registration"]["fid"] is None


def test_an_imported_registration_shows_the_apns_token_that_it_was_made_of(control: ControlServer) -> None:
    apns_token = FOREIGN_TOKEN.encode()
    token = control.on_loop(
        lambda: control.rig.fcm.registrations.import_apns("com.example.other", Environment.SANDBOX, apns_token)
    )
    known = get(control, f"/api/v1/tokens/{token.decode()}")["registration"]
    assert known["imported"] and known["platform"] == "ios"
    assert known["apns"] == {"token": FOREIGN_TOKEN, "topic": "com.example.other", "environment": "sandbox"}
    control.call("POST", "/api/v1/reset", {"parts": ["subscriptions"]})
    assert not get(control, f"/api/v1/tokens/{token.decode()}")["registration"]["imported"]


def test_a_state_is_set_on_a_token_shown_by_its_fid_and_taken_back(control: ControlServer) -> None:
    token = registration()
    shown: Any = control.call("PUT", f"/api/v1/tokens/{token}", {"state": "other-sender"}).json
    assert shown["answer"] == {"status": 403, "reason": "SENDER_ID_MISMATCH", "timestamp_ms": None}
    assert get(control, f"/api/v1/tokens/{token[:22]}")["state_set"]["state"] == "other-sender"
    assert control.on_loop(lambda: (len(control.rig.registry), len(control.rig.fcm.overlay))) == (0, 1)
    removed: Any = control.call("DELETE", f"/api/v1/tokens/{token[:22]}").json
    assert (removed["state_set"], removed["answer"]["status"]) == (None, 200)


def test_the_case_of_a_registration_matters(control: ControlServer) -> None:
    token = FOREIGN_REGISTRATION
    control.call("PUT", f"/api/v1/tokens/{token}", {"state": "unregistered"})
    other = token[:-1] + "X"
    assert get(control, f"/api/v1/tokens/{token}")["answer"]["status"] == 404
    changed = token[:22].replace("Q", "q") + token[22:]
    assert changed != token
    assert get(control, f"/api/v1/tokens/{changed}")["answer"]["status"] == 200
    # A foreign token and its FID are one; what follows does not matter.
    assert get(control, f"/api/v1/tokens/{other}")["answer"]["status"] == 404


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"state": "expired"}, "active, unregistered, other-sender, stale"),
        ({"state": "invalid-shape"}, "cannot be set by hand"),
        ({}, "state"),
    ],
)
def test_a_spoiled_state_is_refused(control: ControlServer, change: object, named: str) -> None:
    reply = control.call("PUT", f"/api/v1/tokens/{registration()}", change)
    assert reply.problem == (400, "invalid_body") and named in reply.message
    assert control.on_loop(lambda: len(control.rig.fcm.overlay)) == 0


@pytest.mark.parametrize(
    "token",
    [
        registration()[:21],
        registration().replace(":", "%253A"),
        "g" + registration()[1:22],
        "a" * 99,
        "a" * 513,
        "%C3%A9",
    ],
)
def test_what_is_no_registration_is_refused(control: ControlServer, token: str) -> None:
    reply = control.call("GET", f"/api/v1/tokens/{token}")
    assert reply.problem == (400, "invalid_token") and "installation id" in reply.message


def test_looking_at_a_registration_counts_against_no_rate_and_minds_no_outage(control: ControlServer) -> None:
    token = registration(platform=Platform.IOS)

    def limit() -> None:
        rule = KeyedBuckets(BucketRate(count=1, per_s=3_600)).refuses
        control.rig.apns.device_rate = control.rig.apns.connection_rate = rule
        control.rig.apns.condition = Condition.UNAVAILABLE

    def lift() -> None:
        control.rig.apns.device_rate = control.rig.apns.connection_rate = None
        control.rig.apns.condition = Condition.OK

    control.on_loop(limit)
    statuses = [get(control, f"/api/v1/tokens/{token}")["answer"]["status"] for _ in range(3)]
    control.on_loop(lift)
    assert statuses == [200, 200, 200]


@pytest.mark.parametrize("credential", ApnsCredential)
@pytest.mark.parametrize("state", [None, *(fate for fate in Fate.of_provider(Provider.FCM) if fate.settable)])
@pytest.mark.parametrize("unknown_tokens", UnknownTokens)
def test_the_answer_foretold_is_the_judges(
    state: Fate | None, unknown_tokens: UnknownTokens, credential: ApnsCredential
) -> None:
    bench = Bench()
    bench.apns.unknown_tokens = unknown_tokens
    fcm = fcm_state(bench.apns)
    fcm.unknown_tokens, fcm.apns_credential = unknown_tokens, credential
    rig = Rig(Clock(lambda: NOW_S), bench.apns.overlay, Ledger(), Journal(), Counters(), bench.apns, fcm)
    fates = [fate for fate in Fate.of_provider(Provider.FCM) if fate is not Fate.INVALID_SHAPE]
    texts = [registration(fate, platform) for fate in fates for platform in Platform]
    imported = fcm.registrations.import_apns(APPLICATION, Environment.PRODUCTION, FOREIGN_TOKEN.encode())
    texts += [FOREIGN_REGISTRATION, imported.decode(), registration()[:22]]
    authorization = f"Bearer {fcm.access.mint(MESSAGING, NOW_S)}".encode()
    for text in texts:
        if state is not None:
            fcm.overlay.set(text.encode(), DeviceState(state, 5_000))
        path = f"/v1/projects/{PROJECT_ID}/messages:send".encode()
        head = Head(((b":method", b"POST"), (b":path", b""), (b"authorization", authorization)))
        target = {"token": None, "fid": text} if len(text) == 22 else {"token": text}
        refused = judge(Request(1, head, (path, None), body_with(**target)), PROJECT_ID, fcm, NOW_S).fault
        foretold = known_of(rig, Provider.FCM, text.encode()).answer
        expected = (200, None) if refused is None else (refused.cause.status, refused.cause.reason)
        assert (foretold.status, foretold.reason) == expected, text
        assert msgspec.json.encode(foretold)
