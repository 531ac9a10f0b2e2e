"""One worker: takes the connections that the front hands over, and answers on them, until the front ends it."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TextIO

import msgspec

from simulator.devices.token_space import Environment
from simulator.faults.line import USUAL_HANDSHAKE
from simulator.limits import Limits
from simulator.listener import ProviderPlane
from simulator.provider_tls import ServerNames
from simulator.rig import Rig
from simulator.workers.attending import Attendance
from simulator.workers.channel import Handler, open_link
from simulator.workers.front import READY_KIND, STOP_KIND, Seat
from simulator.workers.hand_over import GoneCounts, HandedOver, Taker
from simulator.workers.merged_ledger import MergedLedger
from simulator.workers.worker_rig import empty_for_worker


@dataclass(frozen=True, slots=True)
class Setting:
    """What all workers of one simulator begin with, made before they are forked. `rig`: the front's, theirs from then on.

    `doors`: TLS of each, None where there is none. `frame_logs`: a file for each worker, or none at all.
    """

    count: int
    rig: Rig
    ledger: MergedLedger
    environment: Environment
    limits: Limits
    server_names: ServerNames
    doors: Sequence[ssl.SSLContext | None]
    gone: GoneCounts
    frame_logs: Sequence[TextIO] = ()


async def work(setting: Setting, seat: Seat) -> None:
    """Be a worker, in its own process, until the front says that it is enough or has gone, or SIGTERM comes."""
    number, rig, stopping = seat.number, setting.rig, asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    empty_for_worker(rig)
    rig.ledger = setting.ledger.of_worker(number)
    if setting.frame_logs:
        rig.frame_log.write_to(setting.frame_logs[number])
    limits = setting.limits
    plane = ProviderPlane(
        rig,
        setting.environment,
        setting.server_names,
        os.urandom,
        limits=msgspec.structs.replace(
            limits, handshakes_pending_max=-(-limits.handshakes_pending_max // setting.count)
        ),
        monotonic_s=time.monotonic,
    )
    gone = partial(setting.gone.add, number)
    plane.doors.left = gone
    plane.doors.counts = False  # the front does
    doors = [plane.doors.add((), tls) for tls in setting.doors]

    def take(accepted: socket.socket, handed: HandedOver) -> None:
        rig.faults.connections = max(rig.faults.connections, handed.number)
        doors[handed.door].take(
            accepted, handed.handshake or USUAL_HANDSHAKE, partial(plane.make_connection, handed.number)
        )

    attendance = Attendance(rig, os.getpid())
    handlers: dict[str, Handler] = {STOP_KIND: lambda body: stopping.set(), **attendance.handlers}
    front = await open_link(seat.channel, handlers, stopping.set)
    attendance.begin(front)
    taker = Taker(seat.handed_over, take, rig.counters, gone)
    plane.begin_to_tick()
    front.tell(READY_KIND)
    await stopping.wait()
    taker.stop()
    plane.doors.close()
    plane.close_connections()
    await asyncio.sleep(0)  # the last frames are logged
    rig.stop_logging_frames()
