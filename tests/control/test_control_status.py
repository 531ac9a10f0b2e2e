"""Probes, statistics and metrics."""

from simulator.devices.fates import Fate
from simulator.registry import DeviceState
from tests.control.control_server import FOREIGN_TOKEN, JOURNAL_ENTRIES, NOW_MS, STATE, ControlServer, get, row


def test_probes_answer_ok(control: ControlServer) -> None:
    assert get(control, "/livez") == get(control, "/readyz") == {"status": "ok"}


def test_stats_tell_counters_journal_ledger_overlay_and_clock(control: ControlServer) -> None:
    def use() -> None:
        control.rig.counters.notifications += 3
        control.rig.counters.rejected_by_reason["Unregistered"] += 1
        control.rig.ledger.accept(7, 0)
        control.rig.counters.topic_deliveries += 2
        control.rig.counters.topic_deliveries_refused += 1
        control.rig.counters.google_calls["token"] += 4
        control.rig.fcm.subscriptions.add(b"a", "news", 0)
        control.rig.fcm.subscriptions.add(b"b", "news", 0)

    control.on_loop(use)
    control.record(*[row()] * (JOURNAL_ENTRIES + 1))
    control.call("PUT", f"/api/v1/tokens/{FOREIGN_TOKEN}", STATE)
    stats = get(control, "/api/v1/stats")
    assert stats["counters"]["notifications"] == 3
    assert (stats["counters"]["rejected"], stats["counters"]["rejected_by_reason"]) == (1, {"Unregistered": 1})
    assert (stats["counters"]["topic_deliveries"], stats["counters"]["topic_deliveries_refused"]) == (2, 1)
    assert stats["counters"]["google_calls"] == {"token": 4}
    assert stats["fcm"] == {"subscriptions": 2, "topics": 1, "imported_registrations": 0, "fan_outs_waiting": 0}
    assert stats["journal"] == {"total": 9, "held": 8, "dropped": 1, "capacity": 8}
    assert stats["ledger"] == {"round": 1, "pages_used": 1, "untracked": 0, "populations": 0}
    assert stats["overlay_devices"] == 1
    assert stats["clock"] == {"mode": "real", "now_ms": NOW_MS, "offset_ms": 0}


def test_metrics_are_served_in_both_text_formats(control: ControlServer) -> None:
    def use() -> None:
        control.rig.counters.accepted += 5
        control.rig.counters.rejected_by_reason["BadTopic"] += 2
        control.rig.counters.topic_deliveries += 3
        control.rig.counters.topic_deliveries_refused += 6
        control.rig.counters.google_calls["instance-id"] += 4
        control.rig.fcm.subscriptions.add(b"a", "news", 0)
        control.rig.fcm.overlay.set(b"a", DeviceState(Fate.STALE, 0))

    control.on_loop(use)
    plain = control.call("GET", "/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert b"\npushrig_accepted_total 5.0\n" in plain.content
    assert b'\npushrig_rejected_total{reason="BadTopic"} 2.0\n' in plain.content
    assert b'\npushrig_topic_deliveries_total{outcome="accepted"} 3.0\n' in plain.content
    assert b'\npushrig_topic_deliveries_total{outcome="refused"} 6.0\n' in plain.content
    assert b'\npushrig_google_calls_total{service="instance-id"} 4.0\n' in plain.content
    assert b"\npushrig_fcm_subscriptions 1.0\n" in plain.content
    assert b"\npushrig_overlay_devices 1.0\n" in plain.content
    assert b"\npushrig_fcm_fan_outs_waiting 0.0\n" in plain.content
    asked = control.call("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert asked.headers["content-type"].startswith("application/openmetrics-text")
    assert asked.content.endswith(b"# EOF\n")
