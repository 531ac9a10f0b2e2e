"""Topics and conditions of FCM: each batch of devices follows a topic, and is reached by one message."""

import random
import ssl
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import gevent
from locust import tag, task

from loadtest.batch_sender import BatchSender
from loadtest.errors import LoadSettingsError
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_settings import LoadSettings
from loadtest.load_side import OWN_MESSAGE, Counted
from loadtest.locust_statistics import record_part
from loadtest.source import PopulationSource
from loadtest.users import BatchUser
from loadtest.workloads.manner import Manner
from loadtest.workloads.options import TARGETS, WorkloadOptions
from loadtest.workloads.subscribing import RENEWED_STATUS, Called, subscribe
from sender.client_tls import trusting
from sender.delivery import Counts
from sender.fcm.message_template import MessageTemplate
from sender.fcm.topic_subscription import HEADER_FIELDS, PATH
from sender.store.records import Due
from sender.template import Refusal
from sender.token_fetch import post
from simulator.devices.fates import Fate, Provider

Key = TypeVar("Key", str, int)

SUBSCRIBE = "subscribe"
CREDENTIAL_POLL_S = 0.02

_REFUSED_FATES = {
    "NOT_FOUND": (Fate.UNREGISTERED, Fate.STALE),
    "PERMISSION_DENIED": (Fate.OTHER_SENDER,),
    "INVALID_ARGUMENT": (Fate.INVALID_SHAPE,),
}
"""What the Instance ID service says of devices of a fate that are to follow a topic."""


class Plan(NamedTuple):
    """How a batch is reached. `topics`: each with the devices that follow it; `target`: the topic, or the condition."""

    topics: list[tuple[str, range]]
    target: str
    kind: str


def plan_of(seed: int, indices: range, kind: str) -> Plan:
    """One topic, or two halves that a condition brings together again. Names are those of the devices: `load-7-2000`."""
    name = f"load-{seed}-{indices.start}"
    if kind == "topic":
        return Plan([(name, indices)], name, kind)
    middle = len(indices) // 2
    topics = [(f"{name}-a", indices[:middle]), (f"{name}-b", indices[middle:])]
    return Plan([each for each in topics if each[1]], f"'{name}-a' in topics || '{name}-b' in topics", kind)


class TargetedMessage(MessageTemplate):
    """A message for topics and conditions: what a notification has as its token says which."""

    def __init__(self, message: MessageTemplate) -> None:
        self.names = message.names
        self._message = message

    def bodies(self, campaign_key: int, target: str = "token") -> Callable[[Due], bytes | Refusal]:
        topic, condition = (self._message.bodies(campaign_key, each) for each in ("topic", "condition"))
        return lambda due: (condition if " in topics" in due.token else topic)(due)


class TopicSource(PopulationSource):
    """One notification for the index that is taken on, to `target`."""

    target = ""

    def _mint(self, start: int, stop: int) -> list[Due]:
        return [Due(index, self.target, 0, 0, b"{}") for index in range(start, stop)]


class TopicsUser(BatchUser):
    """Has each batch of devices follow a topic, or its halves two, and sends one message to that topic or condition.

    Devices count as notifications: accepted with the message that reaches them, rejected where they cannot follow a topic.
    """

    part = "topics"
    needs_batches = True

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        if settings.fcm is None or settings.apns is not None:
            raise LoadSettingsError("--provider", f"{cls.__name__} sends to topics of FCM: give fcm")
        if options.topic_target not in TARGETS:
            raise LoadSettingsError("--topic-target", f"must be one of {', '.join(TARGETS)}")
        message = settings.fcm.template or OWN_MESSAGE
        if message.names:
            raise LoadSettingsError("--message", "a topic has no attributes: leave the placeholders out")
        met = {fate for fate, share in settings.population.fates if share}
        explains = frozenset(_reason(error) for error, fates in _REFUSED_FATES.items() if met.intersection(fates))
        return Manner(message=TargetedMessage(message), source=TopicSource, connections=1, explains=explains)

    def begin(self, campaign: LoadCampaign, manner: Manner) -> None:
        options = self.environment.parsed_options
        assert options is not None
        self._target: str = options.topic_target
        self._tls: ssl.SSLContext = trusting(campaign.settings.ca_file)
        self._reached = 0  # devices, by the message that is under way
        super().begin(campaign, manner)

    def send(self, sender: BatchSender, indices: range) -> BatchResult:
        campaign = self.campaign
        assert campaign is not None
        settings, began_s = campaign.settings, campaign.now()
        in_turn = ("topic", "condition")[indices.start // settings.batch_size % 2]
        plan = plan_of(settings.population.seed, indices, in_turn if self._target == "both" else self._target)
        self.part = plan.kind
        campaign.begin_part(self.part)
        refused, without_answer = self._subscribe(sender, plan)
        self._reached = len(indices) - refused.total() - without_answer.total()
        stopped = None
        if self._reached:
            [side] = sender.sides
            assert isinstance(side.source, TopicSource)
            side.source.target = plan.target
            stopped = sender.send(range(indices.start, indices.start + 1)).stopped
        else:
            campaign.sends(indices)
        self._count_refused(campaign, refused, without_answer)
        missing = without_answer.total()
        incomplete = stopped or (f"{missing} devices could not be subscribed" if missing else None)
        return BatchResult(campaign.now() - began_s, incomplete, stopped)

    def _subscribe(self, sender: BatchSender, plan: Plan) -> tuple[Counter[str], Counter[str]]:
        """Have all of a batch follow their topics. Returns who cannot, and who got no answer, by reason."""
        campaign = self.campaign
        assert campaign is not None
        refused, without_answer = Counter[str](), Counter[str]()
        for topic, indices in plan.topics:
            tokens = [each.token for each in campaign.settings.population.mint_range(indices.start, indices.stop)]
            subscribed = subscribe(topic, tokens, lambda body: self._call(sender, body), gevent.sleep)
            for error, final in zip(subscribed.errors, subscribed.final, strict=True):
                if error:
                    (refused if final else without_answer)[_reason(error)] += 1
        return refused, without_answer

    def _call(self, sender: BatchSender, body: bytes) -> Called:
        """One call of the Instance ID service, in a thread: it would hold up all greenlets."""
        campaign = self.campaign
        assert campaign is not None
        credential = sender.sides[0].delivery.credential
        threads = gevent.get_hub().threadpool
        while (authorization := credential.text(campaign.now())) is None:
            if campaign.stopped is not None or credential.refused is not None:
                campaign.stopped = campaign.stopped or credential.refused
                return Called(0, b"")
            request = credential.request(campaign.now())
            if request is None:
                gevent.sleep(CREDENTIAL_POLL_S)  # somebody else asks
            else:
                answer = threads.apply(campaign.fetch, (request,))
                credential.answered(answer, campaign.now(), random.random())
        endpoint, began_s = campaign.settings.endpoint, campaign.now()
        url = f"{'https' if endpoint.tls else 'http'}://{endpoint.authority}{PATH}"
        answer = threads.apply(post, (url, body, HEADER_FIELDS | {"authorization": authorization.decode()}, self._tls))
        now_s = campaign.now()
        if answer.status == RENEWED_STATUS:
            credential.renew(authorization, now_s)
        failed, latency_ms = int(answer.status != 200), {int((now_s - began_s) * 1000): 1}
        record_part(self.environment.stats, Provider.FCM.name, SUBSCRIBE, 1, failed, latency_ms, now_s)
        return Called(answer.status, answer.body)

    def count(self, provider: Provider, counted: Counted) -> None:
        """What became of the message became of all its devices."""
        times, counts = self._reached, counted.counts
        super().count(
            provider,
            Counted(
                Counts(
                    sent=counts.sent,
                    accepted=counts.accepted * times,
                    retried=counts.retried,
                    unprocessed=counts.unprocessed,
                    timed_out=counts.timed_out,
                    connections_lost=counts.connections_lost,
                    rejected=_times(counts.rejected, times),
                    latency_ms=_times(counts.latency_ms, times),
                    latency_not_final_ms=_times(counts.latency_not_final_ms, times),
                ),
                _times(counted.given_up, times),
                {latency_ms: count * times for latency_ms, count in counted.latency_ms.items()},
            ),
        )

    def _count_refused(self, campaign: LoadCampaign, refused: Counter[str], without_answer: Counter[str]) -> None:
        if refused or without_answer:
            super().count(Provider.FCM, Counted(Counts(rejected=refused), without_answer, {}))
        # Tokens that are none, no ledger knows anyway.
        campaign.tally.outside_ledger += refused.total() - refused[_reason("INVALID_ARGUMENT")]

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch."""
        self.send_next_batch()


def _reason(error: str) -> str:
    return f"{SUBSCRIBE}: {error}"


def _times(counts: Counter[Key], times: int) -> Counter[Key]:
    return Counter({key: count * times for key, count in counts.items()})
