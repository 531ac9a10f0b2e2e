"""FCM's judge beyond the order of its checks: rates, callers, states set by hand, and a short way that leaves out none."""

from dataclasses import replace

import pytest

from simulator.apns.state import UnknownTokens
from simulator.devices.fates import Fate
from simulator.devices.registration_space import (
    Platform,
    apns_token_of,
    malformed_registration,
    unseal_registration,
)
from simulator.fcm.errors import Cause
from simulator.fcm.fan_out import FanOuts
from simulator.rates.rates import BucketRate, FanoutRate, WindowRate
from simulator.registry import DeviceState
from tests.fcm.fcm_state import APPLICATION, PROJECT_NUMBER
from tests.fcm.service_account import NOW_S, RigClock, access_tokens, self_signed_claims, signed
from tests.fcm.valid_message import TOKEN as FOREIGN
from tests.fcm.valid_send import SEED, Bench, Send, access_token, fid, rates_of, token_of

PLENTY = BucketRate(count=1_000_000, per_s=1)
TWO_A_MINUTE = BucketRate(count=2, per_s=60)


def cause_of(bench: Bench, send: Send) -> Cause | None:
    fault = bench.judge(send).fault
    return None if fault is None else fault.cause


# The project's quota


def quota_bench(count: int = 2) -> Bench:
    bench = Bench()
    bench.fcm.rates = rates_of(fcm_project=WindowRate(count=count, per_s=60))
    return bench


def test_the_quota_is_of_a_window_and_says_how_long_to_wait() -> None:
    bench = quota_bench()
    assert [cause_of(bench, Send()) for _ in range(3)] == [None, None, Cause.PROJECT_QUOTA]
    bench.now_s += 20.5
    fault = bench.judge(Send()).fault
    assert fault is not None
    assert fault.info is not None
    assert (fault.retry_after_s, dict(fault.info.metadata)["quota_limit_value"]) == (40, "2")
    bench.now_s += 39.5
    assert cause_of(bench, Send()) is None


@pytest.mark.parametrize(
    "counted",
    [
        Send(body=b"{"),
        Send(target=None),
        Send().to("token", malformed_registration(SEED, 1)),
        Send().to("token", token_of(2, Fate.UNREGISTERED)),
        Send().dry,
    ],
    ids=["no JSON", "no target", "malformed", "gone", "dry run"],
)
def test_whatever_its_answer_a_send_counts(counted: Send) -> None:
    bench = quota_bench(1)
    cause_of(bench, counted)
    assert cause_of(bench, Send()) is Cause.PROJECT_QUOTA


@pytest.mark.parametrize("stranger", [Send(authorization=None), Send(path="/v1/projects/elsewhere/messages:send")])
def test_who_may_not_send_uses_up_nobodys_quota(stranger: Send) -> None:
    bench = quota_bench(1)
    assert cause_of(bench, stranger) is not None
    assert cause_of(bench, Send()) is None


@pytest.mark.parametrize(
    ("kept", "refused", "cause"),
    [
        ({"fcm_android_device_minute": BucketRate(count=1, per_s=60)}, Send(), Cause.DEVICE_QUOTA),
        ({"fcm_topic": BucketRate(count=1, per_s=60)}, Send().to("topic", "news"), Cause.TOPIC_QUOTA),
    ],
)
def test_a_429_for_another_rate_does_not_count(kept: dict[str, BucketRate], refused: Send, cause: Cause) -> None:
    bench = Bench()
    bench.fcm.rates = rates_of(fcm_project=WindowRate(count=2, per_s=60), **kept)
    assert [cause_of(bench, refused) for _ in range(4)] == [None, cause, cause, cause]
    assert cause_of(bench, Send(body=b"{")) is Cause.JSON_INVALID
    assert cause_of(bench, refused) is Cause.PROJECT_QUOTA


# Rates of a device


def device_bench(**kept: BucketRate) -> Bench:
    bench = Bench()
    bench.fcm.rates = rates_of(**kept)
    return bench


def test_a_device_has_one_rate_by_whichever_name_it_is_called() -> None:
    bench = device_bench(fcm_android_device_minute=TWO_A_MINUTE)
    by_token, by_fid = Send(), Send().to("fid", fid(token_of(1)))
    by_fid_as_token = Send().to("token", fid(token_of(1)))
    assert [cause_of(bench, each) for each in (by_token, by_fid, by_fid_as_token)] == [None, None, Cause.DEVICE_QUOTA]
    fault = bench.judge(by_token).fault
    assert fault is not None
    assert fault.quota == (f"device:{fid(token_of(1))}", "Device message rate exceeded.")
    assert cause_of(bench, Send().to("token", token_of(2))) is None
    bench.now_s += 31
    assert cause_of(bench, by_token) is None


def test_the_rates_of_minute_and_hour_both_hold() -> None:
    hourly = BucketRate(count=3, per_s=3_600)
    bench = device_bench(fcm_android_device_minute=TWO_A_MINUTE, fcm_android_device_hour=hourly)
    causes = []
    for _ in range(2):
        causes += [cause_of(bench, Send()) for _ in range(2)]
        bench.now_s += 60
    assert causes == [None, None, None, Cause.DEVICE_QUOTA]


@pytest.mark.parametrize(("ttl", "throttled"), [("0s", False), ("0.9s", False), ("1s", True)])
def test_a_message_for_now_or_never_is_not_throttled(ttl: str, throttled: bool) -> None:
    bench = device_bench(fcm_android_device_minute=BucketRate(count=1, per_s=60))
    send = Send().having(android={"ttl": ttl})
    cause_of(bench, send)
    assert (cause_of(bench, send) is Cause.DEVICE_QUOTA) is throttled


@pytest.mark.parametrize("platform", Platform)
def test_each_platform_has_its_own_rate_and_browsers_none(platform: Platform) -> None:
    once = BucketRate(count=1, per_s=60)
    send = Send().to("token", token_of(1, platform=platform)).having(android={"ttl": "0s"})
    if platform is Platform.ANDROID:
        send = replace(send, message={"data": {"a": "b"}})
    for name, limited in (("fcm_android_device_minute", Platform.ANDROID), ("fcm_ios_device", Platform.IOS)):
        bench = device_bench(**{name: once})
        cause_of(bench, send)
        assert (cause_of(bench, send) is Cause.DEVICE_QUOTA) is (platform is limited)


def test_a_dry_run_counts_for_the_device() -> None:
    bench = device_bench(fcm_android_device_minute=BucketRate(count=1, per_s=60))
    assert [cause_of(bench, Send().dry), cause_of(bench, Send())] == [None, Cause.DEVICE_QUOTA]


# Topics


def test_topics_and_conditions_have_a_rate_each() -> None:
    bench = Bench()
    bench.fcm.rates = rates_of(fcm_topic=BucketRate(count=1, per_s=60))
    news, sports = Send().to("topic", "news"), Send().to("topic", "sports")
    condition = Send().to("condition", "'news' in topics")
    assert [cause_of(bench, each) for each in (news, sports, condition)] == [None] * 3
    for send, subject in ((news, "topic:news"), (condition, "topic:'news' in topics")):
        fault = bench.judge(send).fault
        assert fault is not None
        assert (fault.cause, fault.quota) == (Cause.TOPIC_QUOTA, (subject, "Topic quota exceeded."))


def test_no_more_fan_outs_are_under_way_than_the_rate_says() -> None:
    bench = Bench()
    bench.fcm.rates = rates_of(fcm_fanouts=FanoutRate(concurrent=2, deliveries_per_s=1))
    for index in range(4):
        bench.fcm.subscriptions.add(fid(token_of(index)).encode(), "news", NOW_S)
    send = Send().to("topic", "news")
    assert [bench.send(each).status for each in (send, send.dry, send, send, send.dry)] == [200, 200, 200, 429, 429]
    fault = bench.judge(send).fault
    assert fault is not None
    assert fault.quota == (f"project:{PROJECT_NUMBER}", "Message rate exceeded.")
    bench.now_s += 8.1  # two by four deliveries
    assert bench.send(send).status == 200


def test_more_messages_to_topics_than_can_wait_are_refused() -> None:
    bench = Bench()
    bench.fcm.fan_outs = FanOuts(waiting_max=2)
    send = Send().to("topic", "news")
    assert [bench.send(send).status for _ in range(3)] == [200, 200, 429]
    assert bench.send(Send()).status == 200
    bench.deliver()
    assert bench.send(send).status == 200


# Callers


def test_the_project_goes_by_id_and_number() -> None:
    assert cause_of(Bench(), Send(path=f"/v1/projects/{PROJECT_NUMBER}/messages:send")) is None


@pytest.mark.parametrize("name", ["access_token", "oauth_token"])
def test_a_credential_in_the_query_is_one_unless_the_header_has_another(name: str) -> None:
    bench, query = Bench(), f"{name}={access_token()}"
    assert bench.send(Send(authorization=None, query=query)).status == 200
    assert bench.send(Send(authorization=None, query=f"{name}=ya29.stranger")).status == 401
    assert bench.send(Send(authorization="Bearer ya29.stranger", query=query)).status == 401


def test_lenient_takes_any_bearer_and_still_wants_one() -> None:
    bench = Bench()
    bench.fcm.access = access_tokens(lenient=True)
    assert cause_of(bench, Send(authorization="Bearer anything")) is None
    assert cause_of(bench, Send(authorization=None)) is Cause.CREDENTIAL_MISSING
    assert cause_of(bench, Send(authorization="Basic eHg6eQ==")) is Cause.CREDENTIAL_INVALID


def test_a_caller_cleared_before_is_looked_at_anew_once_the_token_expires_or_anything_changes() -> None:
    bench, head = Bench(), Send().head()
    assert bench.judge(Send(), head).fault is None
    cleared = head.memo
    assert bench.judge(Send(), head).fault is None
    assert head.memo is cleared
    bench.fcm.api_enabled = False
    fault = bench.judge(Send(), head).fault
    assert fault is not None
    assert fault.cause is Cause.SERVICE_DISABLED
    bench.fcm.api_enabled = True
    bench.now_s = NOW_S + 3_599
    assert bench.judge(Send(), head).fault is None
    bench.now_s = NOW_S + 3_600
    fault = bench.judge(Send(), head).fault
    assert fault is not None
    assert fault.cause is Cause.CREDENTIAL_EXPIRED


def test_a_token_that_was_forgotten_is_as_old_as_it_says_and_its_caller_cleared_anew() -> None:
    """A token of the client's own ages by the simulator's clock from first sight on, so a reset of both is a reset."""
    bench, clock = Bench(), RigClock()
    bench.fcm.access = access_tokens(clock)
    send = Send(authorization=f"Bearer {signed(self_signed_claims()).decode()}")
    head = send.head()
    clock.offset_s = 7_200.0
    bench.now_s = NOW_S + 7_200
    assert bench.judge(send, head).fault is None
    clock.offset_s = 0.0
    bench.now_s = NOW_S + 3_600
    assert bench.judge(send, head).fault is None
    bench.fcm.forget_tokens()
    fault = bench.judge(send, head).fault
    assert fault is not None
    assert fault.cause is Cause.CREDENTIAL_EXPIRED


def test_a_caller_cleared_for_one_path_is_not_for_another() -> None:
    bench, head = Bench(), Send().head()
    assert bench.send(Send(), head).status == 200
    assert bench.send(Send(path="/v1/projects/elsewhere/messages:send"), head).status == 403
    assert bench.send(Send(path="/v1/projects/elsewhere/messages"), head).status == 404
    assert bench.send(Send(), head).status == 200


# What has become of a registration


@pytest.mark.parametrize("kind", ["token", "fid"])
@pytest.mark.parametrize("platform", Platform)
def test_a_state_set_by_hand_wins_over_what_the_token_says(kind: str, platform: Platform) -> None:
    bench = Bench()
    alive, gone = (token_of(1, fate, platform) for fate in (Fate.ACTIVE, Fate.UNREGISTERED))
    for token in (alive, gone):
        target = token if kind == "token" else fid(token)
        before = cause_of(bench, Send().to(kind, target))
        bench.fcm.overlay.set(fid(token).encode(), DeviceState(Fate.ACTIVE if before else Fate.UNREGISTERED, 0))
        assert {before, cause_of(bench, Send().to(kind, target))} == {None, Cause.UNREGISTERED}


def test_apns_answers_for_the_device_of_a_registration_that_lives() -> None:
    """By hand the token of APNs has gone, and FCM has not heard of it."""
    bench, token = Bench(), token_of(1, platform=Platform.IOS)
    sealed = unseal_registration(token.encode())
    assert sealed is not None
    bench.rig.registry.set(apns_token_of(sealed, APPLICATION.encode()), DeviceState(Fate.UNREGISTERED, 0))
    send = Send().to("token", token)
    assert [cause_of(bench, send), cause_of(bench, send.dry)] == [Cause.UNREGISTERED, None]


@pytest.mark.parametrize(
    ("unknown", "cause"), [(UnknownTokens.ACCEPT, None), (UnknownTokens.REJECT, Cause.UNREGISTERED)]
)
def test_foreign_registrations_are_as_the_simulator_is_told(unknown: UnknownTokens, cause: Cause | None) -> None:
    bench = Bench()
    bench.fcm.unknown_tokens = unknown
    for send in (Send().to("token", FOREIGN), Send().to("fid", FOREIGN[:22])):
        assert cause_of(bench, send) is cause
    assert cause_of(bench, Send()) is None


@pytest.mark.parametrize(
    ("token", "refused"),
    [
        (token_of(1), True),
        (token_of(1, platform=Platform.IOS), False),
        (token_of(1, platform=Platform.WEB), False),
        (FOREIGN, False),
    ],
    ids=["Android", "iOS", "web", "foreign"],
)
def test_the_package_restricts_registrations_of_android_whose_app_is_known(token: str, refused: bool) -> None:
    send = Send().to("token", token).having(android={"restricted_package_name": "com.example.other"})
    assert cause_of(Bench(), send) is (Cause.PACKAGE_MISMATCH if refused else None)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("token", "no token"), ("token", malformed_registration(SEED, 1)), ("fid", token_of(1)), ("fid", "fid")],
)
def test_a_malformed_registration_is_told_by_the_field_that_names_it(kind: str, text: str) -> None:
    fault = Bench().judge(Send().to(kind, text)).fault
    assert fault is not None
    assert [(each.field, each.description) for each in fault.violations] == [(f"message.{kind}", fault.message)]


@pytest.mark.parametrize("part", ["apns", "webpush"])
def test_a_message_to_a_topic_has_to_fit_every_platform_and_one_to_a_device_its_own(part: str) -> None:
    name = "payload" if part == "apns" else "notification"
    send = Send().having(**{part: {name: {"x": "x" * 4_096}}})
    assert cause_of(Bench(), send.to("topic", "news")) is Cause.MESSAGE_TOO_LARGE
    assert cause_of(Bench(), send) is None
    platform = Platform.IOS if part == "apns" else Platform.WEB
    assert cause_of(Bench(), send.to("token", token_of(1, platform=platform))) is Cause.MESSAGE_TOO_LARGE


def test_an_empty_second_name_of_the_target_is_still_a_second_one() -> None:
    """As firebase-tools met it (PR 8586)."""
    assert cause_of(Bench(), Send().having(condition="")) is Cause.JSON_INVALID
