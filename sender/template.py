"""Personalised payloads: a JSON file in whose strings `{{name}}` stands for an attribute of the device.

    {"aps": {"alert": {"title": "Hello {{name|friend}}", "body": "News for {{country}}"}}}

`{{name|text}}` gives a default for devices that lack the attribute. There are no expressions and nothing else to
look up: a template can only repeat what the store holds about the device it is sent to. Two braces that shall stand as they are
are written with an escape of JSON: `\\u007b{`.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from sender.attribute_name import ATTRIBUTE_NAME_PATTERN
from sender.errors import SenderConfigurationError
from sender.store.records import Due

PAYLOAD_BYTES_MAX = 4_096  # Apple: Sending notification requests to APNs
PAYLOAD_BYTES_MAX_VOIP = 5_120  # same page: VoIP notifications
TEMPLATE_BYTES_MAX = 65_536
PLACEHOLDERS_MAX = 64

MISSING_ATTRIBUTE = "MissingAttribute"  # followed by a blank and the name
BAD_ATTRIBUTES = "BadAttributes"  # what the store holds is no JSON object, or a needed attribute is no text


def payload_bytes_max(push_type: str | None, topic: str) -> int:
    """How large APNs lets a payload be. A request without push type is known for VoIP by its topic."""
    voip = push_type == "voip" if push_type else topic.endswith(".voip")
    return PAYLOAD_BYTES_MAX_VOIP if voip else PAYLOAD_BYTES_MAX


class TemplateError(SenderConfigurationError):
    """The template cannot be used. `line`, `column`: where, from 1, columns counted in characters. `of`: what is read."""

    def __init__(self, line: int, column: int, what: str, of: str = "payload") -> None:
        self.line, self.column, self.what = line, column, what
        super().__init__(f"{of}, line {line}, column {column}: {what}")


class Refusal(NamedTuple):
    """Why one notification cannot be made: it is not sent, and counted under `reason`."""

    reason: str


class Template:
    """A compiled payload. `names`: the attributes it needs; empty means that all devices get the same bytes."""

    __slots__ = ("_constant", "_decode", "_names_by_field", "_slots", "_start", "names")

    def __init__(self, parts: tuple[bytes, ...], slots: tuple[tuple[str, bytes | None], ...]) -> None:
        """Use `compile`. `parts`: the JSON text around the slots, one more than `slots` (name, default in JSON or None)."""
        assert len(parts) == len(slots) + 1
        self.names = frozenset(name for name, _ in slots)
        self._constant = parts[0] if not slots else None
        self._start = parts[0]
        # Only the needed attributes are decoded. Values are encoded again on their own, so that no value, whatever it
        # holds, can change the payload around it.
        fields = {name: f"attribute_{number}" for number, name in enumerate(sorted(self.names))}
        record = msgspec.defstruct(
            "NeededAttributes",
            [(field, str | None, None) for field in fields.values()],
            rename={field: name for name, field in fields.items()},
        )
        self._decode: Callable[[bytes], object] = msgspec.json.Decoder(record).decode
        self._slots = tuple(
            (fields[name], default, following) for (name, default), following in zip(slots, parts[1:], strict=True)
        )
        self._names_by_field = {field: name for name, field in fields.items()}

    def holds(self, text: bytes) -> bool:
        """Whether `text` stands in what all devices get."""
        return any(text in part for part in (self._start, *(following for _, _, following in self._slots)))

    def payload_of(self, due: Due) -> bytes | Refusal:
        """Make the payload for the device of a notification, as `render` does."""
        return self._constant if self._constant is not None else self.render(due[4])

    def render(self, attributes_json: bytes) -> bytes | Refusal:
        """Make the payload for a device with these attributes (a JSON object of texts): compact JSON.

        Without placeholders it is the same object every time.
        """
        if self._constant is not None:
            return self._constant
        try:
            attributes = self._decode(attributes_json)
            pieces = [self._start]
            for field, default, following in self._slots:
                value = getattr(attributes, field)
                if value is not None:
                    pieces.append(_encode(value)[1:-1])
                elif default is not None:
                    pieces.append(default)
                else:
                    return Refusal(f"{MISSING_ATTRIBUTE} {self._names_by_field[field]}")
                pieces.append(following)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return Refusal(BAD_ATTRIBUTES)
        return b"".join(pieces)


def compile(payload: bytes) -> Template:  # the name is as in `re`
    """Read a payload, plain or with placeholders. Raises TemplateError."""
    _check(payload)
    return compile_part(payload)


def compile_part(payload: bytes) -> Template:
    """The same for a part of a JSON text that is known to be good, cut where no string is open. Raises TemplateError."""
    parts: list[bytes] = []
    slots: list[tuple[str, bytes | None]] = []
    pending: list[bytes] = []  # compact JSON since the last placeholder
    for piece in _PIECE.finditer(payload):
        if piece["string"] is None:
            pending.append(piece["rest"] or b"")
            continue
        at = piece.start("string")
        is_key = _COLON.match(payload, piece.end()) is not None
        position = at
        while (opened := payload.find(b"{{", position, piece.end())) != -1:
            if is_key:
                raise _error(payload, opened, "placeholders cannot stand in a key: put them into values")
            closed = payload.find(b"}}", opened, piece.end())
            if closed == -1:
                raise _error(
                    payload, opened, "the placeholder is not closed: add }}, or write \\u007b{ for plain braces"
                )
            if len(slots) == PLACEHOLDERS_MAX:
                raise _error(payload, opened, f"more than {PLACEHOLDERS_MAX} placeholders: use fewer")
            slots.append(_placeholder(payload, opened, payload[opened + 2 : closed]))
            pending.append(payload[position:opened])
            parts.append(b"".join(pending))
            pending.clear()
            position = closed + 2
        pending.append(payload[position : piece.end()])
    parts.append(b"".join(pending))
    if not slots and parts[0] == payload:
        parts = [payload]
    return Template(tuple(parts), tuple(slots))


_encode = msgspec.json.Encoder().encode
_PIECE = re.compile(rb'(?P<string>"(?:[^"\\]|\\.)*")|[ \t\r\n]+|(?P<rest>[^" \t\r\n]+)')
_COLON = re.compile(rb"[ \t\r\n]*:")
_PLACEHOLDER = re.compile(rf" *({ATTRIBUTE_NAME_PATTERN}) *(\|.*)?".encode(), re.DOTALL)
_BYTE = re.compile(r" ?\(byte (\d+)\)")


def _placeholder(payload: bytes, at: int, inside: bytes) -> tuple[str, bytes | None]:
    """Read what stands between the braces."""
    match = _PLACEHOLDER.fullmatch(inside)
    if match is None:
        shown = ascii(inside.decode(errors="replace")[:40])
        raise _error(
            payload,
            at,
            f"{shown} is no placeholder: write {{{{name}}}} or {{{{name|default}}}}; names are a letter or _, then "
            "up to 63 of A-Z a-z 0-9 _ -",
        )
    default = match[2]
    return match[1].decode(), None if default is None else default[1:].strip(b" ")


def _check(payload: bytes) -> None:
    """See that the payload is a JSON object, as all providers ask. Raises TemplateError."""
    if len(payload) > TEMPLATE_BYTES_MAX:
        raise TemplateError(
            1, 1, f"{len(payload)} bytes, at most {TEMPLATE_BYTES_MAX} are read: providers take far less"
        )
    if not payload.strip():
        raise TemplateError(1, 1, "it is empty: write a JSON object; {} is the smallest")
    if payload.startswith(b"\xef\xbb\xbf"):
        raise TemplateError(1, 1, "the file begins with a byte order mark: save it as UTF-8 without one")
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise _error(payload, error.start, "not UTF-8: save the file as UTF-8") from error
    try:
        value = msgspec.json.decode(payload)
    except RecursionError as error:
        raise TemplateError(1, 1, "objects or arrays stand too deep inside each other: simplify") from error
    except msgspec.DecodeError as error:
        place = _BYTE.search(str(error))
        what = _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ")
        at = int(place[1]) if place else len(payload)
        if what.startswith("trailing"):
            at -= 1  # msgspec has read the first character too many
        raise _error(payload, at, f"not JSON: {what}; correct it") from error
    if not isinstance(value, dict):
        raise TemplateError(1, 1, "not a JSON object: write {...}")


def _error(payload: bytes, at: int, what: str) -> TemplateError:
    """An error at byte `at`."""
    before = payload[:at].decode(errors="replace")
    return TemplateError(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1, what)
