"""The sender's provider token: an ES256 JWT, made once, shared by all connections, renewed in time.

Apple refuses tokens over one hour old, and tokens that change more often than every 20 minutes. So one token serves the whole
process, and is renewed after 50 minutes; before that only when Apple calls it expired, and no more often than Apple allows.
"""

import base64
import json
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from sender.credential import Credential
from sender.errors import SenderConfigurationError

RENEW_AFTER_S = 50 * 60
RENEW_NOT_BEFORE_S = 20 * 60
IDENTIFIER_CHARACTERS = 10  # of key ids and team ids


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class ProviderTokenSource(Credential):
    """Makes provider tokens from a private key (PKCS 8, EC P-256).

    `text(now_s)` is the value of the `authorization` field, the same object until it is renewed.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, key_id: str, team_id: str) -> None:
        self._key, self._key_id, self._team_id = key, key_id, team_id
        self._text = b""
        self._issued_at_s = 0.0
        self._renewed_at_s = float(-RENEW_NOT_BEFORE_S)  # because the one before was refused

    @classmethod
    def from_file(cls, path: Path, key_id: str, team_id: str) -> "ProviderTokenSource":
        """Read `AuthKey_<KEYID>.p8`. Raises SenderConfigurationError naming what is wrong."""
        for what, value in (("key id", key_id), ("team id", team_id)):
            if len(value) != IDENTIFIER_CHARACTERS or not value.isascii() or not value.isalnum():
                raise SenderConfigurationError(
                    f"the {what} {value!r} is not {IDENTIFIER_CHARACTERS} letters and digits"
                )
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise SenderConfigurationError(f"cannot read the key file {path}: {error.strerror}") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SenderConfigurationError(f"{path} holds no unencrypted private key in PEM form") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise SenderConfigurationError(f"{path} holds a key of another kind; APNs keys are EC P-256")
        return cls(key, key_id, team_id)

    def text(self, now_s: float) -> bytes:
        """`bearer <jwt>`, renewed when it is 50 minutes old, or when the clock was set back before its birth."""
        age_s = now_s - self._issued_at_s
        if not self._text or age_s >= RENEW_AFTER_S or age_s < -RENEW_NOT_BEFORE_S:
            self._issue(now_s)
        return self._text

    def renew(self, refused: bytes, now_s: float) -> bool:
        """The provider refused the token `refused` as expired. True when another one is there to be used.

        Many notifications are refused with one token: the first to report it renews it, the others find it renewed. If the
        new one is refused within 20 minutes too, it is kept: the cause is another (a clock that is wrong), and a third would be
        no better.
        """
        if refused != self._text:
            return True
        if now_s - self._renewed_at_s < RENEW_NOT_BEFORE_S:
            return False
        self._renewed_at_s = now_s
        self._issue(now_s)
        return True

    def _issue(self, now_s: float) -> None:
        header = json.dumps({"alg": "ES256", "kid": self._key_id, "typ": "JWT"}, separators=(",", ":")).encode()
        claims = json.dumps({"iss": self._team_id, "iat": int(now_s)}, separators=(",", ":")).encode()
        signed = _segment(header) + b"." + _segment(claims)
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        self._text = b"bearer " + signed + b"." + _segment(r.to_bytes(32) + s.to_bytes(32))
        self._issued_at_s = now_s
