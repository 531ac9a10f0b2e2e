"""`/livez`, `/readyz`, `/metrics` and `/api/v1/stats`: whether it runs, and what it has done."""

import asyncio
from importlib import import_module
from typing import Literal

import msgspec
from starlette.responses import Response

from simulator.control.clock_control import ClockAnswer
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import SECURITY_HEADERS, ControlError, Problem


class ProbeAnswer(msgspec.Struct, frozen=True):
    """All is well."""

    status: Literal["ok"] = "ok"


class CounterStats(msgspec.Struct, frozen=True):
    """Counts since the start or the last reset, at the provider port; `connections_open` is what is open now.

    `topic_deliveries`: of messages to FCM's topics, each of which is one notification. `google_calls`: requests to other
    services of Google than sending, by service.
    """

    notifications: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    topic_deliveries: int
    topic_deliveries_refused: int
    google_calls: dict[str, int]
    connections_open: int
    connections_total: int
    handshakes_failed: int
    streams: int
    bytes_in: int
    bytes_out: int
    resets_received: int
    resets_sent: int
    goaways_received: int
    goaways_sent: int
    header_lists_refused: int
    protocol_errors: int
    limits_reached: dict[str, int]


class JournalStats(msgspec.Struct, frozen=True):
    """Notifications since the journal was cleared: all, those held, those dropped; and how many it can hold."""

    total: int
    held: int
    dropped: int
    capacity: int


class LedgerStats(msgspec.Struct, frozen=True):
    """The running round, its pages of 64 KiB in use, answers without a page, and how many populations are declared."""

    round: int
    pages_used: int
    untracked: int
    populations: int


class FcmStats(msgspec.Struct, frozen=True):
    """What FCM's project holds. `topics`: with any subscription. `fan_outs_waiting`: messages to topics not yet delivered."""

    subscriptions: int
    topics: int
    imported_registrations: int
    fan_outs_waiting: int


class WorkerStats(msgspec.Struct, frozen=True):
    """One of the processes that serve the provider port. `restarts`: how often another had to take its place, which then counts
    `notifications` from 0. `pid`: null while there is none."""

    number: int
    pid: int | None
    restarts: int
    connections_open: int
    notifications: int


class StatsAnswer(msgspec.Struct, frozen=True):
    """The simulator at a glance. `overlay_devices`: states set by hand. `workers`: empty without `--workers`."""

    counters: CounterStats
    journal: JournalStats
    ledger: LedgerStats
    fcm: FcmStats
    overlay_devices: int
    clock: ClockAnswer
    workers: list[WorkerStats]


async def live(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET /livez: the event loop turns."""
    return ProbeAnswer()


async def ready(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET /readyz: the provider port is open, and all is in order behind it."""
    trouble = "the simulator is stopping" if call.plane.closing.is_set() else call.plane.trouble()
    if trouble is not None:
        raise ControlError(Problem.NOT_READY, trouble)
    return ProbeAnswer()


async def metrics(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET /metrics."""
    # The first import takes some 50 ms, so not on the event loop.
    await asyncio.to_thread(import_module, "simulator.control.metrics")
    from simulator.control.metrics import rendered

    content, content_type = rendered(call.rig, await call.view.standing(), call.accept)
    return Response(content, headers={**SECURITY_HEADERS, "content-type": content_type})


async def stats(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET stats."""
    rig, fcm, standing = call.rig, call.rig.fcm, await call.view.standing()
    counters, journal, ledger, clock = standing.counters, standing.journal, rig.ledger, rig.clock
    return StatsAnswer(
        counters=CounterStats(**{name: getattr(counters, name) for name in CounterStats.__struct_fields__}),
        journal=JournalStats(journal.total, journal.held, journal.dropped, journal.capacity),
        ledger=LedgerStats(ledger.round, ledger.pages_used, ledger.untracked, len(ledger.populations())),
        fcm=FcmStats(
            len(fcm.subscriptions), fcm.subscriptions.topics_count, len(fcm.registrations), standing.fan_outs_waiting
        ),
        overlay_devices=len(rig.registry) + len(fcm.overlay),
        clock=ClockAnswer(clock.mode.value, clock.now_ms(), round(clock.offset_s * 1000)),
        workers=[
            WorkerStats(**{name: getattr(each, name) for name in WorkerStats.__struct_fields__})
            for each in standing.workers
        ],
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/livez",
        operation="live",
        summary="The process runs. Needs no bearer token.",
        handler=live,
        query=NoQuery,
        body=NoBody,
        answer=ProbeAnswer,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        operation="ready",
        summary="Notifications are taken. Needs no bearer token.",
        handler=ready,
        query=NoQuery,
        body=NoBody,
        answer=ProbeAnswer,
        problems=(Problem.NOT_READY,),
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        operation="metrics",
        summary="Counters for Prometheus.",
        handler=metrics,
        query=NoQuery,
        body=NoBody,
        answer=None,
        media_type="text/plain",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/stats",
        operation="stats",
        summary="The simulator at a glance.",
        handler=stats,
        query=NoQuery,
        body=NoBody,
        answer=StatsAnswer,
    ),
)
