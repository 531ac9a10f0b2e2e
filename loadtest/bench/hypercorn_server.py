"""The same answers from Hypercorn and Starlette, as one would first build a mock APNs.

Run as `python -m loadtest.bench.hypercorn_server CERTIFICATE KEY`; prints its port, serves until it is killed. It accepts every
well-formed request and keeps nothing: what is measured is the server stack, not the judging.
"""

import asyncio
import logging
import re
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadtest.bench.listening import say_port

_TOKEN = re.compile("[0-9a-fA-F]{64}")
# Hypercorn closes a connection after 1,000 requests by default, which would measure handshakes.
REQUESTS_PER_CONNECTION_MAX = 10_000_000


async def accept(request: Request) -> Response:
    """200 with the request's apns-id for a well-formed token and a body, else 400."""
    body = await request.body()
    if not body or not _TOKEN.fullmatch(request.path_params["token"]):
        return Response(b'{"reason":"BadDeviceToken"}', status_code=400)
    return Response(status_code=200, headers={"apns-id": request.headers.get("apns-id", "")})


async def main(certificate: str, key: str) -> None:
    """Listen on a free port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    say_port(listening.getsockname()[1])
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.certfile, config.keyfile = certificate, key
    config.alpn_protocols = ["h2"]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn_server")
    config.keep_alive_max_requests = REQUESTS_PER_CONNECTION_MAX
    app = Starlette(routes=[Route("/3/device/{token}", accept, methods=["POST"])])
    await serve(app, config)  # type: ignore[arg-type]  # Starlette types the same messages as plain dictionaries


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
