"""What `pushrig run` has Python do at its start: the providers' hosts lead to the simulator, by name and by connection.

Python imports the first `sitecustomize` on its path before any program; this directory stands first in PYTHONPATH. It runs
inside other people's programs, so: the standard library only, for any Python from 3.8 on, and then the `sitecustomize` that
would have run without this one.

Libraries keep the port that they were asked for, and some look up names themselves before they connect. So each host
resolves to a loopback address of its own that nobody listens on, and connecting to that address, or to the host by name,
connects to the simulator. TLS never learns of it: it still asks for the host's certificate, which the simulator has.
"""

from __future__ import annotations

import _socket
import os
import socket
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec

TYPE_CHECKING = False  # importing `typing` for it would cost each start of Python five milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

# Written by loadtest/redirection/environment.py, as node_start.cjs reads them too.
HOSTS = os.environ.get("PUSHRIG_REDIRECT_HOSTS", "").split()
PORT = int(os.environ.get("PUSHRIG_REDIRECT_PORT", "0"))
PROXY = os.environ.get("PUSHRIG_REDIRECT_PROXY")
RIG = "127.0.0.1"
MAPPED = "::ffff:"  # an IPv4 address for IPv6 sockets (RFC 4291, 2.5.5.2)

STAND_INS = {host: f"127.83.0.{number}" for number, host in enumerate(HOSTS, 1)}
OWN_ADDRESSES = frozenset(STAND_INS.values())


def _text(host: Any) -> str:
    """The host as it is compared, empty for what is no name. Resolvers take text and bytes, in any case, with a last dot."""
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("latin-1")
    if not isinstance(host, str):
        return ""
    return (host[:-1] if host.endswith(".") else host).lower()


def _stand_for(original: Any, replacement: Any) -> Any:
    """Return `replacement` under the name of `original`, so that it is pickled and shown as that."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(original, name):
            setattr(replacement, name, getattr(original, name))
    return replacement


def redirect_names() -> None:
    """Let lookups of the hosts give their stand-ins."""
    getaddrinfo = _socket.getaddrinfo

    def redirected_getaddrinfo(
        host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        stand_in = STAND_INS.get(_text(host))
        if stand_in is not None and not flags & _socket.AI_NUMERICHOST:
            host = MAPPED + stand_in if family == _socket.AF_INET6 else stand_in
        return getaddrinfo(host, port, family, type, proto, flags)

    # `socket.getaddrinfo` calls this one, and so do gevent's threads.
    _socket.getaddrinfo = _stand_for(getaddrinfo, redirected_getaddrinfo)

    for name in ("gethostbyname", "gethostbyname_ex"):
        redirected = _by_name(getattr(_socket, name))
        setattr(_socket, name, redirected)
        setattr(socket, name, redirected)


def _by_name(lookup: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def redirected(hostname: Any) -> Any:
        return lookup(STAND_INS.get(_text(hostname), hostname))

    return _stand_for(lookup, redirected)  # type: ignore[no-any-return]


def rig_address(family: int, address: Any) -> Any:
    """Where to connect instead of `address`; that itself where it is no provider's."""
    if family not in (_socket.AF_INET, _socket.AF_INET6) or not isinstance(address, tuple) or len(address) < 2:
        return address
    host = _text(address[0])
    if host not in STAND_INS and (host[len(MAPPED) :] if host.startswith(MAPPED) else host) not in OWN_ADDRESSES:
        return address
    return (MAPPED + RIG if family == _socket.AF_INET6 else RIG, PORT, *address[2:])


def redirect_connections() -> None:
    """Let sockets that are told to connect to a stand-in, or to a host by name, connect to the simulator."""
    original = _socket.socket

    class RedirectedSocket(original):  # type: ignore[misc, valid-type]
        """For what stands on the C type itself, such as gevent's sockets."""

        __slots__ = ()

        def connect(self, address: Any) -> None:
            original.connect(self, rig_address(self.family, address))

        def connect_ex(self, address: Any) -> int:
            return original.connect_ex(self, rig_address(self.family, address))

    _socket.socket = RedirectedSocket  # type: ignore[misc]

    def connect(self: Any, address: Any) -> None:
        original.connect(self, rig_address(self.family, address))

    def connect_ex(self: Any, address: Any) -> int:
        return original.connect_ex(self, rig_address(self.family, address))

    socket.socket.connect = _stand_for(original.connect, connect)  # type: ignore[method-assign]
    socket.socket.connect_ex = _stand_for(original.connect_ex, connect_ex)  # type: ignore[method-assign]


class AfterImport:
    """Changes modules once they are imported. Programs that do not import them pay nothing.

    `changes`: module name -> what is done to the module.
    """

    def __init__(self, changes: dict[str, Callable[[Any], None]]) -> None:
        self._pending = {}
        for name, change in changes.items():
            if name in sys.modules:
                change(sys.modules[name])
            else:
                self._pending[name] = change

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = self._pending.pop(name, None)
        if change is None:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if finder is self or find_spec is None else find_spec(name, path, target)
            if spec is not None:
                _change_when_executed(spec, change)
                return spec
        self._pending[name] = change
        return None


def _change_when_executed(spec: ModuleSpec, change: Callable[[Any], None]) -> None:
    loader: Any = spec.loader
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == spec.name:  # a loader may have more modules than this one
            change(module)

    # The loader stays what it is: modules ask it for their resources.
    loader.exec_module = exec_module


def leave_our_proxy_out(module: Any) -> None:
    """`urllib.request`, which requests, httpx and aiohttp ask for proxies too: ours is for programs without such a hook."""
    original = module.getproxies_environment

    def getproxies_environment() -> dict[str, str]:
        return {scheme: proxy for scheme, proxy in original().items() if proxy != PROXY}

    module.getproxies_environment = _stand_for(original, getproxies_environment)
    if module.getproxies is original:  # but on macOS, where it calls the other
        module.getproxies = getproxies_environment


def trust_the_bundle(module: Any) -> None:
    """`certifi`: what trusts its roots only would not trust the simulator."""
    bundle = os.environ.get("SSL_CERT_FILE")
    if not bundle:
        return
    with open(bundle, encoding="latin-1") as file:  # noqa: PTH123 - pathlib costs each start of Python
        roots = file.read()
    for part in (module, module.core):
        part.where = lambda: bundle
        part.contents = lambda: roots


def redirect_uvloop(module: Any) -> None:
    """`uvloop` resolves and connects in C: its loops are told the simulator's address in place of a host's."""
    base = module.Loop

    class Loop(base):  # type: ignore[misc, valid-type]
        """uvloop's, with the providers' hosts at the simulator."""

        async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
            return await base.getaddrinfo(self, STAND_INS.get(_text(host), host), port, **options)

        async def create_connection(
            self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
        ) -> Any:
            if _text(host) in STAND_INS or host in OWN_ADDRESSES:
                if options.get("ssl") and options.get("server_hostname") is None:
                    options["server_hostname"] = host
                host, port = RIG, PORT
            return await base.create_connection(self, protocol_factory, host, port, **options)

    module.Loop = Loop


def run_the_next_sitecustomize() -> None:
    """Run the one that this one stands before on the path; a site or a tool may have its own."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    others = [entry for entry in sys.path if os.path.abspath(entry) != here]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


if HOSTS and PORT:
    redirect_names()
    redirect_connections()
    sys.meta_path.insert(
        0,
        AfterImport({"urllib.request": leave_our_proxy_out, "certifi": trust_the_bundle, "uvloop": redirect_uvloop}),
    )
run_the_next_sitecustomize()
