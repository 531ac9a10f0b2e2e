"""The sender's end of TLS: whom it trusts, and the client certificate that it shows."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from sender.errors import SenderConfigurationError
from sender.pool import Endpoint


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A client certificate, chain included, and its private key, unencrypted; PEM. `key`: None when both are in one file."""

    certificate: Path
    key: Path | None = None


def client_tls(
    endpoint: Endpoint, ca_file: Path | None, certificate: CertificateFiles | None = None
) -> ssl.SSLContext | None:
    """The TLS context for an endpoint, None for clear text. Raises SenderConfigurationError for files that cannot be used."""
    if not endpoint.tls:
        return None
    context = trusting(ca_file)
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        _show_certificate(context, certificate)
    return context


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A context that trusts `ca_file`, None for the system's roots. Raises SenderConfigurationError when it cannot be used."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SenderConfigurationError(f"the CA file {ca_file} cannot be used: {error}") from None


def _show_certificate(context: ssl.SSLContext, files: CertificateFiles) -> None:
    key_file = files.key or files.certificate
    for path, part, remedy in (
        (files.certificate, b"CERTIFICATE-----", "give the certificate in PEM with --cert-file"),
        (key_file, b"PRIVATE KEY-----", "give the key in PEM with --cert-key-file"),
    ):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SenderConfigurationError(f"cannot read {path}: {error.strerror}") from None
        if part not in content:
            raise SenderConfigurationError(f"{path} holds no {part.decode().strip('-').lower()}; {remedy}")
    encrypted = SenderConfigurationError(f"the private key in {key_file} is encrypted; decrypt it first")

    def refuse_password() -> str:
        # Without this, OpenSSL asks on the terminal.
        raise encrypted

    try:
        context.load_cert_chain(files.certificate, key_file, password=refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SenderConfigurationError(
                f"{key_file} is not the key of the certificate {files.certificate}"
            ) from None
        raise SenderConfigurationError(
            f"the client certificate {files.certificate} or its key {key_file} is damaged ({error.reason or error})"
        ) from None
