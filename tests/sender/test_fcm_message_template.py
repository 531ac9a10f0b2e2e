"""Messages of FCM with placeholders: each device's token and the notification's id put in, all else as it was written."""

import json
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sender.errors import SenderConfigurationError
from sender.fcm.message_template import ID_KEY, REQUEST_BYTES_MAX, compile
from sender.store.records import Due
from sender.template import Refusal, TemplateError

KEY = 0xD917CA4BAE9F4549
ID = "d917ca4b-ae9f-4549-0000-000000000007"
TOKEN = "cNbWxY7zQrS0aBcDeFgHiJ:APA91b" + "x_-" * 40


def body(message: str, attributes: str = "{}", token: str = TOKEN) -> bytes | Refusal:
    return compile(message.encode()).bodies(KEY)(Due(7, token, 0, 0, attributes.encode()))


def sent(message: str, attributes: str = "{}", token: str = TOKEN) -> dict[str, object]:
    made = body(message, attributes, token)
    assert isinstance(made, bytes)
    request = json.loads(made)
    assert set(request) == {"message"}
    found: dict[str, object] = request["message"]
    return found


def test_token_and_id_are_put_in_and_the_rest_stays() -> None:
    message = '{"notification": {"title": "Hello"}, "android": {"priority": "HIGH"}}'
    assert sent(message) == {
        "token": TOKEN,
        "data": {ID_KEY: ID},
        "notification": {"title": "Hello"},
        "android": {"priority": "HIGH"},
    }


def test_data_of_the_message_stays_beside_the_id() -> None:
    assert sent('{"data": {"campaign": "sale"}}')["data"] == {ID_KEY: ID, "campaign": "sale"}
    for empty in ("{}", "null"):
        assert sent(f'{{"data": {empty}}}')["data"] == {ID_KEY: ID}


def test_data_of_a_platform_which_takes_the_place_of_the_messages_has_the_id_too() -> None:
    found = sent(
        '{"android": {"data": {"a": "b"}, "ttl": "3s"}, "webpush": {"data": {}}, "apns": {"payload": {"data": 1}}}'
    )
    assert found["android"] == {"data": {ID_KEY: ID, "a": "b"}, "ttl": "3s"}
    assert found["webpush"] == {"data": {ID_KEY: ID}}
    assert found["apns"] == {"payload": {"data": 1}}


def test_the_id_of_a_platform_may_stand_behind_placeholders() -> None:
    found = sent('{"notification": {"title": "{{name|x}}"}, "android": {"data": {"a": "b"}}}', '{"name": "Ada"}')
    assert found["notification"] == {"title": "Ada"}
    assert found["android"] == {"data": {ID_KEY: ID, "a": "b"}}


def test_placeholders_stand_anywhere_but_in_keys() -> None:
    message = '{"notification": {"title": "Hello {{name|friend}}"}, "data": {"to": "{{name|friend}}"}}'
    found = sent(message, '{"name": "A\\"da"}')
    assert found["notification"] == {"title": 'Hello A"da'}
    assert found["data"] == {ID_KEY: ID, "to": 'A"da'}
    assert sent(message)["notification"] == {"title": "Hello friend"}
    assert body('{"data": {"to": "{{name}}"}}') == Refusal("MissingAttribute name")


def test_braces_that_were_escaped_stay_braces() -> None:
    found = sent('{"data": {"\\u007b{x}}": "\\u007b{name}}"}, "notification": {"title": "\\u007b{name}}"}}')
    assert found["data"] == {ID_KEY: ID, "{{x}}": "{{name}}"}
    assert found["notification"] == {"title": "{{name}}"}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200))
def test_whatever_a_store_holds_as_a_token_arrives_as_it_is(token: str) -> None:
    assert sent('{"data": {"a": "b"}}', token=token)["token"] == token


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["notification", "android", "webpush", "apns", "fcm_options", "fcmOptions", "odd"]), values
    ),
    st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=4),
)
def test_any_message_is_sent_as_it_was_written(message: dict[str, object], data: dict[str, str]) -> None:
    text = json.dumps({**message, "data": data})
    assume("{{" not in text and ID_KEY not in data)
    assume(not any(_has_own_data(message.get(name)) for name in ("android", "webpush")))
    assert sent(text) == {"token": TOKEN, **message, "data": {ID_KEY: ID, **data}}


def _has_own_data(platform: object) -> bool:
    return isinstance(platform, dict) and "data" in platform


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("", "empty"),
        ("[1]", "object"),
        ('{"a": }', "message, line 1, column"),
        ('{"notification": {"title": "{{name"}}', "message, line 1.*not closed"),
        ('{"data": {"{{name}}": "x"}}', "key"),
        ('{"token": "x"}', "`token`"),
        ('{"fid": ""}', "`fid`"),
        ('{"topic": "news"}', "`topic`"),
        ('{"condition": "x"}', "`condition`"),
        ('{"message": {"data": {}}}', "inside of `message`"),
        ('{"data": 5}', "`data` is no JSON object"),
        ('{"data": {"a": 1}}', "`data`: the value of 'a' is no text"),
        ('{"android": {"data": {"a": null}}}', "`android.data`: the value of 'a'"),
        ('{"data": {"pushrig_id": "x"}}', "pushrig_id"),
        ('{"webpush": {"data": {"pushrig_id": "x"}}}', "`webpush.data`"),
        ('{"data": {"a": "' + "x" * REQUEST_BYTES_MAX + '"}}', "at most 32,768"),
    ],
)
def test_a_message_that_will_not_do_says_what_is_wrong(message: str, complaint: str) -> None:
    with pytest.raises(SenderConfigurationError, match=complaint):
        compile(message.encode())


def test_the_place_of_an_error_is_that_of_the_file() -> None:
    with pytest.raises(TemplateError) as raised:
        compile(b'{\n  "data": {"a": "{{b"}\n}')
    assert (raised.value.line, raised.value.column) == (2, 18)


def test_what_is_the_same_for_all_needs_no_attributes() -> None:
    assert compile(b'{"data":{"a":"b"}}').names == frozenset()
    assert compile(b'{"data":{"a":"{{b}}"}}').names == {"b"}
    of: Callable[[Due], bytes | Refusal] = compile(b"{}").bodies(KEY)
    assert of(Due(1, "t", 0, 0, b"no JSON")) != of(Due(2, "t", 0, 0, b"no JSON"))
