"""Profiles: pure functions of elapsed time, their text, and the batches that they schedule."""

import math
import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.arrivals import arrivals, smooth_batch_size
from loadtest.index_range import IndexRange
from loadtest.profile_plot import duration_text, plot
from loadtest.profile_shapes import SHAPES
from loadtest.profile_text import PARTS_MAX, TEXT_CHARACTERS_MAX, ProfileError, read_profile
from loadtest.profiles import Curve, Profile, capacity, instant_of, peak_per_s

TEXTS = (
    "steady:rate=1000",
    "ramp:from=100,to=2k,over=20s",
    "step:from=500,by=250,every=5s,steps=4",
    "spike:base=100,peak=5k,at=3s,hold=2s",
    "sawtooth:low=10,high=1k,period=7s",
    "soak:rate=1k,rise=10s",
    "breaking-news:base=300",
    "time-zone-wave:peak=2k,day=60s",
    "ramp:to=1k,over=5s then steady:rate=1k,for=10s then ramp:from=1k,to=200,over=5s",
    "steady:rate=500 + spike:base=0,peak=2k,at=4s,for=20s",
)


def profile(text: str, ceiling_per_s: float | None = None) -> Profile:
    made = read_profile(text, ceiling_per_s)
    assert made is not None
    return made


@pytest.mark.parametrize("text", TEXTS)
def test_the_total_is_the_integral_of_the_rate(text: str) -> None:
    made, step_s = profile(text), 0.001
    summed = 0.0
    for number in range(40_000):
        at_s = number * step_s
        summed += made.rate_per_s(at_s + step_s / 2) * step_s
        if number % 5_000 == 0:
            assert made.total(at_s + step_s) == pytest.approx(summed, rel=2e-3, abs=3)


@pytest.mark.parametrize("text", TEXTS)
@given(count=st.floats(0.5, 9_000), after_s=st.floats(0, 3))
def test_an_instant_is_the_first_at_which_so_many_are_scheduled(text: str, count: float, after_s: float) -> None:
    made = profile(text)
    found_s = instant_of(made, count, after_s)
    assert found_s is not None and found_s >= after_s
    assert made.total(found_s) >= count - 1e-5
    if found_s > after_s + 1e-5:
        assert made.total(found_s - 1e-5) < count


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("steady:rate=1.5k", {0: 1_500, 1e6: 1_500}),
        ("ramp:from=100,to=300,over=10s", {0: 100, 5: 200, 10: 300, 99: 300}),
        ("step:from=10,by=5,every=2s,steps=2", {0: 10, 1.9: 10, 2: 15, 4: 20, 100: 20}),
        ("spike:base=1,peak=9,at=5s,hold=1s", {0: 1, 4.99: 1, 5: 9, 5.99: 9, 6: 1, 60: 1}),
        ("sawtooth:high=8,period=4s", {0: 0, 2: 4, 3: 6, 4: 0, 7: 6}),
        ("soak:rate=50,rise=10s", {0: 0, 5: 25, 10: 50, 100_000: 50}),
        ("breaking-news:base=7", {0: 7, 10: 7, 12: 70, 22: 70, 52: 7, 90: 7}),
        ("steady:rate=5,for=2s", {0: 5, 1.99: 5, 2: 0}),
        ("steady:rate=5,for=2s then steady:rate=7", {0: 5, 1.99: 5, 2: 7, 9: 7}),
        ("ramp:to=10,over=2s then steady:rate=3", {0: 0, 1: 5, 2: 3}),
        ("steady:rate=5 + steady:rate=7,for=1s", {0: 12, 1: 5}),
        ("step:from=10,by=5,every=2s,steps=1 then steady:rate=1", {1: 10, 2: 15, 3.99: 15, 4: 1}),
        ("steady:rate=50%", {0: 20_000}),
    ],
)
def test_each_shape_has_the_rates_that_its_name_says(text: str, rates: dict[float, float]) -> None:
    made = profile(text, ceiling_per_s=40_000)
    assert {at_s: made.rate_per_s(at_s) for at_s in rates} == pytest.approx(rates)


def test_everybody_is_reached_once_a_day_zone_by_zone_and_the_peak_is_the_one_asked_for() -> None:
    made = profile("time-zone-wave:peak=1000,day=240s")
    assert peak_per_s(made, 240, points=144) == pytest.approx(1_000)
    assert made.total(480) == pytest.approx(2 * made.total(240))
    # Nine in Shanghai and Singapore (UTC+8) is the hour of most people; the Pacific at nine is that of fewest.
    assert made.rate_per_s(240 / 24 * 1) > 0.9 * 1_000
    assert made.rate_per_s(240 / 24 * 21) < 0.1 * 1_000


def test_max_is_no_profile_but_the_closed_loop() -> None:
    assert read_profile(" max ") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no profile is called ''; there are steady, ramp"),
        ("stedy:rate=1", "no profile is called 'stedy'"),
        ("max + steady:rate=1", "max is a closed loop: it stands alone"),
        ("steady", "steady needs rate="),
        ("steady:rate", "steady takes rate=, for=, not 'rate'"),
        ("steady:pace=3", "steady takes rate=, for=, not 'pace=3'"),
        ("steady:rate=1,rate=2", "steady has rate= twice"),
        ("steady:rate=-1", "steady: rate= must be notifications a second"),
        ("steady:rate=nan", "steady: rate= must be notifications a second"),
        ("steady:rate=1e9", "steady: rate= must be notifications a second"),
        ("steady:rate=101m", "from 0 to 1e+08, not '101m'"),
        ("steady:rate=50%", "needs the simulator's ceiling, which is not known; give it with --ceiling"),
        ("steady:rate=1,for=0s", "steady: for= must be a time"),
        ("ramp:to=1,over=5k", "ramp: over= must be a time"),
        ("step:from=1,by=1,steps=1.5", "step: steps= must be a whole number"),
        ("steady:rate=1 then steady:rate=2", "say how long what comes before `then` lasts"),
        ("steady:rate=1 + " * PARTS_MAX + "steady:rate=1", f"at most {PARTS_MAX} parts"),
        (" " * (TEXT_CHARACTERS_MAX + 1), f"at most {TEXT_CHARACTERS_MAX} characters"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_would_do(text: str, says: str) -> None:
    with pytest.raises(ProfileError) as raised:
        read_profile(text)
    assert says in str(raised.value)


def test_a_curve_begins_at_its_start_and_goes_forwards() -> None:
    for knots in ([], [(1.0, 5.0)], [(0.0, 5.0), (2.0, 5.0), (1.0, 5.0)], [(0.0, -1.0)]):
        with pytest.raises(ValueError, match=r"knots|rate"):
            Curve(knots)
    with pytest.raises(ValueError, match="repeats"):
        Curve([(0, 1)], repeats=True)


# Arrivals.


@given(st.sampled_from(TEXTS), st.integers(1, 300), st.integers(0, 2_000), st.booleans())
def test_every_device_arrives_once_in_order(text: str, batch_size: int, devices: int, poisson: bool) -> None:
    chance = random.Random(7) if poisson else None
    batches = list(arrivals(profile(text), IndexRange(10, 10 + devices), batch_size, chance))
    assert [index for batch in batches for index in batch.indices] == list(range(10, 10 + devices))
    instants = [batch.at_s for batch in batches]
    assert instants == sorted(instants)
    assert all(0 < len(batch.indices) <= batch_size for batch in batches)


def test_a_batch_arrives_when_its_last_notification_is_due() -> None:
    batches = list(arrivals(profile("steady:rate=1000"), IndexRange(0, 1_050), 100))
    assert [batch.at_s for batch in batches] == pytest.approx(
        [0.1 * number for number in range(1, 11)] + [1.05], abs=2e-6
    )


def test_chance_keeps_the_rate_and_makes_gaps_of_any_length_the_same_ones_for_a_seed() -> None:
    made = profile("steady:rate=1000")
    first, again, other = (
        [batch.at_s for batch in arrivals(made, IndexRange(0, 20_000), 10, random.Random(seed))] for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first[-1] == pytest.approx(20, rel=0.1)
    gaps = [later - earlier for earlier, later in pairwise(first)]
    mean_s = sum(gaps) / len(gaps)
    deviation_s = math.sqrt(sum((gap - mean_s) ** 2 for gap in gaps) / len(gaps))
    assert deviation_s == pytest.approx(mean_s, rel=0.15)  # exponential: they are equal


def test_a_profile_that_ends_before_the_devices_gives_back_the_rest() -> None:
    made, indices = profile("steady:rate=100,for=2s"), IndexRange(0, 250)
    batches = list(arrivals(made, indices, 30))
    assert (batches[-1].indices.stop, indices.remaining) == (180, 70)
    assert capacity(made) == 200


@pytest.mark.parametrize(
    "text", ["steady:rate=1000,for=2s", "ramp:from=1000,to=0,over=4s", "spike:base=0,peak=2k,at=1s,hold=1s,for=4s"]
)
def test_with_chance_a_profile_that_ends_has_all_devices_by_then_spread_as_it_says(text: str) -> None:
    made = profile(text)
    tenths = Counter[int]()
    for seed in range(40):
        batches = list(arrivals(made, IndexRange(0, 2_000), 10, random.Random(seed)))
        assert batches[-1].indices.stop == 2_000
        assert batches[-1].at_s <= made.duration_s
        assert len({batch.at_s for batch in batches[-10:]}) == 10  # none is left over, to come at the end with others
        tenths.update(int(10 * made.total(batch.at_s) / 2_000) for batch in batches)
    assert set(tenths) == set(range(10))
    assert max(tenths.values()) < 1.25 * min(tenths.values())


def test_batches_are_as_small_as_a_hundred_a_second_at_the_peak_need() -> None:
    assert smooth_batch_size(profile("steady:rate=20k"), 100_000) == 100
    assert smooth_batch_size(profile("breaking-news:base=1k"), 100_000) == 50
    assert smooth_batch_size(profile("steady:rate=5"), 100) == 1
    assert smooth_batch_size(profile("steady:rate=1m"), 10_000_000) == 1_000
    assert smooth_batch_size(profile("steady:rate=1k,for=1s"), 10_000) == 5


# The drawing.


def test_a_drawing_shows_peak_end_and_count() -> None:
    drawn = plot(profile("spike:base=1k,peak=4k,at=10s,hold=10s"), 100_000, width=40, height=8).splitlines()
    assert len(drawn) == 8 + 3
    assert drawn[0].startswith("4,000 ┤") and drawn[0].strip("4,0 ┤") == "█" * drawn[0].count("█")
    assert drawn[-3].startswith("    0 └")
    assert drawn[-2].split() == ["0", "35", "s", "1", "min", "10", "s"]
    assert drawn[-1] == "100,000 notifications in 1 min 10 s, 1,429 a second on average, 4,000 at the peak"


def test_a_short_peak_does_not_fall_between_columns() -> None:
    drawn = plot(profile("spike:base=10,peak=1k,at=100s,hold=1s"), 10_000, width=50)
    assert drawn.startswith("1,000 ┤")


def test_a_profile_that_ends_is_drawn_to_its_end() -> None:
    assert "200 notifications in 2 s" in plot(profile("steady:rate=100,for=2s"), 1_000)


@pytest.mark.parametrize("text", [f"{name}:" for name in SHAPES])
def test_every_shape_says_what_it_needs(text: str) -> None:
    with pytest.raises(ProfileError, match="needs"):
        read_profile(text)


def test_times_are_short_texts() -> None:
    assert [duration_text(each) for each in (0.25, 59, 60, 61, 3_600, 7_260)] == [
        "0.25 s", "59 s", "1 min", "1 min 1 s", "1 h", "2 h 1 min"
    ]  # fmt: skip
