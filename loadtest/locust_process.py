"""Locust in a process of its own: it patches the standard library, which nobody else may suffer from."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from loadtest.errors import LoadProcessError, LoadSettingsError
from loadtest.load_outcome import LoadOutcome
from loadtest.process_figures import ProcessFigures, family_figures_of

POLL_S = 0.25
STOP_TIMEOUT_S = 15.0
PATH_VARIABLES = ("APNS_KEY_FILE", "GOOGLE_APPLICATION_CREDENTIALS", "SSL_CERT_FILE", "SSL_CERT_DIR")
SAID_BYTES_MAX = 4_000  # of Locust's output, shown when it fails
_BAD_OPTIONS = 2  # what `loadtest.users` ends it with
_REFUSED = re.compile(r"^(?:\[.*?ERROR.*?: )?(--[a-z][^:]*): (.+)$", re.MULTILINE)
"""What it says then: a LoadSettingsError, in its log or without."""

_LOCUSTFILE = """
from loadtest.workloads.table import WORKLOADS

globals().update({each.__name__: each for each in WORKLOADS.values()})
"""


def run_locust(
    arguments: Sequence[str], environment: Mapping[str, str], on_wait: Callable[[], None]
) -> tuple[LoadOutcome, ProcessFigures]:
    """Run `locust --headless` with our users until it ends; `on_wait` is called a few times a second.

    `environment`: variables beside those of this process. Raises LoadSettingsError when an option is refused,
    LoadProcessError without a result. A KeyboardInterrupt is passed on to Locust, which then counts what was under way and
    leaves a result; it is raised when nothing had begun.
    """
    if importlib.util.find_spec("locust") is None:
        raise LoadProcessError(1, "Locust is not installed; install it with: pip install 'pushrig[load]'")
    with tempfile.TemporaryDirectory(prefix="pushrig-load-") as name:
        folder = Path(name)
        locustfile, result, log = folder / "locustfile.py", folder / "result.json", folder / "locust.log"
        locustfile.write_text(_LOCUSTFILE)
        command = [sys.executable, "-P", "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary"]
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [*command, "--result-file", str(result), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                # Away from the user's directory, whose locust.conf and modules Locust would prefer to ours.
                cwd=folder,
                env={**_without_locust(os.environ), **environment},
                start_new_session=True,
            )
            figures, interrupted = _wait(process, on_wait)
        try:
            outcome = msgspec.json.decode(result.read_bytes(), type=LoadOutcome)
        except (OSError, msgspec.DecodeError):
            if interrupted:
                raise KeyboardInterrupt from None
            text = log.read_bytes()[-SAID_BYTES_MAX:].decode(errors="replace").strip()
            refused = _REFUSED.search(text)
            if process.returncode == _BAD_OPTIONS and refused is not None:
                raise LoadSettingsError(refused[1], refused[2]) from None
            raise LoadProcessError(process.returncode, text) from None
        return outcome, figures


def _without_locust(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the settings of somebody's Locust, and with paths that hold in another directory."""
    kept = {name: value for name, value in environ.items() if not name.startswith("LOCUST_")}
    return kept | {name: str(Path(kept[name]).absolute()) for name in PATH_VARIABLES if kept.get(name)}


def _wait(process: subprocess.Popen[bytes], on_wait: Callable[[], None]) -> tuple[ProcessFigures, bool]:
    """Wait for the end. Returns figures of when Locust and its workers here held most memory, and whether it was stopped."""
    figures = ProcessFigures(None, None)
    try:
        while process.poll() is None:
            latest = family_figures_of(process.pid)
            figures = max(figures, latest, key=lambda each: each.peak_rss_bytes or 0)
            on_wait()
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        _stop(process)
        return figures, True
    except BaseException:
        _stop(process)
        raise
    return figures, False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    except KeyboardInterrupt:  # a second one
        process.kill()
        process.wait()
        raise
