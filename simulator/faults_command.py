"""`pushrig faults`: what can be made to go wrong, with all options."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from simulator.faults.fault import Fault, RequestFault
from simulator.faults.match import Match
from simulator.faults.table import FAULTS, GROUPS

WIDTH = 100
EXIT_UNKNOWN = 2


def faults(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Tell of these alone.")] = None,
    brief: Annotated[bool, typer.Option("--brief", help="One line for each fault.")] = False,
) -> None:
    """List the faults that a simulator can be made to play, and their options.

    A fault is added at the start with `pushrig serve --fault`, and while it runs with `POST /api/v1/faults`. Which requests it
    meets is said with the options that all faults have; they stand at the end of the list.

    Examples:

      pushrig faults --brief

      pushrig faults latency reason

      pushrig serve --fault 'reason reason=TooManyRequests retry_after_s=5 share_of_requests=0.1'

      pushrig serve --fault 'latency shape=long-tail median_ms=30 p99_ms=2000' --fault 'silent-stream share_of_tokens=0.01'

    Exit codes: 0 listed; 2 there is no fault of a name that was given.
    """
    unknown = [name for name in names or () if name not in FAULTS]
    if unknown:
        typer.echo(f"pushrig faults: there is no {', '.join(unknown)}; there are: {', '.join(FAULTS)}", err=True)
        raise typer.Exit(EXIT_UNKNOWN)
    typer.echo("\n".join(_list(set(names or FAULTS), brief=brief)))


def _list(names: set[str], *, brief: bool) -> Iterator[str]:
    width = max(len(name) for name in FAULTS)
    for group, members in GROUPS.items():
        chosen = [each for each in members if each.name in names]
        if not chosen:
            continue
        yield from (group, "")
        for fault in chosen:
            if brief:
                yield f"  {fault.name:<{width}}  {textwrap.shorten(_first_sentence(fault), WIDTH - width - 4)}"
            else:
                yield from _whole(fault)
        if brief:
            yield ""
    if not brief:
        yield from ("Options of all faults: which requests they meet, and when", "")
        yield from _wrapped(_text(Match), "  ")
        yield ""
        yield from (f"    {line}" for line in _options(Match))


def _whole(fault: type[Fault]) -> Iterator[str]:
    yield f"  {fault.name}"
    yield from _wrapped(_text(fault), "    ")
    yield from _wrapped(f"A good sender {fault.good_sender}.", "    ")
    facts = []
    if issubclass(fault, RequestFault) and len(fault.stages) > 1:
        facts.append(f"stage: {' or '.join(stage.value for stage in fault.stages)} (the first unless given)")
    if not fault.http1:
        facts.append("not played over HTTP/1.1")
    if facts:
        text = "; ".join(facts)
        yield from _wrapped(f"{text[0].upper()}{text[1:]}.", "    ")
    options = list(_options(fault))
    if options:
        yield ""
        yield from (f"      {line}" for line in options)
    yield ""


def _options(form: type[msgspec.Struct]) -> Iterator[str]:
    """Each option with its default, if it has one, and the values that it can have."""
    for field in msgspec.structs.fields(form):
        if field.required:
            shown, needed = "…", ", needed"
        else:
            shown, needed = ("…" if field.default in (None, "") else _value(field.default)), ""
        yield f"{f'{field.name}={shown}':<24}  {_values(msgspec.inspect.type_info(field.type))}{needed}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(kind: msgspec.inspect.Type) -> str:
    """What values a type has, in words."""
    match kind:
        case msgspec.inspect.UnionType(types):
            return ", ".join(_values(each) for each in types if not isinstance(each, msgspec.inspect.NoneType))
        case msgspec.inspect.LiteralType(values):
            return ", ".join(str(value) for value in values)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            least = f"above {kind.gt:g}" if kind.gt is not None else f"from {kind.ge or 0:g}"
            most = "" if kind.le is None else f" to {kind.le:,}"
            return ("whole number " if isinstance(kind, msgspec.inspect.IntType) else "number ") + least + most
        case _:
            return "text"


def _text(form: type) -> str:
    return inspect.cleandoc(form.__doc__ or "")


def _first_sentence(fault: type[Fault]) -> str:
    text = " ".join(_text(fault).split("\n\n")[0].split())
    return re.sub(r" \(`[^)]*\)|`", "", text).partition(". ")[0].partition(": ")[0].rstrip(".:")


def _wrapped(text: str, indent: str) -> Iterator[str]:
    """Paragraphs and the points of lists, each filled."""
    for paragraph in text.split("\n\n"):
        part: list[str] = []
        for line in paragraph.splitlines():
            if line.startswith("- ") and part:
                yield from _filled(part, indent)
                part = []
            part.append(line)
        yield from _filled(part, indent)


def _filled(lines: list[str], indent: str) -> list[str]:
    text = " ".join(line.strip() for line in lines).replace("`", "")
    further = f"{indent}  " if text.startswith("- ") else indent
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=further)
