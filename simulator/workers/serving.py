"""`pushrig serve --workers N`: the front of a simulator with several workers."""

import asyncio
import ssl
from functools import partial
from pathlib import Path
from typing import TextIO

from simulator.control.view import View
from simulator.devices.token_space import Environment
from simulator.door import listening_sockets
from simulator.doors import BACKLOG, Doors
from simulator.errors import SettingsError
from simulator.faults.line import Ending
from simulator.frame_log_file import open_frame_log
from simulator.provider_tls import ProviderTls, ServerNames
from simulator.rig import Rig
from simulator.serve import settle_garbage
from simulator.settings import OPTIONS, ServeSettings
from simulator.workers.arena import Arena
from simulator.workers.front import Workers
from simulator.workers.gathering import AllWorkers
from simulator.workers.hand_over import GoneCounts, Spread, handing
from simulator.workers.merged_ledger import MergedLedger
from simulator.workers.worker import Setting, work

LOOK_AT_DOORS_S = 1.0


class Front:
    """The provider plane of a process that only accepts connections. `rig`: is changed, so that its ledger shows all workers'.
    `stopping`: set as soon as all is to end.

    Raises SettingsError without memory for the workers, or where a file for their frames cannot be written.
    """

    def __init__(self, settings: ServeSettings, rig: Rig, server_names: ServerNames, stopping: asyncio.Event) -> None:
        count = settings.workers
        self._rig = rig
        try:
            arenas = [Arena() for _ in range(count)]
            gone = GoneCounts(count)
        except OSError as error:
            remedy = f"there is not enough memory for so many ({error.strerror}); give fewer"
            raise SettingsError(OPTIONS["workers"].flag, count, remedy) from error
        rig.ledger = ledger = MergedLedger(arenas)
        self._frame_logs = _frame_logs(settings.frame_log, count)
        if self._frame_logs:
            rig.log_frames()
        self._spread = Spread(gone, settings.limits.handshakes_pending_max, rig.counters, self._numbered)
        self._doors = Doors(rig, settings.limits, _no_connection, self._spread.open_total, _nothing_to_end)
        self._tls: list[ssl.SSLContext | None] = []
        setting = Setting(
            count,
            rig,
            ledger,
            Environment[settings.environment.upper()],
            settings.limits,
            server_names,
            self._tls,
            gone,
            self._frame_logs,
        )
        kept = [[each.fileno()] for each in self._frame_logs]
        self.workers = Workers(count, partial(work, setting), self._spread, kept, stopping=stopping)
        self.view: View | None = AllWorkers(rig, self.workers)
        self._looking: asyncio.TimerHandle | None = None

    def _numbered(self, connection: int) -> None:
        self._rig.faults.connections = connection

    async def open(self, host: str, port: int, tls: ProviderTls | None) -> int:
        """Open a port; returns it. Those who come wait for the workers. Raises OSError, UnicodeError."""
        sockets = listening_sockets(host, port, BACKLOG)  # no thread for this: forks follow, and nobody waits yet
        bound: int = sockets[0].getsockname()[1]
        self._doors.add(sockets, tls, handing(self._spread, len(self._tls)))
        self._tls.append(tls)
        return bound

    async def begin(self) -> None:
        """Start the workers. Raises ConfigurationError when that cannot be done."""
        import simulator.control.app  # noqa: F401 - once for all workers, which do as its handlers say

        settle_garbage()
        self._look_again()
        await self.workers.start()

    def _look_again(self) -> None:
        self._doors.look_where_it_matters()
        self._looking = asyncio.get_running_loop().call_later(LOOK_AT_DOORS_S, self._look_again)

    def trouble(self) -> str | None:
        """As of `Workers`: they are there, and keep living, or one is not."""
        return self.workers.trouble

    async def close(self) -> None:
        """Accept no more, and have the workers say goodbye and end."""
        self._doors.leave_alone()
        if self._looking is not None:
            self._looking.cancel()
        self._doors.close()
        await self.workers.stop()
        self._rig.stop_logging_frames()
        for log in self._frame_logs:
            log.close()


def _frame_logs(path: Path | None, count: int) -> list[TextIO]:
    """A file for each worker: FILE-1, FILE-2 and so on."""
    if path is None:
        return []
    return [open_frame_log(path.with_name(f"{path.name}-{number}"), "--frame-log") for number in range(1, count + 1)]


def _no_connection() -> asyncio.Protocol:
    raise AssertionError("connections are the workers'")


def _nothing_to_end(how: Ending) -> None:
    pass
