"""Runs one simulator: opens the ports, says where they are, serves until told to stop, and leaves nothing behind.

The provider plane opens first and is announced at once; the control plane, whose packages take the longest to import, follows
on a port that is already open, so that early calls wait and none fails.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from simulator.assembly import make_rig
from simulator.credentials import Credentials, load_or_create
from simulator.devices.token_space import Environment
from simulator.errors import SettingsError
from simulator.faults.engine import Planned
from simulator.frame_log_file import open_frame_log
from simulator.listener import ProviderPlane
from simulator.provider_tls import ProviderTls, ServerNames, server_tls_context
from simulator.rig import Rig
from simulator.running import Announcement, HeldFile, RunningSimulator, remove_left_over, url_of
from simulator.settings import ServeSettings

if TYPE_CHECKING:
    from simulator.control.view import View

CONTROL_BACKLOG = 128
STDIN_DESCRIPTOR = 0
# The hot path makes many small objects that live as long as the journal's ring; looking for cycles among them at Python's
# usual pace costs a tenth of the speed and finds nothing.
GC_YOUNG_OBJECTS = 50_000


async def serve(settings: ServeSettings, say: Callable[[str], None], stopping: asyncio.Event) -> None:
    """Run until `stopping` is set. `say`: takes the first line of output, JSON that tells ports and pid.

    Raises ConfigurationError when ports, certificates or the state directory cannot be used.
    """
    credentials = load_or_create(settings.state_dir, time.time(), client_topics=settings.topics or (settings.topic,))
    rig = make_rig(settings, credentials)
    own_certificate = settings.tls_cert is None or settings.tls_key is None
    server_names = ServerNames()
    tls = server_tls_context(
        settings.tls_cert or credentials.server_certificate_file,
        settings.tls_key or credentials.server_key_file,
        settings.client_ca or credentials.client_ca_file,
        server_names=server_names,
        handshake_failed=rig.counters.handshake_failed,
    )
    provider: Provider
    if settings.workers == 1:
        provider = SoleProcess(settings, rig, server_names)
    else:
        from simulator.workers.serving import Front  # Here, since most simulators have no workers.

        provider = Front(settings, rig, server_names, stopping)
    for planned in _faults_of(settings):
        rig.faults.add(planned, rig.clock.now_s())
    if settings.observe == "on":
        rig.observe()
    _begin_scenario(rig, settings)
    control = _bind(settings.control_host, settings.control_port, "--control-port")
    try:
        port = await _open(provider, settings.host, settings.port, "--port", tls)
        cleartext_port = None
        if settings.cleartext_port is not None:
            cleartext_port = await _open(provider, settings.host, settings.cleartext_port, "--cleartext-port", None)
        await provider.begin()
        running = _describe(settings, credentials, own_certificate, port, cleartext_port, control.getsockname()[1])
        account = credentials.point_service_account_at(f"{running.url}/token")
        remove_left_over(credentials.state_dir, credentials.service_account_file_of("*").name)
        with HeldFile(credentials.service_account_file_of(port), account), Announcement(running):
            say(running.line())
            await _serve_control(rig, provider, settings, control, stopping)
    finally:
        if rig.scenario is not None:
            rig.scenario.stop()
        await provider.close()
        control.close()


class Provider(Protocol):
    """The provider plane as one process sees it. `view`: shows what other processes have done; None where there are none."""

    view: "View | None"

    async def open(self, host: str, port: int, tls: ProviderTls | None) -> int:
        """Open a port; returns it. Raises OSError, UnicodeError."""

    async def begin(self) -> None:
        """Have whoever comes answered. Raises ConfigurationError."""

    def trouble(self) -> str | None:
        """What is not in order, and what to do; None: everything is."""

    async def close(self) -> None:
        """Accept no more, and say goodbye to all clients."""


class SoleProcess:
    """The provider plane in this process alone. Raises SettingsError when its frame log cannot be written."""

    view: "View | None" = None

    def __init__(self, settings: ServeSettings, rig: Rig, server_names: ServerNames) -> None:
        self._plane = ProviderPlane(
            rig,
            Environment[settings.environment.upper()],
            server_names,
            os.urandom,
            limits=settings.limits,
            monotonic_s=time.monotonic,
        )
        self._rig = rig
        if settings.frame_log is not None:
            rig.log_frames(open_frame_log(settings.frame_log, "--frame-log"))

    async def open(self, host: str, port: int, tls: ProviderTls | None) -> int:
        """As of `Provider`."""
        _, bound = await self._plane.listen(host, port, tls)
        return bound

    async def begin(self) -> None:
        """As of `Provider`: done as soon as a port is open."""

    def trouble(self) -> str | None:
        """As of `Provider`."""
        return None

    async def close(self) -> None:
        """As of `Provider`."""
        self._plane.doors.close()
        self._plane.close_connections()
        await asyncio.sleep(0)  # the last frames are logged
        self._rig.stop_logging_frames()


def _faults_of(settings: ServeSettings) -> Sequence[Planned]:
    if not settings.faults and settings.faults_file is None:
        return ()
    from simulator.faults_given import faults_given  # Here, since most simulators start without.

    return faults_given(settings.faults, settings.faults_file)


def _begin_scenario(rig: Rig, settings: ServeSettings) -> None:
    if settings.scenario is None:
        return
    # Here, since most simulators play none.
    from simulator.faults.scenario_file import find_scenario
    from simulator.scenario_player import ScenarioPlayer

    read = find_scenario(settings.scenario)
    rig.scenario = ScenarioPlayer(rig, read, time.monotonic, asyncio.get_running_loop().call_later)
    rig.scenario.begin_run()


async def _open(provider: Provider, host: str, port: int, option: str, tls: ProviderTls | None) -> int:
    try:
        return await provider.open(host, port, tls)
    except (OSError, UnicodeError) as error:
        raise SettingsError(option, f"{host}:{port}", _port_remedy(error)) from error


def _bind(host: str, port: int, option: str) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listening = socket.socket(family, kind)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(CONTROL_BACKLOG)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
    except (OSError, UnicodeError) as error:
        raise SettingsError(option, f"{host}:{port}", _port_remedy(error)) from error
    return listening


def _port_remedy(error: Exception) -> str:
    return f"the port cannot be opened ({error}); give another one, or 0 for a free one"


async def _serve_control(
    rig: Rig, provider: Provider, settings: ServeSettings, listening: socket.socket, stopping: asyncio.Event
) -> None:
    # These imports take as long as all the rest of the start; the provider plane is reachable already.
    from simulator.control.app import create_app
    from simulator.control.security import ControlAccess
    from simulator.control.serve import serve_control

    access = ControlAccess(host=settings.control_host, bearer_token=settings.control_token)
    app = create_app(rig, access, provider.trouble, provider.view)
    settle_garbage()
    await serve_control(app, listening, stopping.wait)


def settle_garbage() -> None:
    """Have the garbage collector leave alone what there is now, and look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)


def _describe(
    settings: ServeSettings,
    credentials: Credentials,
    own_certificate: bool,
    port: int,
    cleartext_port: int | None,
    control_port: int,
) -> RunningSimulator:
    return RunningSimulator(
        version=version("pushrig"),
        pid=os.getpid(),
        started_at_ms=int(time.time() * 1000),
        url=url_of("https", settings.host, port),
        port=port,
        cleartext_url=None if cleartext_port is None else url_of("http", settings.host, cleartext_port),
        cleartext_port=cleartext_port,
        control_url=url_of("http", settings.control_host, control_port),
        control_port=control_port,
        environment=settings.environment,
        seed=settings.seed,
        team_id=credentials.team_id,
        key_id=credentials.key_id,
        key_file=str(credentials.key_file),
        ca_file=str(credentials.ca_file) if own_certificate else None,
        bundle_file=str(credentials.bundle_file) if own_certificate else None,
        client_certificate_file=str(credentials.client_certificate_file) if settings.client_ca is None else None,
        client_key_file=str(credentials.client_key_file) if settings.client_ca is None else None,
        state_dir=str(credentials.state_dir),
        topic=settings.topic,
        project_id=credentials.project_id,
        project_number=credentials.project_number,
        service_account_file=str(credentials.service_account_file_of(port)),
    )


def run(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM, or the end of standard input where that is asked for. Raises ConfigurationError."""

    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt
                loop.add_signal_handler(number, stopping.set)
        if settings.stop_with_stdin == "on" and settings.workers > 1:
            from simulator.workers.standard_input import watch_stdin  # without a thread, which a fork would lose

            watch_stdin(STDIN_DESCRIPTOR, stopping.set)
        elif settings.stop_with_stdin == "on":

            def stop() -> None:
                with contextlib.suppress(RuntimeError):  # it has stopped already, and closed the loop
                    loop.call_soon_threadsafe(stopping.set)

            threading.Thread(target=_until_stdin_ends, args=(stop,), name="stdin", daemon=True).start()
        await serve(settings, _say, stopping)

    asyncio.run(main())


def _until_stdin_ends(then: Callable[[], None]) -> None:
    # The descriptor and not `sys.stdin`, whose lock a waiting thread would hold while the interpreter shuts down.
    with contextlib.suppress(OSError):  # closed, or not there at all: ended as well
        while os.read(STDIN_DESCRIPTOR, 4_096):
            pass
    then()


def _say(line: str) -> None:
    # Whoever started this reads the line from a pipe and waits for it.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
