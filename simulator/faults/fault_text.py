"""A fault from what a user wrote: one line `NAME option=value …`, or a name and a table of options. Pure.

Options of the fault itself, of its match, and `stage` stand side by side; no two of them share a name (a test sees to it).
"""

import difflib
import shlex
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from simulator.faults.engine import Planned
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.match import Match
from simulator.faults.table import FAULTS

STAGE: Final = "stage"
TEXT_CHARACTERS_MAX: Final = 8_192
VALUE_CHARACTERS_SHOWN_MAX: Final = 80

Part = TypeVar("Part", bound=msgspec.Struct)


def read_fault(text: str) -> Planned:
    """The fault of a line such as `reason reason=TooManyRequests retry_after_s=5 share_of_requests=0.1`.

    Values with spaces stand in quotes, as in a shell. Raises ValueError that says what is wrong and what to write.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"a fault of more than {TEXT_CHARACTERS_MAX:,} characters; write a shorter one")
    try:
        name, *pairs = shlex.split(text) or [""]
    except ValueError as error:
        raise ValueError(f"cannot be read ({error}); quote values as in a shell") from None
    options: dict[str, object] = {}
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{_shown(pair)} is no option; write NAME option=value option=value …")
        if option in options:
            raise ValueError(f"{_shown(option)} is given twice; give it once")
        options[option] = value
    return _planned(name, options, from_text=True)


def plan_fault(name: str, options: Mapping[str, object]) -> Planned:
    """The fault of a name and its options, as JSON and TOML give them. Raises ValueError as `read_fault` does."""
    return _planned(name, options, from_text=False)


def options_of(planned: Planned) -> dict[str, str | int | float | bool]:
    """What would give the same fault again, but for the defaults of its match."""
    options = {**msgspec.to_builtins(planned.fault), **msgspec.to_builtins(planned.match)}
    if isinstance(planned.fault, RequestFault) and len(planned.fault.stages) > 1:
        options[STAGE] = planned.stage.value
    return {name: value for name, value in options.items() if value is not None}


def fault_line(planned: Planned) -> str:
    """The same as the line that `read_fault` reads."""
    pairs = [f"{name}={_as_text(value)}" for name, value in options_of(planned).items()]
    return shlex.join([planned.fault.name, *pairs])


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _planned(name: str, options: Mapping[str, object], *, from_text: bool) -> Planned:
    form = FAULTS.get(name)
    if not name:
        raise ValueError(f"the name of a fault is missing; there are: {', '.join(FAULTS)}")
    if form is None:
        close = difflib.get_close_matches(name, FAULTS, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(FAULTS)}"
        raise ValueError(f"no fault is called {_shown(name)}; {remedy}")
    own, matching = set(form.__struct_fields__), set(Match.__struct_fields__)
    known = [*form.__struct_fields__, STAGE, *Match.__struct_fields__]
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"it may have: {', '.join(known)}"
            raise ValueError(f"{name}: there is no option {_shown(option)}; {remedy}")
    fault = _convert(name, form, {key: value for key, value in options.items() if key in own}, from_text=from_text)
    match = _convert(
        name, Match, {key: value for key, value in options.items() if key in matching}, from_text=from_text
    )
    stage = _stage_of(fault, options.get(STAGE))
    if isinstance(fault, RequestFault) and fault.provider is not None:
        provider = fault.provider.value
        if match.provider not in (None, provider):
            raise ValueError(f"{name}: this is {provider}'s, so provider={match.provider} fits nothing; leave it out")
    planned = Planned(fault, match, stage)
    if planned.contradiction is not None:
        raise ValueError(planned.contradiction)
    return planned


def _convert(name: str, form: type[Part], options: Mapping[str, object], *, from_text: bool) -> Part:
    """Field by field first, so that a message can name the option."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(form):
        if field.name not in options:
            if field.required:
                raise ValueError(f"{name}: the option {field.name} is missing")
            continue
        given = options[field.name]
        try:
            values[field.name] = msgspec.convert(given, field.type, strict=not from_text)
        except msgspec.ValidationError as error:
            problem = str(error).replace("`", "")
            raise ValueError(
                f"{name}: {field.name}={_shown(given)} will not do; {problem[0].lower()}{problem[1:]}"
            ) from None
    try:
        return form(**values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _stage_of(fault: Fault, given: object) -> Stage:
    """As given, or else the usual one."""
    stages = fault.stages if isinstance(fault, RequestFault) else ()
    if given is None:
        return stages[0] if stages else Stage.BEFORE_JUDGE
    chosen = next((stage for stage in stages if stage.value == given), None)
    if chosen is None:
        possible = " or ".join(stage.value for stage in stages) or "none: it comes before there is any request"
        raise ValueError(f"{fault.name}: stage={_shown(given)} will not do; its stage is {possible}")
    return chosen


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    # Files of others are shown on terminals: no control characters.
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[: VALUE_CHARACTERS_SHOWN_MAX + 1])
    return text if len(text) <= VALUE_CHARACTERS_SHOWN_MAX else text[:VALUE_CHARACTERS_SHOWN_MAX] + "…"
