"""What the programs beside this one have in common: whom to send to, and what to tell of it. Standard library only.

A token that is told to be no good is given up, unless the device has registered since.
"""

import csv
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

GIVEN_UP = Path(os.environ["PUSHRIG_STATE"], "given-up")


class Devices:
    """The devices that are still to be sent to. Used as a context, it writes the results at its end."""

    def __init__(self, *packages: str) -> None:
        print(", ".join(f"{package} {version(package)}" for package in packages))  # noqa: T201
        given_up = set(GIVEN_UP.read_text().split()) if GIVEN_UP.exists() else set()
        with Path(os.environ["PUSHRIG_DEVICES"]).open(newline="") as file:
            self._registered = {row["token"]: int(row["registered_at_ms"]) for row in csv.DictReader(file)}
        self.tokens = [token for token in self._registered if token not in given_up]
        self._outcomes: dict[str, str] = {}
        self._errors: dict[str, int] = {}

    def answered(self, token: str, status: int, reason: str = "", timestamp_ms: int | None = None) -> None:
        """What the client said of a notification."""
        if status == 200:
            self._outcomes[token] = "accepted"
            return
        self._count(f"{status} {reason}")
        gone = status == 410 and (timestamp_ms is None or timestamp_ms >= self._registered[token])
        final = status < 500 and status != 429
        self._outcomes[token] = "invalid" if gone else "rejected" if final else "failed"

    def failed(self, token: str, error: BaseException) -> None:
        """The client raised an error."""
        self._count(f"{type(error).__name__} {error}".strip()[:100])
        self._outcomes[token] = "failed"

    def _count(self, what: str) -> None:
        self._errors[what] = self._errors.get(what, 0) + 1

    def __enter__(self) -> "Devices":
        return self

    def __exit__(self, *exception: object) -> None:
        for what, count in sorted(self._errors.items(), key=lambda each: -each[1])[:10]:
            print(f"{count} times: {what}")  # noqa: T201
        with Path(os.environ["PUSHRIG_RESULTS"]).open("w", newline="") as file:
            csv.writer(file).writerows([("token", "outcome"), *self._outcomes.items()])
        with GIVEN_UP.open("a") as file:
            file.writelines(f"{token}\n" for token in self._dead())

    def _dead(self) -> Iterator[str]:
        return (token for token, outcome in self._outcomes.items() if outcome == "invalid")
