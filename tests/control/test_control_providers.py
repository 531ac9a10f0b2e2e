"""`/api/v1/service`, `/api/v1/fcm` and `/api/v1/rates`: a valid request, then one with one thing spoiled."""

from typing import get_args

import msgspec
import pytest

from simulator.apns.state import Condition
from simulator.control.provider_control import ApnsConditionName, CredentialName, FcmConditionName
from simulator.fcm.state import ApnsCredential, FcmCondition
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import OFF, Rates
from tests.control.control_server import ControlServer, get
from tests.fcm.fcm_state import APPLICATION, PROJECT_NUMBER
from tests.fcm.service_account import PROJECT_ID


def test_the_names_that_are_taken_are_those_of_the_tables() -> None:
    assert set(get_args(ApnsConditionName)) == {condition.wire_name for condition in Condition}
    assert set(get_args(FcmConditionName)) == {condition.wire_name for condition in FcmCondition}
    assert set(get_args(CredentialName)) == {credential.wire_name for credential in ApnsCredential}


@pytest.mark.parametrize("condition", Condition)
def test_apns_is_taken_out_of_order_and_fcm_left_alone(control: ControlServer, condition: Condition) -> None:
    control.call("PUT", "/api/v1/service", {"fcm": "internal-error"})
    reply = control.call("PUT", "/api/v1/service", {"apns": condition.wire_name})
    assert reply.json == get(control, "/api/v1/service") == {"apns": condition.wire_name, "fcm": "internal-error"}
    assert control.on_loop(lambda: control.rig.apns.condition) is condition


@pytest.mark.parametrize("condition", FcmCondition)
def test_fcm_is_taken_out_of_order_and_apns_left_alone(control: ControlServer, condition: FcmCondition) -> None:
    reply = control.call("PUT", "/api/v1/service", {"fcm": condition.wire_name})
    assert reply.json == {"apns": "ok", "fcm": condition.wire_name}
    assert control.on_loop(lambda: control.rig.fcm.condition) is condition


@pytest.mark.parametrize(
    "change", [{}, {"apns": "bad-gateway"}, {"fcm": "shutting-down"}, {"fcm": None}, {"gcm": "ok"}]
)
def test_a_spoiled_condition_is_refused_and_changes_nothing(control: ControlServer, change: object) -> None:
    reply = control.call("PUT", "/api/v1/service", change)
    assert reply.problem == (400, "invalid_body") and "fcm" in reply.message
    assert get(control, "/api/v1/service") == {"apns": "ok", "fcm": "ok"}


def test_the_project_is_shown(control: ControlServer) -> None:
    def follow() -> None:
        for registration in (b"a", b"b"):
            control.rig.fcm.subscriptions.add(registration, "news", 0)

    control.on_loop(follow)
    assert get(control, "/api/v1/fcm") == {
        "project_id": PROJECT_ID,
        "project_number": PROJECT_NUMBER,
        "application": APPLICATION,
        "apns_environment": "production",
        "api_enabled": True,
        "apns_credential": "valid",
        "imported_registrations": 0,
        "subscriptions": 2,
        "topics": 1,
        "fan_outs_waiting": 0,
    }


@pytest.mark.parametrize("credential", ApnsCredential)
def test_the_project_is_changed_one_thing_at_a_time(control: ControlServer, credential: ApnsCredential) -> None:
    control.call("PUT", "/api/v1/fcm", {"api_enabled": False})
    reply = control.call("PUT", "/api/v1/fcm", {"apns_credential": credential.wire_name})
    assert (reply.json["api_enabled"], reply.json["apns_credential"]) == (False, credential.wire_name)
    assert control.on_loop(lambda: control.rig.fcm.apns_credential) is credential
    control.call("PUT", "/api/v1/fcm", {"api_enabled": True})
    assert get(control, "/api/v1/fcm")["apns_credential"] == credential.wire_name
    assert control.on_loop(lambda: control.rig.fcm.api_enabled)


@pytest.mark.parametrize(
    "change", [{}, {"api_enabled": None}, {"api_enabled": "no"}, {"apns_credential": "expired"}, {"project_id": "mine"}]
)
def test_a_spoiled_change_of_the_project_is_refused(control: ControlServer, change: object) -> None:
    reply = control.call("PUT", "/api/v1/fcm", change)
    assert reply.problem == (400, "invalid_body") and "apns_credential" in reply.message
    assert (get(control, "/api/v1/fcm")["api_enabled"], get(control, "/api/v1/fcm")["apns_credential"]) == (
        True,
        "valid",
    )


@pytest.mark.parametrize("rates", [OFF, Rates()])
def test_the_rates_in_force_are_shown(control: ControlServer, rates: Rates) -> None:
    def keep() -> None:
        control.rig.fcm.rates = RateLimits.of(rates)

    control.on_loop(keep)
    assert msgspec.convert(get(control, "/api/v1/rates"), Rates) == rates
