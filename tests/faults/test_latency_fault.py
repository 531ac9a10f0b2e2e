"""How late answers are: fixed, normal and long-tail, as promised by their percentiles."""

import pytest

from simulator.faults.draws import Draws, fault_key
from simulator.faults.latency import LATENCY_MS_MAX, LatencyFault


def drawn(fault: LatencyFault, count: int = 4_000, connection: int | None = None) -> list[float]:
    """For one answer each to so many tokens, in order of size."""
    key = fault_key(1, 1)
    return sorted(fault.drawn_ms(Draws(key, b"%d" % number, 1, connection or number)) for number in range(count))


def percentile(values: list[float], share: float) -> float:
    return values[int(share * (len(values) - 1))]


def test_fixed_is_fixed() -> None:
    assert set(drawn(LatencyFault(median_ms=12.5), 10)) == {12.5}


@pytest.mark.parametrize("shape", ["normal", "long-tail"])
def test_half_are_above_the_median_and_one_of_a_hundred_above_p99(shape: str) -> None:
    values = drawn(LatencyFault(median_ms=100, p99_ms=300, shape=shape))  # type: ignore[arg-type]  # either
    assert percentile(values, 0.5) == pytest.approx(100, rel=0.05)
    assert percentile(values, 0.99) == pytest.approx(300, rel=0.1)
    assert values[0] >= 0 and values[-1] <= LATENCY_MS_MAX


def test_the_long_tail_is_longer() -> None:
    normal = drawn(LatencyFault(median_ms=100, p99_ms=300, shape="normal"))
    tail = drawn(LatencyFault(median_ms=100, p99_ms=300, shape="long-tail"))
    assert tail[-1] > normal[-1] * 1.1
    assert tail[0] > normal[0] == 0.0


def test_none_is_longer_than_the_longest() -> None:
    values = drawn(LatencyFault(median_ms=LATENCY_MS_MAX, p99_ms=LATENCY_MS_MAX, shape="long-tail"), 50)
    assert values == [pytest.approx(LATENCY_MS_MAX)] * 50
    assert drawn(LatencyFault(median_ms=500_000, p99_ms=600_000, shape="normal"))[-1] == LATENCY_MS_MAX


def test_a_connection_has_one_latency() -> None:
    fault = LatencyFault(median_ms=100, p99_ms=300, shape="normal", per="connection")
    assert len(set(drawn(fault, 20, connection=4))) == 1
    assert len(set(drawn(fault, 20))) > 15  # some are cut at 0
    assert len(set(drawn(LatencyFault(median_ms=100, p99_ms=300, shape="normal"), 20, connection=4))) > 15


@pytest.mark.parametrize(
    "options",
    [
        {"median_ms": 5, "p99_ms": 9},
        {"median_ms": 5, "shape": "normal"},
        {"median_ms": 5, "p99_ms": 4, "shape": "normal"},
        {"median_ms": 0, "p99_ms": 4, "shape": "long-tail"},
    ],
)
def test_figures_that_make_no_distribution_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="p99_ms"):
        LatencyFault(**options)  # type: ignore[arg-type]  # spoiled
