"""Each microsecond of one accepted notification, function by function: both ends in one process, without sockets.

Run as `python -m loadtest.bench.hot_path`; `pushrig bench --profile` does, and sets the sums beside the CPU time of the real
processes, whose rest is the event loop, system calls, and what caches lose when two processes take turns.

It is the one module of `loadtest` that looks inside the simulator, since functions cannot be timed over the network. Whole
steps are timed while real batches go through both ends; the parts of a step are then timed alone on the same values, so
that parts do not quite add up to their step: the rest is the loop around them.
"""

import gc
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from loadtest.bench.profile_step import Step
from loadtest.bench.reference_sender import Minted
from loadtest.bench.task import GC_YOUNG_OBJECTS, PAYLOAD_END, PAYLOAD_START, payload, trusting
from sender.apns.messages import PATH_PREFIX, ApnsOptions, header_fields
from sender.apns.provider import ApnsProvider
from sender.apns.provider_token import ProviderTokenSource
from sender.delivery import Delivery
from sender.lane import Lane, LaneOptions
from sender.notification_id import notification_id_prefix
from sender.store.records import Due
from simulator.apns.answer import RandomIds
from simulator.apns.judge import verdicts
from simulator.apns.link import Link
from simulator.apns.payload import is_json_object
from simulator.apns.plane import PAYLOAD_BYTES_KEPT_MAX, ApnsPlane, first_settings
from simulator.apns.request import is_uuid
from simulator.assembly import make_rig
from simulator.credentials import Credentials, load_or_create
from simulator.devices.token_space import Environment, Population, SealedToken, unseal_all
from simulator.journal import Row
from simulator.rig import Rig
from simulator.settings import ServeSettings
from wire.client import ClientConnection
from wire.hpack import literal_name, stateless_block
from wire.request import Request
from wire.server import ServerConnection

SEED = 7
TOPIC = "com.example.app"
AUTHORITY = "localhost"
BATCH = 170  # notifications that one read brings under Apple's windows, with four connections
BATCHES = 240
WARM_BATCHES = 10

# What is timed in a turn, in this order.
STEPS = ("exchange", "fill", "sender join", "read", "answer", "server join", "received")

Value = TypeVar("Value")


class Ends:
    """A simulator's connection and a sender's lane, joined by bytes, with what went over them."""

    def __init__(self, rig: Rig, credentials: Credentials, due: Sequence[Due]) -> None:
        self.rig = rig
        self.link = Link.opened(AUTHORITY, Environment.PRODUCTION)
        self.server = ServerConnection(first_settings(self.link), body_bytes_max=PAYLOAD_BYTES_KEPT_MAX)
        self.plane = ApnsPlane(rig, self.server, self.link, 1, RandomIds(lambda count: bytes(count)))
        self.source = Minted(due)
        provider_token = ProviderTokenSource.from_file(credentials.key_file, credentials.key_id, credentials.team_id)
        self.authorization = provider_token.text(time.time())
        provider = ApnsProvider(ApnsOptions(TOPIC, AUTHORITY), SEED, lambda due: PAYLOAD_START + due[4] + PAYLOAD_END)
        self.delivery = Delivery(provider, provider_token, draw=lambda: 0.5)
        self.lane = Lane(self.delivery, LaneOptions(), time.time())
        self.spent_s: dict[str, list[float]] = {name: [] for name in STEPS}
        self.sent: list[bytes] = []  # reads of the server
        self.answered: list[bytes] = []  # reads of the sender
        self.requests: list[Request] = []

    def turn(self, *, count: bool) -> None:
        """One batch there and back. `count`: whether it is timed and kept."""
        clock, now_s = time.perf_counter, time.time()
        at = [clock()]
        exchange = self.source.exchange(self.delivery.take_outcomes(), BATCH, int(now_s * 1000))
        self.delivery.add(exchange.due)
        at.append(clock())
        self.lane.fill(now_s, BATCH)
        at.append(clock())
        sent = self.lane.data_to_send()
        at.append(clock())
        requests = self.server.receive_data(sent)
        at.append(clock())
        self.plane.answer(requests)
        at.append(clock())
        answered = self.server.data_to_send()
        at.append(clock())
        self.lane.received(answered, now_s)
        at.append(clock())
        self.server.take_events()
        if count:
            for name, start, end in zip(STEPS, at, at[1:], strict=False):
                self.spent_s[name].append(end - start)
            self.requests += requests
        self.sent.append(sent)
        self.answered.append(answered)


def account() -> list[Step]:
    """All steps, in the order in which a notification meets them."""
    with tempfile.TemporaryDirectory(prefix="pushrig-hot-path-") as folder:
        settings = ServeSettings(state_dir=Path(folder) / "state")
        credentials = load_or_create(settings.state_dir, time.time())
        rig = make_rig(settings, credentials)
        population = Population(SEED, BATCH * (BATCHES + WARM_BATCHES), TOPIC, Environment.PRODUCTION, ())
        due = [Due(number, each.token, 0, 0, b"%d" % number) for number, each in enumerate(population.mint_range())]
        ends = Ends(rig, credentials, due)
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)
        for number in range(BATCHES + WARM_BATCHES):
            ends.turn(count=number >= WARM_BATCHES)
        total = BATCH * BATCHES
        assert ends.delivery.counts.accepted >= total, "not all were accepted"
        tls = _tls(credentials, ends)
        return [*_sender_steps(ends, total, tls), *_server_steps(ends, tls)]


def _sender_steps(ends: Ends, total: int, tls: dict[str, float]) -> list[Step]:
    whole = {name: _one_of_batch_us(spent_s) for name, spent_s in ends.spent_s.items()}
    paths = [request.varying[0] or b"" for request in ends.requests]
    token = paths[0][len(PATH_PREFIX) :].decode()
    id_format = notification_id_prefix(SEED) + b"%012x"
    due = [Due(number, token, 0, 0, b"%d" % number) for number in range(total)]

    def name_one(number: int) -> tuple[bytes, bytes]:
        return PATH_PREFIX + token.encode(), id_format % number

    return [
        Step("sender", 0, "exchange with the source: results taken, notifications handed out", whole["exchange"]),
        Step("sender", 0, "Lane.fill: ready notifications into requests", whole["fill"]),
        Step("sender", 1, "render the payload", _each(ends.delivery.provider.body_of, due)),
        Step("sender", 1, "path and apns-id", _each(name_one, range(total))),
        Step("sender", 1, "wire: ClientConnection.send_all", _send_alone(ends, paths)),
        Step("sender", 0, "join what is to be written", whole["sender join"]),
        Step("sender", 0, "TLS: seal the requests", tls["requests sealed"]),
        Step("sender", 0, "TLS: open the answers", tls["answers opened"]),
        Step("sender", 0, "Lane.received: answers into results", whole["received"]),
    ]  # fmt: skip


def _server_steps(ends: Ends, tls: dict[str, float]) -> list[Step]:
    whole = {name: _one_of_batch_us(spent_s) for name, spent_s in ends.spent_s.items()}
    rig, requests = ends.rig, ends.requests
    tokens = [(request.varying[0] or b"")[len(PATH_PREFIX) :] for request in requests]
    devices = unseal_all(tokens)
    now_s = time.time()
    pushes = [*zip(requests, tokens, devices, strict=True)]
    opened = [device for device in devices if device is not None]
    ids = [request.varying[1] or b"" for request in requests]
    bodies = [request.body for request in requests]
    row: Row = (
        0,
        "apns",
        Environment.PRODUCTION,
        200,
        None,
        tokens[0],
        ids[0],
        requests[0].head,
        bodies[0],
        1,
        1,
        None,
    )
    append = rig.journal.append

    def judged(batch: Sequence[tuple[Request, bytes, SealedToken | None]]) -> object:
        its_requests, its_tokens, its_devices = zip(*batch, strict=True)
        return list(verdicts(its_requests, its_tokens, its_devices, ends.link, rig.apns, now_s))

    return [
        Step("server", 0, "TLS: open the requests", tls["requests opened"]),
        Step("server", 0, "wire: ServerConnection.receive_data", whole["read"]),
        Step("server", 0, "ApnsPlane.answer", whole["answer"]),
        Step("server", 1, "unseal the device tokens", _of_batch_us(unseal_all, tokens)),
        Step("server", 1, "judge", _of_batch_us(judged, pushes)),
        Step("server", 2, "the payload is a JSON object", _each(is_json_object, bodies)),
        Step("server", 2, "the apns-id is a UUID", _each(is_uuid, ids)),
        Step("server", 1, "ledger", _each(lambda device: rig.ledger.accept(device.seed, device.index), opened)),
        Step("server", 1, "journal", _each(lambda _: append((*row[:5], row[5], row[6], row[7], row[8], 1, 1, None)), bodies)),
        Step("server", 1, "wire: ServerConnection.answer", _answer_alone(ends)),
        Step("server", 0, "join what is to be written", whole["server join"]),
        Step("server", 0, "TLS: seal the answers", tls["answers sealed"]),
    ]  # fmt: skip


def _one_of_batch_us(batches_s: Sequence[float]) -> float:
    """Microseconds for one notification of a typical batch: the median leaves out those that other programs interrupted."""
    return statistics.median(batches_s) / BATCH * 1e6


def _each(function: Callable[[Value], object], values: Iterable[Value]) -> float:
    """Microseconds of one call, without the loop around it."""
    kept = list(values)
    return max(0.0, _call_us(function, kept) - _call_us(_nothing, kept))


def _of_batch_us(function: Callable[[Sequence[Value]], object], values: Sequence[Value]) -> float:
    """Microseconds for one of the values, of which the function takes a batch."""
    spent_s = []
    for start in range(0, len(values) - BATCH + 1, BATCH):
        batch = values[start : start + BATCH]
        started_at_s = time.perf_counter()
        function(batch)
        spent_s.append(time.perf_counter() - started_at_s)
    return _one_of_batch_us(spent_s)


def _nothing(value: object) -> None:
    return None


def _call_us(function: Callable[[Value], object], values: Sequence[Value]) -> float:
    spent_s = []
    for start in range(0, len(values) - BATCH + 1, BATCH):
        batch = values[start : start + BATCH]
        started_at_s = time.perf_counter()
        for value in batch:
            function(value)
        spent_s.append(time.perf_counter() - started_at_s)
    return _one_of_batch_us(spent_s)


def _pair(settings: dict[int, int]) -> tuple[ServerConnection, ClientConnection]:
    server, client = ServerConnection(settings, body_bytes_max=PAYLOAD_BYTES_KEPT_MAX), ClientConnection()
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    return server, client


def _send_alone(ends: Ends, paths: Sequence[bytes]) -> float:
    server, client = _pair({})
    prepared = client.prepare(header_fields(ApnsOptions(TOPIC, AUTHORITY), ends.authorization))
    id_prefix, body = notification_id_prefix(SEED), payload(1)
    spent_s: list[float] = []
    answer = stateless_block([(b":status", b"200")])
    for start in range(0, len(paths), BATCH):
        batch = [
            (path, id_prefix + b"%012x" % number, body) for number, path in enumerate(paths[start : start + BATCH])
        ]
        started_at_s = time.perf_counter()
        client.send_all(prepared, batch)
        spent_s.append(time.perf_counter() - started_at_s)
        for request in server.receive_data(client.data_to_send()):
            server.answer(request.stream_id, answer)
        client.receive_data(server.data_to_send())
    return _one_of_batch_us(spent_s)


def _answer_alone(ends: Ends) -> float:
    server, client = _pair({})
    prepared = client.prepare(header_fields(ApnsOptions(TOPIC, AUTHORITY), ends.authorization))
    block = stateless_block([(b":status", b"200")]) + literal_name(b"apns-id") + b"\x24"
    path, body = PATH_PREFIX + b"0" * 64, payload(1)
    spent_s: list[float] = []
    id_prefix = notification_id_prefix(SEED)
    for _ in range(BATCHES):
        for number in range(BATCH):
            client.send(prepared, path, id_prefix + b"%012x" % number, body)
        requests = server.receive_data(client.data_to_send())
        started_at_s = time.perf_counter()
        for request in requests:
            server.answer(request.stream_id, block + (request.varying[1] or b""))
        spent_s.append(time.perf_counter() - started_at_s)
        client.receive_data(server.data_to_send())
    return _one_of_batch_us(spent_s)


def _tls(credentials: Credentials, ends: Ends) -> dict[str, float]:
    """What TLS takes for the bytes of one notification, by step, as asyncio does it: over buffers in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(credentials.server_certificate_file, credentials.server_key_file)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting(str(credentials.ca_file)).wrap_bio(to_client, to_server, server_hostname=AUTHORITY)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    _drain(client)
    spent_s: dict[str, list[float]] = {}
    for request_bytes, answer_bytes in zip(ends.sent[WARM_BATCHES:], ends.answered[WARM_BATCHES:], strict=True):
        for what, data, writer, reader in (
            ("requests", request_bytes, client, server),
            ("answers", answer_bytes, server, client),
        ):
            at_s = time.perf_counter()
            writer.write(data)
            sealed_at_s = time.perf_counter()
            _drain(reader)
            opened_at_s = time.perf_counter()
            spent_s.setdefault(f"{what} sealed", []).append(sealed_at_s - at_s)
            spent_s.setdefault(f"{what} opened", []).append(opened_at_s - sealed_at_s)
    return {name: _one_of_batch_us(each) for name, each in spent_s.items()}


def _drain(end: ssl.SSLObject) -> None:
    try:
        while end.read(1 << 18):
            pass
    except ssl.SSLWantReadError:
        return


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(account()) + b"\n")
