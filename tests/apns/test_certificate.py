"""What is read from client certificates made as Apple makes them."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from simulator.apns.certificate import (
    CERTIFICATE_TOPICS_MAX,
    DEVELOPMENT_OID,
    PRODUCTION_OID,
    TOPICS_OID,
    VOIP_TOPICS_OID,
    ClientCertificate,
    environment_fault,
    read_client_certificate,
)
from simulator.apns.reasons import Reason
from simulator.devices.token_space import Environment
from tests.apns.valid_push import PRIVATE_KEY

NULL = b"\x05\x00"
BOTH = frozenset(Environment)


def _element(tag: int, contents: bytes) -> bytes:
    if len(contents) < 0x80:
        return bytes([tag, len(contents)]) + contents
    length = len(contents).to_bytes(2, "big")
    return bytes([tag, 0x82]) + length + contents


def _topics(*topics: tuple[bytes, bytes]) -> bytes:
    """Each topic followed by a sequence of its kinds, as in Apple's universal certificates."""
    items = (_element(0x0C, topic) + _element(0x30, _element(0x0C, kind)) for topic, kind in topics)
    return _element(0x30, b"".join(items))


def _certificate(extensions: dict[str, bytes], uid: str | None = "com.example.app") -> bytes:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, "Apple Push Services: com.example.app")]
    if uid is not None:
        attributes.append(x509.NameAttribute(NameOID.USER_ID, uid))
    name = x509.Name(attributes)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(PRIVATE_KEY.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    for oid, value in extensions.items():
        builder = builder.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(oid), value), critical=False)
    return builder.sign(PRIVATE_KEY, SHA256()).public_bytes(Encoding.DER)


def test_a_universal_certificate_has_its_topics_and_both_environments() -> None:
    topics = _topics(
        (b"com.example.app", b"app"), (b"com.example.app.voip", b"voip"), (b"com.example.app.complication", b"app")
    )
    read = read_client_certificate(_certificate({DEVELOPMENT_OID: NULL, PRODUCTION_OID: NULL, TOPICS_OID: topics}))
    assert read.topics == (b"com.example.app", b"com.example.app.voip", b"com.example.app.complication")
    assert read.environments == BOTH


@pytest.mark.parametrize(
    ("oid", "environment"), [(DEVELOPMENT_OID, Environment.SANDBOX), (PRODUCTION_OID, Environment.PRODUCTION)]
)
def test_a_certificate_without_list_has_the_topic_of_its_subject(oid: str, environment: Environment) -> None:
    read = read_client_certificate(_certificate({oid: NULL}))
    assert read == ClientCertificate((b"com.example.app",), frozenset({environment}))


def test_voip_topics_are_read_and_a_mere_mark_is_not() -> None:
    listed = _topics((b"com.example.app.voip", b"voip"))
    assert read_client_certificate(_certificate({VOIP_TOPICS_OID: listed})).topics == (b"com.example.app.voip",)
    assert read_client_certificate(_certificate({VOIP_TOPICS_OID: NULL})).topics == (b"com.example.app",)


def test_a_certificate_of_nobody_in_particular_has_no_topics() -> None:
    assert read_client_certificate(_certificate({}, uid=None)) == ClientCertificate(())


def test_a_long_list_is_read_and_a_longer_one_refused() -> None:
    names = [b"com.example.app%03d" % number for number in range(CERTIFICATE_TOPICS_MAX + 1)]
    longest = _topics(*((name, b"app") for name in names[:-1]))
    assert len(read_client_certificate(_certificate({TOPICS_OID: longest})).topics) == CERTIFICATE_TOPICS_MAX
    with pytest.raises(ValueError, match="at most 400"):
        read_client_certificate(_certificate({TOPICS_OID: _topics(*((name, b"app") for name in names))}))


_GOOD = _topics((b"com.example.app", b"app"))


@pytest.mark.parametrize("extension", [_GOOD[:-1], _GOOD + b"\x00", b"\x30", b"\x30\x82", b"\x30\x03\x0c\x05a"])
def test_a_damaged_list_is_refused(extension: bytes) -> None:
    with pytest.raises(ValueError, match="topic extension"):
        read_client_certificate(_certificate({TOPICS_OID: extension}))


def test_bytes_that_are_no_certificate_are_refused() -> None:
    with pytest.raises(ValueError):
        read_client_certificate(b"no certificate")


@pytest.mark.parametrize("environment", Environment)
def test_the_environment_must_be_marked_unless_none_is(environment: Environment) -> None:
    assert environment_fault(None, environment) is None
    assert environment_fault(ClientCertificate((), frozenset()), environment) is None
    assert environment_fault(ClientCertificate((), BOTH), environment) is None
    assert environment_fault(ClientCertificate((), frozenset({environment})), environment) is None
    wrong = ClientCertificate((), frozenset({environment.other}))
    assert environment_fault(wrong, environment) is Reason.BAD_CERTIFICATE_ENVIRONMENT
