"""The results of a load test as records: the series without gaps, histograms whole, faults as bands."""

import pytest
from hdrh.histogram import HdrHistogram

from loadtest.control_client import ActiveFault, ControlClient
from loadtest.fault_watch import BANDS_MAX, EVERY_S, FaultWatch
from loadtest.load_results import histograms_of, series_of
from loadtest.profiles import Curve
from loadtest.recording import BUCKET_BITS, Recording, bucket
from loadtest.report.run_record import POINTS_MAX, FaultBand


def recording(providers: tuple[str, ...] = ("apns",)) -> Recording:
    made = Recording()
    for provider in providers:
        for second, latency_ms in ((0, 5), (0, 9), (3, 4_001)):
            made.arrived(second + 0.5, 10, 0.2, no_room=False)
            made.answered(second + 0.5, provider, latency_ms, 10)
    return made


def test_the_series_has_a_row_for_each_interval_also_for_those_in_which_nothing_happened() -> None:
    series = series_of(recording(), Curve([(0, 0), (10, 100)]))
    assert [(row.at_s, row.scheduled, row.behind_ms) for row in series.rows] == [
        (0.0, 20, 200.0),
        (1.0, 0, 0.0),
        (2.0, 0, 0.0),
        (3.0, 10, 200.0),
    ]
    assert [row.planned_per_s for row in series.rows] == [5, 15, 25, 35]
    assert series.rows[0].latency_ms == {"p50": 5, "p90": 9, "p99": 9, "max": 9}
    assert series.rows[1].latency_ms == {}
    assert series.rows[3].latency_ms["p50"] == pytest.approx(4_001, rel=0.03)


def test_a_closed_loop_has_no_plan_and_a_run_without_anything_no_rows() -> None:
    assert {row.planned_per_s for row in series_of(recording(), None).rows} == {None}
    assert series_of(Recording(), None).rows == []


def test_histograms_are_whole_and_the_same_in_the_hdr_form() -> None:
    (histogram,) = histograms_of(recording())
    assert (histogram.name, histogram.count, histogram.max_ms) == ("scheduled", 30, bucket(4_001, BUCKET_BITS))
    assert histogram.points == [(1 / 3, 5.0), (2 / 3, 9.0), (1.0, 4_000.0)]
    assert histogram.mean_ms == pytest.approx((5 + 9 + 4_000) / 3, abs=0.001)
    decoded = HdrHistogram.decode(histogram.hdr)
    assert decoded.get_total_count() == 30
    for percentile, latency_ms in ((33, 5), (66, 9), (100, 4_000)):
        assert decoded.get_value_at_percentile(percentile) == pytest.approx(latency_ms * 1_000, rel=0.001)


def test_with_two_providers_each_has_its_own_beside_that_of_both() -> None:
    made = recording(("fcm", "apns"))
    made.batch_ended("APNS+FCM", 8)
    assert [(each.name, each.count) for each in histograms_of(made)] == [
        ("scheduled", 60),
        ("scheduled apns", 30),
        ("scheduled fcm", 30),
        ("batch", 1),
    ]


def test_a_histogram_of_more_points_than_are_kept_is_thinned_up_to_its_maximum() -> None:
    made = Recording(latency_ms={"sent apns": dict.fromkeys(range(POINTS_MAX + 500), 1)})
    (histogram,) = histograms_of(made)
    assert len(histogram.points) == POINTS_MAX
    assert histogram.points[-1] == (1.0, POINTS_MAX + 499)
    assert histogram.points == sorted(histogram.points)
    assert histogram.count == POINTS_MAX + 500


# Faults.


class Control(ControlClient):
    """A control plane that says which faults are at work."""

    def __init__(self) -> None:
        super().__init__("http://localhost:1")
        self.here: list[ActiveFault] = []
        self.asked = 0

    def faults(self) -> list[ActiveFault]:
        self.asked += 1
        return self.here


def test_faults_are_bands_from_when_they_were_seen_to_when_they_were_gone() -> None:
    control, now = Control(), [100.0]
    watch = FaultWatch(control, lambda: now[0])
    steps = {100.0: [1], 105.0: [1, 2], 106.0: [2], 110.0: [2, 3], 112.0: [3]}
    for at_s, here in steps.items():
        now[0], control.here = at_s, [ActiveFault(number, f"fault {number}") for number in here]
        watch.look()
    assert watch.bands(102.0) == [
        FaultBand(fault="fault 1", from_s=0.0, to_s=4.0),
        FaultBand(fault="fault 2", from_s=3.0, to_s=10.0),
        FaultBand(fault="fault 3", from_s=8.0, to_s=None),
    ]
    assert [band.fault for band in watch.bands(106.0)] == ["fault 2", "fault 3"]  # the first was gone before


def test_the_control_plane_is_not_asked_more_often_than_every_second() -> None:
    control, now = Control(), [100.0]
    watch = FaultWatch(control, lambda: now[0])
    for _ in range(100):
        watch.look()
        now[0] += EVERY_S / 10
    assert control.asked == 10


def test_more_faults_than_are_kept_are_left_out() -> None:
    control = Control()
    control.here = [ActiveFault(number, "x") for number in range(BANDS_MAX + 5)]
    watch = FaultWatch(control, lambda: 100.0)
    watch.look()
    assert len(watch.bands(0.0)) == BANDS_MAX
