"""TLS of the provider plane: clients that check strictly accept it, and it is as frank as APNs about what it offers."""

import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, create_server

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulator.credentials import HOST_NAMES, Credentials, load_or_create
from simulator.errors import CredentialsError
from simulator.private_keys import make_provider_key
from simulator.provider_tls import ServerNames, server_tls_context


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Credentials that are valid by the real clock, which OpenSSL reads."""
    return load_or_create(tmp_path_factory.mktemp("current") / "state", time.time(), {})


@contextmanager
def _accepting(context: ssl.SSLContext) -> Iterator[tuple[int, list[str | None]]]:
    """A server that greets one client and ends; gives its port, and the ALPN choices it made."""
    chosen: list[str | None] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    chosen.append(tls.selected_alpn_protocol())
                    tls.sendall(b"hello")
            except OSError:
                pass

    with create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], chosen
        finally:
            thread.join()


def _server_context(current: Credentials, server_names: ServerNames | None = None) -> ssl.SSLContext:
    return server_tls_context(
        current.server_certificate_file,
        current.server_key_file,
        current.client_ca_file,
        server_names=server_names,
    )


def _client_context(current: Credentials, alpn: list[str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=current.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def _greeting(port: int, context: ssl.SSLContext, server_name: str) -> tuple[bytes, str | None]:
    raw = create_connection(("127.0.0.1", port), timeout=10)
    with context.wrap_socket(raw, server_hostname=server_name) as tls:
        return tls.recv(16), tls.version()


@pytest.mark.parametrize("server_name", [*HOST_NAMES, "127.0.0.1", "::1"])
def test_a_strict_client_accepts_the_server_under_each_of_its_names(current: Credentials, server_name: str) -> None:
    context = _server_context(current)
    with _accepting(context) as (port, _):
        assert _greeting(port, _client_context(current, ["h2"]), server_name)[0] == b"hello"


def test_no_other_name_is_vouched_for(current: Credentials) -> None:
    context = _server_context(current)
    with _accepting(context) as (port, _), pytest.raises(ssl.SSLCertVerificationError):
        _greeting(port, _client_context(current, ["h2"]), "example.com")


@pytest.mark.parametrize(
    ("server_name", "offered", "chosen"),
    [
        ("api.push.apple.com", ["h2"], "h2"),
        ("api.push.apple.com", ["http/1.1", "h2"], "h2"),
        ("api.sandbox.push.apple.com", ["http/1.1"], None),
        ("api.push.apple.com", [], None),
        *(
            (host, offered, chosen)
            for host in ("fcm.googleapis.com", "localhost", "127.0.0.1")
            for offered, chosen in (
                (["h2"], "h2"),
                (["http/1.1", "h2"], "h2"),
                (["http/1.1"], "http/1.1"),
                (["spdy/1"], None),
                ([], None),
            )
        ),
    ],
)
def test_apple_s_hosts_offer_h2_alone_others_http_1_1_too_and_no_offer_breaks_the_handshake(
    current: Credentials, server_name: str, offered: list[str], chosen: str | None
) -> None:
    context = _server_context(current)
    with _accepting(context) as (port, choices):
        _greeting(port, _client_context(current, offered), server_name)
    assert choices == [chosen]


def test_tls_1_2_is_the_oldest_spoken(current: Credentials) -> None:
    context = _server_context(current)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    client = _client_context(current, ["h2"])
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with _accepting(context) as (port, _):
        assert _greeting(port, client, "localhost") == (b"hello", "TLSv1.2")


@pytest.mark.parametrize(
    ("server_name", "recorded"), [("api.sandbox.push.apple.com", "api.sandbox.push.apple.com"), ("127.0.0.1", None)]
)
def test_the_name_a_client_asked_for_is_known_while_its_connection_lives(
    current: Credentials, server_name: str, recorded: str | None
) -> None:
    names = ServerNames()
    context = _server_context(current, names)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server: ssl.SSLObject | None = context.wrap_bio(incoming, outgoing, server_side=True)
    client = _client_context(current, ["h2"]).wrap_bio(outgoing, incoming, server_hostname=server_name)
    for _ in range(3):
        for end in (client, server):
            try:
                assert end is not None
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"
    assert names.name_of(server) == recorded
    assert names.name_of(None) is None
    assert len(names) == (recorded is not None)
    server = end = None
    assert len(names) == 0


def test_files_of_the_users_own_are_checked(current: Credentials, tmp_path: Path) -> None:
    certificate, key = current.server_certificate_file, current.server_key_file
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    (tmp_path / "encrypted.key").write_bytes(secret)
    (tmp_path / "other.key").write_bytes(make_provider_key())
    for certificate_file, key_file, complaint in (
        (tmp_path / "none.pem", key, r"none\.pem: is missing"),
        (key, key, r"server\.key: holds no CERTIFICATE"),
        (certificate, certificate, r"server\.pem: holds no PRIVATE KEY"),
        (certificate, tmp_path / "other.key", r"other\.key: is not the key of .*server\.pem"),
        (certificate, tmp_path / "encrypted.key", r"encrypted\.key: is encrypted"),
        (tmp_path, key, "cannot be read"),
    ):
        with pytest.raises(CredentialsError, match=complaint):
            server_tls_context(certificate_file, key_file, current.client_ca_file)


def test_the_ca_for_client_certificates_is_checked(current: Credentials, tmp_path: Path) -> None:
    (tmp_path / "damaged.pem").write_bytes(current.client_ca_file.read_bytes().replace(b"M", b"!"))
    for client_ca_file, complaint in (
        (tmp_path / "none.pem", r"none\.pem: is missing"),
        (current.server_key_file, r"server\.key: holds no CERTIFICATE"),
        (tmp_path / "damaged.pem", r"damaged\.pem: is damaged"),
    ):
        with pytest.raises(CredentialsError, match=complaint):
            server_tls_context(current.server_certificate_file, current.server_key_file, client_ca_file)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_node_accepts_the_server_with_node_extra_ca_certs(current: Credentials) -> None:
    program = (
        "const tls = require('tls');"
        "tls.connect({host: '127.0.0.1', port: +process.argv[1], servername: 'api.push.apple.com',"
        " ALPNProtocols: ['h2']}).on('data', d => { console.log(String(d)); process.exit(0); })"
        ".on('error', e => { console.error(e); process.exit(1); });"
    )
    context = _server_context(current)
    with _accepting(context) as (port, chosen):
        shown = subprocess.run(
            ["node", "-e", program, str(port)],
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(current.ca_file)},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert (shown.stdout, shown.returncode) == ("hello\n", 0), shown.stderr
    assert chosen == ["h2"]
