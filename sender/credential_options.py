"""Which credential `pushrig send` uses, out of the options that were typed and those that the environment holds."""

from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path

from sender.errors import SenderConfigurationError

# Field, flag, variable.
KEY_OPTIONS = (
    ("key_file", "--key-file", "APNS_KEY_FILE"),
    ("key_id", "--key-id", "APNS_KEY_ID"),
    ("team_id", "--team-id", "APNS_TEAM_ID"),
)
CERTIFICATE_OPTIONS = (
    ("cert_file", "--cert-file", "APNS_CERT_FILE"),
    ("cert_key_file", "--cert-key-file", "APNS_CERT_KEY_FILE"),
)


@dataclass(frozen=True, slots=True)
class CredentialOptions:
    """The options about credentials; None where one was not given. The key of a certificate may stand in its own file."""

    key_file: Path | None = None
    key_id: str | None = None
    team_id: str | None = None
    cert_file: Path | None = None
    cert_key_file: Path | None = None


def choose_credential(given: CredentialOptions, typed: Set[str]) -> CredentialOptions:
    """Return the options of one credential alone, complete.

    `typed`: the fields that stood on the command line; the others came from the environment, where `pushrig env` puts
    both credentials. What was typed decides; without it the provider token's key goes before the certificate.
    Raises SenderConfigurationError when both were typed, none is there, or a part is missing.
    """
    typed_key = [flag for field, flag, _ in KEY_OPTIONS if field in typed]
    typed_certificate = [flag for field, flag, _ in CERTIFICATE_OPTIONS if field in typed]
    if typed_key and typed_certificate:
        raise SenderConfigurationError(
            f"{typed_key[0]} and {typed_certificate[0]} exclude each other: give a provider token's key "
            "(--key-file, --key-id, --team-id) or a client certificate (--cert-file, --cert-key-file)"
        )
    if typed_certificate or (not typed_key and given.key_file is None and given.cert_file is not None):
        if given.cert_file is None:
            raise SenderConfigurationError("--cert-key-file is the key of a certificate: give --cert-file too")
        return replace(given, key_file=None, key_id=None, team_id=None)
    missing = [f"{flag} (or {variable})" for field, flag, variable in KEY_OPTIONS if getattr(given, field) is None]
    if len(missing) == len(KEY_OPTIONS):
        raise SenderConfigurationError(
            "no credential: give --key-file, --key-id and --team-id, or a client certificate with --cert-file"
        )
    if missing:
        raise SenderConfigurationError(f"the provider token also needs {' and '.join(missing)}")
    return replace(given, cert_file=None, cert_key_file=None)
