"""`aioapns` from PyPI as it is, but for where it connects: host and port are class attributes there and no options.

Run as `python -m loadtest.bench.aioapns_sender TASK`, see `task`.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsProductionClientProtocol

from loadtest.bench.task import SendTask, answer_async, payload, read_task, trusting
from sender.pool import Endpoint


async def send(task: SendTask, tokens: list[str], key: str) -> int:
    """Send all, `in_flight` a connection at a time; returns how many were accepted. `key`: PEM."""
    endpoint = Endpoint.parse(task.url)

    class BenchProtocol(APNsProductionClientProtocol):
        APNS_SERVER = endpoint.host
        APNS_PORT = endpoint.port

    client = APNs(
        key=key,
        key_id=task.key_id,
        team_id=task.team_id,
        topic=task.topic,
        max_connections=task.connections,
        ssl_context=trusting(task.ca_file),
    )
    client.pool.protocol_class = BenchProtocol
    accepted = 0
    numbered = iter(enumerate(tokens))

    async def worker(todo: Iterator[tuple[int, str]]) -> None:
        nonlocal accepted
        for number, token in todo:
            request = NotificationRequest(device_token=token, message=msgspec.json.decode(payload(number)))
            result = await client.send_notification(request)
            accepted += result.is_successful

    await asyncio.gather(*(worker(numbered) for _ in range(task.connections * task.in_flight)))
    return accepted


def main() -> None:
    """Prepare, say so, send, answer."""
    task = read_task()
    tokens = [minted.token for minted in task.minted()]
    key = Path(task.key_file).read_text()
    answer_async(lambda: send(task, tokens, key))


if __name__ == "__main__":
    main()
