"""The counters in Prometheus's text formats. Imported on the first scrape: prometheus_client takes 50 ms to import."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from simulator.control.view import Standing, WorkerStanding
from simulator.door import FILE_DESCRIPTORS
from simulator.limits import LIMITS
from simulator.rig import Rig


class RigCollector(Collector):
    """Reads a rig when scraped; the hot path knows nothing of metrics. `standing`: what its processes have done."""

    def __init__(self, rig: Rig, standing: Standing) -> None:
        self._rig = rig
        self._standing = standing

    def describe(self) -> Iterable[Metric]:
        """Nothing: so that registering does not collect."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they stand."""
        standing, ledger, fcm = self._standing, self._rig.ledger, self._rig.fcm
        counters, journal = standing.counters, standing.journal
        yield _counter("notifications", "Notifications taken by the provider plane.", counters.notifications)
        yield _counter("accepted", "Notifications accepted.", counters.accepted)
        rejected = CounterMetricFamily("pushrig_rejected", "Notifications rejected, by reason.", labels=["reason"])
        for reason, count in sorted(counters.rejected_by_reason.items()):
            rejected.add_metric([reason], count)
        yield rejected
        deliveries = CounterMetricFamily(
            "pushrig_topic_deliveries", "Messages to FCM's topics, each subscriber counted.", labels=["outcome"]
        )
        deliveries.add_metric(["accepted"], counters.topic_deliveries)
        deliveries.add_metric(["refused"], counters.topic_deliveries_refused)
        yield deliveries
        calls = CounterMetricFamily(
            "pushrig_google_calls", "Requests to other services of Google than sending.", labels=["service"]
        )
        for service, count in sorted(counters.google_calls.items()):
            calls.add_metric([service], count)
        yield calls
        yield _gauge("connections_open", "Connections open at the provider port.", counters.connections_open)
        yield _counter("connections", "Connections taken at the provider port.", counters.connections_total)
        yield _counter("handshakes_failed", "TLS handshakes that failed.", counters.handshakes_failed)
        yield _counter("streams", "HTTP/2 streams opened by clients.", counters.streams)
        received = CounterMetricFamily("pushrig_bytes", "Bytes at the provider port.", labels=["direction"])
        received.add_metric(["in"], counters.bytes_in)
        received.add_metric(["out"], counters.bytes_out)
        yield received
        resets = CounterMetricFamily("pushrig_resets", "Streams reset (RST_STREAM).", labels=["direction"])
        resets.add_metric(["in"], counters.resets_received)
        resets.add_metric(["out"], counters.resets_sent)
        yield resets
        goaways = CounterMetricFamily("pushrig_goaways", "Connections said goodbye to (GOAWAY).", labels=["direction"])
        goaways.add_metric(["in"], counters.goaways_received)
        goaways.add_metric(["out"], counters.goaways_sent)
        yield goaways
        yield _counter(
            "header_lists_refused",
            "Requests answered 431: header lists over MAX_HEADER_LIST_SIZE.",
            counters.header_lists_refused,
        )
        yield _counter("protocol_errors", "Connections ended by a protocol error.", counters.protocol_errors)
        reached = CounterMetricFamily("pushrig_limits_reached", "Clients stopped at a limit.", labels=["limit"])
        for limit in (*LIMITS, FILE_DESCRIPTORS):
            reached.add_metric([limit], counters.limits_reached[limit])
        yield reached
        played = CounterMetricFamily("pushrig_faults_played", "Effects of faults at work, by name.", labels=["fault"])
        for name, count in sorted(standing.faults_played.items()):
            played.add_metric([name], count)
        yield played
        yield _gauge("faults_active", "Faults at work.", len(self._rig.faults))
        yield _gauge("journal_entries", "Notifications that the journal holds.", journal.held)
        yield _counter("journal_dropped", "Notifications that the journal had no room for.", journal.dropped)
        yield _gauge("ledger_pages", "Pages of the ledger in use, 64 KiB each.", ledger.pages_used)
        yield _gauge("ledger_round", "Number of the ledger's running round.", ledger.round)
        yield _counter("ledger_untracked", "Answers that found no page of the ledger free.", ledger.untracked)
        yield _gauge("overlay_devices", "Device states set by hand.", len(self._rig.registry) + len(fcm.overlay))
        yield _gauge("fcm_subscriptions", "Subscriptions of registrations to FCM's topics.", len(fcm.subscriptions))
        yield _gauge("fcm_topics", "FCM's topics that any registration follows.", fcm.subscriptions.topics_count)
        yield _gauge("fcm_imported_registrations", "Registrations made of APNs tokens.", len(fcm.registrations))
        yield _gauge("fcm_fan_outs_waiting", "Messages to FCM's topics not yet delivered.", standing.fan_outs_waiting)
        yield _gauge("clock_offset_seconds", "The simulator's time less the real time.", self._rig.clock.offset_s)
        if standing.workers:
            yield from _of_workers(standing.workers)


def _of_workers(workers: Sequence[WorkerStanding]) -> Iterable[Metric]:
    label = ["worker"]
    taken = CounterMetricFamily("pushrig_worker_notifications", "Taken by each worker's present process.", labels=label)
    connections = GaugeMetricFamily("pushrig_worker_connections_open", "Connections open at each worker.", labels=label)
    restarts = CounterMetricFamily("pushrig_worker_restarts", "Processes that took a dead one's place.", labels=label)
    for each in workers:
        number = [str(each.number)]
        taken.add_metric(number, each.notifications)
        connections.add_metric(number, each.connections_open)
        restarts.add_metric(number, each.restarts)
    return taken, connections, restarts


def _counter(name: str, documentation: str, value: int) -> Metric:
    return CounterMetricFamily(f"pushrig_{name}", documentation, value=value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pushrig_{name}", documentation, value=value)


def rendered(rig: Rig, standing: Standing, accept: str) -> tuple[bytes, str]:
    """The metrics in the format that the Accept field asks for, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RigCollector(rig, standing))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
