"""What tells two credentials apart where neither may be shown. Pure."""

from hashlib import blake2b


def credential_hash(authorization: bytes | None) -> str | None:
    """Tells two credentials apart, whatever the scheme before them is called; None: there is none."""
    if not authorization:
        return None
    credential = authorization.partition(b" ")[2].strip() or authorization
    return blake2b(credential, digest_size=6).hexdigest()
