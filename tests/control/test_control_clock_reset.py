"""`/api/v1/clock` and `/api/v1/reset`: a valid request, then one with one thing spoiled."""

import pytest

from simulator.fcm.access_token import CREDENTIAL_EXPIRED, Grant
from simulator.fcm.fan_out import FanOut
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import Rates
from tests.apns.valid_push import NOW_S
from tests.control.control_server import FOREIGN_TOKEN, NOW_MS, STATE, ControlServer, get, row
from tests.fcm.service_account import MESSAGING, self_signed_claims, signed
from tests.fcm.valid_message import TOKEN as FOREIGN_REGISTRATION
from tests.fcm.valid_message import send_with
from wire.request import Head, Request


def test_the_clock_is_frozen_advanced_and_real_again(control: ControlServer) -> None:
    def change(body: object) -> dict[str, object]:
        return control.call("PUT", "/api/v1/clock", body).json

    assert get(control, "/api/v1/clock") == {"mode": "real", "now_ms": NOW_MS, "offset_ms": 0}
    assert change({"advance_ms": 500}) == {"mode": "shifted", "now_ms": NOW_MS + 500, "offset_ms": 500}
    assert change({"mode": "freeze", "at_ms": 1_000}) == {
        "mode": "frozen",
        "now_ms": 1_000,
        "offset_ms": 1_000 - NOW_MS,
    }
    assert change({"advance_ms": 24})["now_ms"] == 1_024
    assert change({"mode": "freeze"})["now_ms"] == 1_024
    assert change({"mode": "real"}) == {"mode": "real", "now_ms": NOW_MS, "offset_ms": 0}


@pytest.mark.parametrize(
    "change",
    [
        {}, {"mode": "frozen"}, {"mode": "freeze", "at_ms": -1}, {"mode": "freeze", "at_ms": 10**15}, {"at_ms": 5},
        {"mode": "real", "at_ms": 5}, {"mode": "freeze", "advance_ms": 5}, {"advance_ms": -5}, {"advance_ms": 0.5},
        {"advance_ms": 253_402_300_799_999}, {"advance": 5}, [], 5, "freeze",
    ],
)  # fmt: skip
def test_a_spoiled_change_of_the_clock_is_refused_and_changes_nothing(control: ControlServer, change: object) -> None:
    reply = control.call("PUT", "/api/v1/clock", change)
    assert reply.status == 400 and reply.message
    assert get(control, "/api/v1/clock")["mode"] == "real"


def use_everything(control: ControlServer) -> None:
    control.call("PUT", "/api/v1/clock", {"advance_ms": 5})
    control.call("PUT", f"/api/v1/tokens/{FOREIGN_TOKEN}", STATE)
    control.call("PUT", f"/api/v1/tokens/{FOREIGN_REGISTRATION}", STATE)
    control.call("POST", "/api/v1/populations", {"seed": 7, "count": 4})
    control.call("POST", "/api/v1/ledger/rounds")
    control.call("PUT", "/api/v1/service", {"apns": "unavailable", "fcm": "bad-gateway"})
    control.call("PUT", "/api/v1/fcm", {"api_enabled": False, "apns_credential": "invalid"})
    control.call("POST", "/api/v1/faults", {"fault": "silent-stream"})
    control.record(row())

    def use() -> None:
        control.rig.counters.accepted += 1
        control.rig.counters.topic_deliveries += 1
        control.rig.counters.google_calls["token"] += 1
        control.rig.counters.connections_open = 2
        fcm = control.rig.fcm
        fcm.subscriptions.add(b"a", "news", NOW_S)
        fcm.registrations.import_apns("com.example.app", fcm.apns_environment, FOREIGN_TOKEN.encode())
        request = Request(1, Head(()), (None, None), b"")
        fcm.fan_outs.add(FanOut(send_with(), fcm.subscriptions.of_topic("news"), request, b"1", 1))
        fcm.rates = RateLimits.of(Rates())
        assert fcm.rates.project is not None
        fcm.rates.project.take(NOW_S)
        fcm.access.grant_of(f"Bearer {fcm.access.mint(MESSAGING, NOW_S)}".encode(), NOW_S)

    control.on_loop(use)


def used(control: ControlServer) -> set[str]:
    stats, fcm = get(control, "/api/v1/stats"), control.rig.fcm
    assert stats["counters"]["connections_open"] == 2
    project = get(control, "/api/v1/fcm")
    settings = project["api_enabled"], project["apns_credential"]
    parts = {
        "subscriptions": stats["fcm"]
        == {"subscriptions": 1, "topics": 1, "imported_registrations": 1, "fan_outs_waiting": 1},
        "journal": stats["journal"]["total"] == 1,
        "ledger": stats["ledger"]["round"] == 2 and stats["ledger"]["populations"] == 1,
        "overlay": stats["overlay_devices"] == 2,
        "clock": stats["clock"]["mode"] == "shifted",
        "counters": stats["counters"]["accepted"] == 1 and stats["counters"]["google_calls"] == {"token": 1},
        "provider-tokens": control.on_loop(lambda: len(fcm.access._seen)) == 1,
        "rates": fcm.rates.project is not None and 0 < fcm.rates.project.left < fcm.rates.project.count_max,
        "service": settings == (False, "invalid")
        and get(control, "/api/v1/service") == {"apns": "unavailable", "fcm": "bad-gateway"},
        "faults": len(get(control, "/api/v1/faults")["faults"]) == 1,
    }
    if not parts["subscriptions"]:
        assert not any(stats["fcm"].values())
    if not parts["overlay"]:
        assert stats["overlay_devices"] == 0
    if not parts["service"]:
        assert settings == (True, "valid") and get(control, "/api/v1/service") == {"apns": "ok", "fcm": "ok"}
    return {part for part, still in parts.items() if still}


ALL_PARTS = [
    "subscriptions", "journal", "ledger", "overlay", "clock", "counters", "provider-tokens", "rates", "service", "faults",
]  # fmt: skip


@pytest.mark.parametrize("body", [None, {}, {"parts": None}, {"parts": ALL_PARTS}])
def test_a_reset_begins_everything_anew(control: ControlServer, body: object) -> None:
    use_everything(control)
    assert used(control) == set(ALL_PARTS)
    assert control.call("POST", "/api/v1/reset", body).json == {"parts": ALL_PARTS}
    assert used(control) == set()


@pytest.mark.parametrize("part", ALL_PARTS)
def test_a_reset_of_one_part_leaves_the_others(control: ControlServer, part: str) -> None:
    use_everything(control)
    assert control.call("POST", "/api/v1/reset", {"parts": [part]}).json == {"parts": [part]}
    assert used(control) == set(ALL_PARTS) - {part}


def test_a_reset_of_nothing_does_nothing(control: ControlServer) -> None:
    use_everything(control)
    assert control.call("POST", "/api/v1/reset", {"parts": []}).json == {"parts": []}
    assert used(control) == set(ALL_PARTS)


def test_a_reset_forgets_the_age_of_access_tokens(control: ControlServer) -> None:
    now_s = NOW_MS // 1000
    token = b"Bearer " + signed(self_signed_claims(iat=now_s, exp=now_s + 3600))

    def judged() -> object:
        return control.on_loop(lambda: control.rig.fcm.access.grant_of(token, control.rig.clock.now_s()))

    assert isinstance(judged(), Grant)
    control.call("PUT", "/api/v1/clock", {"advance_ms": 3_600_000})
    assert judged() is CREDENTIAL_EXPIRED
    control.call("POST", "/api/v1/reset", {"parts": ["provider-tokens"]})
    assert isinstance(judged(), Grant)


@pytest.mark.parametrize("body", [{"parts": ["clocks"]}, {"parts": "clock"}, {"part": ["clock"]}, ["clock"]])
def test_a_spoiled_reset_is_refused_and_names_the_parts(control: ControlServer, body: object) -> None:
    reply = control.call("POST", "/api/v1/reset", body)
    assert reply.problem == (400, "invalid_body") and '"overlay"' in reply.message
