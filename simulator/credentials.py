"""What a simulator is known by, and what senders need: certificates, the CAs behind them, a team id, a project, and keys.

Made on the first start in a state directory, read on the next ones, renewed before they expire:

    ca.pem               the CA that clients have to trust (NODE_EXTRA_CA_CERTS, keytool -importcert)
    bundle.pem           the system's roots and ours, for variables that replace the trust store (SSL_CERT_FILE)
    server.pem           the certificate that the provider plane shows, for this machine and the providers' host names
    server.key           its private key
    client-ca.pem        the CA whose client certificates the provider plane takes
    client.pem           a client certificate as a sender holds one, for the simulator's topics and both environments
    client.key           its private key
    AuthKey_<KEYID>.p8   the key that a sender signs its provider tokens with, as Apple hands it out
    service-account.json the service account that a sender to FCM holds, as Google hands it out
    credentials.json     team id, key id, project, the names of the files; written last, so that its presence says: complete

Renewal makes a new CA (its key was never kept) and leaves team id and provider key alone. Server and client certificate
are renewed apart; the latter also when the simulator is started with other topics, or with the same in another order.

The service account keeps its key and ids. Its `token_uri` is written anew by each simulator that opens its ports, so that it
leads to the one that started last. Those that share a directory have a copy each, `service-account-PORT.json`, that leads
to itself while it runs; that is the file which clients are told of.

A start that finds everything in order reads files only: `cryptography` is imported to make things, and to read keys.
"""

import os
import secrets
import ssl
import string
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from simulator.apns.host_environment import ApnsHost
from simulator.errors import CredentialsError
from simulator.fcm.service_account import (
    ServiceAccount,
    certificates_url_of,
    client_email_of,
    decode_service_account,
    encode_service_account,
)
from simulator.settings import TOPIC_DEFAULT
from simulator.state_directory import locked, prepare, write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

GOOGLE_HOSTS = ("fcm.googleapis.com", "oauth2.googleapis.com", "iid.googleapis.com")
"""Sources: B1 (B10 has the same host), B8, B9."""

HOST_NAMES = ("localhost", *(host.host_name for host in ApnsHost), *GOOGLE_HOSTS)
RENEWED_BEFORE_EXPIRY_S = 30 * 86_400
CERTIFICATES_PENDING = 0
"""In place of an expiry: certificates are being written. A start that finds it was preceded by a crash and renews."""

CREDENTIALS_FILE_NAME = "credentials.json"
IDENTIFIER_ALPHABET = string.ascii_uppercase + string.digits
PROJECT_ALPHABET = string.ascii_lowercase + string.digits
BUNDLE_MARK = b"# Made by pushrig: the roots found on this system, then the simulator's own CA.\n"
REMEDY_REMOVE = "remove the state directory to have everything made anew; clients must then read the new files"

SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)

Identifier = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{10}\Z")]


class CredentialsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`credentials.json`. File names are relative to the directory and stand there for other programs to read."""

    format: Literal[1] = 1
    team_id: Identifier
    key_id: Identifier
    key_file: str
    ca_file: str = "ca.pem"
    bundle_file: str = "bundle.pem"
    host_names: tuple[str, ...] = ()
    certificates_not_before_s: int = 0
    certificates_not_after_s: int = CERTIFICATES_PENDING
    client_ca_file: str = "client-ca.pem"
    client_certificate_file: str = "client.pem"
    client_key_file: str = "client.key"
    client_topics: tuple[str, ...] = ()
    client_not_before_s: int = 0
    client_not_after_s: int = CERTIFICATES_PENDING
    service_account_file: str = "service-account.json"
    project_id: str = ""  # none yet: the directory is new, or was made before FCM was spoken
    project_number: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one state directory.

    `certificates_not_after_s`, `client_not_after_s`: end of the server's and of the client's certificate, seconds since the
    Unix epoch.
    """

    state_dir: Path
    team_id: str
    key_id: str
    certificates_not_after_s: int
    client_not_after_s: int
    project_id: str
    project_number: str

    @property
    def ca_file(self) -> Path:
        return self.state_dir / "ca.pem"

    @property
    def bundle_file(self) -> Path:
        return self.state_dir / "bundle.pem"

    @property
    def server_certificate_file(self) -> Path:
        return self.state_dir / "server.pem"

    @property
    def server_key_file(self) -> Path:
        return self.state_dir / "server.key"

    @property
    def client_ca_file(self) -> Path:
        return self.state_dir / "client-ca.pem"

    @property
    def client_certificate_file(self) -> Path:
        return self.state_dir / "client.pem"

    @property
    def client_key_file(self) -> Path:
        return self.state_dir / "client.key"

    @property
    def key_file(self) -> Path:
        return self.state_dir / f"AuthKey_{self.key_id}.p8"

    @property
    def service_account_file(self) -> Path:
        return self.state_dir / "service-account.json"

    def service_account_file_of(self, port: int | str) -> Path:
        """Where the simulator on a port has the account with a `token_uri` of its own, while it runs."""
        return self.state_dir / f"service-account-{port}.json"

    def service_account(self) -> ServiceAccount:
        """Read the service account. Raises CredentialsError when its file or the key in it is damaged."""
        account = _read_service_account(self)
        try:
            account.public_key  # noqa: B018 - read now, so that no request meets a damaged key
        except ValueError as error:
            raise CredentialsError(
                self.service_account_file, f"has a damaged private_key ({error})", REMEDY_REMOVE
            ) from error
        return account

    def point_service_account_at(self, token_uri: str) -> bytes:
        """Say in `service-account.json` where access tokens are to be had; return its content then.

        Raises CredentialsError when the file cannot be read or written.
        """
        with locked(self.state_dir):
            account = _read_service_account(self)
            content = encode_service_account(msgspec.structs.replace(account, token_uri=token_uri))
            if account.token_uri != token_uri:
                write_atomically(self.service_account_file, content)
        return content

    def public_key(self) -> "EllipticCurvePublicKey":
        """Read the public half of the provider key. Raises CredentialsError when the file is damaged."""
        from simulator.private_keys import read_provider_key

        try:
            return read_provider_key(read_pem(self.key_file, "PRIVATE KEY", REMEDY_REMOVE))
        except ValueError as error:
            raise CredentialsError(self.key_file, f"is damaged ({error})", REMEDY_REMOVE) from error


def load_or_create(
    state_dir: Path,
    now_s: float,
    environ: Mapping[str, str] = os.environ,
    *,
    client_topics: tuple[str, ...] = (TOPIC_DEFAULT,),
) -> Credentials:
    """Return the credentials in `state_dir`, made or renewed where necessary. Safe for starts in parallel.

    `now_s`: real time, seconds since the Unix epoch. `environ` may name the system's roots (SSL_CERT_FILE).
    `client_topics`: what the client certificate is for, one at least.
    Raises CredentialsError when the directory cannot be used or a file in it is damaged.
    """
    state_dir = state_dir.expanduser().absolute()
    prepare(state_dir)
    with locked(state_dir), ThreadPoolExecutor(1) as beside:
        record = _read_record(state_dir)
        # The slowest to make, and the GIL is not needed for it: so it is made while the rest is.
        service_account_key = beside.submit(_make_service_account_key) if _lacks_project(record) else None
        record = record or _make_identity(state_dir)
        read_pem(_credentials(state_dir, record).key_file, "PRIVATE KEY", REMEDY_REMOVE)
        if not _server_is_fresh(record, now_s):
            record = _make_server_certificate(state_dir, record, now_s)
        if not _client_is_fresh(record, now_s, client_topics):
            record = _make_client_certificate(state_dir, record, now_s, client_topics)
        if service_account_key is not None:
            record = _make_service_account(state_dir, record, service_account_key.result())
        credentials = _credentials(state_dir, record)
        for path, label in (
            (credentials.server_certificate_file, "CERTIFICATE"),
            (credentials.server_key_file, "PRIVATE KEY"),
            (credentials.client_ca_file, "CERTIFICATE"),
            (credentials.client_certificate_file, "CERTIFICATE"),
            (credentials.client_key_file, "PRIVATE KEY"),
        ):
            read_pem(path, label, REMEDY_REMOVE)
        _read_service_account(credentials)
        _refresh_bundle(credentials, environ)
    return credentials


def find_system_roots(environ: Mapping[str, str]) -> Path | None:
    """Return the PEM file with the roots that this system trusts, or None.

    SSL_CERT_FILE comes first, unless it names a bundle of ours: then `pushrig env` has set it.
    """
    candidates = [environ.get("SSL_CERT_FILE", ""), ssl.get_default_verify_paths().openssl_cafile, *SYSTEM_ROOTS]
    for candidate in candidates:
        path = Path(candidate)
        if candidate and path.is_file() and not path.read_bytes().startswith(BUNDLE_MARK):
            return path
    try:
        import certifi
    except ImportError:
        return None
    return Path(certifi.where())


def _credentials(state_dir: Path, record: CredentialsRecord) -> Credentials:
    return Credentials(
        state_dir=state_dir,
        team_id=record.team_id,
        key_id=record.key_id,
        certificates_not_after_s=record.certificates_not_after_s,
        client_not_after_s=record.client_not_after_s,
        project_id=record.project_id,
        project_number=record.project_number,
    )


def _read_record(state_dir: Path) -> CredentialsRecord | None:
    path = state_dir / CREDENTIALS_FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=CredentialsRecord)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CredentialsError(path, f"cannot be read ({error.strerror})", REMEDY_REMOVE) from error
    except msgspec.DecodeError as error:
        raise CredentialsError(path, f"is damaged ({error})", REMEDY_REMOVE) from error


def _write_record(state_dir: Path, record: CredentialsRecord) -> None:
    write_atomically(state_dir / CREDENTIALS_FILE_NAME, msgspec.json.format(msgspec.json.encode(record)) + b"\n")


def _make_identity(state_dir: Path) -> CredentialsRecord:
    from simulator.private_keys import make_provider_key

    key_id = _identifier()
    record = CredentialsRecord(team_id=_identifier(), key_id=key_id, key_file=f"AuthKey_{key_id}.p8")
    write_atomically(state_dir / record.key_file, make_provider_key())
    _write_record(state_dir, record)
    return record


def _identifier() -> str:
    """A team or key id: ten upper-case letters and digits (A7)."""
    return "".join(secrets.choice(IDENTIFIER_ALPHABET) for _ in range(10))


def _lacks_project(record: CredentialsRecord | None) -> bool:
    return record is None or not record.project_id


def _make_service_account_key() -> bytes:
    from simulator.private_keys import make_service_account_key

    return make_service_account_key()


def _make_service_account(state_dir: Path, record: CredentialsRecord, key: bytes) -> CredentialsRecord:
    """Make a project and its account. The forms of names and ids are those of files that Google hands out [choice]."""
    project_id = f"pushrig-{_project_suffix()}"
    client_email = client_email_of(project_id, _project_suffix())
    account = ServiceAccount(
        project_id=project_id,
        private_key_id=secrets.token_hex(20),
        private_key=key.decode(),
        client_email=client_email,
        client_id=_number(21),
        client_x509_cert_url=certificates_url_of(client_email),
    )
    complete = msgspec.structs.replace(record, project_id=project_id, project_number=_number(12))
    write_atomically(_credentials(state_dir, complete).service_account_file, encode_service_account(account))
    _write_record(state_dir, complete)
    return complete


def _project_suffix() -> str:
    """Five small letters and digits, such as end the ids that Firebase proposes."""
    return "".join(secrets.choice(PROJECT_ALPHABET) for _ in range(5))


def _number(digits: int) -> str:
    """A number of so many digits, in decimal."""
    return str(10 ** (digits - 1) + secrets.randbelow(9 * 10 ** (digits - 1)))


def _read_service_account(credentials: Credentials) -> ServiceAccount:
    path = credentials.service_account_file
    try:
        account = decode_service_account(path.read_bytes())
    except FileNotFoundError:
        raise CredentialsError(path, "is missing", REMEDY_REMOVE) from None
    except OSError as error:
        raise CredentialsError(path, f"cannot be read ({error.strerror})", REMEDY_REMOVE) from error
    except ValueError as error:
        raise CredentialsError(path, f"is damaged ({error})", REMEDY_REMOVE) from error
    if account.project_id != credentials.project_id:
        problem = f"is of project {account.project_id}, not of this directory's {credentials.project_id}"
        raise CredentialsError(path, problem, f"put the file back that was here, or {REMEDY_REMOVE}")
    return account


def _in_date(not_before_s: int, not_after_s: int, now_s: float) -> bool:
    """Tell whether a certificate serves and will for a while. Made under a clock that was far ahead, it is not yet valid."""
    return not_before_s <= now_s < not_after_s - RENEWED_BEFORE_EXPIRY_S


def _server_is_fresh(record: CredentialsRecord, now_s: float) -> bool:
    """Tell whether the server's certificate serves as it is. Made by an older pushrig, it may lack host names."""
    in_date = _in_date(record.certificates_not_before_s, record.certificates_not_after_s, now_s)
    return in_date and record.host_names == HOST_NAMES


def _client_is_fresh(record: CredentialsRecord, now_s: float, topics: tuple[str, ...]) -> bool:
    in_date = _in_date(record.client_not_before_s, record.client_not_after_s, now_s)
    return in_date and record.client_topics == topics


# Three files cannot be replaced in one step. The record first says that they are in flux; should this process die among
# them, the next start makes them anew instead of using a key that does not fit.


def _make_server_certificate(state_dir: Path, record: CredentialsRecord, now_s: float) -> CredentialsRecord:
    from simulator.certificates import make_server_certificate

    _write_record(state_dir, msgspec.structs.replace(record, certificates_not_after_s=CERTIFICATES_PENDING))
    made = make_server_certificate(HOST_NAMES, now_s)
    credentials = _credentials(state_dir, record)
    write_atomically(credentials.ca_file, made.ca)
    write_atomically(credentials.server_certificate_file, made.certificate)
    write_atomically(credentials.server_key_file, made.private_key)
    complete = msgspec.structs.replace(
        record,
        host_names=HOST_NAMES,
        certificates_not_before_s=made.not_before_s,
        certificates_not_after_s=made.not_after_s,
    )
    _write_record(state_dir, complete)
    return complete


def _make_client_certificate(
    state_dir: Path, record: CredentialsRecord, now_s: float, topics: tuple[str, ...]
) -> CredentialsRecord:
    from simulator.certificates import make_client_certificate

    _write_record(state_dir, msgspec.structs.replace(record, client_not_after_s=CERTIFICATES_PENDING))
    made = make_client_certificate(topics, record.team_id, now_s)
    credentials = _credentials(state_dir, record)
    write_atomically(credentials.client_ca_file, made.ca)
    write_atomically(credentials.client_certificate_file, made.certificate)
    write_atomically(credentials.client_key_file, made.private_key)
    complete = msgspec.structs.replace(
        record, client_topics=topics, client_not_before_s=made.not_before_s, client_not_after_s=made.not_after_s
    )
    _write_record(state_dir, complete)
    return complete


def _refresh_bundle(credentials: Credentials, environ: Mapping[str, str]) -> None:
    """Write `bundle.pem` where it is missing or the system's roots, or our CA, have changed since."""
    ca = read_pem(credentials.ca_file, "CERTIFICATE", REMEDY_REMOVE)
    system_roots = find_system_roots(environ)
    roots = b"" if system_roots is None else system_roots.read_bytes().rstrip() + b"\n"
    bundle = BUNDLE_MARK + roots + ca
    path = credentials.bundle_file
    if not path.is_file() or path.read_bytes() != bundle:
        write_atomically(path, bundle)


def read_pem(path: Path, pem_label: str, remedy: str) -> bytes:
    """Return the content of a PEM file. Raises CredentialsError when there is none, or no such part in it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CredentialsError(path, "is missing", remedy) from None
    except OSError as error:
        raise CredentialsError(path, f"cannot be read ({error.strerror})", remedy) from error
    if not (b"-----BEGIN " in content and f"{pem_label}-----".encode() in content):
        raise CredentialsError(path, f"holds no {pem_label} in PEM", remedy)
    return content
