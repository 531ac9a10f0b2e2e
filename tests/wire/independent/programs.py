"""Other people's HTTP/2, run as programs: where they are, and how to get them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Literal

import pytest

TIMEOUT_S = 60.0
# Package managers put servers where the path of an ordinary user does not always lead.
_PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))

INSTALL = {
    "nghttp": "apt install nghttp2-client",
    "h2load": "apt install nghttp2-client",
    "nghttpd": "apt install nghttp2-server",
    "curl": "apt install curl",
    "node": "apt install nodejs",
    "h2spec": "go install github.com/summerwind/h2spec/cmd/h2spec@latest (a suite that no registry of Python, Node.js or "
    "Debian packages has; h2spec is never fetched from here)",
}

Program = Literal["nghttp", "h2load", "nghttpd", "curl", "node", "h2spec"]


def path_of(program: Program) -> str:
    """Where it is; the test is skipped when it is not installed."""
    found = shutil.which(program, path=_PLACES)
    if found is None:
        pytest.skip(f"needs {program}: {INSTALL[program]}")
    return found


def output_of(program: Program, arguments: Sequence[str]) -> str:
    """What it prints when run to its end, errors included."""
    finished = subprocess.run(
        [path_of(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return finished.stdout
