"""Makes and reads the private keys that senders sign with.

Apart from `simulator.certificates`, so that the slowest of them can be begun before the packages are imported that
certificates need.
"""

from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

SERVICE_ACCOUNT_KEY_BITS: Final = 2048


def make_provider_key() -> bytes:
    """Make a key as Apple hands them out (`AuthKey_<key id>.p8`): PKCS #8 PEM, EC P-256. Source: A7."""
    return pkcs8(ec.generate_private_key(ec.SECP256R1()))


def make_service_account_key() -> bytes:
    """Make a key as service accounts of Google have it: PKCS #8 PEM, RSA. Source: B8; the size is that of their files.

    It takes tens of milliseconds, in which other threads run.
    """
    return pkcs8(rsa.generate_private_key(public_exponent=65_537, key_size=SERVICE_ACCOUNT_KEY_BITS))


def read_provider_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public half of a .p8 file's content. Raises ValueError when it is not an EC P-256 key in PEM."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:  # How `cryptography` says that a password is missing.
        raise ValueError("the key is encrypted") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the key is not on the curve P-256")
    return key.public_key()


def pkcs8(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """Return a private key as PKCS #8 PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
