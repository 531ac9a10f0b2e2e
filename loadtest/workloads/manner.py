"""How the senders of one kind of user differ from the reference sender as the campaign has it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loadtest.source import PopulationSource
from sender.credential import Credential
from sender.delivery import Delivery
from sender.fcm.message_template import MessageTemplate
from sender.provider import Provider as SenderProvider
from sender.template import Template
from simulator.devices.draws import Devices
from simulator.devices.fates import Fate, Provider

PUSH = "push"
"""The part of a campaign that its ordinary users send."""

Attributes = Callable[[int, int], bytes]
"""The attributes of a device by index and person, see `PopulationSource`."""


def reference_delivery(provider: SenderProvider, credential: Credential, draw: Callable[[], float]) -> Delivery:
    """As the reference sender does it."""
    return Delivery(provider, credential, draw=draw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What is not said is the campaign's.

    `population`: the same devices with other fates. `payload`, `message`: of APNs and FCM. `attributes`: of devices, for what
    takes the place of them in payload and message. `credential`: makes one for a user of its own, out of what makes fresh
    ones. `connections`: to each provider; `streams_max`: at a time on one of them. `delivery`: what becomes of answers.
    `source`: where notifications come from, and results go. `explains`: reasons of rejections that belong to the workload.
    """

    population: Devices | None = None
    payload: Template | None = None
    message: MessageTemplate | None = None
    attributes: Mapping[Provider, Attributes] = field(default_factory=dict)
    credential: Callable[[Callable[[], Credential]], Credential] | None = None
    connections: int | None = None
    streams_max: int | None = None
    delivery: Callable[[SenderProvider, Credential, Callable[[], float]], Delivery] = reference_delivery
    source: type[PopulationSource] = PopulationSource
    explains: frozenset[str] = frozenset()


DEFAULT_MANNER = Manner()

UNREGISTERED = frozenset(filter(None, (Fate.UNREGISTERED.reason, Fate.UNREGISTERED.error_code)))
"""What either provider says of a device that is gone."""
