"""The Huffman code of HPACK: every symbol, round trips, and what a coded string may not end in (RFC 7541, 5.2)."""

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire.conformance.requirement import HPACK, requirement
from tests.wire.peers import checked
from wire import huffman

REFEREE = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def test_codes_and_lengths_are_those_of_appendix_b() -> None:
    assert list(huffman.LENGTHS) == list(REQUEST_CODES_LENGTH)
    assert list(REQUEST_CODES) == huffman.CODES


@pytest.mark.parametrize("symbol", range(256))
def test_every_symbol_survives_alone_and_between_others(symbol: int) -> None:
    for text in (bytes((symbol,)), b"a" + bytes((symbol,)) * 3 + b"~"):
        coded = huffman.encode(text)
        assert coded == REFEREE.encode(text)
        assert huffman.decode(coded) == text


@checked
@given(st.binary(max_size=300))
@example(b"")
def test_coding_agrees_with_the_referee_and_back(text: bytes) -> None:
    coded = huffman.encode(text)
    assert coded == REFEREE.encode(text)
    assert huffman.decode(coded) == text


@checked
@given(st.binary(max_size=40))
@example(b"\xff\xff\xff\xff")
@example(b"\xff\xff\xff\xfc")
def test_any_bytes_decode_as_the_referee_says_or_are_refused_as_it_does(coded: bytes) -> None:
    try:
        expected = bytes(decode_huffman(coded) or b"")
    except HPACKDecodingError:
        with pytest.raises(huffman.HuffmanError):
            huffman.decode(coded)
    else:
        assert huffman.decode(coded) == expected


@requirement(HPACK, "5.2", "A Huffman-encoded string")
def test_a_string_with_eos_in_it_is_refused() -> None:
    with pytest.raises(huffman.HuffmanError, match="EOS"):
        huffman.decode(b"\xff\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("coded", "why"),
    [
        (b"\x1f", None),  # `a` in 5 bits, padded with ones
        (b"\x1e", "padding"),  # padded with 110
        (b"\x18", "padding"),  # padded with zeros
        (b"\x1f\xff", "padding"),  # 11 bits of padding
        (b"\xff", "padding"),  # 8 bits of it, and no symbol
    ],
)
@requirement(HPACK, "5.2", "A padding strictly longer")
@requirement(HPACK, "5.2", "A padding not corresponding")
def test_padding_is_the_start_of_eos_and_shorter_than_a_byte(coded: bytes, why: str | None) -> None:
    if why is None:
        assert huffman.decode(coded) == b"a"
    else:
        with pytest.raises(huffman.HuffmanError, match=why):
            huffman.decode(coded)
