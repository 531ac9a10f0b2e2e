"""Messages for iOS: what APNs is asked, and what FCM makes of each of its answers."""

from typing import Any

import pytest

from simulator.apns.reasons import Reason
from simulator.apns.state import Condition, UnknownTokens
from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, apns_token_of, unseal_registration
from simulator.devices.token_space import Environment, SealedToken, kind_of, seal, topic_tag
from simulator.fcm.apns_relay import _push
from simulator.fcm.errors import Cause, Fault, fault_of_apns
from simulator.fcm.state import ApnsCredential
from simulator.registry import DeviceState
from tests.fcm.fcm_state import APPLICATION
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import Bench, Send, token_of

IOS = Send().to("token", token_of(1, platform=Platform.IOS))
SEALED = unseal_registration(token_of(1, platform=Platform.IOS).encode())
assert SEALED is not None
SEAT = apns_token_of(SEALED, APPLICATION.encode())


def fault_of(bench: Bench, send: Send = IOS) -> Fault | None:
    return bench.judge(send).fault


def live_activity_token(fate: Fate = Fate.ACTIVE, topic: str = f"{APPLICATION}.push-type.liveactivity") -> str:
    return seal(SealedToken(kind_of(Environment.PRODUCTION, fate), 1, 5, 0, topic_tag(topic.encode())))


# What becomes of APNs's answers (D4 16)


def _apns_overlaid(fate: Fate) -> Any:
    return lambda bench: bench.rig.registry.set(SEAT, DeviceState(fate, 0))


def _apns(**fields: object) -> Any:
    def set_up(bench: Bench) -> None:
        for name, value in fields.items():
            setattr(bench.fcm.apns, name, value)

    return set_up


def _credential(credential: ApnsCredential) -> Any:
    return lambda bench: setattr(bench.fcm, "apns_credential", credential)


ANSWERS: list[tuple[Any, Cause, tuple[int, str] | None]] = [
    (_credential(ApnsCredential.INVALID), Cause.THIRD_PARTY_AUTH, (403, "InvalidProviderToken")),
    (_credential(ApnsCredential.WRONG_ENVIRONMENT), Cause.THIRD_PARTY_AUTH, (403, "BadEnvironmentKeyInToken")),
    (_apns_overlaid(Fate.UNREGISTERED), Cause.UNREGISTERED, (410, "Unregistered")),
    (_apns_overlaid(Fate.EXPIRED), Cause.UNREGISTERED, (410, "ExpiredToken")),
    (_apns_overlaid(Fate.WRONG_ENVIRONMENT), Cause.APNS_REJECTED, (400, "BadDeviceToken")),
    (_apns_overlaid(Fate.WRONG_TOPIC), Cause.APNS_REJECTED, (400, "DeviceTokenNotForTopic")),
    (_apns(device_rate=lambda token, now_s: True), Cause.DEVICE_QUOTA, None),
    (_apns(condition=Condition.UNAVAILABLE), Cause.UNAVAILABLE, None),
    (_apns(condition=Condition.SHUTTING_DOWN), Cause.UNAVAILABLE, None),
    (_apns(condition=Condition.INTERNAL_ERROR), Cause.UNAVAILABLE, None),
]


@pytest.mark.parametrize(("set_up", "cause", "apns"), ANSWERS, ids=lambda value: getattr(value, "wire_name", ""))
def test_each_answer_of_apns_has_one_of_fcm(set_up: Any, cause: Cause, apns: tuple[int, str] | None) -> None:
    bench = Bench()
    set_up(bench)
    fault = fault_of(bench)
    assert fault is not None
    assert (fault.cause, fault.apns) == (cause, apns)


@pytest.mark.parametrize("set_up", [row[0] for row in ANSWERS])
def test_a_dry_run_asks_apns_nothing_and_android_never_does(set_up: Any) -> None:
    bench = Bench()
    set_up(bench)
    assert fault_of(bench, IOS.dry) is None
    assert fault_of(bench, Send()) is None


@pytest.mark.parametrize("reason", Reason)
def test_whatever_apns_says_there_is_an_answer_of_its_kind(reason: Reason) -> None:
    fault = fault_of_apns(reason.status, reason.wire_name, "x")
    expected = {403: 401, 410: 404, 429: 429}.get(reason.status, 503 if reason.status >= 500 else 400)
    assert fault.cause.status == expected


@pytest.mark.parametrize("fate", [Fate.UNREGISTERED, Fate.STALE])
def test_a_registration_of_ios_that_has_gone_says_what_apns_said(fate: Fate) -> None:
    ios, android = (Send().to("token", token_of(1, fate, platform)) for platform in (Platform.IOS, Platform.ANDROID))
    for send, apns in ((ios, (410, "Unregistered")), (android, None)):
        fault = fault_of(Bench(), send)
        assert fault is not None
        assert (fault.cause, fault.apns) == (Cause.UNREGISTERED, apns)


def test_apns_keeps_no_account_of_what_fcm_relays() -> None:
    bench = Bench()
    assert bench.send(IOS).status == 200
    assert [row.provider for row in bench.rows()] == ["fcm"]
    assert bench.mark(1) == (1, False)
    assert bench.rig.counters.notifications == 1


# What APNs is asked


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ({"notification": {"title": "Hello"}}, None),
        ({"notification": None, "data": {"a": "b"}}, None),
        ({"notification": None, "apns": {"payload": {"aps": {"alert": "Hello"}}}}, None),
        ({"notification": None, "apns": {"payload": {"aps": {"content-available": 1}}}}, None),
        ({"notification": None, "apns": {"payload": {"aps": {"badge": 1}}, "headers": {"apns-priority": "10"}}}, None),
        (
            {
                "notification": None,
                "apns": {"payload": {"aps": {"sound": "default"}}, "headers": {"apns-priority": "10"}},
            },
            None,
        ),
        ({"notification": None, "apns": {"payload": {"aps": 5}}}, None),
        # "Data-only messages may only use priority 5."
        ({"notification": None, "apns": {"headers": {"apns-priority": "10"}}}, "BadPriority"),
        ({"apns": {"headers": {"apns-push-type": "background"}}}, None),
        ({"apns": {"headers": {"APNS-Push-Type": "background", "apns-priority": "10"}}}, "BadPriority"),
        ({"apns": {"headers": {"apns-push-type": "pigeon"}}}, "InvalidPushType"),
        ({"apns": {"headers": {"apns-push-type": "voip"}}}, "BadTopic"),
        ({"apns": {"headers": {"apns-push-type": "voip", "apns-topic": f"{APPLICATION}.voip"}}}, None),
        ({"apns": {"headers": {"apns-topic": "com.example.other"}}}, "TopicDisallowed"),
        ({"apns": {"headers": {"apns-expiration": "soon"}}}, "BadExpirationDate"),
        ({"apns": {"headers": {"apns-collapse-id": "c" * 65}}}, "BadCollapseId"),
        ({"apns": {"headers": {"apns-id": "7"}}}, "BadMessageId"),
        # Fields that are none of APNs's own go no further.
        ({"apns": {"headers": {":method": "GET", "host": "api.sandbox.push.apple.com", "x": "\n"}}}, None),
    ],
)
def test_headers_are_those_of_the_message_and_else_what_fits_it(message: dict[str, Any], refused: str | None) -> None:
    send = IOS.having(**message)
    cleaned = {name: value for name, value in send.message.items() if value is not None}
    fault = fault_of(Bench(), Send(target=send.target, message=cleaned))
    assert (None if fault is None else fault.apns) == (None if refused is None else (400, refused))
    assert fault is None or fault.cause is Cause.APNS_REJECTED


def test_a_registration_sits_where_the_project_is_registered() -> None:
    bench = Bench()
    bench.fcm.apns.unknown_tokens = UnknownTokens.REJECT
    for environment in Environment:
        bench.fcm.apns_environment = environment
        assert fault_of(bench) is None


def test_an_imported_registration_has_its_own_app_and_environment() -> None:
    bench = Bench()
    registrations = bench.fcm.registrations
    own, strange = (
        registrations.import_apns(application, Environment.PRODUCTION, SEAT).decode()
        for application in (APPLICATION, "com.example.other")
    )
    sandboxed = registrations.import_apns(APPLICATION, Environment.SANDBOX, SEAT).decode()
    found = {}
    for name, token in (("own", own), ("strange", strange), ("sandboxed", sandboxed)):
        fault = fault_of(bench, Send().to("token", token))
        found[name] = None if fault is None else fault.apns
    assert found == {"own": None, "strange": (400, "DeviceTokenNotForTopic"), "sandboxed": (400, "BadDeviceToken")}
    assert bench.send(Send().to("token", own)).body.count(b"-") >= 4  # the name of a message to iOS


# Live Activities


def test_a_live_activity_has_a_token_and_a_topic_of_its_own() -> None:
    activity = {
        "live_activity_token": live_activity_token(),
        "payload": {"aps": {"event": "update", "content-state": {}}},
    }
    bench = Bench()
    bench.fcm.apns.unknown_tokens = UnknownTokens.REJECT
    assert fault_of(bench, IOS.having(apns=activity)) is None
    # The device that the registration sits on is not asked.
    bench.rig.registry.set(SEAT, DeviceState(Fate.UNREGISTERED, 0))
    assert fault_of(bench, IOS.having(apns=activity)) is None
    fault = fault_of(
        bench, IOS.having(apns={**activity, "live_activity_token": live_activity_token(Fate.UNREGISTERED)})
    )
    assert fault is not None
    assert fault.cause is Cause.UNREGISTERED


@pytest.mark.parametrize("token", ["no token", "ab/cd", "é", live_activity_token(topic=APPLICATION)[:-1]])
def test_whatever_a_live_activity_token_holds_it_is_judged(token: str) -> None:
    fault = fault_of(Bench(), IOS.having(apns={"live_activity_token": token}))
    assert fault is not None
    assert fault.cause is Cause.APNS_REJECTED


def test_a_live_activity_token_alone_is_no_target() -> None:
    send = Send(target=None).having(apns={"live_activity_token": live_activity_token()})
    fault = fault_of(Bench(), send)
    assert fault is not None
    assert fault.cause is Cause.RECIPIENT_MISSING


def test_a_push_lasts_thirty_days_unless_it_says_otherwise() -> None:
    for headers, expires_s in (({}, int(NOW_S) + 30 * 86_400), ({"Apns-Expiration": "0"}, 0)):
        message = IOS.having(apns={"headers": headers})
        send = Bench().judge(message.dry).send
        assert send is not None
        assert send.message is not None
        push = _push(SEAT, APPLICATION.encode(), send.message, NOW_S + 0.9)
        assert push.head.value(b"apns-expiration") == b"%d" % expires_s
        assert [name for name, _ in push.head.fields].count(b"apns-expiration") == 1
