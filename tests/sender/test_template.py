"""Personalised payloads: compiled with positions in errors, rendered to JSON that no attribute can break."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sender.template import (
    PAYLOAD_BYTES_MAX,
    PAYLOAD_BYTES_MAX_VOIP,
    PLACEHOLDERS_MAX,
    TEMPLATE_BYTES_MAX,
    Refusal,
    TemplateError,
    compile,
    payload_bytes_max,
)


def rendered(template: str, attributes: dict[str, str]) -> object:
    payload = compile(template.encode()).render(json.dumps(attributes).encode())
    assert isinstance(payload, bytes), payload
    return json.loads(payload)


def test_placeholders_take_the_values_of_the_device() -> None:
    template = (
        '{"aps": {"alert": {"title": "Hello {{name}}", "body": "{{ country }}/{{name}}!"}}, "n": [1, "{{name}}"]}'
    )
    assert rendered(template, {"name": "Jané", "country": "DE", "other": "x"}) == {
        "aps": {"alert": {"title": "Hello Jané", "body": "DE/Jané!"}},
        "n": [1, "Jané"],
    }


def test_a_default_stands_in_for_a_missing_attribute_only() -> None:
    template = '{"a": "Hello {{name | my \\"friend\\" \\u00e9}}{{x|}}!"}'
    assert rendered(template, {}) == {"a": 'Hello my "friend" é!'}
    assert rendered(template, {"name": "", "x": "y"}) == {"a": "Hello y!"}


def test_a_missing_attribute_without_default_is_a_refusal_not_an_error() -> None:
    template = compile(b'{"a": "{{name|x}}{{country}}"}')
    assert template.names == {"name", "country"}
    assert template.render(b'{"name":"y"}') == Refusal("MissingAttribute country")


@pytest.mark.parametrize("attributes", [b"", b"[]", b"{", b'{"name":1}', b'{"name":"\xff"}', b'{"name":"\\ud800"}'])
def test_attributes_that_cannot_be_read_are_a_refusal(attributes: bytes) -> None:
    assert compile(b'{"a": "{{name}}"}').render(attributes) == Refusal("BadAttributes")


def test_a_payload_without_placeholders_is_one_object_for_all() -> None:
    compact = b'{"aps":{"alert":"Hi  there"}}'
    template = compile(compact)
    assert template.names == frozenset()
    assert template.render(b"{}") is compact
    spread = compile(b'{ "aps" : {\n "alert": "Hi  there" } }')
    assert spread.render(b"") == compact
    assert spread.render(b"") is spread.render(b"{}")


def test_the_text_of_strings_and_numbers_stays_as_written() -> None:
    assert (
        compile(b'{"a": "\\u007b{b}} \\/ \\"", "n": 1.50e3}').render(b"") == b'{"a":"\\u007b{b}} \\/ \\"","n":1.50e3}'
    )


def test_closing_braces_alone_mean_nothing() -> None:
    assert compile(b'{"a":{"b":"}} {x}"}}').render(b"") == b'{"a":{"b":"}} {x}"}}'


ERRORS = [
    (b"", 1, 1, "is empty"),
    (b" \n", 1, 1, "is empty"),
    (b"[]", 1, 1, "not a JSON object"),
    (b'"{{a}}"', 1, 1, "not a JSON object"),
    (b'{"a": }', 1, 7, "not JSON"),
    (b'{"a":\n  tru}', 2, 7, "not JSON"),
    (b'{"a": 1', 1, 8, "not JSON"),
    (b'{"a": 1} x', 1, 10, "not JSON"),
    (b'{"a": NaN}', 1, 7, "not JSON"),
    (b'{\n "a": "\xff"}', 2, 8, "not UTF-8"),
    (b"\xef\xbb\xbf{}", 1, 1, "byte order mark"),
    (b"[" * 20_000, 1, 1, "too deep"),
    (b'{"a":\n "\xc3\xa9 {{name"}', 2, 5, "not closed"),
    (b'{"a": "{{name", "b": "}}"}', 1, 8, "not closed"),
    (b'{"{{name}}": 1}', 1, 3, "cannot stand in a key"),
    (b'{"{{name}}"\n : 1}', 1, 3, "cannot stand in a key"),
    (b'{"a": "{{}}"}', 1, 8, "is no placeholder"),
    (b'{"a": "x{{user.name}}"}', 1, 9, "is no placeholder"),
    (b'{"a": "{{1st}}"}', 1, 8, "is no placeholder"),
    (b'{"a": "{{{name}}}"}', 1, 8, "is no placeholder"),
    (b'{"a": "{{' + b"n" * 65 + b'}}"}', 1, 8, "is no placeholder"),
    (b'{"a": "' + b"{{a}}" * (PLACEHOLDERS_MAX + 1) + b'"}', 1, 8 + 5 * PLACEHOLDERS_MAX, "more than 64 placeholders"),
    (b'{"a": "' + b"a" * TEMPLATE_BYTES_MAX + b'"}', 1, 1, "at most 65536"),
]


@pytest.mark.parametrize(("payload", "line", "column", "what"), ERRORS)
def test_an_error_says_where_and_what(payload: bytes, line: int, column: int, what: str) -> None:
    with pytest.raises(TemplateError) as error:
        compile(payload)
    assert what in str(error.value)
    assert (error.value.line, error.value.column) == (line, column)
    assert f"line {line}, column {column}:" in str(error.value)


def test_as_many_placeholders_as_allowed_work() -> None:
    template = compile(b'{"a": "' + b"{{a}}" * PLACEHOLDERS_MAX + b'"}')
    assert template.render(b'{"a":"x"}') == b'{"a":"' + b"x" * PLACEHOLDERS_MAX + b'"}'


any_text = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}|"))


@settings(max_examples=200)
@given(
    before=plain,
    middle=plain,
    attributes=st.fixed_dictionaries({"name": any_text, "first-name": any_text}),
    escaped=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_whatever_the_attributes_hold_they_stay_inside_their_strings(
    before: str, middle: str, attributes: dict[str, str], escaped: bool, indent: int | None
) -> None:
    document = {"aps": {"alert": f"{before}{{{{name}}}}{middle}{{{{first-name|x}}}}"}, "n": [True, None, 1.5]}
    payload = compile(json.dumps(document, ensure_ascii=escaped, indent=indent).encode()).render(
        json.dumps(attributes, ensure_ascii=escaped).encode()
    )
    assert isinstance(payload, bytes)
    text = before + attributes["name"] + middle + attributes["first-name"]
    assert json.loads(payload) == {"aps": {"alert": text}, "n": [True, None, 1.5]}


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: {"a": value})
)
def test_any_payload_keeps_its_meaning_and_loses_its_blanks(document: object) -> None:
    payload = compile(json.dumps(document, indent=1).encode()).render(b"")
    assert payload == json.dumps(document, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("size", "push_type", "topic", "taken"),
    [
        (PAYLOAD_BYTES_MAX, "alert", "com.example.app", True),
        (PAYLOAD_BYTES_MAX + 1, "alert", "com.example.app", False),
        (PAYLOAD_BYTES_MAX + 1, None, "com.example.app", False),
        (PAYLOAD_BYTES_MAX_VOIP, "voip", "com.example.app.voip", True),
        (PAYLOAD_BYTES_MAX_VOIP + 1, "voip", "com.example.app.voip", False),
        (PAYLOAD_BYTES_MAX_VOIP, None, "com.example.app.voip", True),
    ],
)
def test_the_size_allowed_depends_on_the_push_type(size: int, push_type: str | None, topic: str, taken: bool) -> None:
    assert (size <= payload_bytes_max(push_type, topic)) is taken
