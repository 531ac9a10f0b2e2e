"""Sends a population through one of the shells and prints what came of it. Run in a process of its own: gevent stays out of
the tests' process. Argument: `Task` as JSON."""

import asyncio
import random
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.source import PopulationSource
from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.apns.provider_token import ProviderTokenSource
from sender.credential import Credential, ShownInTls
from sender.delivery import Delivery
from sender.fcm.access_token import AccessTokenSource
from sender.fcm.message_template import compile as compile_message
from sender.fcm.messages import FcmOptions
from sender.fcm.provider import FcmProvider
from sender.fcm.service_account import ServiceAccount
from sender.lane import LaneOptions
from sender.pool import Endpoint, PoolOptions
from sender.provider import Provider
from sender.reaction import RetryPolicy
from sender.store.records import Exchange, Outcome
from sender.token_fetch import fetcher
from simulator.devices.draws import Devices
from simulator.devices.fates import Provider as ProviderName
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Population, parse_fates

if TYPE_CHECKING:
    from sender.asyncio_shell import AsyncioRun

TOPIC = "com.example.app"


class Task(msgspec.Struct, kw_only=True):
    """`service_account`: its file, to send over FCM. `ranges`: how often the devices are sent to, one after another over the
    same connections (gevent only). `tick_s`: of the shell, None for its own. `ahead_s`: wait so long at most for connections
    that are opened before there is work (gevent only), None for no such."""

    shell: str
    url: str
    devices: int
    ranges: int = 1
    connections: int = 2
    payload_bytes: int = 20
    fates: list[str] = []
    ca_file: str | None = None
    key_file: str | None = None
    key_id: str = ""
    team_id: str = ""
    service_account: str | None = None
    settings_timeout_s: float = 10.0
    stall_timeout_s: float = 10.0
    streams_max: int = 1_000
    source_fails: bool = False
    patched: bool = False
    tick_s: float | None = None
    ahead_s: float | None = None


class Result(msgspec.Struct, kw_only=True):
    """`waits_to_write`: how often the socket was full (gevent only). `connected_ahead`: what waiting for connections told."""

    accepted: int
    rejected: dict[str, int]
    given_up: dict[str, int]
    unsent: int
    sent: int
    retried: int
    stopped: str | None
    error: str | None
    waits_to_write: int
    connected_ahead: bool | None = None


class FailingSource(PopulationSource):
    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        if outcomes:
            raise RuntimeError("the source is broken")
        return super().exchange(outcomes, want, now_ms)


class LateSource(PopulationSource):
    """Gives nothing out before `late` is set, so that connections find no work at first."""

    late: threading.Event

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        self.late.wait()
        return super().exchange(outcomes, want, now_ms)


async def _run_asyncio(run: "AsyncioRun", source: PopulationSource) -> None:
    running = asyncio.create_task(run.run())
    for _ in range(10):  # turns of the event loop: the tasks of the connections have looked
        await asyncio.sleep(0)
    if isinstance(source, LateSource):
        source.late.set()
    await running


def main(task: Task) -> Result:
    if task.patched:
        from gevent import monkey

        monkey.patch_all()
    endpoint = Endpoint.parse(task.url)
    tls = ssl.create_default_context(cafile=task.ca_file) if endpoint.tls else None
    credential: Credential = ShownInTls()
    if task.key_file is not None:
        credential = ProviderTokenSource.from_file(Path(task.key_file), task.key_id, task.team_id)
    draw = random.Random(1).random
    payload = b'{"aps":{"alert":"%s"}}' % (b"x" * task.payload_bytes)
    fates = parse_fates(task.fates, tuple(ProviderName))
    population: Devices
    provider: Provider
    if task.service_account is None:
        population = Population(7, task.devices, TOPIC, fates=fates)
        provider = ApnsProvider(ApnsOptions(TOPIC, endpoint.authority), 1, lambda due: payload)
    else:
        population = RegistrationPopulation(7, task.devices, TOPIC, fates)
        account = ServiceAccount.from_file(Path(task.service_account))
        credential = AccessTokenSource(account)
        body_of = compile_message(b'{"notification":{"title":"hello"}}').bodies(1)
        provider = FcmProvider(FcmOptions(account.project_id, endpoint.authority), body_of, personalised=False)
    fetch = fetcher(None if task.ca_file is None else Path(task.ca_file))
    delivery = Delivery(
        provider,
        credential,
        draw=draw,
        policy=RetryPolicy(attempts_max=50, base_s=0.01, pause_max_s=0.02),
    )
    source: PopulationSource
    if task.source_fails:
        source = FailingSource(population)
    elif task.tick_s is not None and task.shell == "asyncio":
        source = LateSource(population)
        source.late = threading.Event()
    else:
        source = PopulationSource(population)
    pool = PoolOptions(
        connections=task.connections,
        settings_timeout_s=task.settings_timeout_s,
        stall_timeout_s=task.stall_timeout_s,
        reconnect_base_s=0.01,
        reconnect_max_s=0.05,
        lane=LaneOptions(streams_max=task.streams_max),
    )
    counted: Counter[str] = Counter()
    error: str | None = None
    connected_ahead: bool | None = None
    try:
        if task.shell == "asyncio":
            from sender import asyncio_shell
            from sender.asyncio_shell import AsyncioRun

            if task.tick_s is not None:
                asyncio_shell.TICK_S = task.tick_s
            asyncio.run(_run_asyncio(AsyncioRun(delivery, source, endpoint, tls, pool, draw=draw, fetch=fetch), source))
        else:
            import gevent.socket

            from sender import gevent_shell
            from sender.gevent_shell import GeventRun

            if task.tick_s is not None:
                vars(gevent_shell)["TICK_S"] = task.tick_s
            wait_write = gevent.socket.wait_write

            def counting(descriptor: int) -> None:
                counted["waits"] += 1
                wait_write(descriptor)

            gevent.socket.wait_write = counting
            run = GeventRun(delivery, source, endpoint, tls, pool, draw=draw, fetch=fetch)
            if task.ahead_s is not None:
                source.take_on(0, 0)  # no work yet
            run.open(ahead=task.ahead_s is not None)
            if task.ahead_s is not None:
                connected_ahead = run.await_connections(task.ahead_s)
            gevent.sleep(0)  # the greenlets of the connections look once before there is work
            for _ in range(task.ranges):
                source.take_on(0, task.devices)
                run.send()
            run.close()
    except RuntimeError as raised:
        error = str(raised)
    return Result(
        accepted=source.accepted,
        rejected=source.rejected,
        given_up=source.given_up,
        unsent=source.unsent,
        sent=delivery.counts.sent,
        retried=delivery.counts.retried,
        stopped=delivery.stopped,
        error=error,
        waits_to_write=counted["waits"],
        connected_ahead=connected_ahead,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(msgspec.json.decode(sys.argv[1], type=Task))))
