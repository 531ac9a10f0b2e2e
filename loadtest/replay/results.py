"""What a sender wrote to PUSHRIG_RESULTS about its notifications: CSV or JSON lines with token and outcome. Pure."""

import csv
from collections.abc import Iterator
from enum import Enum, unique
from typing import TypeAlias

import msgspec

from loadtest.replay.history import device_key

RESULTS_BYTES_MAX = 256 * 1024 * 1024
"""Read at most; a million tokens of FCM with their outcomes are some 180 MB."""


@unique
class Outcome(Enum):
    """What a sender can say of a notification."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """For good; the token is kept."""
    INVALID = "invalid"
    """For good, and the token is given up."""
    FAILED = "failed"
    """For now; the token is kept."""


Results: TypeAlias = dict[str, Outcome]
"""By `device_key`, the last word on each."""


class ResultsError(ValueError):
    """What was written cannot be read. The message names line and remedy."""


class _Line(msgspec.Struct):
    token: str
    outcome: str


_decode = msgspec.json.Decoder(_Line).decode


def read_results(content: bytes, provider: str) -> Results:
    """Read either form; JSON lines begin with a brace. Raises ResultsError."""
    if len(content) > RESULTS_BYTES_MAX:
        raise ResultsError(f"the results are larger than {RESULTS_BYTES_MAX:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultsError(f"the results are not UTF-8: {error.reason} at byte {error.start}") from None
    rows = _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)
    results: Results = {}
    for number, token, outcome in rows:
        try:
            results[device_key(provider, token.strip())] = Outcome(outcome.strip().lower())
        except ValueError:
            known = ", ".join(each.value for each in Outcome)
            raise ResultsError(f"line {number} of the results: no outcome {outcome!r}; there are: {known}") from None
    return results


def _json_rows(text: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                read = _decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise ResultsError(f"line {number} of the results: {error}") from None
            yield number, read.token, read.outcome


def _csv_rows(text: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.reader(text.splitlines())
    try:
        for row in reader:
            if not row or [each.strip().lower() for each in row[:2]] == ["token", "outcome"]:
                continue
            if len(row) < 2:
                raise ResultsError(f"line {reader.line_num} of the results: give token,outcome")
            yield reader.line_num, row[0], row[1]
    except csv.Error as error:
        raise ResultsError(f"line {reader.line_num} of the results: {error}") from None
