"""How cost grows: what is measured, and how it is drawn and compared. What is counted, never how fast."""

from xml.etree import ElementTree

import msgspec
import pytest

from loadtest.bench.child import BenchError
from loadtest.bench.compare import compare
from loadtest.bench.growth import measure_growth
from loadtest.bench.growth_axes import (
    AXES,
    AXIS_NAMES,
    CONNECTIONS,
    DEVICES,
    STREAMS,
    WORKERS,
    device_marks,
    marks_of,
    notifications_at,
    points,
    worker_marks,
)
from loadtest.bench.growth_plots import plots
from loadtest.bench.senders import Bench, check_ledger, declare, run_modules
from loadtest.bench.servers import simulator
from tests.loadtest.bench_records import cost, grown_report, point, report

SEED = 7
SVG = "{http://www.w3.org/2000/svg}"


def test_each_mark_is_measured_and_one_that_fails_is_named() -> None:
    marks = {CONNECTIONS: (2, 65), STREAMS: (3,)}  # 65 connections are more than a sender keeps
    steps: list[str] = []
    found, failed = measure_growth(SEED, marks, 400, 2, 1, steps.append)
    assert [(each.axis, each.at) for each in found] == [(CONNECTIONS, 2), (STREAMS, 3)]
    assert [len(each.row.rates_per_s) for each in found] == [2, 2]
    assert [each.row.notifications for each in found] == [400, 100]
    assert all((each.row.peak_rss_mb["server"] or 0) > 10 for each in found)
    assert [each.name for each in failed] == ["connections-65"] and "1 to 64" in failed[0].why
    assert steps.count("connections: 2, run 2 of 2") == 1 and "connections: 65, run 2 of 2" not in steps


def test_several_senders_share_the_devices_and_are_one_run(tmp_path: pytest.TempPathFactory) -> None:
    with simulator() as (rig, server, _):
        bench = Bench(rig, tmp_path, tmp_path, SEED, 1)  # type: ignore[arg-type]
        whole = bench.task(server, 300)
        tasks = [msgspec.structs.replace(whole, start=start, count=100) for start in (0, 100, 200)]
        declare(bench, server, 300)
        run = run_modules("ruler_sender", tasks, server, "three senders")
        check_ledger(bench, server, 300, "three senders")
        assert (run.notifications, run.processes) == (300, {"server": 1, "sender": 3})
        with pytest.raises(BenchError, match="300 of 400 devices accepted once"):
            check_ledger(bench, server, 400, "three senders")


def test_two_workers_are_sent_to_by_two_senders() -> None:
    found, failed = measure_growth(SEED, {WORKERS: (1, 2)}, 400, 1, 2, lambda what: None)
    assert failed == []
    one, two = (each.row for each in found)
    assert (one.notifications, one.processes) == (200, {"server": 1, "sender": 1})
    assert (two.notifications, two.processes) == (400, {"server": 2, "sender": 2})
    assert (two.peak_rss_mb["server"] or 0) > 1.5 * (one.peak_rss_mb["server"] or 0)  # its workers count too


def test_marks_reach_from_the_smallest_to_the_largest() -> None:
    assert device_marks(10_000_000) == (10_000, 100_000, 1_000_000, 10_000_000)
    assert device_marks(2_000) == (2_000,) and device_marks(250_000) == (10_000, 100_000, 250_000)
    assert (worker_marks(1), worker_marks(6), worker_marks(128)) == ((1, 2), (1, 2, 4), (1, 2, 4, 8, 16))
    assert marks_of(CONNECTIONS, 2)[-1] == 64 and marks_of(STREAMS, 2)[-1] == 1_000 and marks_of(WORKERS, 2) == (1, 2)


def test_memory_can_be_compared_along_an_axis_since_each_process_has_as_many_notifications_at_all_marks() -> None:
    for axis in (CONNECTIONS, STREAMS):
        assert len({notifications_at(axis, at, 200_000) for at in marks_of(axis, 2)}) == 1
    assert {notifications_at(WORKERS, at, 200_000) / at for at in (1, 2, 4)} == {100_000}


def test_points_stand_in_the_order_of_their_marks_and_devices_come_from_the_campaigns() -> None:
    found = report(costs=[cost(1_000_000), cost(10_000)], growth=[point(STREAMS, 10), point(STREAMS, 1)])
    assert [each.at for each in points(found, STREAMS)] == [1, 10]
    assert [each.at for each in points(found, DEVICES)] == [10_000, 1_000_000]
    assert points(found, WORKERS) == []


def test_every_axis_with_two_points_has_a_picture_that_shows_each_of_them() -> None:
    drawn = plots(grown_report())
    assert set(drawn) == {"devices.svg", "streams.svg", "workers.svg"} <= {f"{name}.svg" for name in AXIS_NAMES}
    for file, text in drawn.items():
        root = ElementTree.fromstring(text)
        charts = [each for each in root.iter(f"{SVG}g") if each.get("transform")]
        dots = [[len(list(chart.iter(f"{SVG}circle")))] for chart in charts]
        assert dots == [[2], [4], [4]], file  # rate, both sides' CPU time, both sides' memory
        assert {each.tag for each in root.iter()} <= {f"{SVG}{tag}" for tag in (
            "svg", "title", "style", "rect", "path", "text", "g", "line", "polyline", "circle",
        )}  # fmt: skip
    assert (
        "as many times the first" in drawn["workers.svg"] and "dashed" not in drawn["streams.svg"].split("</style>")[1]
    )


def test_an_axis_with_one_point_has_no_picture() -> None:
    assert plots(report(costs=[cost(10_000)], growth=[point(STREAMS, 1)])) == {}


def test_points_are_compared_by_axis_and_mark() -> None:
    old, new = grown_report(), msgspec.structs.replace(grown_report(), growth=[point(WORKERS, 2, 36_000)])
    found = {change.name: change for change in compare(old, new).changes}
    assert found["workers-2"].verdict == "slower" and found["workers-2"].beside_yardstick == -0.5
    assert found["devices-10000"].verdict == "same"
    assert compare(old, new).only_old == ["streams-1", "streams-10", "workers-1"]


def test_a_report_of_an_older_version_can_still_be_read() -> None:
    old = msgspec.to_builtins(grown_report())
    for name in ("growth", "minting"):
        del old[name]
    for each in old["costs"]:
        for name in ("rates_per_s", "fill_s", "store_mb"):
            del each[name]
    read = msgspec.convert(old, type(grown_report()))
    assert [each.row.rates_per_s for each in points(read, DEVICES)] == [[60_000], [60_000]]


def test_every_axis_says_what_is_measured_along_it() -> None:
    assert all(axis.what and axis.unit for axis in AXES) and len(set(AXIS_NAMES)) == len(AXES)
