"""Client certificates: what Apple writes into one, read back from its DER form.

That a certificate is trusted and in date is the TLS layer's matter. Sources: Establishing a certificate-based
connection to APNs; Apple's listings of certificate-authority OIDs; the readers in pushy and node-apn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from simulator.apns.reasons import Reason
from simulator.devices.token_space import Environment

DEVELOPMENT_OID: Final = "1.2.840.113635.100.6.3.1"
PRODUCTION_OID: Final = "1.2.840.113635.100.6.3.2"
VOIP_TOPICS_OID: Final = "1.2.840.113635.100.6.3.4"
TOPICS_OID: Final = "1.2.840.113635.100.6.3.6"

CERTIFICATE_TOPICS_MAX: Final = 400
"""Ours, after the limit of topic-specific keys."""

_UTF8_STRING, _SEQUENCE = 0x0C, 0x30


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What a client certificate lets its holder do.

    `topics`: without repetition; a single one is the default when a request names none. `environments`: as marked.
    No mark at all fits both [choice: Apple's certificates always have one, home-made ones need not]. `readable`: False for
    one that TLS trusts and `read_client_certificate` refuses; then nothing else is known of it. `any_push_type`: also those
    that certificates cannot send; the simulated FCM passes for one that can, since its projects have keys.
    """

    topics: tuple[bytes, ...]
    environments: frozenset[Environment] = frozenset()
    readable: bool = True
    any_push_type: bool = False


UNREADABLE: Final = ClientCertificate((), readable=False)
"""Whoever has this one gets `BadCertificate` for every request [choice: Apple says no more than "the certificate is bad"]."""


def environment_fault(certificate: ClientCertificate | None, environment: Environment) -> Reason | None:
    """Why a connection to this environment cannot go on: `BadCertificateEnvironment`, or None.

    The listener answers it with GOAWAY (NO_ERROR, last stream id 0) that carries the reason as debug data.
    """
    if certificate is None or not certificate.environments or environment in certificate.environments:
        return None
    return Reason.BAD_CERTIFICATE_ENVIRONMENT


def read_client_certificate(der: bytes) -> ClientCertificate:
    """Read topics and environments from a certificate in DER form.

    Topics come from the extension that lists them, else from the subject's UID, which is the bundle id.
    Raises `ValueError` when the bytes are no certificate, or one of its topic extensions is damaged or too long.
    """
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    certificate = x509.load_der_x509_certificate(der)
    extensions: dict[str, bytes] = {}
    try:
        found = certificate.extensions
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(f"the extensions of the certificate cannot be read: {error}") from error
    for extension in found:
        if isinstance(extension.value, x509.UnrecognizedExtension):
            extensions[extension.oid.dotted_string] = extension.value.value
    topics = [topic for oid in (TOPICS_OID, VOIP_TOPICS_OID) for topic in _listed_topics(extensions.get(oid, b""))]
    if not topics:
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.USER_ID):
            value = attribute.value
            topics.append(value.encode() if isinstance(value, str) else value)
    if len(topics) > CERTIFICATE_TOPICS_MAX:
        raise ValueError(f"the certificate lists {len(topics)} topics; at most {CERTIFICATE_TOPICS_MAX} are read")
    marks = ((DEVELOPMENT_OID, Environment.SANDBOX), (PRODUCTION_OID, Environment.PRODUCTION))
    return ClientCertificate(
        topics=tuple(dict.fromkeys(topics)),
        environments=frozenset(environment for oid, environment in marks if oid in extensions),
    )


def _listed_topics(extension: bytes) -> list[bytes]:
    """The topics in an extension: a sequence of strings, each followed by a sequence of its kinds, which is skipped.

    Other contents (old VoIP certificates have a mere NULL there) list no topics.
    """
    if extension[:1] != bytes([_SEQUENCE]):
        return []
    ((_, contents), *rest) = _elements(extension)
    if rest:
        raise ValueError("a topic extension of the certificate has bytes after its sequence")
    return [value for tag, value in _elements(contents) if tag == _UTF8_STRING]


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and contents of each DER element in a row. Raises `ValueError` when one is cut short."""
    position = 0
    while position < len(der):
        header = der[position : position + 2]
        if len(header) < 2:
            raise ValueError("a topic extension of the certificate is cut short")
        tag, length = header
        position += 2
        if length >= 0x80:
            length_bytes = length & 0x7F
            length = int.from_bytes(der[position : position + length_bytes], "big")
            position += length_bytes
            if position > len(der):
                raise ValueError("a topic extension of the certificate is cut short")
        contents = der[position : position + length]
        if len(contents) < length:
            raise ValueError("a topic extension of the certificate is cut short")
        position += length
        yield tag, contents
