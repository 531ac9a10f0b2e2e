"""The parts of a campaign, one for each provider it is sent over: what it takes to speak with that provider, checked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sender.apns.messages import ApnsOptions
from sender.apns.provider import ApnsProvider
from sender.apns.provider_token import ProviderTokenSource
from sender.client_tls import CertificateFiles
from sender.credential import Credential, ShownInTls
from sender.errors import SenderConfigurationError
from sender.fcm.access_token import AccessTokenSource
from sender.fcm.message_template import compile as compile_message
from sender.fcm.messages import FcmOptions, checked_project
from sender.fcm.provider import FcmProvider
from sender.fcm.service_account import ServiceAccount
from sender.pool import Endpoint
from sender.provider import Provider
from sender.store.registration import APNS, FCM
from sender.template import Template, payload_bytes_max
from sender.template import compile as compile_template


@dataclass(frozen=True, slots=True)
class ApnsPart:
    """A campaign over APNs. `payload`: JSON of the notification, maybe with placeholders.

    `key_file`: the provider token's private key; it and its ids stay out where there is a `certificate`.
    Raises SenderConfigurationError for none or two of key and certificate, and a certificate without TLS.
    """

    payload: bytes
    options: ApnsOptions
    endpoint: Endpoint
    key_file: Path | None = None
    key_id: str = ""
    team_id: str = ""
    certificate: CertificateFiles | None = None

    def __post_init__(self) -> None:
        if (self.key_file is None) is (self.certificate is None):
            raise SenderConfigurationError("a campaign needs either a provider token's key or a client certificate")
        if self.certificate is not None and not self.endpoint.tls:
            raise SenderConfigurationError("a client certificate is shown in TLS: the endpoint must be https://")


@dataclass(frozen=True, slots=True)
class FcmPart:
    """A campaign over FCM. `message`: JSON of the Message resource without a target, maybe with placeholders.

    `service_account`: its key file. `project`: id or number of the FCM project, None for that of the service account.
    """

    message: bytes
    endpoint: Endpoint
    service_account: Path
    project: str | None = None


class PreparedPart(Protocol):
    """A part whose files were read and found good.

    `provider_name`: as device stores call it. `digest`: of what is sent. `personalised`: devices' attributes are needed.
    `fetches`: the credential has to be asked for.
    """

    provider_name: str
    endpoint: Endpoint
    certificate: CertificateFiles | None
    credential: Credential
    digest: bytes
    personalised: bool
    fetches: bool

    def provider(self, campaign_key: int) -> Provider:
        """The provider as the delivery of the campaign with this key sees it."""


def prepare(part: ApnsPart | FcmPart) -> PreparedPart:
    """Read the files of a part. Raises SenderConfigurationError."""
    return _PreparedApns(part) if isinstance(part, ApnsPart) else _PreparedFcm(part)


class _PreparedApns:
    provider_name = APNS
    fetches = False

    def __init__(self, part: ApnsPart) -> None:
        self.endpoint, self.certificate, self._options = part.endpoint, part.certificate, part.options
        self._template = compile_template(part.payload)
        _check_size(self._template, part.options)
        self.digest = _digest(part.payload)
        self.personalised = bool(self._template.names)
        self.credential: Credential = (
            ShownInTls()
            if part.key_file is None
            else ProviderTokenSource.from_file(part.key_file, part.key_id, part.team_id)
        )

    def provider(self, campaign_key: int) -> Provider:
        return ApnsProvider(self._options, campaign_key, self._template.payload_of)


class _PreparedFcm:
    provider_name = FCM
    fetches = True

    def __init__(self, part: FcmPart) -> None:
        self.endpoint = part.endpoint
        self.certificate: CertificateFiles | None = None
        self._template = compile_message(part.message)
        self.digest = _digest(part.message)
        self.personalised = bool(self._template.names)
        account = ServiceAccount.from_file(part.service_account)
        self._options = FcmOptions(checked_project(part.project or account.project_id), part.endpoint.authority)
        self.credential: Credential = AccessTokenSource(account)

    def provider(self, campaign_key: int) -> Provider:
        return FcmProvider(self._options, self._template.bodies(campaign_key), personalised=self.personalised)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _check_size(template: Template, apns: ApnsOptions) -> None:
    """Refuse a payload that is too large for every device; one that is too large for some is refused for those."""
    if template.names:
        return
    payload = template.render(b"{}")
    limit = payload_bytes_max(apns.push_type, apns.topic)
    if isinstance(payload, bytes) and len(payload) > limit:
        raise SenderConfigurationError(f"the payload has {len(payload):,} bytes; APNs takes {limit:,} at most")
