"""One project with registrations of every kind, for tests of what is done with them; and requests that are in order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from simulator.apns.state import UnknownTokens
from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, SealedRegistration, kind_of_registration, seal_registration
from simulator.fcm.access_token import AccessTokens
from simulator.fcm.registrations import Registrations
from simulator.fcm.subscriptions import Subscriptions
from simulator.rates.bucket import Bucket
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import BucketRate
from simulator.registry import Registry
from tests.fcm.service_account import MESSAGING, NOW_S, PROJECT_ID, access_tokens
from wire.request import Head, Request

PROJECT_NUMBER: Final = "123456789012"
APPLICATION: Final = "com.example.app"

FOREIGN: Final = b"dXZ" + b"a" * 19 + b":APA91b" + b"Q" * 134
OLD: Final = b"nKctODamlM4:APA91b" + b"Q" * 156
GCM: Final = b"APA91b" + b"Q" * 140
MALFORMED: Final = b"not a token"


@cache
def registration_token(fate: Fate = Fate.ACTIVE, platform: Platform = Platform.ANDROID, index: int = 7) -> bytes:
    """A synthetic registration token."""
    return seal_registration(SealedRegistration(kind_of_registration(platform, fate), 1, index)).encode()


TOKEN: Final = registration_token()
FID: Final = TOKEN[:22]


def one_change_in(per_s: float) -> RateLimits:
    """One request that changes subscriptions passes at once, the next after `per_s`."""
    return RateLimits(topic_changes=Bucket(BucketRate(count=1, per_s=per_s)))


@dataclass(frozen=True)
class Project:
    project_id: str = PROJECT_ID
    project_number: str = PROJECT_NUMBER


@dataclass
class FcmBench:
    """The state of one project at one instant."""

    access: AccessTokens = field(default_factory=access_tokens)
    registrations: Registrations = field(default_factory=Registrations)
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    rates: RateLimits = field(default_factory=RateLimits)
    unknown_tokens: UnknownTokens = UnknownTokens.ACCEPT
    project: Project = field(default_factory=Project)
    application: str = APPLICATION
    api_enabled: bool = True
    now_s: float = NOW_S

    def __post_init__(self) -> None:
        self.overlay = Registry(key_of=self.registrations.key_of)

    def topics_of(self, token: bytes) -> list[str]:
        registration = self.registrations.find(token)
        assert registration is not None
        return [each.topic for each in self.subscriptions.of_registration(registration.key)]

    def bearer(self, scope: str = MESSAGING) -> bytes:
        return b"Bearer " + self.access.mint(scope, self.now_s).encode()


@dataclass(frozen=True)
class Call:
    """A request in parts; a header of None is left out. `json`: the body, unless `body` says otherwise."""

    path: str
    method: str = "POST"
    authorization: bytes | None = b""
    access_token_auth: bytes | None = b"true"
    json: Any = None
    body: bytes | None = None

    def request(self) -> Request:
        fields = (
            (b":method", self.method.encode()),
            (b":path", b""),
            (b"authorization", self.authorization),
            (b"access_token_auth", self.access_token_auth),
        )
        body = self.body if self.body is not None else b"" if self.json is None else json.dumps(self.json).encode()
        head = Head(tuple((name, value) for name, value in fields if value is not None))
        return Request(1, head, (self.path.encode(), None), body)

    def with_json(self, **changed: Any) -> "Call":
        """The same with fields of the body changed; None leaves one out."""
        assert isinstance(self.json, Mapping)
        fields = {name: value for name, value in {**self.json, **changed}.items() if value is not None}
        return replace(self, json=fields)
