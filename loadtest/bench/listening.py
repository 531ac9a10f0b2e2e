"""What the bench's own servers share: TLS, a free port of loopback, and the line that tells it."""

import asyncio
import ssl
import sys
from collections.abc import Callable


def server_tls(certificate: str, key: str) -> ssl.SSLContext:
    """A server's TLS context that speaks HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context


def say_port(port: int) -> None:
    """The first line of output: whoever started this waits for it."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


async def listen(protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext) -> None:
    """Serve on a free port of loopback until the process is killed."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    say_port(server.sockets[0].getsockname()[1])
    await server.serve_forever()
