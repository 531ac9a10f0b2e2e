"""A push sender as one would first write it with httpx: one POST for each notification, a few at a time.

Run as `python -m loadtest.bench.httpx_sender TASK`, see `task`.
"""

import asyncio
from collections.abc import Iterator

import httpx

from loadtest.bench.task import HTTP_OK, SendTask, answer_async, payload, provider_token, read_task, trusting
from sender.notification_id import notification_id_prefix


async def send(task: SendTask, tokens: list[str], authorization: str) -> int:
    """Send all over HTTP/2, `in_flight` at a time; returns how many were accepted."""
    headers = {"authorization": authorization, "apns-topic": task.topic, "apns-push-type": "alert"}
    id_prefix = notification_id_prefix(task.population_seed).decode()
    accepted = 0
    numbered = iter(enumerate(tokens))
    limits = httpx.Limits(max_connections=task.connections)
    async with httpx.AsyncClient(
        http2=True, verify=trusting(task.ca_file), base_url=task.url, headers=headers, limits=limits, timeout=60
    ) as client:

        async def worker(todo: Iterator[tuple[int, str]]) -> None:
            nonlocal accepted
            for number, token in todo:
                response = await client.post(
                    f"/3/device/{token}", content=payload(number), headers={"apns-id": f"{id_prefix}{number:012x}"}
                )
                accepted += response.status_code == HTTP_OK

        # The simulator allows one stream until it has seen the provider token; httpx takes such a limit badly at the start.
        await worker(iter([next(numbered)]))
        await asyncio.gather(*(worker(numbered) for _ in range(task.in_flight)))
    return accepted


def main() -> None:
    """Prepare, say so, send, answer."""
    task = read_task()
    tokens = [minted.token for minted in task.minted()]
    authorization = provider_token(task).decode()
    answer_async(lambda: send(task, tokens, authorization))


if __name__ == "__main__":
    main()
