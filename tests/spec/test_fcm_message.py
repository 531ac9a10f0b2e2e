"""The records say what the provider's pages say of a send request: every row of its fields, targets and sizes."""

import json

import pytest

from simulator.fcm.condition import TOPICS_MAX, parse_condition
from simulator.fcm.errors import Cause, Fault
from simulator.fcm.message import Record, SendRequest, TargetKind
from simulator.fcm.message_form import Nested, camel_case, fields_of
from simulator.fcm.message_reading import read_send
from simulator.fcm.message_size import MESSAGE_BYTES_MAX
from simulator.fcm.message_values import TTL_S_MAX, check_values
from simulator.fcm.topic_name import TOPIC_NAME_CHARACTERS_MAX
from tests.spec.fcm_transcript import FCM_FIELDS

GOOD: dict[str, list[object]] = {
    "string": ["a"],
    "boolean": [True, False],
    "map": [{"k": "v"}, {}],
    "object": [{"k": [1, None, {"x": "y"}]}, {}],
    "message": [{}],
    "strings": [["a", "b"], []],
    "duration": ["3.5s", "0s", "3.123456789s"],
    "durations": [["0s", "1.5s"], []],
    "timestamp": ["2014-10-02T15:01:23Z", "2014-10-02T15:01:23.045123456Z", "2024-02-29T15:01:23+05:30"],
    "int32": [0, 7, 2**31 - 1],
    "share": [0, 0.5, 1],
    "colour": ["#a0B1c2"],
    "https": ["https://example.com/"],
}
BAD: dict[str, list[object]] = {
    "string": [1, True, ["a"], {"a": "b"}],
    "boolean": [1, "yes", []],
    "map": [{"k": 1}, {"k": None}, ["a"], "a"],
    "object": ["a", 1, True],
    "message": ["a", 1, [], {"no_such_field": 1}],
    "strings": ["a", [1], [None]],
    "duration": ["3.5", 3, "s", "1.1234567890s", "1m", "1s1", "1s\n", ""],
    "durations": ["1s", [1], ["1"]],
    "timestamp": ["2014-10-02", "2014-13-02T15:01:23Z", "2014-10-02T15:01:23", 5],
    "int32": [1.5, 2**31, "a", True],
    "share": ["a", True, 1e39],
    "colour": [1],
    "https": [1],
}


def values_of(kind: str, values: dict[str, list[object]]) -> list[object]:
    """Values of a type; the names of an enum are its type."""
    names = kind.split()
    if kind in values:
        return values[kind]
    return list(names) if values is GOOD else ["NO_SUCH_NAME", 1.5, names[0] + "_", names[0].title()]


def body_with(path: str, value: object, *, camel: bool) -> bytes:
    """A request with a value at a path, and a target unless the path is one."""
    steps = [camel_case(step) if camel else step for step in path.split(".")]
    body: object = value
    for step in reversed(steps):
        body = {step: body}
    assert isinstance(body, dict)
    message = body.setdefault("message", {})
    if isinstance(message, dict) and not set(message) & {kind.value for kind in TargetKind}:
        message["token"] = "t"
    return json.dumps(body).encode()


IDS = [path for path, _ in FCM_FIELDS]


@pytest.mark.parametrize("camel", [False, True], ids=["snake_case", "camelCase"])
@pytest.mark.parametrize(("path", "kind"), FCM_FIELDS, ids=IDS)
def test_a_field_takes_its_type(path: str, kind: str, camel: bool) -> None:
    for value in values_of(kind, GOOD):
        send = read_send(body_with(path, value, camel=camel))
        assert isinstance(send, SendRequest), (value, send)
        read: object = send
        for step in path.split("."):
            read = getattr(read, step)
        assert isinstance(read, Record) if kind == "message" else read == value


@pytest.mark.parametrize("camel", [False, True], ids=["snake_case", "camelCase"])
@pytest.mark.parametrize(("path", "kind"), FCM_FIELDS, ids=IDS)
def test_a_field_takes_no_other_type(path: str, kind: str, camel: bool) -> None:
    parent = path.rpartition(".")[0]
    for value in values_of(kind, BAD):
        fault = read_send(body_with(path, value, camel=camel))
        assert isinstance(fault, Fault), (value, fault)
        assert fault.cause is Cause.JSON_INVALID
        assert len(fault.violations) == 1
        assert fault.violations[0].field.startswith(path) or fault.violations[0].field == parent


@pytest.mark.parametrize(("path", "kind"), FCM_FIELDS, ids=IDS)
def test_null_is_absent(path: str, kind: str) -> None:
    assert isinstance(read_send(body_with(path, None, camel=False)), SendRequest)


def test_there_are_no_other_fields() -> None:
    def paths_of(record: type[Record], start: str) -> set[str]:
        found = set()
        for field in fields_of(record):
            found.add(start + field.name)
            if isinstance(field.kind, Nested):
                found |= paths_of(field.kind.record, f"{start}{field.name}.")
        return found

    assert paths_of(SendRequest, "") == {path for path, _ in FCM_FIELDS}


# Targets, topics, conditions, sizes


def verdict(message: dict[str, object]) -> Fault | None:
    send = read_send(json.dumps({"message": message}).encode())
    return send if isinstance(send, Fault) else check_values(send)


@pytest.mark.parametrize("kind", ["token", "fid", "topic", "condition"])
def test_a_message_has_exactly_one_target(kind: str) -> None:
    target = "'a' in topics" if kind == "condition" else "a"
    assert verdict({kind: target}) is None
    other = "token" if kind != "token" else "topic"
    second = verdict({kind: target, other: "b"})
    assert second is not None and second.message.endswith(f"oneof field 'target' is already set. Cannot set '{other}'")
    none = verdict({})
    assert none is not None and none.cause is Cause.RECIPIENT_MISSING


def test_an_empty_second_target_counts() -> None:
    second = verdict({"token": "a", "topic": ""})
    assert second is not None and "oneof" in second.message


def test_a_topic_has_its_characters_and_its_length() -> None:
    assert TOPIC_NAME_CHARACTERS_MAX == 900
    assert verdict({"topic": "azAZ09-_.~%"}) is None
    assert verdict({"topic": "x" * 900}) is None
    for name in ("x" * 901, "/topics/a", "private/a", "a b"):
        fault = verdict({"topic": name})
        assert fault is not None and fault.cause is Cause.TOPIC_INVALID


def test_a_condition_has_its_grammar_and_its_topics() -> None:
    assert TOPICS_MAX == 5
    good = "'a' in topics && ('b' in topics || !('c' in topics)) && 'd' in topics || 'e' in topics"
    assert verdict({"condition": good}) is None
    for text in (f"{good} || 'f' in topics", "'a' in topics & 'b' in topics", "a in topics"):
        fault = verdict({"condition": text})
        assert fault is not None and fault.cause is Cause.CONDITION_INVALID


def test_a_condition_goes_by_parentheses_then_from_left_to_right() -> None:
    condition = parse_condition("'a' in topics || 'b' in topics && 'c' in topics")
    assert condition is not None and not condition.evaluate({"a"})
    condition = parse_condition("'a' in topics || ('b' in topics && 'c' in topics)")
    assert condition is not None and condition.evaluate({"a"})


def test_the_numbers_are_those_of_the_pages() -> None:
    assert MESSAGE_BYTES_MAX == 4096
    assert TTL_S_MAX == 2_419_200
