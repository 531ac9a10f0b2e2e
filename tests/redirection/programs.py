"""Programs that know nothing of pushrig, run in a redirected environment."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 60.0

# What a test's program calls for each answer, so that the test reads one form whatever the library.
TELL = "import json, sys\n\ndef tell(*answer):\n    print(json.dumps(answer), flush=True)\n"


@dataclass(frozen=True, slots=True)
class Redirected:
    """An environment that leads to `port`. `variables`: all of it, the paths to start hooks among them."""

    port: int
    variables: Mapping[str, str]

    def run(self, command: Sequence[str], **changed: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end. `changed`: variables beside those of the environment."""
        return subprocess.run(
            command,
            env={**self.variables, **changed},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def python(self, text: str, *, python: str | Path = sys.executable, **changed: str) -> list[list[object]]:
        """Run a Python program that tells its answers, and return them; it must end well."""
        return answers(self.run([str(python), "-c", TELL + text], **changed))


def answers(done: "subprocess.CompletedProcess[str]") -> list[list[object]]:
    """What a program told, a line each."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
