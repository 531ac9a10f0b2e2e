"""Which of two credentials a sender takes: what was typed, else the key, and never half of one."""

from dataclasses import astuple
from pathlib import Path

import pytest

from sender.apns.messages import ApnsOptions
from sender.campaign_parts import ApnsPart
from sender.client_tls import CertificateFiles
from sender.credential_options import CredentialOptions, choose_credential
from sender.errors import SenderConfigurationError
from sender.pool import Endpoint

KEY = CredentialOptions(Path("AuthKey.p8"), "KEY0000000", "TEAM000000")
CERTIFICATE = CredentialOptions(cert_file=Path("client.pem"), cert_key_file=Path("client.key"))
BOTH = CredentialOptions(*(one or other for one, other in zip(astuple(KEY), astuple(CERTIFICATE), strict=True)))


@pytest.mark.parametrize(
    ("given", "typed", "chosen"),
    [
        (KEY, set(), KEY),
        (CERTIFICATE, set(), CERTIFICATE),
        (BOTH, set(), KEY),
        (BOTH, {"key_id"}, KEY),
        (BOTH, {"cert_file"}, CERTIFICATE),
        (BOTH, {"cert_key_file"}, CERTIFICATE),
        (BOTH, {"store", "topic"}, KEY),
        (CredentialOptions(cert_file=Path("both.pem")), {"cert_file"}, CredentialOptions(cert_file=Path("both.pem"))),
    ],
)
def test_what_was_typed_decides_and_the_key_goes_first(
    given: CredentialOptions, typed: set[str], chosen: CredentialOptions
) -> None:
    assert choose_credential(given, typed) == chosen


@pytest.mark.parametrize(
    ("given", "typed", "complaint"),
    [
        (BOTH, {"key_file", "cert_file"}, "--key-file and --cert-file exclude each other"),
        (BOTH, {"team_id", "cert_key_file"}, "--team-id and --cert-key-file exclude each other"),
        (CredentialOptions(), set(), "no credential: give --key-file"),
        (CredentialOptions(KEY.key_file), {"key_file"}, r"needs --key-id \(or APNS_KEY_ID\) and --team-id"),
        (CredentialOptions(key_id="KEY0000000", team_id="T"), {"key_id"}, "needs --key-file"),
        (CredentialOptions(cert_key_file=Path("client.key")), {"cert_key_file"}, "give --cert-file too"),
    ],
)
def test_both_none_and_half_a_credential_are_refused(given: CredentialOptions, typed: set[str], complaint: str) -> None:
    with pytest.raises(SenderConfigurationError, match=complaint):
        choose_credential(given, typed)


@pytest.mark.parametrize(
    ("url", "key_file", "certificate", "complaint"),
    [
        ("https://localhost", None, None, "either"),
        ("https://localhost", Path("k.p8"), CertificateFiles(Path("c.pem")), "either"),
        ("http://localhost", None, CertificateFiles(Path("c.pem")), "must be https"),
    ],
)
def test_a_campaign_has_one_credential_and_a_certificate_needs_tls(
    url: str, key_file: Path | None, certificate: CertificateFiles | None, complaint: str
) -> None:
    with pytest.raises(SenderConfigurationError, match=complaint):
        ApnsPart(
            payload=b"{}",
            options=ApnsOptions("com.example.app", "localhost"),
            endpoint=Endpoint.parse(url),
            key_file=key_file,
            certificate=certificate,
        )
