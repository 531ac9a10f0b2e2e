"""From header blocks to heads: decoding, checking, and recognising blocks whose shape has been seen.

The general way decodes a block field by field and checks each. When the block left the dynamic table as it was, its layout is
kept: the exact bytes around the values of the varying names. The next block of that layout is then read with a few
comparisons, and shares the head. Layouts are forgotten whenever the table changes, since indices then mean other fields.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from wire import huffman
from wire.fields import content_length, trailers_fault
from wire.hpack import ENTRY_OVERHEAD_BYTES, Decoder, HeaderListTooLarge, HpackError, Span
from wire.request import Head

LAYOUTS_MAX = 64  # of all lengths, per connection; at the bound all are forgotten and learnt anew
LAYOUTS_OF_ONE_LENGTH_MAX = 8

Varying = tuple[bytes | None, bytes | None]
NO_VARYING: Varying = (None, None)


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


class HeadReader:
    """Reads the header blocks of one direction of one connection.

    `varying`: the two names whose values differ from message to message, in the order in which messages carry them.
    `fault_of`: the check of a header section (of requests or of responses). `fast` False takes the general way only; a test
    shows that both say the same.
    """

    def __init__(
        self,
        decoder: Decoder,
        varying: tuple[bytes, bytes],
        fault_of: Callable[[Sequence[tuple[bytes, bytes]]], str | None],
        *,
        fast: bool = True,
    ) -> None:
        self.decoder = decoder
        self.varying = varying
        self._fault_of = fault_of
        self._fast = fast
        self._layouts: dict[int, list[_Layout]] = {}
        self._layout_count = 0

    def read(self, block: bytes) -> tuple[Head, Varying]:
        """The head of a block and its varying values. Malformed messages have `head.fault`. Raises HpackError."""
        for a, b, c, d, before, between, after, coded, head in self._layouts.get(len(block), ()):
            if block[:a] == before and block[b:c] == between and block[d:] == after:
                first, second = block[a:b], block[c:d]
                if coded:
                    first, second = self._decode_values(coded, first, second)
                if (
                    not first
                    or (0 in first or 10 in first or 13 in first or first[0] <= 32 or first[-1] <= 32)
                    or (second and (0 in second or 10 in second or 13 in second or second[0] <= 32 or second[-1] <= 32))
                ):
                    break  # maybe a faulty value (see `fields.value_fault`): the general way names the fault
                return head, (first, second if c < d else None)
        return self._read_generally(block)

    @staticmethod
    def _decode_values(coded: int, first: bytes, second: bytes) -> tuple[bytes, bytes]:
        try:
            return (
                huffman.decode(first) if coded & 1 else first,
                huffman.decode(second) if coded & 2 else second,
            )
        except huffman.HuffmanError as error:
            raise HpackError(str(error)) from None

    def read_trailers(self, block: bytes) -> str | None:
        """Decode a trailer section, for the table's sake; its fault, or None. Raises HpackError."""
        self._forget()
        try:
            return trailers_fault(self.decoder.decode(block))
        except HeaderListTooLarge as error:
            return str(error)

    def _forget(self) -> None:
        self._layouts.clear()
        self._layout_count = 0

    def _read_generally(self, block: bytes) -> tuple[Head, Varying]:
        decoder = self.decoder
        try:
            fields = decoder.decode(block)
        except HeaderListTooLarge as error:
            self._forget()
            return Head((), str(error)), NO_VARYING
        fault = self._fault_of(fields)
        length = None
        if fault is None:
            length, fault = content_length(fields)
        if decoder.changed:
            self._forget()
        head, varying = self._split(fields, fault, length)
        if self._fast and fault is None and not decoder.changed:
            self._learn(block, fields, head)
        return head, varying

    def _split(self, fields: list[tuple[bytes, bytes]], fault: str | None, length: int | None) -> tuple[Head, Varying]:
        first_name, second_name = self.varying
        first = second = None
        for at, (name, value) in enumerate(fields):
            if name == first_name and first is None:
                first = value
                fields[at] = (name, b"")
            elif name == second_name and second is None:
                second = value
                fields[at] = (name, b"")
        return Head(tuple(fields), fault, length), (first, second)

    def _learn(self, block: bytes, fields: list[tuple[bytes, bytes]], head: Head) -> None:
        spans = self.decoder.spans
        # Exactly the varying names, once each, in their order, as literals: anything else is read generally every time.
        names = tuple(span.name for span in spans)
        if names not in (self.varying, self.varying[:1]):
            return
        if sum(name in self.varying for name, _ in fields) != len(spans):
            return
        # The bound of the header list must hold for any value of this layout: Huffman codes take 5 bits and more.
        list_bytes = sum(len(name) + len(value) + ENTRY_OVERHEAD_BYTES for name, value in fields)
        list_bytes += sum((span.end - span.start) * 8 // 5 + 1 for span in spans)
        if list_bytes > self.decoder.list_bytes_max:
            return
        same_length = self._layouts.get(len(block), [])
        if self._layout_count >= LAYOUTS_MAX or len(same_length) >= LAYOUTS_OF_ONE_LENGTH_MAX:
            self._forget()
        first = spans[0]
        second = spans[1] if len(spans) == 2 else Span(b"", len(block), len(block), False)
        if first.start == first.end or (len(spans) == 2 and second.start == second.end):
            return
        layout = _Layout(
            first.start,
            first.end,
            second.start,
            second.end,
            before=block[: first.start],
            between=block[first.end : second.start],
            after=block[second.end :],
            coded=first.coded + 2 * second.coded,
            head=head,
        )
        self._layouts.setdefault(len(block), []).append(layout)
        self._layout_count += 1
