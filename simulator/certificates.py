"""Makes the simulator's certificates.

A private CA signs one server certificate and its key is then forgotten: it never leaves this module's memory, and a
renewal makes a new CA. Should `ca.pem` end up in a trust store for good, it can vouch for nothing else: nobody has the
key, and critical name constraints limit it to this machine and the providers' host names. Another CA, as forgetful, signs
the client certificate: one that vouches for clients must not vouch for servers, nor the other way round.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from simulator.apns.certificate import CERTIFICATE_TOPICS_MAX, DEVELOPMENT_OID, PRODUCTION_OID, TOPICS_OID
from simulator.apns.push_types import PushType, bundle_id
from simulator.private_keys import pkcs8

VALIDITY = timedelta(days=825, seconds=-1)
"""Both ends count. Apple's platforms refuse longer server certificates, also below CAs added by hand
(support.apple.com/103769)."""

CLOCK_SKEW_ALLOWED = timedelta(days=1)
"""A client in a container or emulator may lag behind; the certificate must not look unborn to it."""

LOOPBACK_NETWORKS = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
LOOPBACK_ADDRESSES = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


CLIENT_TOPICS_BYTES_MAX: Final = 60_000
"""Of the topic list in a client certificate, in DER. OpenSSL takes chains of 100 KiB at most."""

_COMMON_NAME_CHARACTERS_MAX: Final = 64  # RFC 5280, appendix A.1
_DER_NULL: Final = b"\x05\x00"
_DER_UTF8_STRING, _DER_SEQUENCE = 0x0C, 0x30


class IssuedCertificate(NamedTuple):
    """PEM texts of a certificate, its key and the CA behind it, and their validity in seconds since the Unix epoch."""

    ca: bytes
    certificate: bytes
    private_key: bytes
    not_before_s: int
    not_after_s: int


def make_server_certificate(host_names: tuple[str, ...], now_s: float) -> IssuedCertificate:
    """Make a CA and a server certificate signed by it, for `host_names` and the loopback addresses."""
    not_before, not_after = _validity(now_s)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    ca_key_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    # Every CA has a name of its own: a trust store that holds an older one of ours must not try its key on this chain.
    issuer = _name(f"pushrig local CA {ca_key_id.digest[:4].hex()}")

    ca = (
        _unsigned(issuer, issuer, ca_key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificate_sign=True), critical=True)
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[
                    *(x509.DNSName(host) for host in host_names),
                    *(x509.IPAddress(network) for network in LOOPBACK_NETWORKS),
                ],
                excluded_subtrees=None,
            ),
            critical=True,
        )
        .add_extension(ca_key_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _unsigned(_name(host_names[0]), issuer, server_key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    *(x509.DNSName(host) for host in host_names),
                    *(x509.IPAddress(address) for address in LOOPBACK_ADDRESSES),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(server_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_key_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return _issued(ca, certificate, server_key)


def make_client_certificate(topics: tuple[str, ...], team_id: str, now_s: float) -> IssuedCertificate:
    """Make a CA for clients and the certificate of a sender, signed by it: universal, as Apple issues them (A9).

    `topics`: at least one. The certificate lists the bundle id of each with the suffixed topics that certificates may send
    to, as many as fit (CERTIFICATE_TOPICS_MAX, CLIENT_TOPICS_BYTES_MAX), and is marked for both environments; its subject
    has the first bundle id as UID and the team id as organizational unit.
    """
    not_before, not_after = _validity(now_s)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    client_key = ec.generate_private_key(ec.SECP256R1())
    ca_key_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    issuer = _name(f"pushrig client CA {ca_key_id.digest[:4].hex()}")
    first = _bundle_ids(topics)[0]
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, first),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {first}"[:_COMMON_NAME_CHARACTERS_MAX]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, team_id),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pushrig"),
        ]
    )
    client_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])

    ca = (
        _unsigned(issuer, issuer, ca_key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificate_sign=True), critical=True)
        .add_extension(client_only, critical=True)
        .add_extension(ca_key_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    unsigned = (
        _unsigned(subject, issuer, client_key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(client_only, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(client_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_key_id), critical=False)
    )
    for oid, value in (
        (DEVELOPMENT_OID, _DER_NULL),
        (PRODUCTION_OID, _DER_NULL),
        (TOPICS_OID, _topic_list(topics)),
    ):
        unsigned = unsigned.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(oid), value), critical=False)
    return _issued(ca, unsigned.sign(ca_key, hashes.SHA256()), client_key)


def _bundle_ids(topics: tuple[str, ...]) -> list[str]:
    """The bundle ids of topics, which may have the suffix of a push type; without repetition."""
    return list(dict.fromkeys(bundle_id(topic.encode()).decode() or topic for topic in topics))


def _topic_list(topics: tuple[str, ...]) -> bytes:
    """The extension with the topics: a sequence of strings, each followed by the sequence of its kinds."""
    kinds = {"": "app"}
    for push_type in PushType:
        if not push_type.token_only:
            kinds.setdefault(push_type.topic_suffix.decode(), push_type.wire_name.decode())
    listed, count = b"", 0
    for name in _bundle_ids(topics):
        more = b"".join(
            _der(_DER_UTF8_STRING, (name + suffix).encode())
            + _der(_DER_SEQUENCE, _der(_DER_UTF8_STRING, kind.encode()))
            for suffix, kind in kinds.items()
        )
        count += len(kinds)
        if count > CERTIFICATE_TOPICS_MAX or len(listed) + len(more) > CLIENT_TOPICS_BYTES_MAX:
            break
        listed += more
    return _der(_DER_SEQUENCE, listed)


def _der(tag: int, contents: bytes) -> bytes:
    """One element of DER (X.690, 8.1.3)."""
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + contents


def _validity(now_s: float) -> tuple[datetime, datetime]:
    not_before = datetime.fromtimestamp(int(now_s), UTC) - CLOCK_SKEW_ALLOWED
    return not_before, not_before + VALIDITY


def _issued(ca: x509.Certificate, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> IssuedCertificate:
    return IssuedCertificate(
        ca.public_bytes(serialization.Encoding.PEM),
        certificate.public_bytes(serialization.Encoding.PEM),
        pkcs8(key),
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
    )


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=not_before,
        not_valid_after=not_after,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pushrig"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def _key_usage(*, digital_signature: bool = False, certificate_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=certificate_sign,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
