"""Intervals of differences: Student's distribution by published values, and the coverage that they promise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.confidence import difference, student_quantile, student_share


@pytest.mark.parametrize(
    ("share", "degrees", "expected"),
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, to its three decimals.
    [
        *((0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 5, 2.571), (0.975, 30, 2.042), (0.975, 100, 1.984)),
        *((0.9, 1, 3.078), (0.995, 3, 5.841), (0.999, 10, 4.144), (0.975, 1e6, 1.960)),
    ],
)
def test_quantiles_of_students_distribution(share: float, degrees: float, expected: float) -> None:
    assert student_quantile(share, degrees) == pytest.approx(expected, abs=0.0006)


@given(st.floats(0.5, 0.9999), st.floats(1, 1e4))
def test_quantile_and_share_are_each_others_inverse(share: float, degrees: float) -> None:
    assert student_share(student_quantile(share, degrees), degrees) == pytest.approx(share, abs=1e-9)


def test_welchs_interval() -> None:
    old, new = [10.0, 11.0, 12.0], [14.0, 16.0, 18.0]
    found = difference(old, new, 0.95)
    assert found is not None and found.sure
    # s² = 1 and 4, so the error is √(1/3 + 4/3), with (5/3)² / ((1/9 + 16/9) / 2) degrees of freedom
    reach = student_quantile(0.975, 2.941176) * (5 / 3) ** 0.5
    assert (found.low, found.high) == pytest.approx((5 - reach, 5 + reach), abs=1e-5)
    wider = difference(old, new, 0.999)
    assert wider is not None and not wider.sure


def test_without_two_values_on_either_side_there_is_no_interval() -> None:
    assert difference([1.0], [1.0, 2.0], 0.95) is None
    assert difference([1.0, 2.0], [1.0], 0.95) is None


def test_values_that_do_not_scatter_are_sure_at_once() -> None:
    assert difference([2.0, 2.0], [3.0, 3.0], 0.95) == (1.0, 1.0, 1.0)
    same = difference([2.0, 2.0], [2.0, 2.0], 0.95)
    assert same == (0.0, 0.0, 0.0) and not same.sure


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(5)
    held = 0
    for _ in range(400):
        old = [chance.gauss(100, 5) for _ in range(4)]
        new = [chance.gauss(110, 12) for _ in range(5)]
        found = difference(old, new, 0.9)
        assert found is not None
        held += found.low <= 10 <= found.high
    assert 340 <= held <= 380
