"""Observations as lines of JSON, each with its number in front."""

from collections.abc import Generator, Sequence
from typing import Final

import msgspec

from simulator.observation_records import Observation

_ENCODED_A_STEP: Final = 100

_encode = msgspec.json.Encoder().encode


def encoded_steps(found: Sequence[Observation]) -> Generator[None, None, list[bytes]]:
    """The records as JSON objects, yet without numbers."""
    encoded = []
    for each in found:
        encoded.append(_encode(each))
        if len(encoded) % _ENCODED_A_STEP == 0:
            yield
    return encoded


def numbered_line(number: int, encoded: bytes) -> bytes:
    """The line of a record: the number goes first, into the object that was made of it."""
    return b'{"number":%d,%b\n' % (number, encoded[1:])
