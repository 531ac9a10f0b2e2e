"""The general reader of a send request: everything that protobuf's JSON takes, and every fault by its path. Pure, and slow.

Texts are those of captures where there are any (B7): unknown names, wrong types, two targets. The rest is in the form that
other Google APIs answer in, and [unconfirmed] for FCM. Where facts leave it open, this is our choice:

- paths have the names of protobuf (snake_case), whatever names the body has; an unknown name stands as it came;
- null is absent; but no element of a list and no value of a map may be null;
- a name twice, or under both of its names: the last one counts, also for targets;
- `"true"` and `"false"` are booleans, and numbers may be strings; enums are names in their own case, but for `priority`;
- an integer may be written as `5.0` or `5e0`; numbers beyond the range of their type are refused;
- an output-only `name` is read and ignored.
"""

import json
import re
from datetime import datetime
from math import isinf
from typing import Final, NamedTuple, NoReturn

import msgspec

from simulator.fcm.errors import Fault, Violation, json_fault, syntax_fault
from simulator.fcm.message import FLOAT32_MAX, INT32_MAX, Record, SendRequest
from simulator.fcm.message_form import (
    TARGET_FIELDS,
    Choice,
    Field,
    FreeObject,
    ListOf,
    MapOfText,
    Nested,
    Scalar,
    fields_by_name,
)

DEPTH_MAX: Final = 100
"""How deep a body may nest, itself included: the default of protobuf's own parsers [unconfirmed]."""

VIOLATIONS_MAX: Final = 100
"""So many faults are named; what comes after them is not [choice]: bodies may be long, and answers need not be."""

SNIPPET_CHARACTERS: Final = 20
"""So much of a malformed body is shown on each side of its fault."""

_TYPES: Final = "type.googleapis.com/"
_FREE_OBJECT: Final = _TYPES + "google.protobuf.Struct"

_CANNOT_FIND: Final = "Cannot find field."
_NO_LIST: Final = "Proto field is not repeating, cannot start list."
_NO_OBJECT: Final = "Starting an object on a scalar field"
_NO_ARRAY: Final = "Starting a list on a scalar field"

_DURATION: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?s")
_TIMESTAMP: Final = re.compile(r"([0-9-]{10}T[0-9:]{8})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Numeral(str):
    """A number of the body as it was written."""

    __slots__ = ()


class Entries(NamedTuple):
    """An object of the body: its names and values in order, repeated names included."""

    pairs: "list[tuple[str, Json]]"


Json = None | bool | str | Numeral | list["Json"] | Entries


def read_and_explain(body: bytes) -> SendRequest | Fault:
    """The request of a body, or its faults in document order. Raises nothing."""
    value = _parse(body)
    if isinstance(value, Fault):
        return value
    if not isinstance(value, Entries):
        # Google's words for an array at the root.
        text = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
        return json_fault((Violation("", text),))
    reading = _Reading()
    send = reading.record(value, SendRequest, "")
    if reading.violations:
        return json_fault(tuple(reading.violations))
    assert isinstance(send, SendRequest)
    return send


def _parse(body: bytes) -> Json | Fault:
    """The JSON of a body with its order and numerals kept, or why it is none."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return syntax_fault("Encountered non UTF-8 code points.")
    try:
        value: Json = _DECODER.decode(text)
        if _depth(value) > DEPTH_MAX:
            raise RecursionError
        msgspec.json.decode(body, type=msgspec.Raw)
    except json.JSONDecodeError as error:
        return syntax_fault(_where(error))
    except RecursionError:
        return syntax_fault(f"Message too deep. It may nest {DEPTH_MAX} levels.")
    except msgspec.DecodeError:
        # The one thing that Python takes for JSON and msgspec, as protobuf, does not.
        return syntax_fault("Invalid escape sequence: half of a surrogate pair.")
    return value


def _no_constant(name: str) -> NoReturn:
    """Python reads NaN and infinities; JSON has none."""
    raise json.JSONDecodeError("constant", name, 0)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=Entries, parse_int=Numeral, parse_float=Numeral, parse_constant=_no_constant
)


def _where(error: json.JSONDecodeError) -> str:
    """The fault with its surroundings and a caret below them, as protobuf's parser tells it."""
    text, at = error.doc, error.pos
    what = "Unexpected token." if at < len(text) else "Unexpected end of string."
    start = max(0, at - SNIPPET_CHARACTERS)
    shown = re.sub(r"\s", " ", text[start : at + SNIPPET_CHARACTERS])
    return f"{what}\n{shown}\n{' ' * (at - start)}^"


def _depth(value: Json) -> int:
    """How deep arrays and objects nest: 0 for a single value."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, list | Entries)]:
        depth += 1
        level = [inner for each in level for inner in _values_of(each)]
    return depth


def _values_of(value: "list[Json] | Entries") -> "list[Json]":
    return [inner for _, inner in value.pairs] if isinstance(value, Entries) else value


class _Reading:
    """One walk through a body. `violations`: found so far, in document order, and no more than are told."""

    __slots__ = ("violations",)

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def record(self, entries: Entries, record: type[Record], path: str) -> Record:
        """The record of an object. It is whole only if there are no violations in the end."""
        fields = fields_by_name(record)
        last_places = {fields[name].name: at for at, (name, _) in enumerate(entries.pairs) if name in fields}
        values: dict[str, object] = {}
        target: str | None = None
        for at, (name, value) in enumerate(entries.pairs):
            if len(self.violations) >= VIOLATIONS_MAX:
                break
            field = fields.get(name)
            if field is None:
                self._refuse_name(path, name, _CANNOT_FIND)
                continue
            values.pop(field.name, None)
            if value is None:
                continue
            if field.name in TARGET_FIELDS and last_places[field.name] == at:
                if target is not None:
                    text = f"oneof field 'target' is already set. Cannot set '{field.name}'"
                    self._refuse(path, f"Invalid value at '{path}' (oneof), {text}")
                    continue
                target = field.name
            values[field.name] = self._value(field, value, path)
        return record(**values)

    def _value(self, field: Field, value: Json, parent: str) -> object:
        """The value of one field, or None with a violation."""
        path = f"{parent}.{field.name}" if parent else field.name
        kind = field.kind
        if isinstance(kind, MapOfText):
            return self._map(kind, field.name, value, parent, path)
        if isinstance(kind, ListOf):
            return self._list(kind.element, value, path)
        if isinstance(value, list):
            self._refuse_name(parent, field.name, _NO_LIST)
            return None
        if isinstance(kind, Nested):
            if isinstance(value, Entries):
                return self.record(value, kind.record, path)
            self._refuse_value(path, _TYPES + kind.record.proto, value)
            return None
        if isinstance(kind, FreeObject):
            if isinstance(value, Entries):
                return self._free(value, path)
            self._refuse_value(path, _FREE_OBJECT, value)
            return None
        return self._single(kind, value, path)

    def _map(self, kind: MapOfText, name: str, value: Json, parent: str, path: str) -> dict[str, str]:
        texts: dict[str, str] = {}
        if isinstance(value, list):
            self._refuse(parent, f"Invalid value at '{parent}' (Map), Cannot bind a list to map for field '{name}'.")
        elif not isinstance(value, Entries):
            self._refuse_value(path, _TYPES + kind.proto, value)
        else:
            for at, (key, inner) in enumerate(value.pairs):
                text = self._single(Scalar.TEXT, inner, f"{path}[{at}].value")
                texts[key] = str(text)
        return texts

    def _list(self, element: Scalar, value: Json, path: str) -> list[object]:
        if not isinstance(value, list):
            self._refuse_value(path, element.value, value)
            return []
        return [self._single(element, inner, f"{path}[{at}]") for at, inner in enumerate(value)]

    def _single(self, kind: Scalar | Choice, value: Json, path: str) -> object:
        if isinstance(kind, Choice):
            if type(value) is str and value in kind.names:
                return value
            self._refuse_value(path, _TYPES + kind.proto, value)
            return None
        good = scalar_of(kind, value)
        if good is None:
            self._refuse_value(path, kind.value, value)
        return good

    def _free(self, entries: Entries, path: str) -> dict[str, object]:
        return {name: self._plain(value, path) for name, value in entries.pairs}

    def _plain(self, value: Json, path: str) -> object:
        """Free JSON as Python has it. Only its numbers can be refused."""
        if isinstance(value, Entries):
            return self._free(value, path)
        if isinstance(value, list):
            return [self._plain(inner, path) for inner in value]
        if not isinstance(value, Numeral):
            return value
        number = number_of(value)
        if number is None:
            self._refuse_value(path, _FREE_OBJECT, value)
        return number

    def _refuse_name(self, path: str, name: str, text: str) -> None:
        place = f" at '{path}'" if path else ""
        self._refuse(path, f'Invalid JSON payload received. Unknown name "{name}"{place}: {text}')

    def _refuse_value(self, path: str, type_name: str, value: Json) -> None:
        if isinstance(value, Numeral):
            shown: str = value
        elif isinstance(value, Entries):
            shown = _NO_OBJECT
        elif isinstance(value, list):
            shown = _NO_ARRAY
        else:
            shown = json.dumps(value, ensure_ascii=False)
        self._refuse(path, f"Invalid value at '{path}' ({type_name}), {shown}")

    def _refuse(self, path: str, text: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(path, text))


def scalar_of(kind: Scalar, value: Json) -> str | bool | int | float | None:
    """A single value of a kind; None when it is of another type, malformed or out of range."""
    if isinstance(value, bool):
        return value if kind is Scalar.FLAG else None
    if not isinstance(value, str):
        return None
    if kind is Scalar.FLAG:
        return {"true": True, "false": False}.get(value) if type(value) is str else None
    if kind in (Scalar.INT32, Scalar.FLOAT32):
        return _number_in_range(kind, value)
    if isinstance(value, Numeral):
        return None
    if kind is Scalar.DURATION:
        return value if _DURATION.fullmatch(value) else None
    if kind is Scalar.TIMESTAMP:
        return value if is_timestamp(value) else None
    return value


def _number_in_range(kind: Scalar, text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    if kind is Scalar.FLOAT32:
        return number if abs(number) <= FLOAT32_MAX else None
    return int(number) if number.is_integer() and -INT32_MAX - 1 <= number <= INT32_MAX else None


def is_timestamp(text: str) -> bool:
    """Whether a text is an instant as RFC 3339 writes it, with up to nine decimals and no leap second."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return False
    try:
        datetime.fromisoformat(found[1] + found[3])
    except ValueError:
        return False
    return True


def number_of(numeral: str) -> int | float | None:
    """A number of free JSON; None when Python has none so large."""
    try:
        number = float(numeral) if set(numeral) & set(".eE") else int(numeral)
    except ValueError:  # an integer of thousands of digits
        return None
    return None if isinstance(number, float) and isinf(number) else number
