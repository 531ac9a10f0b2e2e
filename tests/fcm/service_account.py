"""A service account and what it signs, for tests: a valid credential whose parts can be spoiled one by one."""

import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.fcm.access_token import AccessTokens
from simulator.fcm.service_account import ServiceAccount, certificates_url_of, client_email_of

NOW_S = 1_750_000_000.0
PROJECT_ID = "pushrig-7k2m4"
EMAIL = client_email_of(PROJECT_ID, "x9p3q")
KEY_ID = "0123456789abcdef0123456789abcdef01234567"
FCM_AUDIENCE = "https://fcm.googleapis.com/"
MESSAGING = "https://www.googleapis.com/auth/firebase.messaging"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


@cache
def private_key(which: str) -> rsa.RSAPrivateKey:
    """One key for each name, made once in a test run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def account(which: str) -> ServiceAccount:
    """An account whose key has that name; all else is the same."""
    pem = private_key(which).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ServiceAccount(
        project_id=PROJECT_ID,
        private_key_id=KEY_ID,
        private_key=pem.decode(),
        client_email=EMAIL,
        client_id="100000000000000000001",
        client_x509_cert_url=certificates_url_of(EMAIL),
    )


def coded(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def signed(claims: dict[str, Any], header: dict[str, Any] | None = None, *, key: str = "account") -> bytes:
    """A JSON Web Token with these claims. `header`: fields in place of, or beside, the usual ones; None leaves one out."""
    fields = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID} | (header or {})
    head = {name: value for name, value in fields.items() if value is not None}
    part = coded(json.dumps(head).encode()) + b"." + coded(json.dumps(claims).encode())
    return part + b"." + coded(private_key(key).sign(part, padding.PKCS1v15(), hashes.SHA256()))


def self_signed_claims(**changed: Any) -> dict[str, Any]:
    """Claims of a self-signed token made at NOW_S; None in `changed` leaves a claim out."""
    claims = {"iss": EMAIL, "sub": EMAIL, "aud": FCM_AUDIENCE, "iat": int(NOW_S), "exp": int(NOW_S) + 3600} | changed
    return {name: value for name, value in claims.items() if value is not None}


class Chance:
    """Bytes that differ from call to call, the same in each run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size)


class RigClock:
    """A clock as the simulator has it: `real_s` and what the simulator's is ahead of it."""

    def __init__(self) -> None:
        self.real_s = NOW_S
        self.offset_s = 0.0

    @property
    def now_s(self) -> float:
        return self.real_s + self.offset_s


def access_tokens(clock: RigClock | None = None, *, which: str = "account", lenient: bool = False) -> AccessTokens:
    held = clock or RigClock()
    return AccessTokens(account(which), lambda: held.offset_s, Chance(), lenient=lenient)
