"""The conditions a segment is made of: their tree, its meaning in Python, in SQL, as text. The rules: `sender.segment`.

Dotted numbers are compared by SQL alone: a Python function called by SQLite would need the interpreter, and its lock, once
per device.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import NamedTuple

from sender.attribute_name import is_attribute_name

NUMBER_PARTS = 4
INTEGER_MAX = 2**63 - 1  # SQLite's; greater parts of a dotted number count as this
REGISTERED_AT_MS = "registered_at_ms"

# mypy does not match the overloads of operator's comparisons.
COMPARE: dict[str, Callable[[object, object], bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}  # type: ignore[dict-item]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name operator value`."""

    name: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Membership:
    """`name in (values)`."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """`name is present` (a device lacking it: `not` of this)."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    part: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Condition", ...]


Condition = Comparison | Membership | Presence | Not | And | Or


class Where(NamedTuple):
    """A segment as SQL over the columns `attributes` (JSON text) and `registered_at_ms`: an expression that is 1 or 0.

    Names and values stand only in `parameters`, in the order of the `?`.
    """

    sql: str
    parameters: tuple[str | int, ...]


# --- meaning in Python


def dotted_number(text: str) -> tuple[int, ...] | None:
    """The first NUMBER_PARTS parts of a dotted number, filled up with 0; None when `text` is none."""
    if not text.isascii() or not all(part.isdigit() for part in text.split(".")):
        return None
    parts = [min(_bounded_int(part), INTEGER_MAX) for part in text.split(".")[:NUMBER_PARTS]]
    return tuple(parts + [0] * (NUMBER_PARTS - len(parts)))


def _bounded_int(digits: str) -> int:
    """Python refuses to read thousands of digits; twenty significant ones already exceed INTEGER_MAX."""
    significant = digits.lstrip("0")
    return INTEGER_MAX if len(significant) > 19 else int(significant or "0")


def holds(condition: Condition, attributes: Mapping[str, str], registered_at_ms: int) -> bool:
    match condition:
        case Or(parts):
            return any(holds(part, attributes, registered_at_ms) for part in parts)
        case And(parts):
            return all(holds(part, attributes, registered_at_ms) for part in parts)
        case Not(part):
            return not holds(part, attributes, registered_at_ms)
        case Presence(name):
            return name in attributes
        case Membership("registered_at_ms", values):
            return registered_at_ms in map(int, values)
        case Membership(name, values):
            return attributes.get(name) in values
        case Comparison("registered_at_ms", operator, value):
            return COMPARE[operator](registered_at_ms, int(value))
        case Comparison(name, operator, value):
            mine = attributes.get(name)
            if operator in ("=", "!="):
                return COMPARE[operator](mine, value)
            if mine is None:
                return False
            if (bound := dotted_number(value)) is not None:
                number = dotted_number(mine)
                return number is not None and COMPARE[operator](number, bound)
            return COMPARE[operator](mine.encode(), value.encode())


# --- SQL

_ATTRIBUTE = "json_extract(attributes, ?)"


def sql_of(condition: Condition, parameters: list[str | int]) -> str:
    """The condition as an expression that is never NULL; appends its parameters."""
    match condition:
        case Or(parts):
            return "(" + " OR ".join(sql_of(part, parameters) for part in parts) + ")"
        case And(parts):
            return "(" + " AND ".join(sql_of(part, parameters) for part in parts) + ")"
        case Not(part):
            return f"(NOT {sql_of(part, parameters)})"
        case Presence(name):
            parameters.append(_path(name))
            return f"({_ATTRIBUTE} IS NOT NULL)"
        case Membership("registered_at_ms", values):
            parameters.extend(map(int, values))
            return f"(registered_at_ms IN ({_marks(len(values))}))"
        case Membership(name, values):
            parameters.extend((_path(name), *values))
            return f"coalesce({_ATTRIBUTE} IN ({_marks(len(values))}), 0)"
        case Comparison("registered_at_ms", operator, value):
            parameters.append(int(value))
            return f"(registered_at_ms {operator} ?)"
        case Comparison(name, "=" | "!=" as operator, value):
            parameters.extend((_path(name), value))
            return f"({_ATTRIBUTE} {'IS' if operator == '=' else 'IS NOT'} ?)"
        case Comparison(name, operator, value):
            if dotted_number(value) is not None:
                return _sql_dotted(name, operator, value, parameters)
            parameters.extend((_path(name), value))
            return f"coalesce({_ATTRIBUTE} {operator} ?, 0)"


def _sql_dotted(name: str, operator: str, value: str, parameters: list[str | int]) -> str:
    """Compare a dotted number: once it is seen to be one, 3.10 becomes the JSON array ["3","10"] and its parts integers."""
    bound = dotted_number(value)
    assert bound is not None
    # `>=` and `<` are decided by the parts that the value has: whatever follows in the attribute can only add to it.
    count = min(value.count(".") + 1, NUMBER_PARTS) if operator in (">=", "<") else NUMBER_PARTS
    shapes = ("{} GLOB '[0-9]*'", "{} NOT GLOB '*[^0-9.]*'", "{} GLOB '*[0-9]'", "instr({}, '..') = 0")
    shape = " AND ".join(test.format(_ATTRIBUTE) for test in shapes)
    parameters.extend([_path(name)] * len(shapes))
    parts: list[str] = []
    for part in range(count):
        array = f"""'["' || replace({_ATTRIBUTE}, '.', '","') || '"]'"""
        parts.append(f"coalesce(CAST(json_extract({array}, '$[{part}]') AS INTEGER), 0)")
        parameters.append(_path(name))
    parameters.extend(bound[:count])
    mine, theirs = ", ".join(parts), _marks(count)
    compared = f"({mine}) {operator} ({theirs})" if count > 1 else f"{mine} {operator} {theirs}"
    return f"(CASE WHEN {shape} THEN {compared} ELSE 0 END)"


def _path(name: str) -> str:
    assert is_attribute_name(name), name
    return f'$."{name}"'


def _marks(count: int) -> str:
    return ", ".join("?" * count)


# --- canonical text


def text_of(condition: Condition) -> str:
    match condition:
        case Or(parts):
            return " or ".join(f"({text_of(part)})" if isinstance(part, Or) else text_of(part) for part in parts)
        case And(parts):
            return " and ".join(f"({text_of(part)})" if isinstance(part, And | Or) else text_of(part) for part in parts)
        case Not(Presence(name)):
            return f"{name} is missing"
        case Not(Membership(name, values)):
            return f"{name} not in ({', '.join(map(_quoted, values))})"
        case Not(part):
            return f"not ({text_of(part)})"
        case Presence(name):
            return f"{name} is present"
        case Membership(name, values):
            return f"{name} in ({', '.join(map(_quoted, values))})"
        case Comparison(name, operator, value):
            return f"{name} {operator} {_quoted(value)}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
