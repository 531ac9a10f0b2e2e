"""The Huffman code of HPACK: every symbol, round trips, and what a coded string may not end in (RFC 7541, 5.2)."""

from collections.abc import Callable

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire.conformance.requirement import HPACK, requirement
from tests.wire.peers import checked, checked_long
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


def outcome(decode: Callable[[bytes], bytes], coded: bytes) -> bytes | str:
    try:
        return decode(coded)
    except huffman.HuffmanError as error:
        return str(error)


# Characters of every length of code, those that DEFLATE can have and those that it cannot.
texts = st.text(st.sampled_from("aA0-:;!'+#$<{\\\xc3\xe0\x00\n"), max_size=12).map(lambda text: text.encode("latin-1"))


@checked_long
@given(texts, st.text("01", max_size=40), st.binary(max_size=3))
@example(b"", "1" * 7, b"")
@example(b"", "1" * 8, b"")
@example(b"", "1" * 15, b"")
@example(b"", "1" * 30, b"")
def test_with_zlib_and_without_it_strings_are_the_same_and_refused_alike(text: bytes, end: str, rest: bytes) -> None:
    start = "".join(f"{huffman.CODES[byte]:0{huffman.LENGTHS[byte]}b}" for byte in b"/3/device/abcdef" + text)
    for bits in (start, start + end):
        for more in range(8):  # bits short of a byte, so that the end stands at every place in it
            cut = bits[: len(bits) - (len(bits) - more) % 8]
            for padded in (cut + "1" * (-len(cut) % 8), cut + "1" * (-len(cut) % 8 + 8), cut + "0" * (-len(cut) % 8)):
                coded = int("1" + padded, 2).to_bytes(len(padded) // 8 + 1)[1:] + rest
                assert len(coded) >= huffman.INFLATED_BYTES_MIN
                assert outcome(huffman.decode, coded) == outcome(huffman.decode_by_rows, coded)


@pytest.mark.parametrize("letters", range(8))
def test_the_usual_string_is_not_decoded_by_rows(letters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"/3/device/" + b"0123456789abcdef" * 4 + b"a" * letters  # 5 bits each: 0 to 7 bits of padding
    coded = huffman.encode(text)
    monkeypatch.setattr(huffman, "decode_by_rows", None)
    assert huffman.decode(coded) == text


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
