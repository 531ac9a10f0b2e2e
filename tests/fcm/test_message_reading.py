"""Reading a send request: what is taken, what is refused and how, and that both ways of reading agree."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.fcm.errors import Cause, Fault
from simulator.fcm.message import Message, Record, SendRequest, Target, TargetKind
from simulator.fcm.message_form import Choice, FreeObject, ListOf, MapOfText, Nested, Scalar, fields_of
from simulator.fcm.message_reading import read_send
from simulator.fcm.message_validation import DEPTH_MAX, VIOLATIONS_MAX, read_and_explain
from tests.fcm.valid_message import TOKEN, body_with, faults_of, message_with

# Both ways agree


def plain(value: object) -> object:
    """A record as names and values, whichever family of records it is of."""
    if isinstance(value, Record):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return value


def verdicts(body: bytes) -> tuple[object, object]:
    """What each way makes of a body."""
    fast, general = read_send(body), read_and_explain(body)
    return (plain(fast), plain(general))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
maps = st.dictionaries(texts, texts, max_size=3)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
free_json = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
durations = st.from_regex(r"\A-?[0-9]{1,4}(\.[0-9]{1,9})?s\Z")
timestamps = st.datetimes().map(lambda instant: instant.replace(microsecond=0).isoformat() + "Z")
SCALARS: dict[Scalar, st.SearchStrategy[object]] = {
    Scalar.TEXT: texts,
    Scalar.FLAG: st.booleans(),
    Scalar.INT32: st.integers(-(2**31), 2**31 - 1) | st.sampled_from([5.0, "7", -0.0]),
    Scalar.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-5, 5) | st.just("0.5"),
    Scalar.DURATION: durations,
    Scalar.TIMESTAMP: timestamps,
}


def values_of(kind: object) -> st.SearchStrategy[object]:
    """Good values of a kind, as JSON has them."""
    match kind:
        case Scalar():
            return SCALARS[kind]
        case Choice():
            return st.sampled_from(sorted(kind.names))
        case ListOf():
            return st.lists(SCALARS[kind.element], max_size=3)
        case MapOfText():
            return maps
        case FreeObject():
            return st.dictionaries(texts, free_json, max_size=3)
        case Nested():
            return bodies_of(kind.record)
    raise AssertionError(kind)


def bodies_of(record: type[Record]) -> st.SearchStrategy[object]:
    """Objects with some of a record's fields, all in snake_case, all in camelCase, or mixed; some are null."""

    @st.composite
    def draw_object(draw: st.DrawFn) -> dict[str, object]:
        style = draw(st.integers(0, 2))
        rows = draw(st.lists(st.sampled_from(fields_of(record)), max_size=5, unique=True))
        chosen = {}
        for row in rows:
            camel = style == 1 or (style == 2 and draw(st.booleans()))
            value = draw(st.none() | values_of(row.kind)) if draw(st.integers(0, 9)) == 0 else draw(values_of(row.kind))
            chosen[row.camel_name if camel else row.name] = value
        return chosen

    return draw_object()


anything = free_json | st.sampled_from(["3.5s", "1", "high", "HIGH", "PRIVATE", "2024-02-29T00:00:00Z", 5, "true"])


@st.composite
def spoiled_objects(draw: st.DrawFn) -> object:
    """A good body with one value somewhere replaced, or one name added."""
    body = draw(bodies_of(SendRequest))
    at: object = body
    while True:
        assert isinstance(at, dict)
        inner = [value for value in at.values() if isinstance(value, dict)]
        deeper = draw(st.integers(0, 3)) > 0
        if inner and deeper:
            at = draw(st.sampled_from(inner))
            continue
        names = st.sampled_from(sorted(at)) if at else st.nothing()
        at[draw(names | st.sampled_from(["token", "ttl", "x", "topic", "fcmOptions"]))] = draw(anything)
        return body


def written(body: object, *, escaped: bool) -> bytes:
    return json.dumps(body, ensure_ascii=escaped).encode()


@settings(deadline=None, max_examples=200)
@given(bodies_of(SendRequest), st.booleans())
def test_good_bodies_are_taken_and_read_alike(body: object, escaped: bool) -> None:
    fast, general = verdicts(written(body, escaped=escaped))
    assert fast == general
    assert not isinstance(fast, Fault) or "oneof" in fast.message


@settings(deadline=None, max_examples=300)
@given(spoiled_objects(), st.booleans())
def test_spoiled_bodies_are_judged_alike(body: object, escaped: bool) -> None:
    fast, general = verdicts(written(body, escaped=escaped))
    assert fast == general


@settings(deadline=None, max_examples=200)
@given(bodies_of(Message).map(lambda message: {"message": message}), st.data())
def test_damaged_bytes_are_judged_alike(body: object, data: st.DataObject) -> None:
    text = bytearray(written(body, escaped=data.draw(st.booleans())))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 3))] = data.draw(
        st.binary(max_size=3) | st.sampled_from([b"\\ud800", b","])
    )
    fast, general = verdicts(bytes(text))
    assert fast == general


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":{"token":"a","token":"b"}}',
        b'{"message":{"token":"a","topic":"b","topic":null}}',
        b'{"message":{"token":"a","token":null,"topic":"b"}}',
        b'{"message":{"token":"a","data":{"k":"1","k":"2"}}}',
        b'{"message":{"token":"a"},"message":{"topic":"b"}}',
        b'{"message":{"token":"a","android":{"ttl":"3s","ttl":"4s"}}}',
        b'{"message":{"token":"a","apns":{"payload":{"n":%b}}}}' % (b"9" * 4300),
        b'{"message":{"token":"a","apns":{"payload":{"n":%b}}}}' % (b"9" * 4301),
        b'{"message":{"token":"a","apns":{"payload":{"n":1e400,"m":-0,"o":1E5,"p":12345678901234567890123}}}}',
        b'{"message":{"token":"a","android":{"notification":{"event_time":"0000-01-01T00:00:00Z"}}}}',
        b'{"message":{"token":"a","android":{"ttl":"3s\\n"}}}',
    ],
)
def test_odd_bodies_are_judged_alike(body: bytes) -> None:
    fast, general = verdicts(body)
    assert fast == general


# What is taken


def test_a_whole_message_is_read() -> None:
    message = message_with(android={"ttl": "3.5s", "priority": "high"}, apns={"payload": {"aps": {"badge": 1}}})
    assert message.target == Target(TargetKind.TOKEN, TOKEN)
    assert message.data == {"kind": "order"}
    assert message.android is not None and (message.android.ttl, message.android.priority) == ("3.5s", "high")
    assert message.apns is not None and message.apns.payload == {"aps": {"badge": 1}}


@pytest.mark.parametrize("kind", list(TargetKind))
def test_each_target_is_found(kind: TargetKind) -> None:
    assert message_with(**{"token": None, kind.value: "abc"}).target == Target(kind, "abc")


@pytest.mark.parametrize("name", ["validate_only", "validateOnly"])
@pytest.mark.parametrize(("text", "meant"), [("true", True), ("false", False), ("null", False), ('"true"', True)])
def test_validate_only_is_read_in_every_form(name: str, text: str, meant: bool) -> None:
    send = read_send(f'{{"message":{{"token":"a"}},"{name}":{text}}}'.encode())
    assert isinstance(send, SendRequest) and send.validate_only is meant


def test_names_may_be_mixed() -> None:
    android = message_with(android={"collapseKey": "a", "restricted_package_name": "b"}).android
    assert android is not None and (android.collapse_key, android.restricted_package_name) == ("a", "b")


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("notification_count", "5", 5),
        ("notification_count", 5.0, 5),
        ("notification_count", -(2**31), -(2**31)),
        ("event_time", "2024-02-29T23:59:59.123456789Z", "2024-02-29T23:59:59.123456789Z"),
        ("event_time", "2024-02-29T23:59:59+02:00", "2024-02-29T23:59:59+02:00"),
        ("sticky", "false", False),
        ("vibrate_timings", ["1s", "0.5s"], ["1s", "0.5s"]),
        ("body_loc_args", [], []),
    ],
)
def test_protobuf_takes_these(name: str, value: object, read: object) -> None:
    android = message_with(android={"notification": {name: value}}).android
    assert android is not None
    assert getattr(android.notification, name) == read


def test_nesting_is_taken_up_to_its_limit() -> None:
    def nested(levels: int) -> bytes:
        return b'{"message":{"token":"a","apns":{"payload":{"x":%b%b}}}}' % (b"[" * levels, b"]" * levels)

    outside = 4
    for read in (read_send, read_and_explain):
        assert isinstance(read(nested(DEPTH_MAX - outside)), SendRequest)
    for levels in (DEPTH_MAX - outside + 1, 900, 5000):
        fault = read_send(nested(levels))
        assert isinstance(fault, Fault) and "Message too deep" in fault.message


# What is refused


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Unexpected end of string."),
        (b'{"message":}', 'Unexpected token.\n{"message":}\n           ^'),
        (b'{"message":\n\t}', 'Unexpected token.\n{"message":  }\n             ^'),
        (b'{"message":NaN}', "Unexpected token."),
        (b'{"message":{"token":"\xff"}}', "Encountered non UTF-8 code points."),
        (b'{"message":{"token":"\\ud800"}}', "Invalid escape sequence"),
        (b'{"message":{}} x', "Unexpected token."),
    ],
)
def test_a_body_that_is_no_json_is_refused_without_details(body: bytes, says: str) -> None:
    fault = read_send(body)
    assert isinstance(fault, Fault)
    assert (fault.cause, fault.violations) == (Cause.JSON_INVALID, ())
    assert fault.message.startswith("Invalid JSON payload received. " + says)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    text = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
    assert faults_of(body) == [("", text)]


ANDROID = "message.android.notification"


@pytest.mark.parametrize(
    ("message", "path", "text"),
    [
        (
            {"x": 1},
            "message",
            "Invalid JSON payload received. Unknown name \"x\" at 'message': Cannot find field.",
        ),
        (
            {"data": {"a": 12}},
            "message.data[0].value",
            "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
        ),
        (
            {"topic": "news"},
            "message",
            "Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set 'topic'",
        ),
        (
            {"condition": ""},
            "message",
            "Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set 'condition'",
        ),
        (
            {"data": ["a"]},
            "message",
            "Invalid value at 'message' (Map), Cannot bind a list to map for field 'data'.",
        ),
        (
            {"data": "a"},
            "message.data",
            "Invalid value at 'message.data' (type.googleapis.com/google.firebase.fcm.v1.Message.DataEntry), \"a\"",
        ),
        (
            {"notification": "a"},
            "message.notification",
            "Invalid value at 'message.notification' (type.googleapis.com/google.firebase.fcm.v1.Notification), \"a\"",
        ),
        (
            {"notification": {"title": ["a"]}},
            "message.notification",
            "Invalid JSON payload received. Unknown name \"title\" at 'message.notification': "
            "Proto field is not repeating, cannot start list.",
        ),
        (
            {"notification": {"title": {"a": 1}}},
            "message.notification.title",
            "Invalid value at 'message.notification.title' (TYPE_STRING), Starting an object on a scalar field",
        ),
        (
            {"android": {"priority": "High"}},
            "message.android.priority",
            "Invalid value at 'message.android.priority' "
            '(type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority), "High"',
        ),
        (
            {"android": {"notification": {"visibility": "private"}}},
            f"{ANDROID}.visibility",
            f"Invalid value at '{ANDROID}.visibility' "
            '(type.googleapis.com/google.firebase.fcm.v1.AndroidNotification.Visibility), "private"',
        ),
        (
            {"android": {"ttl": 3600}},
            "message.android.ttl",
            "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), 3600",
        ),
        (
            {"android": {"ttl": "1.0000000001s"}},
            "message.android.ttl",
            "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), \"1.0000000001s\"",
        ),
        (
            {"android": {"notification": {"vibrateTimings": ["1s", None]}}},
            f"{ANDROID}.vibrate_timings[1]",
            f"Invalid value at '{ANDROID}.vibrate_timings[1]' (type.googleapis.com/google.protobuf.Duration), null",
        ),
        (
            {"android": {"notification": {"body_loc_args": "a"}}},
            f"{ANDROID}.body_loc_args",
            f"Invalid value at '{ANDROID}.body_loc_args' (TYPE_STRING), \"a\"",
        ),
        (
            {"android": {"notification": {"notification_count": 2**31}}},
            f"{ANDROID}.notification_count",
            f"Invalid value at '{ANDROID}.notification_count' (TYPE_INT32), 2147483648",
        ),
        (
            {"android": {"notification": {"sticky": 1}}},
            f"{ANDROID}.sticky",
            f"Invalid value at '{ANDROID}.sticky' (TYPE_BOOL), 1",
        ),
        (
            {"android": {"notification": {"event_time": "2023-02-29T00:00:00Z"}}},
            f"{ANDROID}.event_time",
            f"Invalid value at '{ANDROID}.event_time' (type.googleapis.com/google.protobuf.Timestamp), "
            '"2023-02-29T00:00:00Z"',
        ),
        (
            {"android": {"notification": {"light_settings": {"color": {"red": "much"}}}}},
            f"{ANDROID}.light_settings.color.red",
            f"Invalid value at '{ANDROID}.light_settings.color.red' (TYPE_FLOAT), \"much\"",
        ),
        (
            {"apns": {"payload": "{}"}},
            "message.apns.payload",
            "Invalid value at 'message.apns.payload' (type.googleapis.com/google.protobuf.Struct), \"{}\"",
        ),
    ],
)
def test_a_spoiled_value_is_named_by_its_path(message: dict[str, object], path: str, text: str) -> None:
    assert faults_of(body_with(**message)) == [(path, text)]


@pytest.mark.parametrize("numeral", ["1e400", "-1e400", "9" * 4301])
def test_free_json_has_no_number_that_python_has_not(numeral: str) -> None:
    body = b'{"message":{"token":"a","apns":{"payload":{"aps":{"n":[%b]}}}}}' % numeral.encode()
    text = f"Invalid value at 'message.apns.payload' (type.googleapis.com/google.protobuf.Struct), {numeral}"
    assert faults_of(body) == [("message.apns.payload", text)]


def test_an_unknown_name_at_the_root_has_no_path() -> None:
    body = {"message": {"token": "a"}, "dryRun": True}
    assert faults_of(body) == [("", 'Invalid JSON payload received. Unknown name "dryRun": Cannot find field.')]


def test_all_faults_are_told_in_the_order_of_the_document() -> None:
    body = {
        "x": 1,
        "message": {
            "data": {"a": "good", "b": 1, "c": True},
            "token": "t",
            "android": {"y": 1, "ttl": "3"},
            "topic": "n",
            "z": {},
        },
        "validate_only": 7,
    }
    assert [path for path, _ in faults_of(body)] == [
        "",
        "message.data[1].value",
        "message.data[2].value",
        "message.android",
        "message.android.ttl",
        "message",
        "message",
        "validate_only",
    ]


def test_no_more_faults_are_told_than_the_limit() -> None:
    assert len(faults_of({f"x{at}": 1 for at in range(VIOLATIONS_MAX)})) == VIOLATIONS_MAX
    assert len(faults_of({f"x{at}": 1 for at in range(VIOLATIONS_MAX + 1)})) == VIOLATIONS_MAX
    assert len(faults_of(body_with(data={f"x{at}": 1 for at in range(5 * VIOLATIONS_MAX)}))) == VIOLATIONS_MAX
