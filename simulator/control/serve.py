"""Serves the control plane with Hypercorn on a socket that is already bound, in the event loop of the provider plane."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from starlette.applications import Starlette

from simulator.control.endpoint import ControlPlane

STOP_GRACE_S = 0.5  # for answers under way, long polls among them, which answer at once when the plane closes
STOP_MAX_S = 0.9  # then connections are dropped
KEEP_ALIVE_S = 30.0
KEEP_ALIVE_REQUESTS_MAX = 1_000_000  # Hypercorn's own default closes a connection after 1,000


async def serve_control(app: Starlette, listening: socket.socket, shutdown: Callable[[], Awaitable[object]]) -> None:
    """Serve until `shutdown()` returns; then stop within a second.

    `app`: of `create_app`. `listening`: bound and listening; it is taken over and closed. Installs no signal handlers.
    """
    from hypercorn.asyncio import serve  # 60 ms
    from hypercorn.config import Config
    from hypercorn.typing import ASGIFramework

    plane: ControlPlane = app.state.plane
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("pushrig.control")
    config.graceful_timeout = STOP_GRACE_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.keep_alive_max_requests = KEEP_ALIVE_REQUESTS_MAX
    # Unbounded on purpose: with a bound, Hypercorn waits forever for room when an application answers before it has read a
    # long body. The bodies of this API are read at once, up to a bound, and the rest is dropped.
    config.max_app_queue_size = 0
    config.include_server_header = False
    stopping = asyncio.Event()

    async def stopped() -> None:
        await shutdown()
        plane.close()
        stopping.set()

    application = cast(ASGIFramework, app)  # Starlette types the same messages as plain dictionaries
    serving = asyncio.ensure_future(serve(application, config, shutdown_trigger=stopped, mode="asgi"))
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({serving}, timeout=STOP_MAX_S)
    finally:
        waiting.cancel()
        if not serving.done():
            serving.cancel()
            await asyncio.wait({serving}, timeout=STOP_MAX_S)
    if not serving.cancelled():
        await serving
