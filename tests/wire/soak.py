"""Very many notifications over one pair of connections, in memory: does anything grow? `make soak`, or with --help.

Client and server of `wire` in one process, no sockets. What a long life brings comes again and again: rejections with bodies,
streams reset by either side, provider tokens renewed, table sizes and stream limits changed, pings, and, when begun near 2^31,
the end of the stream ids. The memory of the process is sampled after a start in which tables and caches fill.
"""

import argparse
import gc
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from wire.client import ClientConnection
from wire.frames import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS
from wire.hpack import literal_name, stateless_block, string
from wire.prepared import PreparedRequest
from wire.request import Request, Response
from wire.server import ServerConnection

NOTIFICATIONS = 10_000_000
BATCH = 400
WARM_UP_SHARE = 0.1
SAMPLES = 20
GROWTH_BYTES_MAX = 4 << 20
FIRST_STREAM_ID = 1

PAYLOAD = b'{"aps":{"alert":{"title":"Sale","body":"Hello Ada, 20% off until Friday"},"badge":3}}'
ACCEPTED = stateless_block([(b":status", b"200")]) + literal_name(b"apns-id")
REJECTED = stateless_block([(b":status", b"410")]) + literal_name(b"apns-id")
REASON = b'{"reason":"Unregistered","timestamp":1760000000000}'


@dataclass
class Figures:
    """What a soak has counted. `resident_bytes`: of the process, sampled evenly behind the start."""

    answered: int = 0
    rejected: int = 0
    reset: int = 0
    connections: int = 1
    seconds: float = 0.0
    resident_bytes: list[int] = field(default_factory=list)

    @property
    def growth_bytes(self) -> int:
        """From the first sample to the largest."""
        return max(self.resident_bytes) - self.resident_bytes[0]


def resident_bytes() -> int:
    """Memory of this process that is in RAM (Linux)."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Pair:
    """A client and a server, joined."""

    def __init__(self, first_stream_id: int) -> None:
        self.client = ClientConnection(first_stream_id=first_stream_id)
        self.server = ServerConnection({MAX_CONCURRENT_STREAMS: BATCH})
        self.exchange()

    def exchange(self) -> tuple[list[Request], list[Response]]:
        """Carry bytes both ways until there are none."""
        requests: list[Request] = []
        responses: list[Response] = []
        while True:
            there = self.client.data_to_send()
            if there:
                requests += self.server.receive_data(there)
            back = self.server.data_to_send()
            if back:
                responses += self.client.receive_data(back)
            if not there and not back:
                break
        self.client.take_events()
        self.server.take_events()
        assert self.client.failed is None, self.client.failed
        assert self.server.failed is None, self.server.failed
        return requests, responses

    def prepared(self, renewal: int) -> PreparedRequest:
        """The request under the provider token of this number."""
        return self.client.prepare(
            [
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", b"localhost"),
                (b":path", b""),
                (b"apns-topic", b"com.example.app"),
                (b"authorization", b"bearer " + b"%08d" % renewal * 25),
                (b"apns-id", b""),
            ]
        )

    def empty(self) -> bool:
        """Whether nothing of any stream is left on either end."""
        ends = (self.client, self.server)
        return not any(end._windows or end._sending or end._receiving or end._rest for end in ends)


def soak(
    notifications: int, *, first_stream_id: int = FIRST_STREAM_ID, seed: int = 1, samples: int = SAMPLES
) -> Figures:
    """Send so many, all answered or reset. Raises AssertionError when one is lost."""
    chance, figures = random.Random(seed), Figures()
    pair = Pair(first_stream_id)
    prepared = pair.prepared(0)
    sent = batches = 0
    warm_up = int(notifications * WARM_UP_SHARE)
    next_sample, between = warm_up, max(1, (notifications - warm_up) // samples)
    began_s = time.perf_counter()
    while sent < notifications:
        if pair.client.closing:
            assert pair.empty(), "the connection ends with its last answer"
            pair, figures.connections = Pair(first_stream_id), figures.connections + 1
            prepared = pair.prepared(batches)
        batches += 1
        if batches % 50 == 0:
            _upset(pair, batches, chance)
            prepared = pair.prepared(batches)
        sent += _batch(pair, prepared, min(BATCH, notifications - sent), chance, figures)
        if sent >= next_sample:
            gc.collect()
            figures.resident_bytes.append(resident_bytes())
            next_sample += between
    figures.seconds = time.perf_counter() - began_s
    assert figures.answered + figures.reset == notifications
    assert pair.empty()
    return figures


def _upset(pair: Pair, number: int, chance: random.Random) -> None:
    """What happens now and then."""
    pair.client.ping(number.to_bytes(8))
    pair.server.change_settings({MAX_CONCURRENT_STREAMS: BATCH + number % 7})
    pair.server.change_settings({HEADER_TABLE_SIZE: chance.choice([0, 1_000, 4_096])})
    pair.client.change_settings({INITIAL_WINDOW_SIZE: chance.choice([10, 20_000, 65_535])})
    pair.server.budget.pass_time(1.0)  # as the shell of a server would say
    pair.exchange()


def _batch(pair: Pair, prepared: PreparedRequest, size: int, chance: random.Random, figures: Figures) -> int:
    """Send a batch, as far as stream ids reach, and settle all of it."""
    client, server = pair.client, pair.server
    size = min(size, client.streams_free)
    for _ in range(size):
        device, apns_id = chance.randbytes(32).hex(), chance.randbytes(18).hex()
        client.send(prepared, b"/3/device/" + device.encode(), apns_id.encode(), PAYLOAD)
    requests, _ = pair.exchange()
    assert len(requests) == size, "every request arrives"
    for request in requests:
        draw = request.stream_id % 1_000
        echoed = string(request.varying[1] or b"")
        if draw == 1:
            server.reset(request.stream_id)
        elif draw == 3:
            client.reset(request.stream_id)
        elif draw < 50:
            server.answer(request.stream_id, REJECTED + echoed, REASON)
            figures.rejected += 1
            figures.answered += 1
        else:
            server.answer(request.stream_id, ACCEPTED + echoed)
            figures.answered += 1
    reset = sum(request.stream_id % 1_000 in (1, 3) for request in requests)
    _, responses = pair.exchange()
    assert len(responses) == size - reset, "every answer arrives"
    figures.reset += reset
    return size


def main() -> int:
    """Run one soak and print its figures; 1 when memory has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire.soak", description=__doc__)
    parser.add_argument("--notifications", type=int, default=NOTIFICATIONS, help="how many (default %(default)s)")
    parser.add_argument("--first-stream-id", type=int, default=FIRST_STREAM_ID, help="odd; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of tokens and ids (default %(default)s)")
    options = parser.parse_args()
    print(f"seed {options.seed}: {options.notifications:,} notifications", file=sys.stderr)
    figures = soak(options.notifications, first_stream_id=options.first_stream_id, seed=options.seed)
    mebibytes = [round(sample / 2**20, 1) for sample in figures.resident_bytes]
    print(f"answered {figures.answered:,} ({figures.rejected:,} rejected), reset {figures.reset:,}, lost 0")
    print(
        f"connections {figures.connections:,}, {figures.seconds:.0f} s, {options.notifications / figures.seconds:,.0f} /s"
    )
    print(f"resident MiB: {' '.join(map(str, mebibytes))}; grown by {figures.growth_bytes / 2**20:.1f}")
    return int(figures.growth_bytes > GROWTH_BYTES_MAX)


if __name__ == "__main__":
    sys.exit(main())
