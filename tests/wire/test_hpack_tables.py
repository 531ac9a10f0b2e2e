"""HPACK against the referee `hpack`, in both directions: any fields, tables that change size, and blocks that are refused."""

from contextlib import suppress

import hpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire.conformance.requirement import HPACK, requirement
from tests.wire.peers import checked, checked_long, field_lists
from wire.hpack import (
    CODED_STRING_BYTES_MAX,
    CODED_STRINGS_MAX,
    INTEGER_BYTES_MAX,
    Decoder,
    Encoder,
    HeaderListTooLarge,
    HpackError,
    integer,
    literal_name,
    read_integer,
    stateless_block,
    string,
)
from wire.request import Fields

# A header list, preceded by the table sizes that were announced since the last one.
table_sizes = st.lists(st.sampled_from([0, 40, 100, 300, 4_096]), max_size=3)
blocks = st.lists(st.tuples(table_sizes, field_lists), max_size=8)
field_names = st.sets(st.sampled_from([b"apns-topic", b"authorization", b"cookie"]))


@checked_long
@given(blocks, st.booleans())
@requirement(HPACK, "2.1", "A decoder MUST order")
@requirement(HPACK, "3.2", "To ensure")
def test_what_the_referee_encodes_is_decoded_at_any_table_size(
    exchange: list[tuple[list[int], Fields]], coded: bool
) -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    for sizes, fields in exchange:
        for size in sizes:
            if size != encoder.header_table_size:  # told the same limit twice, the referee does not announce it
                encoder.header_table_size = size
                decoder.limit_table(size)
        marked = [hpack.NeverIndexedHeaderTuple(*field) if field[0] == b"authorization" else field for field in fields]
        block = encoder.encode(marked, huffman=coded)
        assert tuple(decoder.decode(block)) == fields
        assert decoder.table_bytes == encoder.header_table._current_size


@checked_long
@given(blocks, st.booleans(), field_names, field_names)
@requirement(HPACK, "2.1", "An encoder MUST order")
@requirement(HPACK, "4.2", "the chosen size MUST stay")
def test_what_is_encoded_the_referee_decodes_at_any_table_size(
    exchange: list[tuple[list[int], Fields]], coded: bool, unindexed: set[bytes], never_indexed: set[bytes]
) -> None:
    encoder = Encoder(coded=coded, unindexed=unindexed, never_indexed=never_indexed)
    referee, ours = hpack.Decoder(), Decoder()
    for sizes, fields in exchange:
        for size in sizes:
            encoder.limit_table(size)
            referee.max_allowed_table_size = size
            ours.limit_table(size)
        # Between two announcements and the block that confirms them, the peer may use the largest.
        referee.max_allowed_table_size = ours.table_bytes_max = 4_096
        block = encoder.encode(fields)
        assert tuple((name, value) for name, value in referee.decode(block, raw=True)) == fields
        assert tuple(ours.decode(block)) == fields


@checked
@given(field_lists)
def test_a_stateless_block_reads_the_same_whatever_the_tables_hold(fields: Fields) -> None:
    block = stateless_block(fields)
    for decoder in (Decoder(), Decoder()):
        decoder.decode(Encoder().encode([(b"apns-topic", b"a"), (b"apns-push-type", b"b")]))
        for _ in range(2):
            assert tuple(decoder.decode(block)) == fields
            assert not decoder.changed


@checked
@given(st.integers(0, 2**35), st.sampled_from([0x7F, 0x3F, 0x1F, 0x0F]))
def test_integers_survive_at_every_prefix(value: int, mask: int) -> None:
    coded = integer(value, mask, 0)
    assert read_integer(coded, 0, mask) == (value, len(coded))


@checked_long
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4))
def test_any_blocks_decode_or_are_refused_and_the_table_keeps_its_bound(raw: list[bytes]) -> None:
    decoder = Decoder()
    with suppress(HpackError):
        for block in raw:
            decoder.decode(block)
            assert decoder.table_bytes <= 4_096


@checked
@given(field_lists, st.integers(0, 200), st.binary(min_size=1, max_size=3))
@example(((b"a", b"b"),), 0, b"\x80")
def test_a_damaged_block_ends_in_fields_or_in_an_error(fields: Fields, at: int, damage: bytes) -> None:
    block = Encoder(coded=True).encode(fields)
    spoiled = block[:at] + damage + block[at + 1 :]
    with suppress(HpackError):
        Decoder().decode(spoiled)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (b"\x80", "index 0"),
        (b"\xbe", "index 62"),
        (b"\x7e\x00", "index 62"),
        (b"\xff", "within an integer"),
        (b"\xff\x80\x80", "within an integer"),
        (b"\xff" + b"\x80" * INTEGER_BYTES_MAX, "integer of more than 6 bytes"),
        (b"\x00", "where a string should start"),
        (b"\x00\x01a", "where a string should start"),
        (b"\x00\x03ab", "within a string"),
        (b"\x00\x01a\x05b", "within a string"),
        (b"\x00\x01a\x81\x1e", "padding"),
        (b"\x00\x01a\x85\xff\xff\xff\xff\xff", "EOS"),
        (b"\x3f\xe2\x1f", "over the 4096 announced"),
        (b"\x82\x20", "after the start"),
    ],
)
def test_a_block_that_breaks_the_coding_is_refused(block: bytes, why: str) -> None:
    with pytest.raises(HpackError, match=why):
        Decoder().decode(block)


def test_a_lowered_table_size_must_be_confirmed_at_the_start_of_the_next_block() -> None:
    decoder = Decoder()
    decoder.limit_table(100)
    with pytest.raises(HpackError, match=r"section 4\.2"):
        decoder.decode(b"\x82")


@pytest.mark.parametrize(
    ("sizes", "valid"), [((50, 4_096), True), ((50,), True), ((100,), False), ((4_096,), False), ((), False)]
)
@pytest.mark.parametrize("announced", [(50, 4_096), (100, 50, 4_096), (50, 100, 4_096)])
def test_of_several_limits_between_two_blocks_the_lowest_must_be_confirmed(
    announced: tuple[int, ...], sizes: tuple[int, ...], valid: bool
) -> None:
    decoder = Decoder()
    for size in announced:
        decoder.limit_table(size)
    block = b"".join(integer(size, 0x1F, 0x20) for size in sizes) + b"\x82"
    if valid:
        assert decoder.decode(block) == [(b":method", b"GET")]
    else:
        with pytest.raises(HpackError, match=r"section 4\.2"):
            decoder.decode(block)


@requirement(HPACK, "4.2", "the smallest maximum")
def test_the_encoder_announces_the_lowest_size_and_the_last() -> None:
    encoder = Encoder()
    for size in (2_000, 100, 50, 3_000):
        encoder.limit_table(size)
    assert encoder.encode(()) == integer(50, 0x1F, 0x20) + integer(3_000, 0x1F, 0x20)
    assert encoder.encode(()) == b""


def test_a_size_that_changes_nothing_is_not_announced() -> None:
    encoder = Encoder()
    generation = encoder.generation
    encoder.limit_table(4_096)
    assert encoder.generation is generation
    assert encoder.encode(()) == b""


def test_only_the_last_of_several_updates_has_to_keep_the_limit() -> None:
    decoder = Decoder()
    for size in (300, 100):
        decoder.limit_table(size)
    assert decoder.decode(integer(300, 0x1F, 0x20) + integer(100, 0x1F, 0x20) + b"\x82") == [(b":method", b"GET")]


def test_a_field_larger_than_the_table_empties_the_decoders_table() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40" + string(b"a") + string(b"b"))
    assert decoder.table_bytes == 34
    decoder.decode(b"\x40" + string(b"a") + string(b"b" * 5_000))
    assert decoder.table_bytes == 0


def test_the_name_of_a_field_may_come_from_the_entry_that_it_drives_out() -> None:
    decoder = Decoder()
    name, value = b"n" * 2_000, b"v" * 1_500
    decoder.decode(b"\x40" + string(name) + string(value))
    assert decoder.decode(b"\x7e" + string(b"w" * 1_000)) == [(name, b"w" * 1_000)]
    assert decoder.decode(b"\xbe") == [(name, b"w" * 1_000)]


def test_never_indexed_fields_are_marked_and_stay_out_of_the_table() -> None:
    encoder = Encoder(never_indexed=[b"authorization"])
    generation = encoder.generation
    block = encoder.encode([(b"authorization", b"bearer x")])
    assert block[0] & 0xF0 == 0x10
    assert encoder.generation is generation


def test_a_header_list_over_the_bound_is_refused_after_the_table_has_been_kept_right() -> None:
    decoder = Decoder(list_bytes_max=100)
    block = b"\x40" + string(b"first") + string(b"1") + b"\x40" + string(b"second") + string(b"2" * 50)
    with pytest.raises(HeaderListTooLarge, match="126 bytes; at most 100"):
        decoder.decode(block)
    assert decoder.decode(b"\xbf") == [(b"first", b"1")]


def test_a_header_list_at_the_bound_is_taken() -> None:
    decoder = Decoder(list_bytes_max=100)
    assert decoder.decode(literal_name(b"n" * 8) + string(b"v" * 60)) == [(b"n" * 8, b"v" * 60)]


def test_coded_strings_are_remembered_up_to_a_bound_and_forgotten_together() -> None:
    decoder = Decoder()
    for number in range(CODED_STRINGS_MAX + 1):
        value = b"%d" % number
        assert decoder.decode(literal_name(b"via") + string(value, coded=True)) == [(b"via", value)]
        assert len(decoder._texts) == number % CODED_STRINGS_MAX + 1


def test_long_coded_strings_and_varying_ones_are_not_remembered() -> None:
    decoder = Decoder(varying=[b"apns-id"])
    decoder.decode(literal_name(b"via") + string(b"\xff" * CODED_STRING_BYTES_MAX, coded=True))
    decoder.decode(literal_name(b"apns-id") + string(b"17", coded=True))
    assert decoder._texts == {}
