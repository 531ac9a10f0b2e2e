"""A push that is accepted, to be spoiled in one place by each test."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from simulator.apns.judge import Verdict, judge
from simulator.apns.keys import ProviderKey
from simulator.apns.link import Link
from simulator.apns.state import ApnsState
from simulator.devices.fates import Fate
from simulator.devices.token_space import Environment, SealedToken, kind_of, seal, topic_tag, unseal
from simulator.registry import Registry
from wire.request import Head, Request

NOW_S: Final = 1_790_000_000.0
TEAM, KEY_ID, RELATED_KEY_ID, OTHER_KEY_ID = "TEAM000001", "KEY0000001", "KEYRELATED", "KEY0000002"
OTHER_TEAM, OTHER_TEAM_KEY_ID, SANDBOX_KEY_ID, TOPIC_KEY_ID = "TEAM000002", "KEY0000003", "KEYSANDBOX", "KEYTOPICAL"
UNKNOWN_KEY_ID = "KEYUNKNOWN"
TOPIC: Final = b"com.example.app"
APNS_ID: Final = b"d917ca4b-ae9f-4549-45f7-0123456789ab"
BODY: Final = b'{"aps":{"alert":"Hello"}}'
INSTANT_S: Final = 1234

PRIVATE_KEY: Final = derive_private_key(0xC0FFEE, SECP256R1())
OTHER_PRIVATE_KEY: Final = derive_private_key(0xDECAF, SECP256R1())


def segment(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def sign(signed_part: bytes, private_key: EllipticCurvePrivateKey, der: bool = False) -> bytes:
    signature = private_key.sign(signed_part, ECDSA(SHA256()))
    if der:
        return signature
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def jwt_of(
    header: bytes, claims: bytes, private_key: EllipticCurvePrivateKey = PRIVATE_KEY, der: bool = False
) -> bytes:
    """A signed token of any header and claims."""
    signed_part = segment(header) + b"." + segment(claims)
    return signed_part + b"." + segment(sign(signed_part, private_key, der))


@cache
def jwt(
    team_id: str = TEAM,
    key_id: str = KEY_ID,
    issued_at_s: object = int(NOW_S) - 60,
    private_key: EllipticCurvePrivateKey = PRIVATE_KEY,
    der: bool = False,
) -> bytes:
    """A signed token; the same text each time, though signing draws a random number."""
    header = json.dumps({"alg": "ES256", "kid": key_id}).encode()
    return jwt_of(header, json.dumps({"iss": team_id, "iat": issued_at_s}).encode(), private_key, der)


JWT: Final = jwt()


def device_token(
    fate: Fate = Fate.ACTIVE,
    topic: bytes = TOPIC,
    environment: Environment = Environment.PRODUCTION,
    instant_s: int = INSTANT_S,
    index: int = 7,
) -> bytes:
    return seal(SealedToken(kind_of(environment, fate), 1, index, instant_s, topic_tag(topic))).encode()


TOKEN: Final = device_token()
FOREIGN_TOKEN: Final = b"ab" * 32


def apns_state() -> ApnsState:
    """State that knows all the keys above; they share one private key, but for the other team's."""
    state = ApnsState(overlay=Registry(), clock_offset_s=lambda: 0.0)
    public_key = PRIVATE_KEY.public_key()
    for key in (
        ProviderKey(TEAM, KEY_ID, public_key, related_key_id=RELATED_KEY_ID),
        ProviderKey(TEAM, RELATED_KEY_ID, public_key),
        ProviderKey(TEAM, OTHER_KEY_ID, public_key),
        ProviderKey(TEAM, SANDBOX_KEY_ID, public_key, Environment.SANDBOX),
        ProviderKey(TEAM, TOPIC_KEY_ID, public_key, Environment.PRODUCTION, frozenset({b"com.example.other"})),
        ProviderKey(OTHER_TEAM, OTHER_TEAM_KEY_ID, OTHER_PRIVATE_KEY.public_key()),
    ):
        state.add_key(key)
    return state


def new_link() -> Link:
    return Link.opened("api.push.apple.com", Environment.PRODUCTION)


@dataclass(frozen=True)
class Push:
    """One push in parts; a header of None is left out, `more` comes after the others."""

    method: bytes = b"POST"
    path: bytes | None = b"/3/device/" + TOKEN
    authorization: bytes | None = b"bearer " + JWT
    apns_id: bytes | None = APNS_ID
    topic: bytes | None = TOPIC
    push_type: bytes | None = b"alert"
    priority: bytes | None = b"10"
    expiration: bytes | None = b"0"
    collapse_id: bytes | None = b"greeting"
    more: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = BODY

    def head(self) -> Head:
        fields = (
            (b":method", self.method),
            (b":scheme", b"https"),
            (b":authority", b"api.push.apple.com"),
            (b":path", None if self.path is None else b""),
            (b"authorization", self.authorization),
            (b"apns-id", None if self.apns_id is None else b""),
            (b"apns-topic", self.topic),
            (b"apns-push-type", self.push_type),
            (b"apns-priority", self.priority),
            (b"apns-expiration", self.expiration),
            (b"apns-collapse-id", self.collapse_id),
            *self.more,
        )
        return Head(tuple((name, value) for name, value in fields if value is not None))

    def request(self, head: Head | None = None) -> Request:
        return Request(1, self.head() if head is None else head, (self.path, self.apns_id), self.body)

    @property
    def token(self) -> bytes:
        """What follows `/3/device/` in the path; b"" where something else stands there."""
        path = self.path or b""
        return path[len(b"/3/device/") :] if path.startswith(b"/3/device/") else b""

    def device(self) -> SealedToken | None:
        return unseal(self.token)

    def to(self, token: bytes) -> "Push":
        return replace(self, path=b"/3/device/" + token)

    def with_token(self, token: bytes) -> "Push":
        return replace(self, authorization=b"bearer " + token)


@dataclass
class Bench:
    """One connection to one simulated APNs at one instant."""

    apns: ApnsState = field(default_factory=apns_state)
    link: Link = field(default_factory=new_link)
    now_s: float = NOW_S

    def judge(self, push: Push, head: Head | None = None) -> Verdict:
        return judge(push.request(head), push.device(), self.link, self.apns, self.now_s)

    def reason(self, push: Push) -> str | None:
        """The wire name of the reason, None when accepted."""
        reason = self.judge(push).reason
        return None if reason is None else reason.wire_name
