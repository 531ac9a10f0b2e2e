"""Header blocks in sequences: ours read by the referee `hpack`, the referee's read by ours, and bytes that nobody encoded."""

import sys
import tracemalloc
from contextlib import suppress
from functools import cache
from types import FrameType

import hpack
import msgspec
from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hypothesis import strategies as st

from tests.fuzz.property import Property
from tests.wire.peers import field_lists
from wire import huffman
from wire.hpack import (
    INTEGER_BYTES_MAX,
    Decoder,
    Encoder,
    HeaderListTooLarge,
    HpackError,
    integer,
    read_integer,
    string,
)

TABLE_BYTES = 4_096
LIST_BYTES_MAX = 2_000
# Of a decoder that is given blocks: what it keeps besides its table, and the calls it makes.
KEPT_BYTES_MAX, KEPT_BYTES_PER_BYTE_MAX = 30_000, 60
CALLS_MAX, CALLS_PER_BYTE_MAX = 200, 12
# The bound that section 5.1 leaves to each: the referee has a larger one.
LONG_INTEGER = f"an integer of more than {INTEGER_BYTES_MAX} bytes"


class SentBlock(msgspec.Struct, frozen=True):
    """One block. `table_sizes`: announced since the last one. `fields`: name, value, and whether it must never be indexed."""

    table_sizes: list[int]
    fields: list[tuple[str, str, bool]]
    coded: bool


class Blocks(msgspec.Struct, frozen=True):
    """A sequence of blocks. `unindexed`: names that our encoder keeps out of the table."""

    blocks: list[SentBlock]
    unindexed: list[str] = []


class RawBlocks(msgspec.Struct, frozen=True):
    """Blocks in hexadecimal."""

    blocks: list[str]


def check_both_ways(given: Blocks) -> None:
    """Each side decodes what the other has encoded, never-indexed fields marked, and the tables stay equal."""
    theirs, our_decoder = hpack.Encoder(), Decoder(table_bytes_max=1 << 20)
    ours, their_decoder = Encoder(unindexed=[name.encode("latin-1") for name in given.unindexed]), hpack.Decoder()
    their_decoder.max_allowed_table_size = 1 << 20
    for block in given.blocks:
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value, _ in block.fields]
        never = {name.encode("latin-1") for name, _, never in block.fields if never}
        for size in block.table_sizes:
            if size != theirs.header_table_size:  # told the same limit twice, the referee does not announce it
                theirs.header_table_size = size
                our_decoder.limit_table(size)
                our_decoder.table_bytes_max = 1 << 20
            ours.limit_table(size)
        marked = [hpack.NeverIndexedHeaderTuple(*field) if field[0] in never else field for field in fields]
        assert our_decoder.decode(theirs.encode(marked, huffman=block.coded)) == fields
        assert our_decoder.table_bytes == theirs.header_table._current_size
        ours.coded, ours.never_indexed = block.coded, frozenset(never)
        decoded = their_decoder.decode(ours.encode(fields), raw=True)
        assert [(name, value) for name, value in decoded] == fields
        assert [isinstance(each, hpack.NeverIndexedHeaderTuple) for each in decoded] == [
            name in never for name, _ in fields
        ]
        assert ours._size == their_decoder.header_table._current_size


def check_raw(given: RawBlocks) -> None:
    """Fields or an HpackError, as the referee says but for what the two bound otherwise, within a bound of memory and of
    calls that grows with the length alone."""
    fill_huffman_rows()
    blocks = [bytes.fromhex(block) for block in given.blocks]
    length = sum(map(len, blocks))
    decoder, referee = Decoder(), hpack.Decoder(max_header_list_size=1 << 30)
    for block in blocks:
        refusal, fields = "", []
        try:
            fields = decoder.decode(block)
        except HpackError as error:
            refusal = str(error)
        try:
            decoded = referee.decode(block, raw=True)
        except hpack.HPACKError:
            assert refusal or _starts_with_several_sizes(block), "the referee refuses what ours takes"
            break
        if refusal:
            assert LONG_INTEGER in refusal, f"the referee takes what ours refuses: {refusal}"
            break
        assert fields == [(name, value) for name, value in decoded]
        assert decoder.table_bytes == referee.header_table._current_size <= TABLE_BYTES
    calls = _calls_of(blocks)
    assert calls <= CALLS_MAX + CALLS_PER_BYTE_MAX * length, f"{calls} calls for {length} bytes"
    tracemalloc.start()
    try:
        decoder = Decoder(list_bytes_max=LIST_BYTES_MAX)
        _feed(decoder, blocks)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept <= KEPT_BYTES_MAX + KEPT_BYTES_PER_BYTE_MAX * length, f"{kept} bytes kept for {length}"


def _starts_with_several_sizes(block: bytes) -> bool:
    """Of these ours looks at the last alone, the referee at each."""
    with suppress(HpackError):
        at = sizes = 0
        while at < len(block) and block[at] & 0xE0 == 0x20:
            _, at = read_integer(block, at, 0x1F)
            sizes += 1
        return sizes > 1
    return False


@cache
def fill_huffman_rows() -> None:
    """Once, ahead of whatever counts calls or memory: rows of the code's table are made on first use and kept for good."""
    for row in huffman._ROWS.values():
        if not row:
            row.fill()


def _feed(decoder: Decoder, blocks: list[bytes]) -> None:
    with suppress(HpackError):
        for block in blocks:
            with suppress(HeaderListTooLarge):
                decoder.decode(block)


def _calls_of(blocks: list[bytes]) -> int:
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    decoder, before = Decoder(), sys.getprofile()
    sys.setprofile(count)
    try:
        _feed(decoder, blocks)
    finally:
        sys.setprofile(before)
    return calls


def check_huffman(given: RawBlocks) -> None:
    """Any bytes decode as the referee says or are refused as it does; any text survives coding."""
    for text in map(bytes.fromhex, given.blocks):
        coded = huffman.encode(text)
        assert huffman.decode(coded) == huffman.decode_by_rows(coded) == text
        assert bytes(decode_huffman(coded) or b"") == text
        try:
            expected = bytes(decode_huffman(text) or b"")
        except HPACKDecodingError:
            taken = None
            with suppress(huffman.HuffmanError):
                taken = huffman.decode(text)
            assert taken is None, "the referee refuses what ours takes"
        else:
            assert huffman.decode(text) == expected


_sizes = st.lists(st.sampled_from([0, 40, 100, 300, 4_096, 10_000]), max_size=3)
_blocks = st.builds(
    SentBlock,
    table_sizes=_sizes,
    fields=st.tuples(field_lists, st.lists(st.booleans(), min_size=6, max_size=6)).map(
        lambda drawn: [
            (name.decode("latin-1"), value.decode("latin-1"), never)
            for (name, value), never in zip(drawn[0], drawn[1], strict=False)
        ]
    ),
    coded=st.booleans(),
)
_names = st.lists(st.sampled_from(["apns-topic", "authorization", "cookie"]), unique=True)

_texts = st.one_of(st.sampled_from([b"", b"a", b"apns-topic", b"v" * 100]), st.binary(max_size=20))
_integers = st.one_of(st.integers(0, 130), st.integers(0, 2**40))
# Things that header blocks are made of, valid or nearly so.
_instructions = st.one_of(
    st.integers(0, 80).map(lambda index: integer(index, 0x7F, 0x80)),
    st.tuples(st.integers(0, 70), _texts, st.booleans(), st.sampled_from([(0x3F, 0x40), (0x0F, 0), (0x0F, 0x10)])).map(
        lambda drawn: (
            integer(drawn[0], *drawn[3]) + (b"" if drawn[0] else string(b"name")) + string(drawn[1], coded=drawn[2])
        )
    ),
    _integers.map(lambda size: integer(size, 0x1F, 0x20)),
    st.integers(0, 4_096).map(lambda size: integer(size, 0x1F, 0x20)),
    _integers.map(lambda index: integer(index, 0x7F, 0x80)),
    st.binary(max_size=3),
)
_raw_blocks = st.one_of(
    st.lists(_instructions, max_size=12).map(b"".join),
    st.binary(max_size=60),
    st.tuples(_instructions, st.integers(1, 300)).map(lambda drawn: drawn[0] * drawn[1]),
).map(bytes.hex)

HEADER_BLOCKS = [
    Property(
        name="header-blocks",
        record=Blocks,
        inputs=st.builds(Blocks, st.lists(_blocks, max_size=10), _names),
        check=check_both_ways,
        examples=60,
    ),
    Property(
        name="raw-header-blocks",
        record=RawBlocks,
        inputs=st.builds(RawBlocks, st.lists(_raw_blocks, min_size=1, max_size=4)),
        check=check_raw,
        examples=100,
    ),
    Property(
        name="huffman",
        record=RawBlocks,
        inputs=st.builds(RawBlocks, st.lists(st.binary(max_size=60).map(bytes.hex), max_size=3)),
        check=check_huffman,
        examples=40,
    ),
]
