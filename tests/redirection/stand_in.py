"""A server in the simulator's place that tells what it was asked: host, port and name in TLS. With its certificate."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from simulator.credentials import Credentials


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        name = cast("Any", self.connection).server_hostname_asked
        body = json.dumps({"host": self.headers["host"], "name": name, "path": self.path}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: standard error is for failures."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that leaves in the middle is what some tests are about."""


class _NamedSocket(ssl.SSLSocket):
    server_hostname_asked: str | None = None


@contextmanager
def stand_in(credentials: Credentials) -> Iterator[int]:
    """Serve for the length of the block; gives the port."""

    def note_name(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        cast("_NamedSocket", connection).server_hostname_asked = name

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.sslsocket_class = _NamedSocket
    tls.load_cert_chain(credentials.server_certificate_file, credentials.server_key_file)
    tls.sni_callback = note_name
    server: socketserver.TCPServer = _Server(("127.0.0.1", 0), _Answer)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
