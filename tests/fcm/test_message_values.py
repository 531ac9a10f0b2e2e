"""What a well-typed message may say: one value spoiled at a time, and which fault comes first."""

import pytest

from simulator.fcm.errors import Cause, Fault
from simulator.fcm.message import SendRequest
from simulator.fcm.message_reading import read_send
from simulator.fcm.message_values import TTL_S_MAX, check_values
from tests.fcm.valid_message import send_with

LIGHTS = {"color": {"red": 1, "green": 0.5}, "light_on_duration": "1s", "light_off_duration": "0.5s"}


def fault_of(**message: object) -> Fault:
    fault = check_values(send_with(**message))
    assert fault is not None
    return fault


def field_of(**message: object) -> str:
    """The path of the one violation of a value that is out of its range."""
    fault = fault_of(**message)
    assert fault.cause is Cause.FIELD_INVALID
    (violation,) = fault.violations
    assert violation.description == fault.message
    return violation.field


def android(**notification: object) -> dict[str, object]:
    return {"notification": notification}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"token": None, "fid": "cXr1vEq0Qm2_abcdefghij"},
        {"token": None, "topic": "news"},
        {"token": None, "condition": "'a' in topics || !('b' in topics)"},
        {"data": {"fromage": "1", "google": "1", "gcm": "1", "gcm.notify": "1", "message": "1", "": "1"}},
        {"android": {"ttl": "0s"}},
        {"android": {"ttl": f"{TTL_S_MAX}.999s"}},
        {"fcm_options": {"analytics_label": "a-Z_0.9~%"}},
        {"fcm_options": {"analytics_label": ""}},
        {"android": android(color="#00fF7a", light_settings=LIGHTS, vibrate_timings=["0s", "1.5s"])},
        {"webpush": {"headers": {"TTL": "0", "Urgency": "high"}, "fcm_options": {"link": "https://example.com/a"}}},
        {"apns": {"live_activity_token": "abc", "fcm_options": {"analytics_label": "a"}}},
    ],
)
def test_these_are_good(message: dict[str, object]) -> None:
    assert check_values(send_with(**message)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"validate_only":true}',
        b'{"message":{}}',
        b'{"message":{"token":""}}',
        b'{"message":{"token":null,"notification":{"title":"a"}}}',
        b'{"message":{"apns":{"live_activity_token":"abc"}}}',
        b'{"message":{"data":{"from":"a"}}}',
    ],
)
def test_a_message_without_a_target_has_no_recipient(body: bytes) -> None:
    send = read_send(body)
    assert isinstance(send, SendRequest)
    fault = check_values(send)
    assert fault is not None and fault.cause is Cause.RECIPIENT_MISSING


@pytest.mark.parametrize("key", ["from", "message_type", "google.a", "google.", "gcm.notification.title"])
@pytest.mark.parametrize("part", ["message", "message.android", "message.webpush"])
def test_reserved_data_keys_are_refused(key: str, part: str) -> None:
    data = {"good": "1", key: "1"}
    fault = fault_of(data=data) if part == "message" else fault_of(**{part.partition(".")[2]: {"data": data}})
    assert (fault.cause, fault.message) == (Cause.DATA_KEY_RESERVED, f"Invalid data payload key: {key}")
    assert [each.field for each in fault.violations] == [f"{part}.data"]


@pytest.mark.parametrize("ttl", ["-1s", "-0.5s", f"{TTL_S_MAX + 1}s", "999999999999s"])
def test_a_time_to_live_has_its_range(ttl: str) -> None:
    assert field_of(android={"ttl": ttl}) == "message.android.ttl"


@pytest.mark.parametrize("part", ["", "android", "webpush", "apns"])
@pytest.mark.parametrize("label", ["a b", "é", "x" * 51, "a\n"])
def test_analytics_labels_have_their_form(part: str, label: str) -> None:
    options = {"fcm_options": {"analytics_label": label}}
    message = {part: options} if part else options
    path = f"message.{part}." if part else "message."
    assert field_of(**message) == f"{path}fcm_options.analytics_label"


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "123456", "#12345g"])
def test_a_colour_has_six_digits(color: str) -> None:
    assert field_of(android=android(color=color)) == "message.android.notification.color"


@pytest.mark.parametrize("missing", list(LIGHTS))
def test_light_settings_are_whole(missing: str) -> None:
    lights = {name: value for name, value in LIGHTS.items() if name != missing}
    assert field_of(android=android(light_settings=lights)) == f"message.android.notification.light_settings.{missing}"


@pytest.mark.parametrize(
    ("spoiled", "path"),
    [
        ({"color": {"red": 1.5}}, "color.red"),
        ({"color": {"alpha": -0.1}}, "color.alpha"),
        ({"light_on_duration": "-1s"}, "light_on_duration"),
    ],
)
def test_light_settings_have_their_ranges(spoiled: dict[str, object], path: str) -> None:
    lights = {**LIGHTS, **spoiled}
    assert field_of(android=android(light_settings=lights)) == f"message.android.notification.light_settings.{path}"


def test_no_vibration_is_of_negative_length() -> None:
    assert field_of(android=android(vibrate_timings=["1s", "-1s"])) == "message.android.notification.vibrate_timings[1]"


@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "1s"])
@pytest.mark.parametrize("name", ["TTL", "ttl"])
def test_the_ttl_of_webpush_is_a_whole_number(name: str, value: str) -> None:
    assert fault_of(webpush={"headers": {name: value}}).cause is Cause.WEBPUSH_TTL_INVALID


@pytest.mark.parametrize("link", ["http://example.com", "example.com", "https://", "https:// x", "https://x y"])
def test_a_link_is_an_https_url(link: str) -> None:
    assert field_of(webpush={"fcm_options": {"link": link}}) == "message.webpush.fcm_options.link"


def test_condition_and_topic_are_looked_at() -> None:
    assert fault_of(token=None, condition="'a' in topics &&").cause is Cause.CONDITION_INVALID
    assert fault_of(token=None, topic="/topics/news").cause is Cause.TOPIC_INVALID


def test_the_first_fault_decides() -> None:
    """Everything spoiled; one after another is mended, in the order of the checks."""
    label = {"analytics_label": "a b"}
    message: dict[str, object] = {
        "token": None,
        "topic": "a b",
        "data": {"from": "1"},
        "fcm_options": label,
        "android": {"ttl": "-1s", "notification": {"color": "red"}},
        "webpush": {"headers": {"TTL": "x"}, "fcm_options": {"link": "x"}},
    }
    found = []
    for mended in (
        {"data": None},
        {"android": {"notification": {"color": "red"}}},
        {"fcm_options": None},
        {"android": None},
        {"webpush": {"fcm_options": {"link": "x"}}},
        {"webpush": None},
        {"topic": "news"},
    ):
        fault = fault_of(**message)
        found.append(fault.violations[0].field)
        message |= mended
    assert found == [
        "message.data",
        "message.android.ttl",
        "message.fcm_options.analytics_label",
        "message.android.notification.color",
        "message.webpush.headers.TTL",
        "message.webpush.fcm_options.link",
        "message",
    ]
    assert check_values(send_with(**message)) is None
