"""The environment in which a redirected program runs: a pure function of the user's own.

Three ways lead to the simulator, and the variables name all of them: a start hook for Python, one for Node.js, and a proxy
for programs that read `HTTPS_PROXY`. Children inherit them.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.redirection.hosts import PROVIDER_HOSTS, plain_host

PYTHON_START = Path(__file__).with_name("python_start")  # a directory of its own: all of it becomes importable
NODE_START = Path(__file__).with_name("node_start.cjs")

# What the start hooks read. They import nothing of ours, so these names stand in each of them again.
HOSTS_VARIABLE = "PUSHRIG_REDIRECT_HOSTS"  # the names, separated by blanks
PORT_VARIABLE = "PUSHRIG_REDIRECT_PORT"  # of the simulator, on 127.0.0.1
PROXY_VARIABLE = "PUSHRIG_REDIRECT_PROXY"  # as in HTTPS_PROXY: programs with a start hook must not take it

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
# Another proxy would lead past ours, or Node.js to it although its hook needs none.
DROPPED_VARIABLES = ("ALL_PROXY", "all_proxy", "NODE_USE_ENV_PROXY")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Redirection:
    """Where the providers' hosts lead. `port`: of the simulator on 127.0.0.1. `proxy_url`: of our CONNECT proxy."""

    port: int
    proxy_url: str


def redirected_environment(
    own: Mapping[str, str], client_variables: Mapping[str, str], redirection: Redirection
) -> dict[str, str]:
    """Return the variables of a redirected program.

    `own`: the user's. `client_variables`: what `pushrig env` prints for the simulator. Existing PYTHONPATH, NODE_OPTIONS and
    NO_PROXY are kept and added to; what would lead around the simulator goes.
    """
    variables = {name: value for name, value in own.items() if name not in DROPPED_VARIABLES} | dict(client_variables)
    if "SSL_CERT_FILE" in client_variables:
        variables["HTTPLIB2_CA_CERTS"] = client_variables["SSL_CERT_FILE"]  # reads none of the others
    variables[HOSTS_VARIABLE] = " ".join(PROVIDER_HOSTS)
    variables[PORT_VARIABLE] = str(redirection.port)
    variables[PROXY_VARIABLE] = redirection.proxy_url
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PYTHON_START), own.get("PYTHONPATH"))))
    # Node.js reads quoted words in this variable, with the escapes of JSON's that a path can need.
    required = f"--require {json.dumps(str(NODE_START), ensure_ascii=False)}"
    variables["NODE_OPTIONS"] = " ".join(filter(None, (required, own.get("NODE_OPTIONS"))))
    for name in PROXY_VARIABLES:
        variables[name] = redirection.proxy_url
    direct = without_proxy(own.get("no_proxy") or own.get("NO_PROXY") or "")
    for name in NO_PROXY_VARIABLES:
        variables[name] = direct
    return variables


def without_proxy(given: str) -> str:
    """NO_PROXY for a redirected program: this machine, and the user's entries but those that cover a provider's host."""
    kept = [entry for entry in (part.strip() for part in given.split(",")) if entry and not _covers_a_provider(entry)]
    return ",".join([*LOOPBACK, *(entry for entry in kept if entry not in LOOPBACK)])


def _covers_a_provider(entry: str) -> bool:
    """Tell whether some program would take `entry` for a provider's host: readers differ in dots and wildcards."""
    name = plain_host(entry.partition(":")[0]).lstrip("*.")
    if not name:
        return "*" in entry
    return any(host.endswith(name) for host in PROVIDER_HOSTS)
