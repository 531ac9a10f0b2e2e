"""`running.json`: how other programs find a running simulator, its ports, its CA and its key.

The simulator writes it into the state directory once its ports are open and removes it when it stops; the same JSON is
its first line on stdout. A simulator that was killed leaves the file behind. To tell that from a live one, the
simulator keeps an exclusive lock on the very file it wrote: the kernel drops it with the process. A process id alone
would not do, since ids are used again, and a container sees others than its host. Several simulators may run on one
state directory: the file then speaks of the one that started last.
"""

import os
import sys
from pathlib import Path
from typing import Self

import msgspec

from simulator.errors import CredentialsError, NotRunningError
from simulator.state_directory import LOCK_FILE_NAME, locked, write_atomically

if sys.platform != "win32":
    import fcntl

RUNNING_FILE_NAME = "running.json"


class RunningSimulator(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator tells about itself. It carries no secret: the control token is not among it.

    URLs have no trailing slash. `ca_file` and `bundle_file` are None for a simulator with a certificate of the user's
    own (`--tls-cert`), whose clients know whom to trust; the client certificate and its key for one that trusts another CA
    (`--client-ca`). `topic`: one that notifications may be sent to. `service_account_file`: of the FCM project, with a
    `token_uri` that leads to this simulator.
    """

    version: str
    pid: int
    started_at_ms: int
    url: str
    port: int
    cleartext_url: str | None
    cleartext_port: int | None
    control_url: str
    control_port: int
    environment: str
    seed: int
    team_id: str
    key_id: str
    key_file: str
    ca_file: str | None
    bundle_file: str | None
    client_certificate_file: str | None
    client_key_file: str | None
    state_dir: str
    topic: str
    project_id: str
    project_number: str
    service_account_file: str

    def line(self) -> str:
        """Return the record as one line of JSON without the newline: the first line on stdout."""
        return msgspec.json.encode(self).decode()


def url_of(scheme: str, host: str, port: int) -> str:
    """Return the URL under which a listener on `host` is reached from this machine.

    Listeners on all addresses and on loopback are called `localhost`, which the certificate names.
    """
    if host in ("", "0.0.0.0", "::", "127.0.0.1", "::1"):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


class HeldFile:
    """A file of the state directory while its simulator lives; leave the `with` block to withdraw it.

    Raises CredentialsError when the file cannot be written.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        # The file gets its name before its lock; readers take the directory's lock to see neither without the other.
        with locked(self._path.parent):
            write_atomically(self._path, content)
            self._descriptor = os.open(self._path, os.O_RDWR)
            if sys.platform != "win32":
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def withdraw(self) -> None:
        """Remove the file, unless a simulator that started later has put its own there. Safe to call twice."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            with locked(self._path.parent):
                if self._path.exists() and os.path.samestat(os.fstat(descriptor), self._path.stat()):
                    self._path.unlink()
        except (OSError, CredentialsError):
            # The directory went away under a running simulator, and the file with it.
            pass
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.withdraw()


class Announcement(HeldFile):
    """`running.json` while its simulator lives. Make it once the ports are open."""

    def __init__(self, running: RunningSimulator) -> None:
        content = msgspec.json.format(msgspec.json.encode(running)) + b"\n"
        super().__init__(Path(running.state_dir) / RUNNING_FILE_NAME, content)


def remove_left_over(state_dir: Path, pattern: str) -> None:
    """Remove the held files of this name whose simulators were killed. Windows, which cannot tell, keeps them."""
    with locked(state_dir):
        for path in state_dir.glob(pattern):
            if not _is_locked(path):
                path.unlink()


def read_running(state_dir: Path) -> RunningSimulator:
    """Return what the simulator that runs on `state_dir` tells about itself.

    Raises NotRunningError when there is none or the record is left over from one that was killed, CredentialsError when
    the record cannot be read. On Windows, which has no such lock, a record is believed.
    """
    state_dir = state_dir.expanduser().absolute()
    path = state_dir / RUNNING_FILE_NAME
    if not (state_dir / LOCK_FILE_NAME).exists() or not path.exists():
        raise NotRunningError(path, "no simulator runs on this state directory")
    with locked(state_dir):
        try:
            content = path.read_bytes()
            alive = _is_locked(path)
        except FileNotFoundError:
            raise NotRunningError(path, "no simulator runs on this state directory") from None
        except OSError as error:
            raise CredentialsError(
                path, f"cannot be read ({error.strerror})", "run as the user who started it"
            ) from error
    try:
        running = msgspec.json.decode(content, type=RunningSimulator)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CredentialsError(path, f"is damaged ({error})", "remove it and start the simulator again") from error
    if not alive:
        raise NotRunningError(path, f"left over from process {running.pid}, which was killed and runs no more")
    return running


def _is_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return True
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Shared, so that two readers of a left-over record do not take each other for its simulator.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
