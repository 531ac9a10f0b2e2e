"""The quick form of `make soak`: a long life in little, with flat memory; and the end of the stream ids, again and again."""

import sys

import pytest

from tests.wire.soak import GROWTH_BYTES_MAX, soak
from wire.frames import STREAM_ID_MAX


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is read from /proc/self/statm: Linux alone has it"
)
def test_memory_stays_flat_over_two_hundred_thousand_notifications() -> None:
    figures = soak(200_000, samples=8)
    assert figures.growth_bytes <= GROWTH_BYTES_MAX, figures.resident_bytes
    assert figures.connections == 1


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is read from /proc/self/statm: Linux alone has it"
)
def test_connections_that_reach_the_last_stream_id_lose_nothing() -> None:
    figures = soak(5_000, first_stream_id=STREAM_ID_MAX - 2 * 999, samples=1)
    assert figures.connections == 5
    assert figures.answered + figures.reset == 5_000
