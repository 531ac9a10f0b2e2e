"""What each platform gets of a message, and where its size ends."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.registration_space import Platform
from simulator.fcm.errors import Cause
from simulator.fcm.message_size import MESSAGE_BYTES_MAX, check_size, payload_bytes, payload_for
from tests.fcm.valid_message import body_with, message_with


def is_too_large(platform: Platform | None, **message: object) -> bool:
    fault = check_size(message_with(**message), len(body_with(**message)), platform)
    assert fault is None or fault.cause is Cause.MESSAGE_TOO_LARGE
    return fault is not None


def data_of(bytes_in_all: int) -> dict[str, str]:
    """Data that makes a payload of so many bytes for Android."""
    return {"k": "x" * (bytes_in_all - len('{"data":{"k":""}}'))}


@pytest.mark.parametrize("platform", [Platform.ANDROID, Platform.WEB])
def test_the_limit_is_met_to_the_byte(platform: Platform) -> None:
    assert payload_bytes(message_with(data=data_of(4096)), platform) == MESSAGE_BYTES_MAX == 4096
    assert not is_too_large(platform, data=data_of(4096))
    assert is_too_large(platform, data=data_of(4097))


def test_characters_count_in_utf_8() -> None:
    assert not is_too_large(None, data={"k": "é" * 2000})
    assert is_too_large(None, data={"k": "é" * 2100})


def test_only_what_the_platform_gets_counts() -> None:
    android = {"data": data_of(4097)}
    assert is_too_large(Platform.ANDROID, android=android)
    assert not is_too_large(Platform.IOS, android=android)
    assert not is_too_large(Platform.WEB, android=android)
    assert is_too_large(None, android=android)


def test_an_escaped_body_is_longer_than_what_counts() -> None:
    data = {"k": "é" * 1000}
    assert len(body_with(data=data)) > MESSAGE_BYTES_MAX
    assert not is_too_large(None, data=data)


def test_a_platform_overrides_notification_by_field_and_data_as_a_whole() -> None:
    message = message_with(
        notification={"title": "t", "body": "b"},
        android={"notification": {"title": "own", "icon": "i"}, "data": {"own": "1"}},
        webpush={"notification": {"body": "web", "actions": []}},
    )
    assert payload_for(message, Platform.ANDROID) == {
        "notification": {"title": "own", "body": "b", "icon": "i"},
        "data": {"own": "1"},
    }
    assert payload_for(message, Platform.WEB) == {
        "notification": {"title": "t", "body": "web", "actions": []},
        "data": {"kind": "order"},
    }


@pytest.mark.parametrize(
    ("apns", "payload"),
    [
        (None, {"aps": {"alert": {"title": "t", "body": "b"}}, "kind": "order"}),
        ({"aps": {"badge": 1}}, {"aps": {"alert": {"title": "t", "body": "b"}, "badge": 1}, "kind": "order"}),
        (
            {"aps": {"alert": {"title": "own"}}, "kind": 5},
            {"aps": {"alert": {"title": "own", "body": "b"}}, "kind": 5},
        ),
        ({"aps": {"alert": "own"}, "x": 1}, {"aps": {"alert": "own"}, "kind": "order", "x": 1}),
    ],
)
def test_an_apns_payload_overrides_what_is_made_of_the_message(apns: object, payload: object) -> None:
    notification = {"title": "t", "body": "b", "image": "https://example.com/i.png"}
    message = message_with(notification=notification, apns=None if apns is None else {"payload": apns})
    assert payload_for(message, Platform.IOS) == payload


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
maps = st.dictionaries(texts, texts, max_size=4)


@settings(deadline=None)
@given(maps, maps, maps, st.fixed_dictionaries({}, optional={"title": texts, "body": texts}))
def test_a_payload_is_never_larger_than_the_request(
    data: dict[str, str], android: dict[str, str], aps: dict[str, str], notification: dict[str, str]
) -> None:
    """Why short requests need no measuring. Numbers of free JSON may be written longer; they do not count for that."""
    fields = {
        "token": "t",
        "data": data,
        "notification": notification,
        "android": {"data": android},
        "apns": {"payload": {"aps": aps}},
    }
    body = json.dumps({"message": fields}, ensure_ascii=False, separators=(",", ":")).encode()
    for platform in Platform:
        assert payload_bytes(message_with(**fields), platform) <= len(body)
