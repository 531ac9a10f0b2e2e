"""Messages that are alike, told by regular expressions: frame headers, header block, and the start of the body.

A push sender's requests differ in their stream, two values and the body, and the answers to them in stream and values.
While the dynamic table stays as it is, everything else is the same bytes again: so a pattern made of one message reads the
next ones, with the checks of frames and values in it. Whatever does not match is read field by field, and nothing is lost
but time.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from wire.heads import BlockShape, Varying
from wire.request import Head

BLOCK_BYTES_MAX = 1_024  # longer blocks are not made into patterns: that takes half a millisecond for so many bytes
REQUESTS_BETWEEN = 500  # read otherwise before a pattern is made: so many pay for it, whatever a client sends

RUN_BLOCK_BYTES_MAX = 256  # answers with longer header blocks are read one by one

_HEADERS = b"\x01\x04"  # type; END_HEADERS, without padding, priority or END_STREAM
_HEADERS_ALONE = b"\x01\x05"  # END_STREAM as well
_DATA = b"\x00\x01"  # type; END_STREAM, without padding


class RequestPattern(NamedTuple):
    """How requests of one shape are read. `match`: of a request at some place; its groups are stream, values, body length.

    `values`: how many vary, of which the groups are; of none: `varying` are they. `generation`: of the shape.
    """

    match: Callable[[bytes, int], re.Match[bytes] | None]
    head: Head
    values: int
    varying: Varying
    generation: int


def request_pattern(shape: BlockShape, generation: int) -> RequestPattern | None:
    """How requests of this shape are read; None: they are not to be told in this way."""
    head = shape.head
    if head.fault is not None or head.content_length is not None or shape.block_bytes > BLOCK_BYTES_MAX:
        return None
    pattern = re.compile(
        re.escape(shape.block_bytes.to_bytes(3, "big") + _HEADERS)
        + b"(.{4})"
        + shape.pattern
        + re.escape(b"\x00")  # bodies of 64 KiB and more are not usual
        + b"(..)"
        + re.escape(_DATA)
        + rb"\1",
        re.DOTALL,
    )
    return RequestPattern(pattern.match, head, shape.values, shape.varying, generation)


class AnswerRun(NamedTuple):
    """Answers that mean the same while blocks do (`generation`), but for values and bodies.

    `frames` matches one or more of them, one behind the other; `answers` reads of each its stream, and its body where they have
    any: then all of `body_bytes`.
    """

    frames: re.Pattern[bytes]
    answers: struct.Struct
    body_bytes: int | None
    generation: int


def answer_run(shape: BlockShape | None, body_bytes: int | None, generation: int) -> AnswerRun | None:
    """Answers whose header blocks have this shape, or None; `body_bytes` None: without a body."""
    if shape is None or shape.block_bytes > RUN_BLOCK_BYTES_MAX:
        return None
    start = shape.block_bytes.to_bytes(3, "big")
    reading = f">5xI{shape.block_bytes}x"
    if body_bytes is None:
        pattern = re.escape(start + _HEADERS_ALONE) + b".{4}" + shape.pattern
    else:
        data = re.escape(body_bytes.to_bytes(3, "big") + _DATA)
        pattern = re.escape(start + _HEADERS) + b"(.{4})" + shape.pattern + data + rb"\1" + b".{%d}" % body_bytes
        reading += f"9x{body_bytes}s"
    frames = re.compile(b"(?:" + pattern + b")+", re.DOTALL)
    return AnswerRun(frames, struct.Struct(reading), body_bytes, generation)
