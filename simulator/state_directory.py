"""The directory that one simulator's credentials and its running record live in: how it is made, locked and written.

Several simulators may start on the same directory in the same instant. What they write, they write under `locked`, and
each file appears whole or not at all: `write_atomically` fills a temporary file beside it and renames.
"""

import os
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import platformdirs

from simulator.errors import CredentialsError

if sys.platform != "win32":
    import fcntl

LOCK_FILE_NAME = "lock"
REMEDY_OTHER_DIRECTORY = "name a directory of your own with --state-dir"


def default_state_dir() -> Path:
    """Where a simulator keeps its state unless told otherwise: the platform's user data directory."""
    return Path(platformdirs.user_data_dir("pushrig", appauthor=False))


def prepare(state_dir: Path) -> None:
    """Make `state_dir` (mode 0700) if it is missing; its parents get the usual mode.

    Raises CredentialsError when it cannot be made, is not a directory, or others may write to it: they could put their
    own key in place of ours.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = state_dir.stat().st_mode
    except FileExistsError:
        raise CredentialsError(state_dir, "is not a directory", REMEDY_OTHER_DIRECTORY) from None
    except OSError as error:
        raise CredentialsError(
            state_dir, f"cannot be made ({error.strerror or error})", REMEDY_OTHER_DIRECTORY
        ) from error
    if sys.platform != "win32" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CredentialsError(
            state_dir,
            f"can be written by other users (mode {stat.S_IMODE(mode):04o})",
            f"run `chmod 700 {shlex.quote(str(state_dir))}`, or {REMEDY_OTHER_DIRECTORY}",
        )


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold the directory's lock. It goes with the process that holds it, so that a killed one blocks nobody.

    Windows has no `fcntl`: two first starts in the same instant are not told apart there.
    Raises CredentialsError when the lock file cannot be opened.
    """
    path = state_dir / LOCK_FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CredentialsError(path, f"cannot be opened ({error.strerror})", REMEDY_OTHER_DIRECTORY) from error
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put `content` at `path` so that a reader, or a start after a crash, sees the old file or the whole new one.

    Raises CredentialsError when the file cannot be written (a full disk, a read-only directory).
    """
    temporary: Path | None = None
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            temporary.chmod(mode)
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise CredentialsError(path, f"cannot be written ({error.strerror})", REMEDY_OTHER_DIRECTORY) from error


def _sync_directory(directory: Path) -> None:
    """Make a rename last over a power cut, where the platform lets directories be synced."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
