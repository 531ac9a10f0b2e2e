"""The servers of the bench, each a process of its own that lives for the whole run."""

import compileall
import importlib.util
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.child import Child
from loadtest.bench.tools import program_file
from loadtest.control_client import ControlClient
from loadtest.process_figures import ProcessFigures
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess, RunningRig
from sender.pool import Endpoint

START_TIMEOUT_S = 30.0
REACH_PAUSE_S = 0.05
SIMULATOR = "simulator"
NGHTTPD = "nghttpd"
# The bench's own servers, by the names that rows call them.
MODULES = {"ruler": "ruler_server", "hypercorn": "hypercorn_server", "h2": "h2_server"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `figures`: of its process and those that it started, until now.

    `control`: of the simulator, None for others. `processes`: that answer requests, each with at most a core of its own.
    """

    name: str
    url: str
    figures: Callable[[], ProcessFigures]
    control: ControlClient | None = None
    processes: int = 1


def write_bytecode() -> None:
    """Leave the simulator's modules as pip leaves those that it installs: its start is measured, and not the compiler."""
    for package in ("wire", "simulator"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.submodule_search_locations is not None, "it is installed with this package"
        for folder in spec.submodule_search_locations:
            compileall.compile_dir(folder, quiet=2)  # where it cannot be written, it is measured as it is


@contextmanager
def simulator(workers: int = 1) -> Iterator[tuple[RunningRig, Server, float]]:
    """A simulator with a fresh state directory, and how many seconds it took to say that it is ready.

    It runs without the providers' rates: of Google's, a row would measure the quota.
    """
    started_at_s = time.perf_counter()
    options = WITHOUT_LIMITS if workers == 1 else (*WITHOUT_LIMITS, "--workers", str(workers))
    with RigProcess(options) as rig:
        start_s = time.perf_counter() - started_at_s
        running = rig.running
        control = ControlClient(running.control_url)
        control.stats()  # the control plane opens a moment later
        yield running, Server(SIMULATOR, running.url, lambda: rig.figures, control, workers), start_s


@contextmanager
def module_server(name: str, rig: RunningRig) -> Iterator[Server]:
    """One of `MODULES`, with the simulator's certificate. Raises BenchError when it does not start."""
    folder = Path(rig.state_dir)
    arguments = [str(folder / "server.pem"), str(folder / "server.key")]
    with Child.module(MODULES[name], arguments, timeout_s=None) as child:
        line = child.line(START_TIMEOUT_S).strip()
        if not line.isdigit():
            raise child.failure("did not start")
        url = f"https://localhost:{int(line)}"
        _reach(url, rig, child)
        yield Server(name, url, lambda: child.figures)


@contextmanager
def nghttpd(rig: RunningRig, folder: Path) -> Iterator[Server]:
    """nghttp2's server with one thread: it answers 404, since `folder` is empty. Raises BenchError."""
    program = program_file("nghttpd")
    assert program is not None, "the row asks for it"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    state = Path(rig.state_dir)
    command = [program, "-a", "127.0.0.1", "-d", str(folder), "-n", "1", str(port)]
    with Child([*command, str(state / "server.key"), str(state / "server.pem")], NGHTTPD, timeout_s=None) as child:
        url = f"https://localhost:{port}"
        _reach(url, rig, child)
        yield Server(NGHTTPD, url, lambda: child.figures)


def _reach(url: str, rig: RunningRig, child: Child) -> None:
    """One handshake, as soon as the server does them."""
    endpoint = Endpoint.parse(url)
    context = ssl.create_default_context(cafile=rig.ca_file)
    context.set_alpn_protocols(["h2"])
    give_up_at_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with (
                socket.create_connection(("127.0.0.1", endpoint.port), START_TIMEOUT_S) as plain,
                context.wrap_socket(plain, server_hostname=endpoint.host),
            ):
                return
        except OSError as error:
            if child.ended or time.monotonic() > give_up_at_s:
                raise child.failure(f"was not reached: {error}") from None
            time.sleep(REACH_PAUSE_S)
