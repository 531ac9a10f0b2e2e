"""Locust's workers, which share one load: processes of this machine, or of others that connect to us as their master."""

import socket
from dataclasses import dataclass

MASTER_PORT_DEFAULT = 5557
"""Locust's own."""


@dataclass(frozen=True, slots=True)
class LocustWorkers:
    """`processes`: of this machine, 1 for none beside our own. `expected`: of others that the run waits for, 0 for none."""

    processes: int = 1
    expected: int = 0
    port: int = MASTER_PORT_DEFAULT

    @property
    def count(self) -> int:
        """How many processes send."""
        return self.expected or self.processes

    def arguments(self) -> list[str]:
        """For the `locust` command."""
        if self.expected:
            return ["--master", "--expect-workers", str(self.expected), "--master-bind-port", str(self.port)]
        if self.processes > 1:
            # A port of our own, so that two runs on one machine do not meet.
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = str(free.getsockname()[1])
            return ["--processes", str(self.processes), "--master-bind-port", port, "--master-port", port]
        return []
