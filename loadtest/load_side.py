"""What one user of a load test sends over one provider: its notifications, its credential, connections of its own."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from loadtest.arrival_source import ArrivalSource, OpenBatch, Settled
from loadtest.load_settings import FcmSettings, LoadSettings, connections_to
from loadtest.source import PopulationSource
from loadtest.tally import final_latency_ms
from loadtest.workloads.manner import DEFAULT_MANNER, Manner
from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.credential import Credential
from sender.delivery import Counts, Delivery
from sender.fcm.access_token import AccessTokenSource
from sender.fcm.message_template import MessageTemplate
from sender.fcm.message_template import compile as compile_message
from sender.fcm.messages import FcmOptions
from sender.fcm.provider import FcmProvider
from sender.gevent_shell import GeventRun
from sender.lane import LaneOptions
from sender.pool import PoolOptions
from sender.provider import Provider as SenderProvider
from sender.store.records import Due, State
from sender.template import Refusal, Template
from simulator.devices.fates import Provider

STALL_TIMEOUT_S = 30.0

_PAYLOAD_START = (
    b'{"aps":{"alert":{"title":"Sale starts now","body":"20% off until Friday"},"sound":"default"},"device":'
)
OWN_MESSAGE = compile_message(
    b'{"notification":{"title":"Sale starts now","body":"20% off until Friday"},"data":{"campaign":"black-friday"}}'
)


class SideSettings(NamedTuple):
    """What all users share of one provider. `credential`: one for all connections of this process.

    `personalised`: payloads are made of the attributes of devices. `fresh_credential`: makes further ones.
    """

    provider: Provider
    credential: Credential
    personalised: bool
    fresh_credential: Callable[[], Credential]


class Counted(NamedTuple):
    """What a sender counted over one provider for a while. `given_up`: by reason, of those that were on their way.

    `latency_ms`: of final answers, from the scheduled instant where there is one, else from sending.
    """

    counts: Counts
    given_up: Counter[str]
    latency_ms: Mapping[int, int]


def sides_of(settings: LoadSettings) -> list[SideSettings]:
    """One for each provider that takes part. Raises LoadSettingsError for a credential that cannot be used."""
    sides = []
    if settings.apns is not None:
        personalised = settings.apns.template is not None
        fresh: Callable[[], Credential] = settings.apns.provider_token
        sides.append(SideSettings(Provider.APNS, fresh(), personalised, fresh))
    if settings.fcm is not None:
        fresh = partial(AccessTokenSource, settings.fcm.account)
        sides.append(SideSettings(Provider.FCM, fresh(), settings.fcm.template is not None, fresh))
    return sides


class Side:
    """One user's connections to one provider, kept from batch to batch. `run`, `source`: see `GeventRun`.

    `manner`: how it sends.
    """

    def __init__(
        self,
        settings: LoadSettings,
        side: SideSettings,
        campaign_key: int,
        make_run: Callable[[Delivery, PopulationSource, PoolOptions, Callable[[], float]], GeventRun],
        on_settled: Callable[[Provider, Settled], int] | None = None,
        manner: Manner = DEFAULT_MANNER,
    ) -> None:
        draw = random.Random(campaign_key).random
        self.provider = side.provider
        credential = side.credential if manner.credential is None else manner.credential(side.fresh_credential)
        self.delivery = manner.delivery(_provider(settings, side.provider, campaign_key, manner), credential, draw)
        population = manner.population or settings.population
        attributes = manner.attributes.get(side.provider) or (
            _attributes_of_people(settings.population.seed) if side.personalised else _index_as_attributes
        )
        self.arrivals: ArrivalSource | None = None
        if on_settled is not None:
            self.arrivals = ArrivalSource(
                population,
                provider=side.provider,
                attributes=attributes,
                on_settled=partial(on_settled, side.provider),
            )
        self.source = self.arrivals or manner.source(population, stop=0, provider=side.provider, attributes=attributes)
        connections = manner.connections or connections_to(side.provider, settings.connections_per_user)
        lane = LaneOptions() if manner.streams_max is None else LaneOptions(streams_max=manner.streams_max)
        pool = PoolOptions(connections=connections, stall_timeout_s=STALL_TIMEOUT_S, lane=lane)
        self.run = make_run(self.delivery, self.source, pool, draw)

    @property
    def open(self) -> dict[int, OpenBatch | None]:
        """The indices taken on that have no final result, with their batches in an open loop."""
        delivery, ended = self.delivery, set()
        found: dict[int, OpenBatch | None] = {}
        for outcome in delivery.outcomes:  # not exchanged yet
            if outcome.state is State.WAITING:
                found[outcome.device_id] = None
            else:
                ended.add(outcome.device_id)
        if self.arrivals is not None:
            return {index: batch for index, batch in self.arrivals.batches.items() if index not in ended}
        found |= dict.fromkeys(due.device_id for due in (*delivery.ready, *self.run.in_flight))
        return found | dict.fromkeys(self.source.open)

    @property
    def sent(self) -> set[int]:
        """The indices that were sent, and whose result the source does not have yet."""
        found = {due.device_id for due in self.run.in_flight}
        return found.union(outcome.device_id for outcome in self.delivery.outcomes)

    def withdraw(self) -> None:
        """Let go of all that was not sent, which somebody else sends; the run ends with the last answer."""
        self.delivery.take_back()
        self.source.forget_unclaimed()
        if self.arrivals is not None:
            self.arrivals.forget_all_but(self.sent)
            self.arrivals.end()
        self.run.wake()

    def take_counts(self) -> Counted | None:
        """What was counted since the last call; None for nothing."""
        counts, given_up, arrivals = self.delivery.counts, self.source.given_up, self.arrivals
        if counts == Counts() and not given_up and (arrivals is None or not arrivals.latency_ms):
            return None
        self.delivery.counts, self.source.given_up = Counts(), Counter()
        if arrivals is None:
            return Counted(counts, given_up, final_latency_ms(counts))
        latency_ms, arrivals.latency_ms = arrivals.latency_ms, Counter()
        return Counted(counts, given_up, latency_ms)


def _provider(settings: LoadSettings, provider: Provider, campaign_key: int, manner: Manner) -> SenderProvider:
    if provider is Provider.APNS:
        assert settings.apns is not None
        return _apns(settings, manner.payload or settings.apns.template, campaign_key)
    assert settings.fcm is not None
    return _fcm(settings, settings.fcm, manner.message or settings.fcm.template, campaign_key)


def _apns(settings: LoadSettings, template: Template | None, campaign_key: int) -> SenderProvider:
    payload_of = _own_payload if template is None else template.payload_of
    return ApnsProvider(ApnsOptions(settings.population.topic, settings.endpoint.authority), campaign_key, payload_of)


def _fcm(
    settings: LoadSettings, fcm: FcmSettings, template: MessageTemplate | None, campaign_key: int
) -> SenderProvider:
    template = template or OWN_MESSAGE
    options = FcmOptions(fcm.account.project_id, settings.endpoint.authority)
    return FcmProvider(options, template.bodies(campaign_key), personalised=bool(template.names))


def _own_payload(due: Due) -> bytes | Refusal:
    return _PAYLOAD_START + due[4] + b"}"


def _index_as_attributes(index: int, person: int) -> bytes:
    return b"%d" % index


def _attributes_of_people(seed: int) -> Callable[[int, int], bytes]:
    from loadtest.population import people_of

    encoded = people_of(seed).encoded
    return lambda index, person: encoded[person % len(encoded)]
