"""Scenarios by name, asked as any user asks: `pushrig scenarios … --json`."""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from loadtest.errors import ScenarioUnknownError
from loadtest.replay.scenario import Scenario

TIMEOUT_S = 30.0
_decode = msgspec.json.Decoder(Scenario).decode_lines


def scenarios_named(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names or files, all that there are when none is given. Raises ScenarioUnknownError."""
    asked = [sys.executable, "-P", "-m", "pushrig", "scenarios", *(("show",) if names else ("list",)), "--json"]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [*asked, "--", *names], capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ScenarioUnknownError("`pushrig scenarios` does not answer") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ScenarioUnknownError(said.removeprefix("pushrig scenarios: ") or f"exit code {done.returncode}")
    try:
        read: list[Scenario] = _decode(done.stdout)
    except msgspec.DecodeError as error:
        raise ScenarioUnknownError(f"what `pushrig scenarios` prints cannot be read: {error}") from None
    return read
