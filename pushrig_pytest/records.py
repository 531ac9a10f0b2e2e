"""What a simulator tells its tests, as records. Read from the JSON of its control API; fields it has beyond these are left."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device. `registered_at_ms`: since the Unix epoch. `index`: its place in the ledger."""

    token: str
    index: int
    registered_at_ms: int


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification as it came, and its answer.

    `number`: 1 for the first that the simulator ever took. `at_ms`: since the Unix epoch, by the simulator's clock.
    `provider`: "apns" or "fcm". `status`, `reason`: of the answer; the reason is None when it was accepted, and FCM's
    `errorCode`. `headers`: as sent, names lower-case; what proves a credential is withheld.

    Of APNs: `environment`, `topic` (the app) and `apns_id` (of the answer). Of FCM: `token` is the target, whatever its kind;
    `topic` the topic that it was sent to, and `message_id` that of the answer. What the other one has is None. A message to a
    topic is one notification, and one more for each registration that it is delivered to.
    """

    number: int
    at_ms: int
    provider: str
    environment: str | None
    status: int
    reason: str | None
    token: str
    topic: str | None
    apns_id: str | None
    message_id: str | None
    connection_id: int
    stream_id: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def accepted(self) -> bool:
        """Answered with 200."""
        return self.reason is None

    @property
    def payload(self) -> Any:
        """The body read as JSON, in whatever shape the sender gave it. Raises ValueError where it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class PopulationLedger:
    """What became of the devices of one seed: `accepted_once + accepted_more + rejected + never` is `count`.

    `rejected`: answered, never accepted. `count`, `never`: None where no count was declared. `outside`: indices answered
    that are not of the declared ones. `answers_by_reason`: each rejection counted.
    """

    seed: int
    count: int | None
    accepted_once: int
    accepted_more: int
    rejected: int
    never: int | None
    outside: int
    answers_by_reason: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every device in the running round. The properties sum up all populations."""

    round: int
    untracked: int
    populations: tuple[PopulationLedger, ...]

    @property
    def accepted_once(self) -> int:
        """Devices that got exactly one notification."""
        return sum(each.accepted_once for each in self.populations)

    @property
    def accepted_more(self) -> int:
        """Devices that got more than one."""
        return sum(each.accepted_more for each in self.populations)

    @property
    def rejected(self) -> int:
        """Devices whose notifications were all rejected."""
        return sum(each.rejected for each in self.populations)

    @property
    def never(self) -> int:
        """Registered devices that nothing was sent to."""
        return sum(each.never or 0 for each in self.populations)


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts at the provider port since the last reset; `connections_open` is what is open now.

    `topic_deliveries`: of messages to FCM's topics, each of which is one notification. `google_calls`: requests to Google but
    for sending, by service: `token`, `instance-id`, `topic-subscriptions`, `unknown`.
    """

    notifications: int
    accepted: int
    rejected: int
    rejected_by_reason: Mapping[str, int]
    topic_deliveries: int
    topic_deliveries_refused: int
    google_calls: Mapping[str, int]
    connections_open: int
    connections_total: int
    handshakes_failed: int
    streams: int
    bytes_in: int
    bytes_out: int
    resets_received: int
    resets_sent: int
    goaways_received: int
    goaways_sent: int
    header_lists_refused: int
    protocol_errors: int
    limits_reached: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FcmProject:
    """FCM's project as it stands.

    `subscriptions`, `topics`: how many there are. `imported_registrations`: made of APNs tokens. `fan_outs_waiting`: messages
    to topics that are not delivered yet.
    """

    project_id: str
    project_number: str
    api_enabled: bool
    apns_credential: str
    subscriptions: int
    topics: int
    imported_registrations: int
    fan_outs_waiting: int


Record = TypeVar("Record", PopulationLedger, Stats, Device, FcmProject)


def record_from(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """The fields that `kind` has, out of an answer that may have more."""
    return kind(**{each.name: values[each.name] for each in fields(kind)})


def notification_from(item: Mapping[str, Any]) -> Notification:
    """A notification out of an answer of `notifications`."""
    values = {each.name: item[each.name] for each in fields(Notification)}
    text = item["body"]
    values["body"] = b64decode(text) if item["body_encoding"] == "base64" else text.encode()
    return Notification(**values)


def ledger_from(answer: Mapping[str, Any]) -> Ledger:
    """The ledger out of an answer of `ledger`."""
    populations = tuple(record_from(PopulationLedger, each) for each in answer["populations"])
    return Ledger(answer["round"], answer["untracked"], populations)
