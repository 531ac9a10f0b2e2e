"""Which bodies are JSON dictionaries."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.apns.payload import PAYLOAD_DEPTH_MAX, is_json_object

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5), st.booleans())
def test_every_dictionary_is_one(value: dict[str, object], escaped: bool) -> None:
    assert is_json_object(json.dumps(value, ensure_ascii=escaped).encode())


@settings(deadline=None)
@given(json_values.filter(lambda value: not isinstance(value, dict)))
def test_no_other_value_is_one(value: object) -> None:
    assert not is_json_object(json.dumps(value).encode())


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=3), st.data())
def test_a_dictionary_that_is_cut_short_is_none(value: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(value).encode()
    assert not is_json_object(text[: data.draw(st.integers(0, len(text) - 1))])


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_have_an_answer(body: bytes) -> None:
    assert is_json_object(body) in (True, False)


@pytest.mark.parametrize("body", [b"{}", b" {} ", b'{"a":1,"a":2}', b'{"a":"\\u00e9"}', '{"é":"\U0001f600"}'.encode()])
def test_these_are_dictionaries(body: bytes) -> None:
    assert is_json_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\xff"}',
        b'{"\xc3":1}',
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b'{"a":NaN}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":"\n"}',
        b'{"a":"\\ud800"}',
        "{}".encode("utf-16"),
        b'{"a":"\xed\xa0\x80"}',
    ],
)
def test_these_are_not(body: bytes) -> None:
    assert not is_json_object(body)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_dictionary_may_nest_so_deep_and_no_deeper(opening: bytes, closing: bytes) -> None:
    def nested(depth: int) -> bytes:
        inner = depth - 1
        return b'{"a":' + opening * inner + (b"1" if closing == b"}" else b"") + closing * inner + b"}"

    assert is_json_object(nested(PAYLOAD_DEPTH_MAX))
    assert not is_json_object(nested(PAYLOAD_DEPTH_MAX + 1))
    for bomb in (700, 900, 1_000, 1_500, 100_000):
        assert not is_json_object(nested(bomb))


def test_brackets_in_strings_and_in_a_row_do_not_nest() -> None:
    assert is_json_object(b'{"a":"' + b'[{\\"' * 900 + b'"}')
    assert is_json_object(b'{"a":[' + b"[]," * 900 + b"[]]}")
