"""Where and how a load test was made: what its results say so that it can be made again."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from loadtest.report.run_record import Machine

_VERSIONS = ("pushrig", "locust", "gevent", "msgspec", "cryptography")
SECRET_OPTIONS = ("--control-token",)
"""Their values stay out of the results."""


class Origin(NamedTuple):
    """`name`: of the run. `began_at`: ISO 8601, UTC. The others are as in `RunRecord`."""

    name: str
    command: list[str]
    began_at: str
    versions: dict[str, str]
    machine: Machine


def origin_of(name: str, began_at_s: float) -> Origin:
    """The run of this process, which began at an instant since the epoch."""
    return Origin(
        name=name,
        command=without_secrets(sys.argv),
        began_at=datetime.fromtimestamp(began_at_s, UTC).isoformat(timespec="milliseconds"),
        versions={each: version(each) for each in _VERSIONS},
        machine=_machine(),
    )


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """The command line as it may be kept and shown."""
    kept = ["pushrig"]
    hide = False
    for argument in arguments[1:]:
        option = argument.partition("=")[0]
        if hide:
            argument = "***"
        elif option in SECRET_OPTIONS and "=" in argument:
            argument = f"{option}=***"
        hide = argument in SECRET_OPTIONS
        kept.append(argument)
    return kept


def _machine() -> Machine:
    try:
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6
    except (ValueError, OSError):
        memory_mb = None
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        memory_mb=memory_mb,
    )
