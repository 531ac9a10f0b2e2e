"""Huffman coding of header strings (RFC 7541, section 5.2 and appendix B).

The RFC's code is canonical: codes of one length follow each other in the order of their symbols, shorter before longer.
So the lengths alone are the table. Decoding goes a byte at a time through rows `byte -> (next row, characters completed)`;
a row is computed when a string first needs it, since all 256 rows would take a third of a second of every start.
"""

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


def decode(coded: bytes) -> bytes:
    """The text of a coded string. Raises HuffmanError."""
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
