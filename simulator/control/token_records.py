"""What `/api/v1/tokens` takes and answers with, for tokens of both providers."""

from typing import Annotated, Literal

import msgspec

from simulator.clock import INSTANT_MS_MAX
from simulator.devices.fates import Fate

TOKENS_MINTED_MAX = 10_000  # in one call; `pushrig tokens` mints millions

Instant = Annotated[int, msgspec.Meta(ge=0, le=INSTANT_MS_MAX)]
ProviderName = Literal["apns", "fcm"]
PlatformName = Literal["android", "ios", "web"]
EnvironmentName = Literal["production", "sandbox"]


class Registration(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Devices to register: fresh tokens at each call.

    `provider`: whose tokens. `topic`: the app's bundle id; with FCM, whose tokens carry none, the rig's or left out. `fate`:
    what becomes of them. `environment`: of APNs, production (default) or sandbox. `platform`: of FCM, android (default), ios
    or web. `seed`: of a population of your own; left out, of the rig's, which the ledger then knows as declared.
    """

    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    fate: str = Fate.ACTIVE.wire_name
    count: Annotated[int, msgspec.Meta(ge=1, le=TOKENS_MINTED_MAX)] = 1
    provider: ProviderName = "apns"
    environment: EnvironmentName | None = None
    platform: PlatformName | None = None
    seed: Annotated[int, msgspec.Meta(ge=0)] | None = None


class RegisteredDevice(msgspec.Struct, frozen=True):
    """One device. `registered_at_ms`: since the Unix epoch."""

    token: str
    index: int
    registered_at_ms: int


class RegistrationAnswer(msgspec.Struct, frozen=True):
    """The registered devices, of indices in a row. `environment`: of APNs, else null. `platform`: of FCM, else null."""

    seed: int
    provider: ProviderName
    topic: str
    fate: str
    environment: str | None
    platform: str | None
    devices: list[RegisteredDevice]


class StateChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`state`: a fate that can be set by hand. `since_ms`: since the Unix epoch; default now by the rig's clock."""

    state: str
    since_ms: Instant | None = None


class SealedFacts(msgspec.Struct, frozen=True):
    """What a synthetic token carries.

    `died_at_ms`: since the Unix epoch; null where its fate has no instant. `environment`, `topic_tag`: of APNs's tokens.
    `platform`: of FCM's. They are null in those of the other.
    """

    seed: int
    index: int
    fate: str
    died_at_ms: int | None
    environment: str | None
    topic_tag: str | None
    platform: str | None


class StateShown(msgspec.Struct, frozen=True):
    """A state set by hand, over what the token says of itself. `since_ms`: since the Unix epoch."""

    state: str
    since_ms: int


class ExpectedAnswer(msgspec.Struct, frozen=True):
    """The answer to a faultless notification, while the provider is in order and no rate is exceeded.

    For the topic and in the environment of an APNs token's population. `reason`: of FCM the `errorCode`.
    """

    status: int
    reason: str | None
    timestamp_ms: int | None


class LedgerMark(msgspec.Struct, frozen=True):
    """The device in the running round. `accepted`: how often, where 2 stands for any more; `rejected`: ever."""

    accepted: int
    rejected: bool


class SeatFacts(msgspec.Struct, frozen=True):
    """The APNs token that a registration of iOS sits on."""

    token: str
    topic: str
    environment: str


class RegistrationFacts(msgspec.Struct, frozen=True):
    """What FCM knows of a registration.

    `fid`: its installation id, null for tokens without one. `platform`: foreign ones count as Android's. `imported`: it was
    made of an APNs token. `topics`: the first that it follows, of `topics_count`.
    """

    fid: str | None
    platform: str
    imported: bool
    apns: SeatFacts | None
    topics_count: int
    topics: list[str]


class TokenAnswer(msgspec.Struct, frozen=True):
    """What the rig knows of a token.

    `sealed`, `ledger`: null for a foreign one; `state_set`: null when none is; `registration`: null for APNs's.
    """

    token: str
    provider: ProviderName
    sealed: SealedFacts | None
    state_set: StateShown | None
    answer: ExpectedAnswer
    ledger: LedgerMark | None
    registration: RegistrationFacts | None
