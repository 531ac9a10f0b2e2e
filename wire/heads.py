"""From header blocks to heads: decoding, checking, and recognising blocks whose shape has been seen.

The general way decodes a block field by field and checks each. Two memories make it short:

- Layouts. When a block left the dynamic table as it was, the exact bytes around its varying values are kept. The next block
  of that layout is read with a few comparisons. A block in which nothing varies is kept whole. Layouts are forgotten
  whenever the table changes, since indices then mean other fields.
- Heads. Fields that have been found well formed are kept with their head. A block that brings them again, however coded, is
  decoded but not checked anew, and shares the head. The last of them is compared first, which is cheaper than hashing.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from wire import huffman
from wire.budget import TRUSTING, Allowance, Budget
from wire.fields import Field, content_length, trailers_fault
from wire.hpack import ENTRY_OVERHEAD_BYTES, Decoder, HeaderListTooLarge, HpackError
from wire.request import Fields, Head

LAYOUTS_MAX = 256  # of all lengths and whole blocks, per connection; at the bound all are forgotten and learnt anew
LAYOUTS_OF_ONE_LENGTH_MAX = 16  # they are tried one after the other; at the bound the oldest goes
LAYOUT_BYTES_MAX = 4_096  # longer blocks are read generally every time
HEADS_MAX = 64  # per connection; at the bound all are forgotten
HEAD_BYTES_MAX = 8_192  # counted as header lists are; larger heads are made anew every time

Varying = tuple[bytes | None, bytes | None]
NO_VARYING: Varying = (None, None)
_VISIBLE = rb"([!-~]{%d})"
# Where the varying values stand in a list of fields.
_Places = tuple[int | None, int | None]


_TABLE_INSERTIONS = Allowance.TABLE_INSERTIONS  # an enum's member costs a look-up of 0.1 µs


class _Layout(NamedTuple):
    """A block as `before` + first value + `between` + second value + `after`; a hole of no width where there is none."""

    first_start: int
    first_end: int
    second_start: int
    second_end: int
    before: bytes
    between: bytes
    after: bytes
    coded: int  # 1 when the first value is Huffman-coded, plus 2 when the second is
    head: Head


class BlockShape(NamedTuple):
    """Blocks that mean the same but for their values. `pattern`: a regular expression with a group for each that varies.

    `values`: how many those are; `varying`: the values of a block in which none does.
    """

    pattern: bytes
    block_bytes: int
    head: Head
    values: int
    varying: Varying


class HeadReader:
    """Reads the header blocks of one direction of one connection.

    `varying`: the two names whose values differ from message to message, in the order in which messages carry them; any but
    `:status` and `content-length`, which heads speak of. `fault_of`: the check of a header section (of requests or of
    responses). `budget`: of the peer; what is dear to read is spent from it, and RemoteProtocolError raised at its end.
    `fast` False remembers nothing; a test shows that both say the same.
    """

    def __init__(
        self,
        decoder: Decoder,
        varying: tuple[bytes, bytes],
        fault_of: Callable[[Sequence[tuple[bytes, bytes]]], str | None],
        *,
        budget: Budget | None = None,
        fast: bool = True,
    ) -> None:
        assert not {b":status", b"content-length"} & set(varying), "these belong to the head"
        self.decoder = decoder
        self.varying = varying
        self._fault_of = fault_of
        self._budget = budget or Budget(TRUSTING)
        self._fast = fast
        self._layouts: dict[int, list[_Layout]] = {}
        self._layout_count = 0
        self.generation = 0  # changes when blocks may mean something else than before
        self._whole: dict[bytes, tuple[Head, Varying]] = {}  # blocks in which nothing varies
        self._heads: dict[Fields, Head] = {}
        # The head of the last list that was read generally, its fields, and the places of the varying values.
        self._last: tuple[Head, list[Field], _Places] | None = None

    def limit_table(self, table_bytes_max: int) -> None:
        """The peer has acknowledged a new HEADER_TABLE_SIZE: its next block may have to say so (RFC 7541, section 4.2)."""
        self._forget_layouts()
        self.decoder.limit_table(table_bytes_max)

    def limit_list(self, list_bytes_max: int) -> None:
        """Take header lists of at most so many bytes from now on."""
        if list_bytes_max != self.decoder.list_bytes_max:
            self._forget_layouts()
            self.decoder.list_bytes_max = list_bytes_max

    def read(self, block: bytes) -> tuple[Head, Varying]:
        """The head of a block and its varying values. Malformed messages have `head.fault`. Raises HpackError."""
        for a, b, c, d, before, between, after, coded, head in self._layouts.get(len(block), ()):
            if block[:a] == before and block[b:c] == between and block[d:] == after:
                first, second = block[a:b], block[c:d]
                if coded:
                    try:
                        first = huffman.decode(first) if coded & 1 else first
                        second = huffman.decode(second) if coded & 2 else second
                    except huffman.HuffmanError as error:
                        raise HpackError(str(error)) from None
                if (
                    not first
                    or (0 in first or 10 in first or 13 in first or first[0] <= 32 or first[-1] <= 32)
                    or (second and (0 in second or 10 in second or 13 in second or second[0] <= 32 or second[-1] <= 32))
                ):
                    break  # maybe a faulty value (see `fields.value_fault`): the general way names the fault
                return head, (first, second if c < d else None)
        known = self._whole.get(block)
        return known if known is not None else self._read_generally(block)

    def shape_of(self, block: bytes) -> BlockShape | None:
        """The shape of a block that has been read, which holds while `generation` is the same. None: it has none that could be
        told by its bytes.

        Its values are visible ASCII (`:path` and `apns-id` are); there the general way finds no fault.
        """
        known = self._whole.get(block)
        if known is not None:
            return BlockShape(re.escape(block), len(block), known[0], 0, known[1])
        for a, b, c, d, before, between, after, coded, head in self._layouts.get(len(block), ()):
            if block[:a] == before and block[b:c] == between and block[d:] == after and not coded:
                pattern = re.escape(before) + _VISIBLE % (b - a) + re.escape(between)
                if c < d:
                    pattern += _VISIBLE % (d - c) + re.escape(after)
                return BlockShape(pattern, len(block), head, 2 if c < d else 1, NO_VARYING)
        return None

    def read_trailers(self, block: bytes) -> str | None:
        """Decode a trailer section, for the table's sake; its fault, or None. Raises HpackError."""
        try:
            return trailers_fault(self.decoder.decode(block))
        except HeaderListTooLarge as error:
            self._budget.spend(Allowance.LARGE_HEADER_LISTS)
            return str(error)
        finally:
            if self.decoder.changed:
                self._table_changed()

    def _table_changed(self) -> None:
        if self._layout_count:
            self._forget_layouts()
        self._budget.spend(_TABLE_INSERTIONS, self.decoder.inserted)

    def _forget_layouts(self) -> None:
        self.generation += 1
        self._layouts.clear()
        self._whole.clear()
        self._layout_count = 0

    def _read_generally(self, block: bytes) -> tuple[Head, Varying]:
        decoder = self.decoder
        try:
            whole = decoder.decode(block)
        except HeaderListTooLarge as error:
            self._budget.spend(Allowance.LARGE_HEADER_LISTS)
            return Head((), str(error), too_large=True), NO_VARYING
        finally:
            if decoder.changed:
                self._table_changed()
        recognised = self._as_last(whole)
        if recognised is not None and not _is_doubtful(recognised[1]):
            if not decoder.changed:
                self._learn(block, *recognised)
            return recognised
        fields, varying, places = self._split(whole)
        head = self._heads.get(fields)
        kept = head is not None
        if head is None or _is_doubtful(varying):
            fault = self._fault_of(whole)
            length = None
            if fault is None:
                length, fault = content_length(whole)
            if fault is not None:
                return Head(fields, fault), varying
            if head is None:
                head = Head(fields, None, length)
                kept = self._keep(head)
        if kept:
            self._last = head, list(fields), places
        if self._fast and not decoder.changed:
            self._learn(block, head, varying)
        return head, varying

    def _as_last(self, whole: list[Field]) -> tuple[Head, Varying] | None:
        """Head and varying values of a list that differs in these from the one before, and in nothing else; else None."""
        if self._last is None:
            return None
        head, last, (first_at, second_at) = self._last
        if len(whole) != len(last):
            return None
        first = second = None
        fields = whole.copy()
        if first_at is not None:
            name, first = whole[first_at]
            fields[first_at] = (name, b"")
        if second_at is not None:
            name, second = whole[second_at]
            fields[second_at] = (name, b"")
        return (head, (first, second)) if fields == last else None

    def _keep(self, head: Head) -> bool:
        if not self._fast or _list_bytes(head.fields) > HEAD_BYTES_MAX:
            return False
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads[head.fields] = head
        return True

    def _split(self, whole: list[Field]) -> tuple[Fields, Varying, _Places]:
        """The fields without the varying values; these, of each varying name the first; and where they stood."""
        first_name, second_name = self.varying
        first = second = first_at = second_at = None
        fields = whole.copy()
        for at, (name, value) in enumerate(whole):
            if name == first_name and first is None:
                first, first_at = value, at
                fields[at] = (name, b"")
            elif name == second_name and second is None:
                second, second_at = value, at
                fields[at] = (name, b"")
        return tuple(fields), (first, second), (first_at, second_at)

    def _learn(self, block: bytes, head: Head, varying: Varying) -> None:
        spans = self.decoder.spans
        if len(block) > LAYOUT_BYTES_MAX:
            return
        if not spans:
            if self._layout_count >= LAYOUTS_MAX:
                self._forget_layouts()
            self._whole[block] = head, varying
            self._layout_count += 1
            return
        # Exactly the varying names, once each, in their order, as literals: anything else is read generally every time.
        names = tuple(name for name, *_ in spans)
        if names not in (self.varying, self.varying[:1]):
            return
        if sum(name in self.varying for name, _ in head.fields) != len(spans):
            return
        if any(start == end for _, start, end, _ in spans):
            return
        # The bound of the header list must hold for any value of this layout: Huffman codes take 5 bits and more.
        values_bytes = sum((end - start) * 8 // 5 + 1 for _, start, end, _ in spans)
        if _list_bytes(head.fields) + values_bytes > self.decoder.list_bytes_max:
            return
        if self._layout_count >= LAYOUTS_MAX:
            self._forget_layouts()
        same_length = self._layouts.setdefault(len(block), [])
        if len(same_length) >= LAYOUTS_OF_ONE_LENGTH_MAX:
            del same_length[0]
            self._layout_count -= 1
        _, first_start, first_end, first_coded = spans[0]
        _, second_start, second_end, second_coded = (
            spans[1] if len(spans) == 2 else (b"", len(block), len(block), False)
        )
        layout = _Layout(
            first_start,
            first_end,
            second_start,
            second_end,
            before=block[:first_start],
            between=block[first_end:second_start],
            after=block[second_end:],
            coded=first_coded + 2 * second_coded,
            head=head,
        )
        same_length.append(layout)
        self._layout_count += 1


def _is_doubtful(varying: Varying) -> bool:
    """Whether a varying value may be at fault: empty, or against section 8.2.1. The full check decides."""
    for value in varying:
        if value is not None and (
            not value or 0 in value or 10 in value or 13 in value or value[0] <= 32 or value[-1] <= 32
        ):
            return True
    return False


def _list_bytes(fields: Fields) -> int:
    return sum(len(name) + len(value) for name, value in fields) + ENTRY_OVERHEAD_BYTES * len(fields)
