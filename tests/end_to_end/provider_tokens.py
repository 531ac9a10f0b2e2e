"""Provider tokens, good ones and spoiled ones; made with `cryptography` alone, so that nobody's reading refers to itself."""

import functools
import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pushrig_pytest import PushSimulator


def provider_token(
    simulator: PushSimulator, *, iat_s: float | None = None, key_id: str | None = None, der: bool = False
) -> str:
    """A token of the simulator's key. `iat_s`: default now. `der`: the signature as OpenSSL writes it, not as JOSE does."""
    return token_of(
        simulator.team_id,
        simulator.key_id if key_id is None else key_id,
        simulator.key_file,
        iat_s=time.time() if iat_s is None else iat_s,
        der=der,
    )


def token_of(team_id: str, key_id: str, key_file: Path, *, iat_s: float, der: bool = False) -> str:
    """A token of any key."""
    header = {"alg": "ES256", "kid": key_id}
    claims = {"iss": team_id, "iat": int(iat_s)}
    signed = b".".join(_segment(json.dumps(part).encode()) for part in (header, claims))
    signature = _private_key(key_file).sign(signed, ec.ECDSA(hashes.SHA256()))
    if not der:
        r, s = decode_dss_signature(signature)
        signature = r.to_bytes(32) + s.to_bytes(32)
    return (signed + b"." + _segment(signature)).decode()


@functools.cache
def usual_provider_token(simulator: PushSimulator) -> str:
    """The one that goes with all requests to a simulator: another on the same connection would be too soon."""
    return provider_token(simulator)


def _segment(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
