"""Profiles as text: `breaking-news:base=2k`, `ramp:to=5k,over=20s then steady:rate=5k`, or a sum of both with `+`.

profile   = sequence | "max"
sequence  = together { "then" together }
together  = shape { "+" shape }
shape     = NAME [ ":" KEY "=" VALUE { "," KEY "=" VALUE } ]
"""

import math
import re

from loadtest.profile_shapes import FOR, SHAPES, Kind, Parameter, Shape
from loadtest.profiles import Profile, Sum, Then, Until

MAX = "max"
"""The name of the closed loop: as fast as it is answered."""
HALF_CEILING = "steady:rate=50%"
"""What is scheduled where no profile is given, and the simulator's ceiling is known."""
TEXT_CHARACTERS_MAX = 1_000
PARTS_MAX = 32
RATE_MAX = 100_000_000.0
DURATION_MAX_S = 366 * 86_400.0
FACTOR_MAX = 1e6
STEPS_MAX = 10_000

_RATE_UNITS = {"": 1.0, "k": 1e3, "m": 1e6}
_DURATION_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([a-z%]*)\Z", re.ASCII)


class ProfileError(ValueError):
    """A profile that cannot be read; says what is wrong, and what would do."""


def read_profile(text: str, ceiling_per_s: float | None = None) -> Profile | None:
    """The profile of a text; None for `max`. `ceiling_per_s`: what 100 % stands for. Raises ProfileError."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ProfileError(f"a profile is at most {TEXT_CHARACTERS_MAX} characters long, not {len(text)}")
    if text.strip() == MAX:
        return None
    sequence = [part.split("+") for part in re.split(r"\bthen\b", text)]
    if sum(map(len, sequence)) > PARTS_MAX:
        raise ProfileError(f"a profile is made of at most {PARTS_MAX} parts")
    *leading, last = [[_part(part.strip(), ceiling_per_s) for part in together] for together in sequence]
    made = _together(last)
    for together in reversed(leading):
        made = Then(_ending(_together(together)), made)
    return made


def asks_for_ceiling(text: str) -> bool:
    """Rates are given in percent of the simulator's ceiling."""
    return "%" in text


def _together(parts: list[Profile]) -> Profile:
    made, *others = parts
    for other in others:
        made = Sum(made, other)
    return made


def _ending(profile: Profile) -> Profile:
    """One that another follows."""
    if profile.duration_s < math.inf:
        return profile
    if not profile.natural_s:
        raise ProfileError("say how long what comes before `then` lasts, such as steady:rate=1000,for=30s")
    return Until(profile, profile.natural_s)


def _part(text: str, ceiling_per_s: float | None) -> Profile:
    name, _, rest = text.partition(":")
    name = name.strip()
    if name == MAX:
        raise ProfileError(f"{MAX} is a closed loop: it stands alone, since it has no rate to add to or to follow")
    shape = SHAPES.get(name)
    if shape is None:
        raise ProfileError(f"no profile is called {name!r}; there are {', '.join((*SHAPES, MAX))}")
    given = _given(shape, rest, ceiling_per_s)
    duration_s = given.pop(FOR.name)
    profile = shape.draw(given)
    return profile if duration_s == math.inf else Until(profile, duration_s)


def _given(shape: Shape, text: str, ceiling_per_s: float | None) -> dict[str, float]:
    parameters = {parameter.name: parameter for parameter in (*shape.parameters, FOR)}
    given: dict[str, float] = {}
    for each in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = (word.strip() for word in each.partition("="))
        parameter = parameters.get(name)
        if parameter is None or not equals:
            raise ProfileError(f"{shape.name} takes {', '.join(f'{known}=' for known in parameters)}, not {each!r}")
        if name in given:
            raise ProfileError(f"{shape.name} has {name}= twice")
        given[name] = _value(shape, parameter, value, ceiling_per_s)
    for parameter in parameters.values():
        if parameter.name not in given:
            if parameter.default is None:
                raise ProfileError(f"{shape.name} needs {parameter.name}=: {parameter.says}")
            given[parameter.name] = parameter.default
    return given


def _value(shape: Shape, parameter: Parameter, text: str, ceiling_per_s: float | None) -> float:
    where = f"{shape.name}: {parameter.name}="
    found = _NUMBER.match(text.lower())
    if found is None:
        raise ProfileError(f"{where} must be {parameter.kind.value}, not {text!r}")
    number, unit = float(found[1]), found[2]
    if unit == "%" and parameter.kind is Kind.RATE:
        if ceiling_per_s is None:
            raise ProfileError(
                f"{where}{text} needs the simulator's ceiling, which is not known; give it with --ceiling"
            )
        return number / 100 * ceiling_per_s
    units, low, high = _LIMITS[parameter.kind]
    factor = units.get(unit)
    if factor is None or not low <= number * factor <= high or (parameter.kind is Kind.COUNT and number != int(number)):
        raise ProfileError(f"{where} must be {parameter.kind.value}, from {low:g} to {high:g}, not {text!r}")
    return number * factor


_LIMITS: dict[Kind, tuple[dict[str, float], float, float]] = {
    Kind.RATE: (_RATE_UNITS, 0.0, RATE_MAX),
    Kind.DURATION: (_DURATION_UNITS, 0.001, DURATION_MAX_S),
    Kind.FACTOR: ({"": 1.0}, 0.0, FACTOR_MAX),
    Kind.COUNT: ({"": 1.0}, 1.0, STEPS_MAX),
}
"""Units, and what a parameter of the kind may be, both ends included."""
