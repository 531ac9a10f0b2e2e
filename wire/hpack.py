"""HPACK, the header compression of HTTP/2 (RFC 7541), both directions.

A `Decoder` turns header blocks into fields and says where in the block the values of chosen names stood, so that the reader
above it can recognise the next block of the same shape without decoding it. An `Encoder` writes blocks; `stateless_block`
writes blocks that touch no table and may therefore be kept and sent again on any connection.
"""

from collections.abc import Collection, Iterable, Sequence

from wire import huffman
from wire.frames import HEADER_TABLE_BYTES_DEFAULT
from wire.static_table import STATIC_COUNT, STATIC_FIELD_INDEX, STATIC_NAME_INDEX, STATIC_TABLE

ENTRY_OVERHEAD_BYTES = 32  # section 4.1
# An integer longer than this many bytes is beyond every size this protocol has (section 5.1 asks for a limit).
INTEGER_BYTES_MAX = 6
# Coded strings remembered with their text, per connection: clients that never index a value send the same bytes each time.
CODED_STRINGS_MAX = 128
CODED_STRING_BYTES_MAX = 1_024
_STATIC_COSTS = [len(name) + len(value) + ENTRY_OVERHEAD_BYTES for name, value in STATIC_TABLE]
# Decoded for the table's sake of a list that is too large already. One byte of a block can stand for a field.
FIELDS_DROPPED_MAX = 1_000


class HpackError(ValueError):
    """A header block that is not decoded: a COMPRESSION_ERROR of the connection (RFC 9113, section 4.3).

    `limit`: the name of the bound it reached, for one that could be but is too much work.
    """

    def __init__(self, message: str, *, limit: str | None = None) -> None:
        super().__init__(message)
        self.limit = limit


class HeaderListTooLarge(ValueError):  # noqa: N818  # a bound, not a fault of coding
    """The decoded fields exceed `list_bytes_max`. The dynamic table has been kept right; the stream may be refused."""


# Where the value of a varying name stood in a block: the name, start and end of the value, whether it is Huffman-coded.
Span = tuple[bytes, int, int, bool]


def read_integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """An integer with the prefix `mask` at `block[at]` (section 5.1): its value and where the next thing starts."""
    try:
        value = block[at] & mask
        at += 1
        if value < mask:
            return value, at
        for shift in range(0, 7 * INTEGER_BYTES_MAX, 7):
            byte = block[at]
            at += 1
            value += (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
    except IndexError:
        raise HpackError("a header block ends within an integer") from None
    raise HpackError(f"an integer of more than {INTEGER_BYTES_MAX} bytes in a header block")


def integer(value: int, mask: int, first: int) -> bytes:
    """An integer with the prefix `mask`, whose other bits in the first byte are `first` (section 5.1)."""
    if value < mask:
        return bytes((first | value,))
    out = bytearray((first | mask,))
    value -= mask
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text: bytes, *, coded: bool = False) -> bytes:
    """A string literal (section 5.2), Huffman-coded when asked to be."""
    if coded:
        text = huffman.encode(text)
    return integer(len(text), 0x7F, 0x80 if coded else 0) + text


def _no_entry(index: int) -> HpackError:
    return HpackError(f"index {index} is in neither table (section 2.3.3)")


def _decoded(coded: bytes) -> bytes:
    try:
        return huffman.decode(coded)
    except huffman.HuffmanError as error:
        raise HpackError(str(error)) from None


class Decoder:
    """Reads the header blocks of one direction of one connection, in the order of their arrival.

    `table_bytes_max`: the largest HEADER_TABLE_SIZE of this end that the peer may use. `list_bytes_max`: bound of one list of
    fields, counted as SETTINGS_MAX_HEADER_LIST_SIZE is (RFC 9113, section 6.5.2). `varying`: names whose values are not worth
    remembering. `fields_dropped_max`: how many fields of one list are decoded beyond its bound.
    """

    def __init__(
        self,
        *,
        table_bytes_max: int = HEADER_TABLE_BYTES_DEFAULT,
        list_bytes_max: int = 1 << 16,
        varying: Collection[bytes] = (),
        fields_dropped_max: int = FIELDS_DROPPED_MAX,
    ) -> None:
        self.table_bytes_max = table_bytes_max
        self.list_bytes_max = list_bytes_max
        self._fields_dropped_max = fields_dropped_max
        self._varying = frozenset(varying)
        # Both tables in one list, as the indices count: the static one, then the dynamic one, newest entry first. Beside each
        # field what it counts as (section 4.1).
        self._table = list(STATIC_TABLE)
        self._costs = list(_STATIC_COSTS)
        self._size = 0
        self._size_max = min(table_bytes_max, HEADER_TABLE_BYTES_DEFAULT)
        self._must_shrink_to: int | None = None
        self._texts: dict[bytes, bytes] = {}
        # Of the last block: where varying values stood, and whether it changed the table (its bytes then mean something else
        # when they come again).
        self.spans: list[Span] = []
        self.changed = False
        self.inserted = 0  # fields that the last block put into the table

    @property
    def table_bytes(self) -> int:
        """Size of the dynamic table as section 4.1 counts it."""
        return self._size

    def limit_table(self, table_bytes_max: int) -> None:
        """The peer has acknowledged a new HEADER_TABLE_SIZE: a smaller one it must confirm in its next block (4.2)."""
        self.table_bytes_max = table_bytes_max
        if table_bytes_max < self._size_max:
            # Of several limits since the last block the lowest has to be confirmed.
            lowest = table_bytes_max if self._must_shrink_to is None else self._must_shrink_to
            self._must_shrink_to = min(lowest, table_bytes_max)

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """The fields of a block. Raises HpackError, or HeaderListTooLarge after the whole block has been applied."""
        self.spans = spans = []
        self.changed = False
        self.inserted = dropped = 0
        varying, list_bytes_max, table, costs = self._varying, self.list_bytes_max, self._table, self._costs
        fields: list[tuple[bytes, bytes]] = []
        at, size, list_bytes = 0, len(block), 0
        if size and block[0] & 0xE0 == 0x20:
            at = self._size_updates(block)
        if self._must_shrink_to is not None:
            raise HpackError(
                "the table size was lowered and the next header block does not start with an update (section 4.2)"
            )
        while at < size:
            first = block[at]
            if first & 0x80:
                index = first & 0x7F
                at += 1
                if index == 0x7F:
                    index, at = read_integer(block, at - 1, 0x7F)
                if not index or index >= len(table):
                    raise _no_entry(index)
                field = table[index]
                list_bytes += costs[index]
            elif first & 0xE0 == 0x20:
                raise HpackError("a table size update after the start of a header block (section 4.2)")
            else:
                mask = 0x3F if first & 0x40 else 0x0F
                index = first & mask
                at += 1
                if index == mask:
                    index, at = read_integer(block, at - 1, mask)
                if not index:
                    name, at, _ = self._string(block, at, keep=True)
                elif index < len(table):
                    name = table[index][0]
                else:
                    raise _no_entry(index)
                if name in varying:
                    start = at
                    value, at, length = self._string(block, at, keep=False)
                    spans.append((name, at - length, at, block[start] >= 0x80))
                else:
                    value, at, _ = self._string(block, at, keep=True)
                field = (name, value)
                cost = len(name) + len(value) + ENTRY_OVERHEAD_BYTES
                list_bytes += cost
                if first & 0x40:
                    self._insert(field, cost)
            if list_bytes <= list_bytes_max:
                fields.append(field)
            else:
                dropped += 1
                if dropped > self._fields_dropped_max:
                    raise HpackError(
                        f"{dropped} fields beyond a header list of {list_bytes_max:,} bytes",
                        limit="header_fields_dropped_max",
                    )
        if list_bytes > list_bytes_max:
            raise HeaderListTooLarge(f"a header list of {list_bytes:,} bytes; at most {list_bytes_max:,} are taken")
        return fields

    def _string(self, block: bytes, at: int, *, keep: bool) -> tuple[bytes, int, int]:
        """The string at `at`: its text, where the next thing starts, and how many bytes it took. `keep`: it may come again."""
        try:
            first = block[at]
        except IndexError:
            raise HpackError("a header block ends where a string should start") from None
        length = first & 0x7F
        if length == 0x7F:
            length, at = read_integer(block, at, 0x7F)
        else:
            at += 1
        end = at + length
        text = block[at:end]
        if len(text) < length:
            raise HpackError("a header block ends within a string")
        if first < 0x80:
            return text, end, length
        return (self._kept_text(text) if keep else _decoded(text)), end, length

    def _kept_text(self, coded: bytes) -> bytes:
        """The text of a coded string that may come again."""
        known = self._texts.get(coded)
        if known is not None:
            return known
        text = _decoded(coded)
        if len(coded) <= CODED_STRING_BYTES_MAX:
            if len(self._texts) >= CODED_STRINGS_MAX:
                self._texts.clear()
            self._texts[coded] = text
        return text

    def _insert(self, field: tuple[bytes, bytes], cost: int) -> None:
        self.changed = True
        self.inserted += 1
        self._size += cost
        self._table.insert(STATIC_COUNT + 1, field)
        self._costs.insert(STATIC_COUNT + 1, cost)
        if self._size > self._size_max:
            self._evict()

    def _evict(self) -> None:
        while self._size > self._size_max:
            del self._table[-1]
            self._size -= self._costs.pop()

    def _size_updates(self, block: bytes) -> int:
        at = 0
        while at < len(block) and block[at] & 0xE0 == 0x20:
            size, at = read_integer(block, at, 0x1F)
            self._size_max = size
            if self._must_shrink_to is not None and size <= self._must_shrink_to:
                self._must_shrink_to = None
            self._evict()
        # Of several updates the last counts: python-hyper's encoder repeats every limit it was told since its last block.
        if self._size_max > self.table_bytes_max:
            raise HpackError(
                f"a table size update to {self._size_max}, over the {self.table_bytes_max} announced (section 6.3)"
            )
        self.changed = True
        return at


class Encoder:
    """Writes the header blocks of one direction of one connection.

    `coded`: Huffman-code all strings. Fields go into the dynamic table unless their name is in `unindexed` (values that do
    not come again), or in `never_indexed` (values that intermediaries must not index either, section 7.1.3).
    """

    def __init__(
        self, *, coded: bool = False, unindexed: Collection[bytes] = (), never_indexed: Collection[bytes] = ()
    ) -> None:
        self.coded = coded
        self.unindexed = frozenset(unindexed)
        self.never_indexed = frozenset(never_indexed)
        self._size_max = HEADER_TABLE_BYTES_DEFAULT
        self._size = 0
        self._entries: list[tuple[bytes, bytes]] = []  # newest first
        self._updates: list[int] = []
        # Replaced with every change of the dynamic table. What was encoded under it stays valid while it is the same object;
        # no two encoders share one.
        self.generation = object()

    def limit_table(self, table_bytes_max: int) -> None:
        """Use at most so many bytes of the peer's table; the next block says so (section 4.2)."""
        if table_bytes_max == self._size_max and not self._updates:
            return
        # The smallest size between two blocks has to be told as well as the last.
        self._updates = [*[size for size in self._updates if size < table_bytes_max][:1], table_bytes_max]
        self._size_max = table_bytes_max
        self._evict()
        self.generation = object()

    def encode(self, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
        """One header block."""
        parts = [integer(size, 0x1F, 0x20) for size in self._updates]
        if self._updates:
            self._updates = []
            self.generation = object()  # the block just written starts with updates and must not be sent again
        parts.extend(self._field(field) for field in fields)
        return b"".join(parts)

    def _field(self, field: tuple[bytes, bytes]) -> bytes:
        name, value = field
        if name in self.never_indexed:
            return self._literal(field, 0x0F, 0x10)
        index = STATIC_FIELD_INDEX.get(field)
        if index is None and field in self._entries:
            index = STATIC_COUNT + 1 + self._entries.index(field)
        if index is not None:
            return integer(index, 0x7F, 0x80)
        entry_bytes = len(name) + len(value) + ENTRY_OVERHEAD_BYTES
        # A field that would empty the table without entering it is not worth its place.
        if name in self.unindexed or entry_bytes > self._size_max:
            return self._literal(field, 0x0F, 0x00)
        literal = self._literal(field, 0x3F, 0x40)
        self._entries.insert(0, field)
        self._size += entry_bytes
        self._evict()
        self.generation = object()
        return literal

    def _literal(self, field: tuple[bytes, bytes], mask: int, first: int) -> bytes:
        name, value = field
        index = STATIC_NAME_INDEX.get(name)
        if index is None:
            index = next((at for at, entry in enumerate(self._entries, STATIC_COUNT + 1) if entry[0] == name), None)
        start = integer(index, mask, first) if index else bytes((first,)) + string(name, coded=self.coded)
        return start + string(value, coded=self.coded)

    def _evict(self) -> None:
        while self._size > self._size_max:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + ENTRY_OVERHEAD_BYTES


def stateless_block(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A header block that uses the static table alone: true on every connection, whatever its tables hold."""
    parts = []
    for field in fields:
        index = STATIC_FIELD_INDEX.get(field)
        parts.append(integer(index, 0x7F, 0x80) if index else literal_name(field[0]) + string(field[1]))
    return b"".join(parts)


def literal_name(name: bytes) -> bytes:
    """The start of a literal field without indexing (section 6.2.2): its name; a `string` with the value follows."""
    index = STATIC_NAME_INDEX.get(name)
    return integer(index, 0x0F, 0x00) if index else b"\x00" + string(name)
