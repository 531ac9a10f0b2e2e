"""Huffman coding of header strings (RFC 7541, section 5.2 and appendix B).

The RFC's code is canonical: codes of one length follow each other in the order of their symbols, shorter before longer.
So the lengths alone are the table. There are two ways to decode:

- By rows, a byte at a time: `byte -> (next row, characters completed)`. This way reads everything, and says what is wrong. A
  row is computed when a string first needs it, since all 256 rows would take a third of a second of every start.
- By zlib, for strings of some length, in a third of the time: DEFLATE (RFC 1951) has canonical codes as well, and can be
  told these lengths, see `_block_start`. What zlib does not plainly find right is decoded by rows.
"""

import zlib

EOS = 256

# Bits of the code of each octet 0 to 255 and of EOS, appendix B.
# fmt: off
LENGTHS = bytes(
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
        28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
        7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
        23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
        21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
    ]
)
# fmt: on


def _canonical_codes() -> list[int]:
    codes = [0] * 257
    code, bits = 0, 0
    for symbol in sorted(range(257), key=lambda symbol: (LENGTHS[symbol], symbol)):
        code <<= LENGTHS[symbol] - bits
        bits = LENGTHS[symbol]
        codes[symbol] = code
        code += 1
    return codes


CODES = _canonical_codes()


class HuffmanError(ValueError):
    """A coded string holds EOS, or padding that is not the start of EOS or is longer than 7 bits (section 5.2)."""


class _Row(list["tuple[_Row, bytes] | None"]):
    """One inner node of the code tree: 256 steps, filled on first use; None where a byte leads to EOS."""

    __slots__ = ("accepting", "node")

    def __init__(self, node: "_Node", accepting: bool) -> None:
        super().__init__()
        self.node = node
        self.accepting = accepting  # a string may end here: fewer than 8 bits of EOS since the last symbol

    def fill(self) -> None:
        self.extend([self._step(byte) for byte in range(256)])

    def _step(self, byte: int) -> "tuple[_Row, bytes] | None":
        node, characters = self.node, bytearray()
        for shift in range(7, -1, -1):
            child = node[byte >> shift & 1]
            if isinstance(child, int):
                if child == EOS:
                    return None
                characters.append(child)
                child = _TREE
            node = child
        return _ROWS[id(node)], bytes(characters)


# A node of the code tree: what follows a 0 bit and a 1 bit, another node or a symbol.
_Node = list["_Node | int"]


def _build() -> tuple[_Node, dict[int, _Row]]:
    tree: _Node = [-1, -1]
    inner: dict[tuple[int, int], _Node] = {(0, 0): tree}
    for symbol, code in enumerate(CODES):
        bits = LENGTHS[symbol]
        for depth in range(1, bits):
            key = (depth, code >> (bits - depth))
            if key not in inner:
                inner[key] = [-1, -1]
                inner[depth - 1, key[1] >> 1][key[1] & 1] = inner[key]
        inner[bits - 1, code >> 1][code & 1] = symbol
    rows = {id(node): _Row(node, depth < 8 and path == (1 << depth) - 1) for (depth, path), node in inner.items()}
    return tree, rows


_TREE, _ROWS = _build()
_ROOT = _ROWS[id(_TREE)]

INFLATED_BYTES_MIN = 10  # shorter ones are decoded by rows before zlib has begun
_DEFLATE_BITS_MAX = 15
_BITS = bytes(LENGTHS[:EOS])
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # DEFLATE packs codes from the lowest bit up
_FIFTEEN_ONES = b"\xff\x7f"  # in the order of DEFLATE, and a zero behind them


def _block_start() -> bytes:
    """The start of a DEFLATE stream up to where text begins, coded as HPACK codes it but for its rarest characters.

    DEFLATE's codes have 15 bits at most. HPACK's longer ones all begin with 15 ones, and no shorter one does: that is the code
    of the end of the block here, so that every sequence of bits means something. A block without anything stands first, so
    that the text begins with a byte. Source: RFC 1951, sections 3.2.6 and 3.2.7.
    """
    lengths = [bits if bits <= _DEFLATE_BITS_MAX else 0 for bits in _BITS]
    lengths += [_DEFLATE_BITS_MAX, 0, 0]  # the end of the block, two codes for distances that are never used
    assert sum(2**-bits for bits in lengths if bits) == 1, "a code for every sequence of bits"
    pieces = ["0", "10", "0000000"]  # not the last block; of fixed codes; its end. Numbers have their lowest bit first.
    pieces += ["1", "01", "00000", "10000", "1111"]  # the last block; of codes told; 257, 2 and 19 lengths
    pieces += ["000"] * 3 + ["001"] * 16  # no code for repetitions; 4 bits for the lengths 0 to 15
    pieces += [f"{bits:04b}" for bits in lengths]
    stream = "".join(pieces)
    assert len(stream) % 8 == 0
    return bytes(int(stream[at : at + 8][::-1], 2) for at in range(0, len(stream), 8))


def _prepare() -> "zlib._Decompress":
    inflate = zlib.decompressobj(-9)  # no header and no checksum
    rest = inflate.decompress(_block_start())
    assert not rest
    return inflate


# It has read the lengths of all codes, and waits for text: a copy of it for each string.
_prepared = _prepare().copy


def decode(coded: bytes) -> bytes:
    """The text of a coded string. Raises HuffmanError."""
    size = len(coded)
    if size >= INFLATED_BYTES_MIN:
        inflate = _prepared()
        # The codes of characters have 5 bits and more, so that there is room for all of them.
        text = inflate.decompress(coded.translate(_MIRRORED) + _FIFTEEN_ONES, size * 8 // 5 + 1)
        if inflate.eof:
            # The end of the block began where the last character ended, so that all the padding is ones. Of its 15 bits 9 to 15
            # are ours if it ended in our second byte, and 6 to 0 padding. If it ended in the first, the length decides.
            unread = len(inflate.unused_data)
            if not unread or (unread == 1 and size * 8 - sum(text.translate(_BITS)) == 7):
                return text
    return decode_by_rows(coded)


def decode_by_rows(coded: bytes) -> bytes:
    """The same without zlib."""
    while True:
        row, parts = _ROOT, []
        try:
            for byte in coded:
                row, characters = row[byte]  # type: ignore[misc]  # None is caught below, at no cost to good strings
                parts.append(characters)
            break
        except IndexError:
            row.fill()  # at most once for each of 256 rows in the life of the process
        except TypeError:
            raise HuffmanError("a Huffman-coded string holds EOS") from None
    if not row.accepting:
        raise HuffmanError("a Huffman-coded string ends in padding that is no prefix of EOS of at most 7 bits")
    return b"".join(parts)


_CODE_BITS = [f"{code:0{bits}b}" for code, bits in zip(CODES, LENGTHS, strict=True)]


def encode(text: bytes) -> bytes:
    """The coded form of any text, padded with the start of EOS."""
    bits = "".join([_CODE_BITS[byte] for byte in text])
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8) if bits else b""
