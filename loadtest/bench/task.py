"""What a sender's process of the bench is told and what it answers: JSON on its command line, two lines on its output.

The first line, `ready`, says that everything is prepared. The clock starts when a line, `go`, comes back, so that several
senders begin together; the second line is the result.
"""

import asyncio
import gc
import os
import ssl
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import msgspec

from loadtest.process_figures import figures_of
from simulator.devices.draws import Devices, Minted
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Environment, Population

READY, GO = b"ready\n", b"go\n"
# Objects of the hot path live for a moment; looking for cycles among them at Python's usual pace finds none.
GC_YOUNG_OBJECTS = 50_000
# The payload of the bench: differs from one notification to the next by a number.
PAYLOAD_START = (
    b'{"aps":{"alert":{"title":"Sale starts now","body":"Hello Ada, 20% off until Friday"},"sound":"default","badge":'
)
PAYLOAD_END = b'},"campaign":"black-friday"}'
# The message of the bench over FCM: token and id make it differ from one notification to the next.
MESSAGE = (
    b'{"notification":{"title":"Sale starts now","body":"Hello Ada, 20% off until Friday"},'
    b'"data":{"campaign":"black-friday"}}'
)
HTTP_OK = 200


class SendTask(msgspec.Struct, frozen=True, kw_only=True):
    """`population_seed`: of the device tokens; `start`, `count`: which of them.

    `encoding`: of header fields, for the ruler sender (see there). `service_account_file`: given to send over FCM.
    `store_file`: a device store to take the notifications from, None for memory. `in_flight`: of one connection at most, for
    senders that have no limit of their own. `streams_max`: the same for the reference sender, None for its own limit.
    """

    url: str
    ca_file: str
    key_file: str
    key_id: str
    team_id: str
    topic: str
    population_seed: int
    count: int
    connections: int
    start: int = 0
    encoding: str = "literal"
    service_account_file: str | None = None
    store_file: str | None = None
    in_flight: int = 250
    streams_max: int | None = None

    @property
    def population(self) -> Devices:
        """The devices up to the last one to send to, all of them active."""
        last = self.start + self.count
        if self.service_account_file is not None:
            return RegistrationPopulation(self.population_seed, last, self.topic)
        return Population(self.population_seed, last, self.topic, Environment.PRODUCTION, ())

    def minted(self) -> Iterator[Minted]:
        """The devices to send to."""
        return self.population.mint_range(self.start)


class SendResult(msgspec.Struct, frozen=True):
    """`accepted`: answered with 200. `elapsed_s`, `cpu_s`: from the first connection to the last answer."""

    accepted: int
    elapsed_s: float
    cpu_s: float
    peak_rss_mb: float | None


def payload(number: int) -> bytes:
    """The payload of notification `number`."""
    return b"%b%d%b" % (PAYLOAD_START, number, PAYLOAD_END)


def read_task() -> SendTask:
    """The task on this process's command line."""
    return msgspec.json.decode(sys.argv[1], type=SendTask)


def trusting(ca_file: str) -> ssl.SSLContext:
    """A client's TLS context that trusts one CA and speaks HTTP/2."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    return context


def answer(work: Callable[[], int]) -> None:
    """Say `ready`, wait for `go`, do the work, which returns how many were accepted, and say what it took."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    if sys.stdin.buffer.readline() != GO:
        sys.exit("nobody waits for the result")
    started_at_s, cpu_before_s = time.perf_counter(), time.process_time()
    accepted = work()
    elapsed_s, cpu_s = time.perf_counter() - started_at_s, time.process_time() - cpu_before_s
    result = SendResult(accepted, elapsed_s, cpu_s, figures_of(os.getpid()).peak_rss_mb)
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
    sys.stdout.flush()


def answer_async(work: Callable[[], Coroutine[None, None, int]]) -> None:
    """The same for work under asyncio."""
    answer(lambda: asyncio.run(work()))


def provider_token(task: SendTask) -> bytes:
    """The value of `authorization`, fresh."""
    from sender.apns.provider_token import ProviderTokenSource

    return ProviderTokenSource.from_file(Path(task.key_file), task.key_id, task.team_id).text(time.time())
