"""Heads and layouts: messages alike share one head, and a block read by its layout says what its fields say."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.peers import REQUEST, apns_ids, checked_long, field_lists, paths, replaced, request_fields
from wire.fields import request_fault
from wire.heads import (
    HEAD_BYTES_MAX,
    HEADS_MAX,
    LAYOUT_BYTES_MAX,
    LAYOUTS_MAX,
    LAYOUTS_OF_ONE_LENGTH_MAX,
    HeadReader,
    Varying,
)
from wire.hpack import Decoder, Encoder, HpackError, integer, literal_name, stateless_block, string
from wire.request import Fields, Head

VARYING = (b":path", b"apns-id")
PREFIX = REQUEST[:3]
TOPIC = (b"apns-topic", b"com.example.app")


def _reader(*, fast: bool = True, list_bytes_max: int = 65_536) -> HeadReader:
    decoder = Decoder(list_bytes_max=list_bytes_max, varying=VARYING)
    return HeadReader(decoder, VARYING, request_fault, fast=fast)


def _layouts(reader: HeadReader) -> int:
    assert reader._layout_count == sum(map(len, reader._layouts.values())) + len(reader._whole)
    return reader._layout_count


def _said(answer: tuple[Head, Varying]) -> tuple[Fields, str | None, int | None, Varying]:
    head, varying = answer
    return head.fields, head.fault, head.content_length, varying


@st.composite
def _blocks(draw: st.DrawFn) -> list[bytes]:
    """Header blocks of one client: few heads, many values, and at times one of the ways to fall out of a layout."""
    style = draw(st.sampled_from(["literal", "indexed", "coded", "never", "referee"]))
    encoder = Encoder(
        coded=style in ("coded", "never"),
        unindexed=() if style == "indexed" else VARYING,
        never_indexed=(b"authorization",) if style == "never" else (),
    )
    referee = hpack.Encoder()
    others = draw(st.lists(field_lists, min_size=1, max_size=3))
    blocks = []
    for _ in range(draw(st.integers(1, 12))):
        fields = request_fields(draw(paths), draw(apns_ids), draw(st.sampled_from(others)))
        if draw(st.integers(0, 9)) == 0:
            odd = (
                (b"apns-id", b"again"),
                (b":path", b"/late"),
                (b"Upper", b""),
                (b"apns-id", b" "),
                (b"content-length", b"7"),
            )
            fields = (*fields, draw(st.sampled_from(odd)))
        block = referee.encode(fields) if style == "referee" else encoder.encode(fields)
        blocks.append(block)
        if draw(st.integers(0, 9)) == 0:  # the same bytes with one of them changed
            at = draw(st.integers(0, len(block) - 1))
            blocks.append(block[:at] + draw(st.binary(min_size=1, max_size=1)) + block[at + 1 :])
    return blocks


@checked_long
@given(_blocks())
def test_remembering_changes_nothing_that_is_said(blocks: list[bytes]) -> None:
    fast, general = _reader(), _reader(fast=False)
    for block in blocks:
        try:
            expected = _said(general.read(block))
        except HpackError:
            with pytest.raises(HpackError):
                fast.read(block)
            return
        assert _said(fast.read(block)) == expected
        assert fast.decoder._table == general.decoder._table
        assert fast._budget._left == general._budget._left
        assert not general._layouts and not general._whole
        assert not general._heads


@checked_long
@given(_blocks())
def test_messages_share_a_head_exactly_when_their_fields_are_alike(blocks: list[bytes]) -> None:
    reader = _reader()
    heads: dict[Fields, Head] = {}
    for block in blocks:
        try:
            head, _ = reader.read(block)
        except HpackError:
            return
        if head.fault is None:
            assert heads.setdefault(head.fields, head) is head


@pytest.mark.parametrize("coded", [False, True])
def test_the_second_block_of_a_layout_is_read_without_decoding(coded: bool) -> None:
    reader, encoder = _reader(), Encoder(coded=coded, unindexed=VARYING)
    reader.read(encoder.encode(REQUEST))
    reader.read(encoder.encode(REQUEST))
    assert _layouts(reader) == 1
    reader.decoder.decode = None  # type: ignore[assignment,method-assign]  # a call would fail
    first, varying = reader.read(encoder.encode(REQUEST))
    other = replaced(REQUEST, path=REQUEST[3][1][::-1])
    second, varying_then = reader.read(encoder.encode(other))
    assert first is second
    assert varying == (REQUEST[3][1], REQUEST[5][1])
    assert varying_then == (REQUEST[3][1][::-1], REQUEST[5][1])


def test_a_list_like_the_one_before_is_recognised_although_the_table_changes() -> None:
    reader, encoder = _reader(), Encoder(coded=True, never_indexed=(b"authorization",))
    fields = (*REQUEST[:5], (b"authorization", b"bearer x"), *REQUEST[5:])
    expected, _ = reader.read(encoder.encode(fields))
    reader._split = None  # type: ignore[assignment,method-assign]  # a call would fail
    for number in range(100):  # entries are pushed out of the table and come again
        path, apns_id = b"/3/device/%064x" % number, b"%036d" % number
        head, varying = reader.read(encoder.encode(replaced(fields, path=path, apns_id=apns_id)))
        assert head is expected
        assert varying == (path, apns_id)
    for other in (fields[:-1], (*fields, TOPIC), (*fields[:4], (b"apns-topic", b"another"), *fields[5:])):
        with pytest.raises(TypeError):
            reader.read(encoder.encode(other))


@pytest.mark.parametrize("indexed", [False, True])
def test_the_second_time_a_block_in_which_nothing_varies_is_read_without_decoding(indexed: bool) -> None:
    reader, encoder = _reader(), Encoder()
    # Without a varying name, or with one that is an index.
    fields = (
        (*PREFIX, (b":path", b"/v1/projects/p/messages:send"), TOPIC) if indexed else (*PREFIX, (b":path", b"/"), TOPIC)
    )
    for _ in range(2):
        block = encoder.encode(fields)
        head, varying = reader.read(block)
    assert _layouts(reader) == 1 and varying == (fields[3][1], None)
    reader.decoder.decode = None  # type: ignore[assignment,method-assign]  # a call would fail
    again, varying_then = reader.read(bytes(bytearray(block)))
    assert again is head and varying_then == varying


def test_whole_blocks_are_forgotten_when_the_table_changes() -> None:
    reader, encoder = _reader(), Encoder()
    for _ in range(2):
        block = encoder.encode((*PREFIX, (b":path", b"/"), TOPIC))
        reader.read(block)
    other = (b"apns-topic", b"com.example.else")
    reader.read(encoder.encode((*PREFIX, (b":path", b"/"), other)))
    assert _layouts(reader) == 0
    assert reader.read(block)[0].fields[-1] == other


def test_whole_blocks_count_as_layouts_at_the_bound_and_long_ones_are_not_kept() -> None:
    reader = _reader()
    for number in range(LAYOUTS_MAX):
        reader.read(
            stateless_block((*PREFIX[:2], (b":path", b"/"), (b"x", b"%d" % number))).replace(b"\x04\x01/", b"\x84")
        )
    assert _layouts(reader) == LAYOUTS_MAX == len(reader._whole)
    reader.read(stateless_block(REQUEST))
    assert _layouts(reader) == 1 and not reader._whole
    reader = _reader()
    reader.read(stateless_block((*PREFIX, (b"x", b"v" * LAYOUT_BYTES_MAX))))
    assert _layouts(reader) == 0


def test_layouts_are_forgotten_when_the_table_changes() -> None:
    reader, encoder = _reader(), Encoder(unindexed=VARYING)
    for _ in range(2):
        reader.read(encoder.encode((*PREFIX, REQUEST[3], TOPIC)))
    assert _layouts(reader) == 1
    # A new entry pushes the topic from index 62 to 63; 62 is the new one from now on.
    other = (b"apns-topic", b"com.example.else")
    block = encoder.encode((*PREFIX, REQUEST[3], TOPIC))
    reader.read(encoder.encode((*PREFIX, REQUEST[3], other)))
    assert _layouts(reader) == 0
    head, _ = reader.read(block)
    assert head.fields[-1] == other


def test_trailers_that_change_the_table_make_layouts_forgotten_and_others_do_not() -> None:
    reader = _reader()
    reader.read(stateless_block(REQUEST))
    assert reader.read_trailers(stateless_block([(b"x", b"y")])) is None
    assert _layouts(reader) == 1
    assert reader.read_trailers(Encoder().encode([(b"x", b"y")])) is None
    assert _layouts(reader) == 0


def test_trailers_over_the_bound_of_header_lists_are_at_fault() -> None:
    reader = _reader(list_bytes_max=100)
    assert "at most 100" in str(reader.read_trailers(stateless_block([(b"x", b"v" * 100)])))


def test_a_smaller_table_and_a_smaller_list_make_layouts_forgotten() -> None:
    reader = _reader()
    reader.read(stateless_block(REQUEST))
    reader.limit_list(65_536)
    assert _layouts(reader) == 1
    reader.limit_list(100)
    assert _layouts(reader) == 0
    assert "at most 100" in str(reader.read(stateless_block(REQUEST))[0].fault)
    reader = _reader()
    reader.read(stateless_block(REQUEST))
    reader.limit_table(100)
    with pytest.raises(HpackError):
        reader.read(stateless_block(REQUEST))


def test_a_head_is_shared_by_blocks_coded_in_different_ways() -> None:
    reader, indexing, coding = _reader(), Encoder(), Encoder(coded=True, unindexed=[name for name, _ in REQUEST])
    head, _ = reader.read(stateless_block(REQUEST))
    assert reader.read(coding.encode(REQUEST))[0] is head
    assert reader.read(indexing.encode(REQUEST))[0] is head
    assert reader.read(indexing.encode(REQUEST))[0] is head


def test_a_field_more_or_less_or_elsewhere_is_another_head() -> None:
    reader = _reader()
    heads = [
        reader.read(stateless_block(fields))[0]
        for fields in (REQUEST, REQUEST[:5], (*REQUEST, TOPIC), (*REQUEST[:4], REQUEST[5], REQUEST[4]))
    ]
    assert len({id(head) for head in heads}) == 4


@pytest.mark.parametrize(
    ("fields", "varying"),
    [
        (REQUEST, (REQUEST[3][1], REQUEST[5][1])),
        (REQUEST[:5], (REQUEST[3][1], None)),
        ((*REQUEST, (b"apns-id", b"again")), (REQUEST[3][1], REQUEST[5][1])),
        (replaced(REQUEST, apns_id=b""), (REQUEST[3][1], b"")),
        ((*PREFIX, REQUEST[3], (b"apns-id", b""), (b"apns-id", b"again")), (REQUEST[3][1], b"")),
    ],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_the_first_of_each_varying_name_counts_also_empty_or_indexed(
    fields: Fields, varying: Varying, indexed: bool
) -> None:
    reader, encoder = _reader(), Encoder()
    for _ in range(3):
        head, values = reader.read(encoder.encode(fields) if indexed else stateless_block(fields))
        assert head.fault is None
        assert values == varying


def test_an_indexed_varying_field_ahead_of_a_literal_one_is_the_one_that_counts() -> None:
    reader, encoder = _reader(), Encoder()
    reader.read(encoder.encode([*REQUEST[:4], (b"apns-id", b"indexed")]))
    start = (
        encoder.encode([*PREFIX])
        + literal_name(b":path")
        + string(b"/device")
        + encoder.encode([(b"apns-id", b"indexed")])
    )
    for value in (b"first", b"other", b"third"):
        head, varying = reader.read(start + literal_name(b"apns-id") + string(value))
        assert varying == (b"/device", b"indexed")
        assert head.fields[-2:] == ((b"apns-id", b""), (b"apns-id", value))


@pytest.mark.parametrize("value", [b"/a\x00", b"/a\rb", b"/a\nb", b" /a", b"/a\t", b""])
@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("name", ["path", "apns_id"])
def test_a_faulty_varying_value_is_found_although_its_head_is_known(value: bytes, coded: bool, name: str) -> None:
    reader, encoder = _reader(), Encoder(coded=coded, unindexed=VARYING)
    good = replaced(REQUEST, **{name: b"/" + value[1:] if len(value) < 2 else b"/abc"[: len(value)]})
    for _ in range(3):
        assert reader.read(encoder.encode(good))[0].fault is None
    head, _ = reader.read(encoder.encode(replaced(REQUEST, **{name: value})))
    assert (head.fault is None) is (name == "apns_id" and not value)
    assert reader.read(encoder.encode(good))[0].fault is None


def test_bad_huffman_coding_in_a_varying_value_is_refused_although_the_layout_is_known() -> None:
    reader = _reader()
    start = stateless_block(PREFIX) + literal_name(b":path")
    reader.read(start + b"\x81\x63")  # "/"
    assert _layouts(reader) == 1
    with pytest.raises(HpackError, match="padding"):
        reader.read(start + b"\x81\x60")


def test_layouts_have_a_bound_at_which_all_are_forgotten() -> None:
    reader = _reader()
    for number in range(LAYOUTS_MAX):
        reader.read(stateless_block((*PREFIX, (b":path", b"/" * (number + 2)))))
    assert _layouts(reader) == LAYOUTS_MAX
    head, varying = reader.read(stateless_block((*PREFIX, (b":path", b"/" * (LAYOUTS_MAX + 2)))))
    assert _layouts(reader) == 1
    assert (head.fault, varying[0]) == (None, b"/" * (LAYOUTS_MAX + 2))


def test_layouts_of_one_length_have_a_bound_at_which_the_oldest_goes() -> None:
    reader = _reader()
    blocks = [
        stateless_block((*PREFIX, (b":path", b"/"), (b"apns-topic", b"topic-%03d" % number)))
        for number in range(LAYOUTS_OF_ONE_LENGTH_MAX + 1)
    ]
    for block in blocks:
        # :path "/" is a static entry; spelt out it leaves a hole.
        reader.read(block.replace(b"\x84", literal_name(b":path") + string(b"/"), 1))
    assert _layouts(reader) == LAYOUTS_OF_ONE_LENGTH_MAX
    (same_length,) = reader._layouts.values()
    assert same_length[0].head.value(b"apns-topic") == b"topic-001"


def test_long_blocks_leave_no_layout_and_large_heads_are_not_kept() -> None:
    reader = _reader()
    fields = (*REQUEST, (b"x", b"v" * LAYOUT_BYTES_MAX))
    assert reader.read(stateless_block(fields))[0] is reader.read(stateless_block(fields))[0]
    assert _layouts(reader) == 0
    large = (*REQUEST, (b"x", b"v" * HEAD_BYTES_MAX))
    assert reader.read(stateless_block(large))[0] is not reader.read(stateless_block(large))[0]


def test_heads_have_a_bound_at_which_all_are_forgotten() -> None:
    reader = _reader()
    for number in range(HEADS_MAX):
        reader.read(stateless_block((*REQUEST, (b"x", b"%d" % number))))
    assert len(reader._heads) == HEADS_MAX
    reader.read(stateless_block((*REQUEST, (b"x", b"one more"))))
    assert len(reader._heads) == 1


def test_a_list_that_could_pass_its_bound_with_other_values_leaves_no_layout() -> None:
    list_bytes = sum(len(name) + len(value) + 32 for name, value in REQUEST)
    reader = _reader(list_bytes_max=list_bytes)
    assert reader.read(stateless_block(REQUEST))[0].fault is None
    assert _layouts(reader) == 0


def test_a_list_that_could_pass_its_bound_with_other_text_in_as_many_coded_bytes_leaves_no_layout() -> None:
    start = stateless_block(PREFIX) + literal_name(b":path")
    paths = (b"/" + b"Z" * 24, b"/" + b"0" * 38)  # 8 bits a letter, 5 bits a digit
    wide, dense = (string(path, coded=True) for path in paths)
    assert len(wide) == len(dense)
    wide_bytes, dense_bytes = (
        sum(len(name) + len(value) + 32 for name, value in (*PREFIX, (b":path", path))) for path in paths
    )
    for list_bytes_max in range(wide_bytes, dense_bytes + 5):
        reader = _reader(list_bytes_max=list_bytes_max)
        for _ in range(2):
            assert reader.read(start + wide)[0].fault is None
        assert (reader.read(start + dense)[0].fault is None) is (dense_bytes <= list_bytes_max)
    assert _layouts(reader) == 1, "at some size the bound is out of reach"


def test_a_size_update_is_no_part_of_a_layout() -> None:
    reader = _reader()
    block = integer(0, 0x1F, 0x20) + stateless_block(REQUEST)
    for _ in range(2):
        assert reader.read(block)[0].fault is None
        assert _layouts(reader) == 0


def test_names_that_heads_speak_of_cannot_vary() -> None:
    for name in (b":status", b"content-length"):
        with pytest.raises(AssertionError):
            HeadReader(Decoder(), (name, b"apns-id"), request_fault)


def test_a_memo_stays_with_its_head() -> None:
    reader = _reader()
    head, _ = reader.read(stateless_block(REQUEST))
    head.memo = "derived once"
    assert reader.read(stateless_block(replaced(REQUEST, path=b"/other")))[0].memo == "derived once"
    assert head.value(b"apns-topic") == b"com.example.app"
    assert head.value(b"apns-priority") is None
