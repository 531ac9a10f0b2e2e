"""A send that FCM takes, in parts to be spoiled one by one, and a simulator to send it to."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec

from simulator.clock import Clock
from simulator.counters import Counters
from simulator.devices.fates import Fate
from simulator.devices.registration_space import (
    Platform,
    SealedRegistration,
    fid_of,
    kind_of_registration,
    seal_registration,
)
from simulator.fcm.judge import Verdict, judge
from simulator.fcm.service import FcmService
from simulator.fcm.state import FcmState
from simulator.http_answer import HttpAnswer
from simulator.journal import Entry, Journal, Wanted
from simulator.ledger import Ledger
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import OFF
from simulator.rig import Rig
from tests.apns.valid_push import apns_state
from tests.fcm.fcm_state import fcm_state
from tests.fcm.service_account import MESSAGING, NOW_S, PROJECT_ID, Chance, access_tokens
from wire.request import Head, Request

SEED = 7
PATH = f"/v1/projects/{PROJECT_ID}/messages:send"
CONNECTION_ID = 11
STREAM_ID = 5


@cache
def access_token(scope: str = MESSAGING) -> str:
    """One of the test account's, minted at NOW_S; any `AccessTokens` of that account reads it."""
    return access_tokens().mint(scope, NOW_S)


def token_of(index: int, fate: Fate = Fate.ACTIVE, platform: Platform = Platform.ANDROID) -> str:
    """The token of a registration of the population SEED."""
    return seal_registration(SealedRegistration(kind_of_registration(platform, fate), SEED, index))


def fid(token: str) -> str:
    """The FID that a token begins with."""
    found = fid_of(token.encode())
    assert found is not None
    return found.decode()


def rates_of(**kept: object) -> RateLimits:
    """These rates and no others."""
    return RateLimits.of(msgspec.structs.replace(OFF, **kept))


@dataclass(frozen=True)
class Send:
    """One send in parts. `message`: the fields of the Message, without its target, which is `target`; `body`: instead of it
    all. `authorization`: None leaves the field out."""

    method: str = "POST"
    path: str = PATH
    query: str = ""
    authorization: str | None = field(default_factory=lambda: f"Bearer {access_token()}")
    target: tuple[str, str] | None = ("token", token_of(1))
    message: dict[str, Any] = field(default_factory=lambda: {"notification": {"title": "Hello"}, "data": {"kind": "a"}})
    more: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None

    def to(self, kind: str, text: str) -> "Send":
        """The same to another target."""
        return replace(self, target=(kind, text))

    def having(self, **message: Any) -> "Send":
        """The same with more in its message."""
        return replace(self, message={**self.message, **message})

    @property
    def dry(self) -> "Send":
        """The same with `validate_only`."""
        return replace(self, more={**self.more, "validate_only": True})

    def head(self) -> Head:
        fields = [(b":method", self.method.encode()), (b":scheme", b"https")]
        fields += [(b":authority", b"fcm.googleapis.com"), (b":path", b"")]
        if self.authorization is not None:
            fields.append((b"authorization", self.authorization.encode()))
        return Head(tuple(fields))

    def request(self, head: Head | None = None) -> Request:
        body = self.body
        if body is None:
            message = {**({} if self.target is None else dict([self.target])), **self.message}
            body = json.dumps({"message": message, **self.more}).encode()
        path = self.path + (f"?{self.query}" if self.query else "")
        return Request(STREAM_ID, head or self.head(), (path.encode(), None), body)


@dataclass
class Bench:
    """One simulator that moves its clock by hand. Without rates, as the tests of rates give them."""

    now_s: float = NOW_S

    def __post_init__(self) -> None:
        apns = apns_state()
        self.rig = Rig(
            Clock(lambda: self.now_s), apns.overlay, Ledger(), Journal(1_000), Counters(), apns, fcm_state(apns)
        )
        self.service = FcmService(self.rig, Chance())

    @property
    def fcm(self) -> FcmState:
        return self.rig.fcm

    def judge(self, send: Send, head: Head | None = None) -> Verdict:
        """The verdict alone."""
        project = send.path.removeprefix("/v1/projects/").removesuffix("/messages:send")
        return judge(send.request(head), project, self.fcm, self.now_s)

    def send(self, send: Send, head: Head | None = None) -> HttpAnswer:
        """The answer, and all that comes of it."""
        answer = self.service.answer(send.request(head), CONNECTION_ID, self.now_s)
        self.service.settle()
        return answer

    def deliver(self) -> int:
        """Bring all messages to topics to their ends; returns in how many slices."""
        slices = 0
        while self.service.delivering:
            self.service.deliver_slice()
            slices += 1
        return slices

    def rows(self) -> list[Entry]:
        """What the journal holds, oldest first."""
        return [each.entry for each in self.rig.journal.search(Wanted(), 1_000, newest_first=False).entries]

    def mark(self, index: int) -> tuple[int, bool]:
        """What the ledger knows of a registration of SEED: how often accepted, whether ever rejected."""
        return self.rig.ledger.mark(SEED, index)
