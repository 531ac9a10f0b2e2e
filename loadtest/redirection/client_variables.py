"""What `pushrig env` prints for a running simulator, asked as any user asks."""

import subprocess
import sys
from pathlib import Path

import msgspec

from loadtest.errors import RigStartError

TIMEOUT_S = 30.0


def client_variables(state_dir: Path) -> dict[str, str]:
    """Return the variables that point clients at the simulator on `state_dir`. Raises RigStartError when it is gone."""
    asked = [sys.executable, "-P", "-m", "pushrig", "env", "--format", "json", "--state-dir", str(state_dir)]
    try:
        done = subprocess.run(asked, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603 - our own program
        return msgspec.json.decode(done.stdout, type=dict[str, str])
    except subprocess.TimeoutExpired:
        raise RigStartError(0, "`pushrig env` says nothing of it") from None
    except msgspec.DecodeError:
        raise RigStartError(done.returncode, done.stderr.decode(errors="replace").strip()) from None
