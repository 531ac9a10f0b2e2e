"""The schema of a send request as rows, read from the records: per record its fields, both wire names of each, its kind.

The records stay the only place that says what a message may hold. What is made of them here: the rows that the general
reader walks by, and a second family of records for msgspec, the same but for lowerCamelCase names on the wire.
"""

import re
import types
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, Optional, Union, get_args, get_origin, get_type_hints

import msgspec

from simulator.fcm.message import (
    AndroidMessagePriority,
    Duration,
    Float32,
    Int32,
    JsonObject,
    NotificationPriority,
    Proxy,
    Record,
    SendRequest,
    TextMap,
    Timestamp,
    Visibility,
)

TARGET_FIELDS: Final = ("token", "fid", "topic", "condition")
"""The members of the oneof `target`."""


class Scalar(Enum):
    """Kinds of single values. The value of each is the type as Google's error texts name it."""

    TEXT = "TYPE_STRING"
    FLAG = "TYPE_BOOL"
    INT32 = "TYPE_INT32"
    FLOAT32 = "TYPE_FLOAT"
    DURATION = "type.googleapis.com/google.protobuf.Duration"
    TIMESTAMP = "type.googleapis.com/google.protobuf.Timestamp"


@dataclass(frozen=True, slots=True)
class Choice:
    """An enum. `proto`: its name there. `names`: what is taken, in no other case."""

    proto: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Repeated values, all of one kind."""

    element: Scalar


@dataclass(frozen=True, slots=True)
class MapOfText:
    """A map from string to string. `proto`: the name of its entries' type."""

    proto: str


@dataclass(frozen=True, slots=True)
class FreeObject:
    """Any JSON object (`google.protobuf.Struct`)."""


@dataclass(frozen=True, slots=True)
class Nested:
    """Another record."""

    record: type[Record]


Kind = Scalar | Choice | ListOf | MapOfText | FreeObject | Nested


@dataclass(frozen=True, slots=True)
class Field:
    """One row. `name`: in the records, in error texts, and on the wire; `camel_name`: its other name on the wire."""

    name: str
    camel_name: str
    kind: Kind


_SCALARS: Final[dict[object, Scalar]] = {
    str: Scalar.TEXT,
    bool: Scalar.FLAG,
    Int32: Scalar.INT32,
    Float32: Scalar.FLOAT32,
    Duration: Scalar.DURATION,
    Timestamp: Scalar.TIMESTAMP,
}

_FCM: Final = "google.firebase.fcm.v1."

_ENUMS: Final[dict[object, str]] = {
    AndroidMessagePriority: _FCM + "AndroidMessagePriority",
    NotificationPriority: _FCM + "AndroidNotification.NotificationPriority",
    Visibility: _FCM + "AndroidNotification.Visibility",
    Proxy: _FCM + "AndroidNotification.Proxy",
}


@cache  # one entry a record class, of which there are a dozen
def fields_of(record: type[Record]) -> tuple[Field, ...]:
    """The rows of a record, in its order."""
    hints = get_type_hints(record, include_extras=True)
    return tuple(
        Field(name, camel_case(name), _kind(record, name, _without_none(hints[name])))
        for name in record.__struct_fields__
    )


@cache  # as above
def fields_by_name(record: type[Record]) -> dict[str, Field]:
    """The rows of a record under both of their names."""
    return {name: field for field in fields_of(record) for name in (field.name, field.camel_name)}


def camel_case(name: str) -> str:
    """`collapse_key` → `collapseKey`."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _without_none(hint: object) -> object:
    """`X | None` → `X`."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    (rest,) = (each for each in get_args(hint) if each is not type(None))
    return rest


def _kind(record: type[Record], name: str, hint: object) -> Kind:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if get_origin(hint) is Literal:
        return Choice(_ENUMS[hint], frozenset(get_args(hint)))
    if get_origin(hint) is list:
        return ListOf(_SCALARS[get_args(hint)[0]])
    if hint == TextMap:
        return MapOfText(f"{record.proto}.{camel_case('_' + name)}Entry")
    if hint == JsonObject:
        return FreeObject()
    assert isinstance(hint, type) and issubclass(hint, Record), f"{record.__name__}.{name}: no kind for {hint}"
    return Nested(hint)


def in_camel_case(record: type[SendRequest]) -> type[SendRequest]:
    """A subclass of the record that msgspec reads from lowerCamelCase names, and all records within it likewise."""
    return _in_camel_case(record)


def _in_camel_case(record: type[Record]) -> type[Any]:
    """Every field is declared anew: msgspec renames only what a class declares itself."""
    hints = get_type_hints(record, include_extras=True)
    defaults = {field.name: field.default for field in msgspec.structs.fields(record)}
    fields: list[tuple[str, Any, Any]] = []
    for field in fields_of(record):
        hint = hints[field.name]
        if isinstance(field.kind, Nested):
            hint = Optional[_in_camel_case(field.kind.record)]  # noqa: UP045 - a value, not an annotation
        fields.append((field.name, hint, defaults[field.name]))
    name = f"{record.__name__}InCamelCase"
    return msgspec.defstruct(name, fields, bases=(record,), rename="camel", module=__name__)
