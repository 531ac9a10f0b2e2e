"""The service account that senders hold: Google's file of it, read and written. Pure.

Sources: B8 for the keys of the file and for what is said with each; the values of the URLs other than `token_uri`, and the
forms of ids and address, are those of files that Google hands out [choice].
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from simulator.json_web_token import JsonWebToken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - no password
"""Where Google's clients ask for access tokens, and the `aud` that several of them sign wherever they post to (B8)."""

ALGORITHM: Final = "RS256"
AUTH_URI: Final = "https://accounts.google.com/o/oauth2/auth"
CERTIFICATES_URL: Final = "https://www.googleapis.com/oauth2/v1/certs"
ACCOUNT_CERTIFICATES_URL: Final = "https://www.googleapis.com/robot/v1/metadata/x509/"

_SEALING_PURPOSE: Final = b"access tokens"


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """`service-account.json`, its keys in Google's order. `private_key`: PKCS #8 PEM, RSA."""

    type: Literal["service_account"] = "service_account"
    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    client_id: str
    auth_uri: str = AUTH_URI
    token_uri: str = TOKEN_URI
    auth_provider_x509_cert_url: str = CERTIFICATES_URL
    client_x509_cert_url: str
    universe_domain: str = "googleapis.com"

    @property
    def public_key(self) -> "RSAPublicKey":
        """The public half of `private_key`. Raises ValueError when that is no RSA key in PEM."""
        return self._private_key.public_key()

    @cached_property
    def _private_key(self) -> "RSAPrivateKey":
        # Imported here: a tenth of the time that a simulator takes to start.
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            # Checking that the primes are prime takes 30 ms; with wrong ones no signature would fit, which harms nobody.
            key = load_pem_private_key(self.private_key.encode(), None, unsafe_skip_rsa_key_validation=True)
        except TypeError:  # How `cryptography` says that a password is missing.
            raise ValueError("the key is encrypted") from None
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("the key is not an RSA key")
        return key

    def signed(self, claims: Mapping[str, object]) -> bytes:
        """A JSON Web Token with these claims, signed RS256. Raises ValueError where `public_key` does."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.private_key_id}
        part = b".".join(_coded(msgspec.json.encode(each)) for each in (header, claims))
        return part + b"." + _coded(self._private_key.sign(part, PKCS1v15(), SHA256()))

    @cached_property
    def sealing_key(self) -> bytes:
        """What access tokens are sealed under, 32 bytes: all simulators on one state directory have the same."""
        return blake2b(self.private_key.encode(), digest_size=32, person=_SEALING_PURPOSE).digest()

    def has_signed(self, token: JsonWebToken) -> bool:
        """Whether a token is signed RS256 with this account's key, and names no other one. A `kid` may be absent [choice]."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        if token.header.get("alg") != ALGORITHM or token.header.get("kid", self.private_key_id) != self.private_key_id:
            return False
        try:
            self.public_key.verify(token.signature, token.signed_part, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def _coded(content: bytes) -> bytes:
    """base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(content).rstrip(b"=")


def client_email_of(project_id: str, suffix: str) -> str:
    """The address of an account. `suffix`: five letters and digits that tell accounts of one project apart."""
    return f"firebase-adminsdk-{suffix}@{project_id}.iam.gserviceaccount.com"


def certificates_url_of(client_email: str) -> str:
    """`client_x509_cert_url` of an account."""
    return ACCOUNT_CERTIFICATES_URL + client_email.replace("@", "%40")


def encode_service_account(account: ServiceAccount) -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(account)) + b"\n"


def decode_service_account(content: bytes) -> ServiceAccount:
    """Read the file. Raises ValueError that says what is wrong with it; the key itself is looked at by `public_key`."""
    try:
        return msgspec.json.decode(content, type=ServiceAccount)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
