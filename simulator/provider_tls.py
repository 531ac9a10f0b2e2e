"""TLS of the provider plane: what it shows, what it asks of clients, and what it notes of a handshake."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import WeakKeyDictionary

from simulator.credentials import HOST_NAMES, read_pem
from simulator.errors import CredentialsError
from simulator.faults.line import CertificateKind
from simulator.host_owner import HostOwner, owner_of
from simulator.opening import alpn_offer

WRONG_HOST_NAMES = ("wrong-host.example",)


class ServerNames:
    """The host name that each TLS connection asked for (SNI), kept as long as the connection's TLS object lives.

    Python's `ssl` tells a server this name only in a callback during the handshake.
    """

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, str] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._names)

    def record(self, tls: ssl.SSLObject | ssl.SSLSocket, server_name: str | None) -> None:
        """Note a name. It is None for clients that send no SNI, as those that connect to an address."""
        if server_name is not None:
            self._names[tls] = server_name.lower()

    def name_of(self, tls: ssl.SSLObject | ssl.SSLSocket | None) -> str | None:
        """Return the lower-case name, or None where the client sent none. With asyncio, `tls` is the transport's
        extra info `ssl_object`."""
        return None if tls is None else self._names.get(tls)


class ProviderTls(ssl.SSLContext):
    """The provider plane's TLS, and how it is under faults of certificate or ALPN."""

    _make: Callable[[CertificateKind, bool], ssl.SSLContext]
    _variants: dict[tuple[CertificateKind, bool], ssl.SSLContext]

    def varied_by(self, make: Callable[[CertificateKind, bool], ssl.SSLContext]) -> None:
        """`make`: makes a variant when it is wanted first."""
        self._make = make
        self._variants = {}

    def variant(self, certificate: CertificateKind, *, alpn: bool) -> ssl.SSLContext:
        """The TLS that shows another certificate, or agrees on no protocol. Making one takes some 20 ms."""
        if certificate == "own" and alpn:
            return self
        known = self._variants.get((certificate, alpn))
        if known is None:
            known = self._variants[certificate, alpn] = self._make(certificate, alpn)
        return known


def server_tls_context(
    certificate_file: Path,
    key_file: Path,
    client_ca_file: Path,
    *,
    server_names: ServerNames | None = None,
    handshake_failed: Callable[[], None] | None = None,
) -> ProviderTls:
    """Return the provider plane's TLS: 1.2 or later, ALPN by host (`opening`), a client certificate requested but not
    required (A1).

    A client that offers other protocols only, or no ALPN, still finishes the handshake, as with APNs. A client
    certificate that does not lead to one in `client_ca_file`, or is out of date, is refused by TLS. Every certificate in
    that file is an anchor, be it a root or not: so the issuer of a sender's certificate is enough.

    `handshake_failed`: called for each handshake that one of the two sides refused.

    Raises CredentialsError when a file is missing, no PEM, encrypted, or key and certificate do not belong together.
    """
    remedy = "give a certificate chain and its private key, both PEM, unencrypted"
    read_pem(certificate_file, "CERTIFICATE", remedy)
    read_pem(key_file, "PRIVATE KEY", remedy)
    ca_remedy = "give the CA certificates that client certificates lead to, in PEM"
    read_pem(client_ca_file, "CERTIFICATE", ca_remedy)
    encrypted = CredentialsError(key_file, "is encrypted", "decrypt it first: `openssl pkey -in FILE -out PLAIN`")

    def refuse_password() -> str:
        # Without this, OpenSSL asks for the password on the terminal, and a service would hang there.
        raise encrypted

    def context_for(
        owner: HostOwner | None,
        certificate_file: Path = certificate_file,
        key_file: Path = key_file,
        *,
        alpn: bool = True,
    ) -> ProviderTls:
        context = ProviderTls(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_cert_chain(certificate_file, key_file, password=refuse_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise CredentialsError(key_file, f"is not the key of {certificate_file}", remedy) from error
            problem = f"is damaged, or its key {key_file} is ({error.reason or error})"
            raise CredentialsError(certificate_file, problem, remedy) from error
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(client_ca_file)
        except ssl.SSLError as error:
            raise CredentialsError(client_ca_file, f"is damaged ({error.reason or error})", ca_remedy) from error
        if alpn:
            context.set_alpn_protocols(list(alpn_offer(owner)))
        if handshake_failed is not None:
            context.sslobject_class = _counted(handshake_failed)
        return context

    def by_host(make: Callable[[HostOwner | None], ProviderTls]) -> ProviderTls:
        context, of_apple = make(None), make(HostOwner.APPLE)

        def choose(tls: ssl.SSLObject | ssl.SSLSocket, server_name: str | None, before: ssl.SSLContext) -> None:
            if server_names is not None:
                server_names.record(tls, server_name)
            if owner_of(server_name) is HostOwner.APPLE:
                tls.context = of_apple

        context.sni_callback = choose
        return context

    def make_variant(kind: CertificateKind, alpn: bool) -> ssl.SSLContext:
        if kind == "own":
            return by_host(lambda owner: context_for(owner, alpn=alpn))
        # Here, since few simulators ever make one.
        from simulator.certificates import VALIDITY, make_server_certificate

        # Of a new authority each, whose key nobody keeps.
        hosts = WRONG_HOST_NAMES if kind == "wrong-host" else HOST_NAMES
        made_s = time.time() - (2 * VALIDITY.total_seconds() if kind == "expired" else 0.0)
        issued = make_server_certificate(hosts, made_s)
        with TemporaryDirectory(prefix="pushrig-") as folder:
            wrong_file, wrong_key_file = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            wrong_file.write_bytes(issued.certificate)
            wrong_key_file.write_bytes(issued.private_key)
            return by_host(lambda owner: context_for(owner, wrong_file, wrong_key_file, alpn=alpn))

    context = by_host(context_for)
    context.varied_by(make_variant)
    return context


def _counted(failed: Callable[[], None]) -> type[ssl.SSLObject]:
    """TLS objects for asyncio, which tells nobody of connections that do not get beyond the handshake: these do.

    And they let the client know why its certificate is refused. asyncio drops a connection whose handshake fails together
    with the alert that says so. Told to wait, it sends the alert first; the connection ends once the client closes it,
    sends more, or the time for the handshake is over.
    """

    class CountedHandshake(ssl.SSLObject):
        _refusal: ssl.SSLCertVerificationError | None = None

        def do_handshake(self) -> None:
            if self._refusal is not None:
                raise self._refusal
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                failed()
                if not isinstance(error, ssl.SSLCertVerificationError):
                    raise
                self._refusal = error
                raise ssl.SSLWantReadError from error

    return CountedHandshake
