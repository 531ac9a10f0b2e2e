"""The reference sender as the bench runs it: from memory, or a campaign from the device store.

Run as `python -m loadtest.bench.reference_sender TASK`, see `task`. From memory the tokens are minted before the clock starts;
each notification has a result, which is looked at and counted.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from loadtest.bench.task import (
    MESSAGE,
    PAYLOAD_END,
    PAYLOAD_START,
    SendTask,
    answer,
    answer_async,
    payload,
    read_task,
)
from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.apns.provider_token import ProviderTokenSource
from sender.asyncio_shell import AsyncioRun
from sender.campaign import CampaignOptions, run_campaign
from sender.campaign_parts import ApnsPart
from sender.client_tls import client_tls
from sender.credential import Credential
from sender.delivery import Delivery
from sender.fcm.access_token import AccessTokenSource
from sender.fcm.message_template import compile as compile_message
from sender.fcm.messages import FcmOptions
from sender.fcm.provider import FcmProvider
from sender.fcm.service_account import ServiceAccount
from sender.lane import LaneOptions
from sender.pool import Endpoint, PoolOptions
from sender.provider import Provider
from sender.store.records import Due, Exchange, Outcome, State
from sender.token_fetch import fetcher

STALL_TIMEOUT_S = 20.0
# The same payload for a template: the number is the one placeholder of a personalised campaign.
PERSONAL_PAYLOAD = (
    b'{"aps":{"alert":{"title":"Sale starts now","body":"Hello {{name|friend}}, 20% off until Friday"},'
    b'"sound":"default","badge":3},"campaign":"black-friday"}'
)


class Minted:
    """A source of notifications in memory. `accepted`: results of that kind so far."""

    def __init__(self, due: Sequence[Due]) -> None:
        self._due, self._at = due, 0
        self.accepted = 0

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Take results, hand out the next `want`."""
        self.accepted += sum(outcome.state is State.ACCEPTED for outcome in outcomes)
        batch = list(self._due[self._at : self._at + want])
        self._at += len(batch)
        return Exchange(batch, None, self._at >= len(self._due))


def send_from_memory(task: SendTask) -> None:
    """Over APNs, each notification's payload differs by its number, which stands in for the attributes of its device."""
    due = [Due(number, minted.token, 0, 0, b"%d" % number) for number, minted in enumerate(task.minted(), task.start)]
    endpoint = Endpoint.parse(task.url)
    draw = random.Random(task.population_seed).random
    delivery = Delivery(*_speaking(task, endpoint), draw=draw)
    source = Minted(due)
    tls, fetch = client_tls(endpoint, Path(task.ca_file)), fetcher(Path(task.ca_file))
    lane = LaneOptions() if task.streams_max is None else LaneOptions(streams_max=task.streams_max)
    pool = PoolOptions(task.connections, stall_timeout_s=STALL_TIMEOUT_S, lane=lane)

    async def work() -> int:
        await AsyncioRun(delivery, source, endpoint, tls, pool, draw=draw, fetch=fetch).run()
        return source.accepted

    answer_async(work)


def _speaking(task: SendTask, endpoint: Endpoint) -> tuple[Provider, Credential]:
    """The provider that the task names, and what shows it who is sending."""
    if task.service_account_file is not None:
        account = ServiceAccount.from_file(Path(task.service_account_file))
        bodies = compile_message(MESSAGE).bodies(task.population_seed)
        options = FcmOptions(account.project_id, endpoint.authority)
        return FcmProvider(options, bodies, personalised=False), AccessTokenSource(account)
    provider = ApnsProvider(
        ApnsOptions(task.topic, endpoint.authority),
        task.population_seed,
        lambda each: PAYLOAD_START + each[4] + PAYLOAD_END,
    )
    assert provider.body_of(Due(7, "", 0, 0, b"7")) == payload(7)
    return provider, ProviderTokenSource.from_file(Path(task.key_file), task.key_id, task.team_id)


def send_campaign(task: SendTask, store_file: Path) -> None:
    """A campaign to all devices of the store, personalised."""
    endpoint = Endpoint.parse(task.url)
    options = CampaignOptions(
        store=store_file,
        name="bench",
        topic=task.topic,
        parts=(
            ApnsPart(
                payload=PERSONAL_PAYLOAD,
                options=ApnsOptions(task.topic, endpoint.authority),
                endpoint=endpoint,
                key_file=Path(task.key_file),
                key_id=task.key_id,
                team_id=task.team_id,
            ),
        ),
        ca_file=Path(task.ca_file),
        pool=PoolOptions(task.connections, stall_timeout_s=STALL_TIMEOUT_S),
    )
    answer(lambda: run_campaign(options).accepted)


def main() -> None:
    """Do what the task says."""
    task = read_task()
    if task.store_file is None:
        send_from_memory(task)
    else:
        send_campaign(task, Path(task.store_file))


if __name__ == "__main__":
    main()
