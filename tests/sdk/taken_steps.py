"""Programs that send with an official library, run under `pushrig run` once; what they print of each step, tests look at."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RATES = "tests/sdk/rates.toml"
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a program printed by step, its exit code, and what it and `pushrig run` said on stderr."""

    steps: Mapping[str, Mapping[str, Any]]
    exit_code: int
    stderr: str

    def step(self, name: str) -> Mapping[str, Any]:
        """What came of a step, which must not have raised anything itself."""
        assert name in self.steps, self.stderr
        assert "raised" not in self.steps[name], self.steps[name]["raised"]
        return self.steps[name]


def take_steps(command: Sequence[str]) -> Taken:
    """Run a program to its end, with a simulator in the providers' place whose rates are soon exceeded."""
    done = subprocess.run(
        [sys.executable, "-m", "pushrig", "run", "--serve", f"--limits {RATES}", "--", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return Taken({step.pop("step"): step for step in told}, done.returncode, done.stderr)
