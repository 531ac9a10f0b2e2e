"""The service account that a sender speaks for: its key file, and the assertions that it signs."""

import base64
import json
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sender.errors import SenderConfigurationError

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  # no password
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
ASSERTION_LIFE_S = 3_600  # what Google takes at most
KEY_FILE_BYTES_MAX = 65_536


class _KeyFile(msgspec.Struct):
    type: str = ""
    project_id: str = ""
    private_key_id: str = ""
    private_key: str = ""
    client_email: str = ""
    token_uri: str = TOKEN_URI


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class ServiceAccount:
    """One account with its RSA key. `project_id`: of the project it belongs to. `token_uri`: where it gets access tokens."""

    def __init__(
        self, key: rsa.RSAPrivateKey, *, key_id: str, client_email: str, project_id: str, token_uri: str = TOKEN_URI
    ) -> None:
        self.client_email, self.project_id, self.token_uri = client_email, project_id, token_uri
        self._key, self._key_id = key, key_id

    @classmethod
    def from_file(cls, path: Path) -> "ServiceAccount":
        """Read a service account's key file (JSON). Raises SenderConfigurationError naming what is wrong."""
        try:
            with path.open("rb") as file:
                content = file.read(KEY_FILE_BYTES_MAX + 1)
        except OSError as error:
            raise SenderConfigurationError(f"cannot read the service account's file {path}: {error.strerror}") from None
        explained = "download one from the Firebase console, or give the one of a running simulator"
        if len(content) > KEY_FILE_BYTES_MAX:
            raise SenderConfigurationError(f"{path} is no service account's key file: it is too large; {explained}")
        try:
            file = msgspec.json.decode(content, type=_KeyFile)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SenderConfigurationError(f"{path} is no service account's key file: {error}; {explained}") from None
        if file.type != "service_account":
            raise SenderConfigurationError(
                f"{path} is of the type {file.type[:40]!a}, not service_account: FCM campaigns need a service account; "
                f"{explained}"
            )
        for name in ("project_id", "private_key_id", "private_key", "client_email"):
            if not getattr(file, name):
                raise SenderConfigurationError(f"{path} lacks {name}: it was damaged; {explained}")
        _check_token_uri(path, file.token_uri)
        try:
            key = serialization.load_pem_private_key(file.private_key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SenderConfigurationError(
                f"{path}: its private_key is no unencrypted private key in PEM form"
            ) from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise SenderConfigurationError(
                f"{path}: its private_key is of another kind; those of service accounts are RSA"
            )
        return cls(
            key,
            key_id=file.private_key_id,
            client_email=file.client_email,
            project_id=file.project_id,
            token_uri=file.token_uri,
        )

    def assertion(self, now_s: float) -> bytes:
        """What is exchanged for an access token: a JWT signed RS256, good for an hour."""
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        issued_at_s = int(now_s)
        claims = {
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": issued_at_s,
            "exp": issued_at_s + ASSERTION_LIFE_S,
        }
        signed = b".".join(_segment(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return signed + b"." + _segment(self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))


def _check_token_uri(path: Path, token_uri: str) -> None:
    try:
        parts = urlsplit(token_uri)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        good = False
    if not good or not token_uri.isascii() or not token_uri.isprintable() or " " in token_uri:
        raise SenderConfigurationError(f"{path}: its token_uri {token_uri[:200]!a} is no URL to post to")
