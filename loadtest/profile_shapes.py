"""The named profiles: one row each, with its parameters, and how it is drawn from them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, unique

from loadtest.profiles import Curve, Profile


@unique
class Kind(Enum):
    """What a parameter counts."""

    RATE = "notifications a second, such as 5000, 5k, or 50% of the simulator's ceiling"
    DURATION = "a time, such as 30s, 250ms, 5m or 1h"
    FACTOR = "a number"
    COUNT = "a whole number from 1 upwards"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`default`: None for one that has to be given."""

    name: str
    kind: Kind
    default: float | None
    says: str


Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """One named profile. `says`: one line for the user."""

    name: str
    says: str
    parameters: tuple[Parameter, ...]
    draw: Callable[[Values], Profile]


FOR = Parameter("for", Kind.DURATION, math.inf, "how long; then nothing, or what follows")
"""Every shape has it; where it is not given and another one follows, the shape ends when it is drawn to its end."""

# How many of the people with a phone live at which offset from UTC, in hours, roughly: [choice], in thousandths.
PEOPLE_BY_UTC_OFFSET = (
    (-8, 12), (-7, 8), (-6, 45), (-5, 60), (-4, 20), (-3, 45), (0, 50), (1, 105), (2, 90), (3, 85), (3.5, 12), (4, 10),
    (5, 50), (5.5, 185), (6, 30), (7, 70), (8, 215), (9, 35), (10, 8), (12, 2),
)  # fmt: skip
LOCAL_HOUR = 9.0
"""Of a campaign that reaches everybody in the morning: [choice]."""
_HOURS, _STEPS_PER_HOUR = 24, 6
_RISE_H, _FALL_H = 0.25, 1.5  # of the wave in one zone


def _steady(given: Values) -> Profile:
    return Curve([(0, given["rate"])])


def _ramp(given: Values) -> Profile:
    return Curve([(0, given["from"]), (given["over"], given["to"])])


def _step(given: Values) -> Profile:
    knots = [(0.0, given["from"])]
    for number in range(1, int(given["steps"]) + 1):
        at_s, rate = number * given["every"], given["from"] + number * given["by"]
        knots += [(at_s, knots[-1][1]), (at_s, rate)]
    # The last step lasts as long as the others, where another profile follows.
    return Curve([*knots, ((given["steps"] + 1) * given["every"], knots[-1][1])])


def _spike(given: Values) -> Profile:
    start_s = given["at"]
    end_s = start_s + given["hold"]
    base, peak = given["base"], given["peak"]
    return Curve([(0, base), (start_s, base), (start_s, peak), (end_s, peak), (end_s, base)])


def _sawtooth(given: Values) -> Profile:
    return Curve([(0, given["low"]), (given["period"], given["high"])], repeats=True)


def _soak(given: Values) -> Profile:
    return Curve([(0, 0), (given["rise"], given["rate"])])


def _breaking_news(given: Values) -> Profile:
    base, peak = given["base"], given["base"] * given["times"]
    start_s = given["at"]
    top_s = start_s + given["rise"]
    turn_s = top_s + given["hold"]
    return Curve([(0, base), (start_s, base), (top_s, peak), (turn_s, peak), (turn_s + given["fall"], base)])


def _time_zone_wave(given: Values) -> Profile:
    steps = _HOURS * _STEPS_PER_HOUR
    heights = [_people_reached(step / _STEPS_PER_HOUR) for step in range(steps)]
    scale = given["peak"] / max(heights)
    step_s = given["day"] / steps
    return Curve([(step * step_s, scale * heights[step % steps]) for step in range(steps + 1)], repeats=True)


def _people_reached(utc_hour: float) -> float:
    found = 0.0
    for offset, people in PEOPLE_BY_UTC_OFFSET:
        since_h = (utc_hour - (LOCAL_HOUR - offset) + _RISE_H) % _HOURS
        if since_h < _RISE_H:
            found += people * since_h / _RISE_H
        elif since_h < _RISE_H + _FALL_H:
            found += people * (1 - (since_h - _RISE_H) / _FALL_H)
    return found


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "steady",
            "the same rate all the time",
            (Parameter("rate", Kind.RATE, None, "the rate"),),
            _steady,
        ),
        Shape(
            "ramp",
            "from one rate to another in a straight line, then that",
            (
                Parameter("from", Kind.RATE, 0, "rate at the start"),
                Parameter("to", Kind.RATE, None, "rate at the end"),
                Parameter("over", Kind.DURATION, 60, "how long it takes"),
            ),
            _ramp,
        ),
        Shape(
            "step",
            "stairs, to find where answers become slow",
            (
                Parameter("from", Kind.RATE, None, "rate of the first step"),
                Parameter("by", Kind.RATE, None, "height of a step"),
                Parameter("every", Kind.DURATION, 10, "length of a step"),
                Parameter("steps", Kind.COUNT, 9, "how often it goes up"),
            ),
            _step,
        ),
        Shape(
            "spike",
            "a base rate with one sudden peak",
            (
                Parameter("base", Kind.RATE, None, "rate before and after"),
                Parameter("peak", Kind.RATE, None, "rate of the peak"),
                Parameter("at", Kind.DURATION, 10, "when it comes"),
                Parameter("hold", Kind.DURATION, 5, "how long it lasts"),
            ),
            _spike,
        ),
        Shape(
            "sawtooth",
            "up in a straight line and down at once, again and again",
            (
                Parameter("low", Kind.RATE, 0, "rate at the foot"),
                Parameter("high", Kind.RATE, None, "rate at the top"),
                Parameter("period", Kind.DURATION, 20, "from foot to foot"),
            ),
            _sawtooth,
        ),
        Shape(
            "soak",
            "a gentle start, then the same rate for hours: for leaks",
            (
                Parameter("rate", Kind.RATE, None, "the rate"),
                Parameter("rise", Kind.DURATION, 30, "how long the start takes"),
            ),
            _soak,
        ),
        Shape(
            "breaking-news",
            "ten times the base rate in two seconds",
            (
                Parameter("base", Kind.RATE, None, "rate before and after"),
                Parameter("times", Kind.FACTOR, 10, "how many times the base rate"),
                Parameter("at", Kind.DURATION, 10, "when it begins"),
                Parameter("rise", Kind.DURATION, 2, "how long it rises"),
                Parameter("hold", Kind.DURATION, 10, "how long it stays"),
                Parameter("fall", Kind.DURATION, 30, "how long it falls"),
            ),
            _breaking_news,
        ),
        Shape(
            "time-zone-wave",
            "everybody at 9 in the morning, zone by zone: a day in four minutes, again and again",
            (
                Parameter("peak", Kind.RATE, None, "the highest rate of the day"),
                Parameter("day", Kind.DURATION, 240, "how long the 24 hours take"),
            ),
            _time_zone_wave,
        ),
    )
}
"""The shapes by name, in the order of the help."""
