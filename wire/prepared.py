"""Requests that repeat all but two field values: encoded once, and then put together by one pack of a struct each."""

import struct
from collections.abc import Callable, Sequence

from wire.errors import LocalProtocolError
from wire.hpack import Encoder, integer, literal_name

_pack_frame_start = struct.Struct(">BHBB").pack
_NEVER = object()


class PreparedRequest:
    """Header fields of requests that differ in two values alone, with their encoding for one connection at a time.

    `fields`: in sending order; the values of the two names `varying` are left out (b""); the second may
    be absent. Used on another connection it is encoded anew: right, but slow when they take turns.
    """

    __slots__ = (
        "after",
        "before",
        "between",
        "block_bytes",
        "fields",
        "first_bytes",
        "frame_start",
        "generation",
        "pack",
        "parts",
        "second_bytes",
        "varying",
    )

    def __init__(self, fields: Sequence[tuple[bytes, bytes]], varying: tuple[bytes, bytes]) -> None:
        self.fields = tuple(fields)
        self.varying = varying
        # The encoding: up to the first value, up to the second, and behind it, without the lengths of the two.
        self.generation = _NEVER
        self.before = self.between = self.after = b""
        # For values of these lengths (None: there is no second): the length of the block, and what is the same in all of their
        # requests: the frame header but for its stream, the three parts of the block with the lengths, and how they are put
        # together.
        self.first_bytes = 0
        self.second_bytes: int | None = 0
        self.block_bytes = 0
        self.frame_start = b""
        self.parts = b"", b"", b""
        self.pack: Callable[..., bytes] = bytes

    def fit(self, encoder: Encoder, first: bytes, second: bytes | None) -> None:
        """Bring the encoding up to date with the encoder's table and the lengths of the values. Raises LocalProtocolError."""
        if (second is not None) is not any(name == self.varying[1] for name, _ in self.fields):
            raise LocalProtocolError(f"{self.varying[1]!r} needs a value where it was prepared, and only there")
        if self.generation is not encoder.generation:
            self._encode(encoder)
        start = self.before + integer(len(first), 0x7F, 0)
        middle, end = self.between, self.after
        if second is not None:
            middle += integer(len(second), 0x7F, 0)
        self.first_bytes, self.second_bytes = len(first), None if second is None else len(second)
        self.parts = start, middle, end
        self.block_bytes = size = sum(map(len, (start, first, middle, second or b"", end)))
        self.frame_start = _pack_frame_start(size >> 16, size & 0xFFFF, 1, 4)
        parts = "".join(f"{len(part)}s" for part in (start, first, middle, second or b"", end))
        # Frame header and block, then the header of a DATA frame with all of the body: length, END_STREAM, stream.
        self.pack = struct.Struct(f">5sI{parts}xHxBI").pack

    def _encode(self, encoder: Encoder) -> None:
        """Encode what is the same in all requests.

        The first time this puts the fields into the table, so that the encoding serves this one block; the next call finds
        them there, and its encoding stands until the table changes.
        """
        first_name, second_name = self.varying
        names = [name for name, _ in self.fields]
        first_at = names.index(first_name)
        second_at = names.index(second_name) if second_name in names else len(names)
        encode, generation = encoder.encode, encoder.generation
        self.before = encode(self.fields[:first_at]) + literal_name(first_name)
        self.between = encode(self.fields[first_at + 1 : second_at])
        self.after = b""
        if second_at < len(names):
            self.between += literal_name(second_name)
            self.after = encode(self.fields[second_at + 1 :])
        self.generation = generation  # out of date at once when encoding has changed the table
