"""What `pushrig replay` tells a sender by its environment, so that `pushrig send` needs no options under it.

The devices are imported into a store in the folder that is kept from run to run; each run is a campaign of its own; what came
of it is read back from the store and written as results.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sender.errors import SenderConfigurationError
from sender.store.device_store import DeviceStore
from sender.store.records import DeviceRow, State
from sender.store.registration import APNS, FCM

DEVICES, TOKENS, STATE, RESULTS = "PUSHRIG_DEVICES", "PUSHRIG_TOKENS", "PUSHRIG_STATE", "PUSHRIG_RESULTS"
PROVIDER, RUN, PATIENCE = "PUSHRIG_PROVIDER", "PUSHRIG_RUN", "PUSHRIG_PATIENCE_S"
NEEDED = (DEVICES, STATE, PROVIDER)

CONTENTS = {
    APNS: ("payload.json", b'{"aps":{"alert":"Hello"}}'),
    FCM: ("message.json", b'{"notification":{"title":"Hello"}}'),
}
"""What is sent, by provider: the file that it is written to, and what is in it."""

PATIENCE_SHARE = 0.5
"""Of the time that a notification may wait for an answer at most: the repeat has to be on its way by then."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run of a scenario, ready to be sent. `content`: the file to send. `answer_timeout_s`: None: none is said."""

    provider: str
    store: Path
    content: Path
    campaign: str
    results: Path | None
    answer_timeout_s: float | None


def is_replayed(variables: Mapping[str, str]) -> bool:
    """Tell whether `pushrig replay` runs us."""
    return TOKENS in variables and STATE in variables


def prepare(variables: Mapping[str, str], topic: str) -> Replayed:
    """Import the devices that `PUSHRIG_DEVICES` lists, and write what is sent to them. Raises SenderError."""
    for name in NEEDED:
        if not variables.get(name):
            raise SenderConfigurationError(f"{name} is not set, though {TOKENS} is: run it by `pushrig replay`")
    provider = variables[PROVIDER]
    if provider not in CONTENTS:
        raise SenderConfigurationError(f"{PROVIDER} must be {' or '.join(CONTENTS)}, not {provider!r}")
    name, content = CONTENTS[provider]
    folder, listed = Path(variables[STATE]), Path(variables[DEVICES])
    store = folder / "devices.db"
    try:
        (folder / name).write_bytes(content)
        with listed.open(encoding="utf-8", newline="") as file, DeviceStore.open(store, create=True) as devices:
            # What cannot be a token of the provider is never sent to.
            devices.import_rows(_rows(file, provider, topic), refuse=lambda number, reason: None)
    except OSError as error:
        raise SenderConfigurationError(f"{error.filename}: {error.strerror}") from None
    patience = variables.get(PATIENCE)
    results = variables.get(RESULTS)
    return Replayed(
        provider=provider,
        store=store,
        content=folder / name,
        campaign=f"replay-{variables.get(RUN, '1')}",
        results=Path(results) if results else None,
        answer_timeout_s=None if patience is None else _seconds(patience) * PATIENCE_SHARE,
    )


def _rows(lines: Iterator[str], provider: str, topic: str) -> Iterator[DeviceRow]:
    for row in csv.DictReader(lines):
        try:
            yield DeviceRow(row["token"], provider, topic, int(row["registered_at_ms"]), b"{}")
        except (KeyError, TypeError, ValueError):
            raise SenderConfigurationError(f"{DEVICES} must have the columns token,registered_at_ms") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SenderConfigurationError(f"{PATIENCE} must be a number of seconds, not {text!r}") from None


def _outcome(state: State | None) -> str:
    """What became of a notification whose token is kept."""
    if state is State.ACCEPTED:
        return "accepted"
    return "rejected" if state is State.REJECTED else "failed"


def write_results(replayed: Replayed) -> None:
    """Tell what came of each notification, and which tokens are given up, from the store. Raises SenderError."""
    if replayed.results is None:
        return
    try:
        with (
            DeviceStore.open(replayed.store) as devices,
            replayed.results.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("token", "outcome"))
            for token, state, valid in devices.results(replayed.campaign, replayed.provider):
                writer.writerow((token, _outcome(state) if valid else "invalid"))
    except OSError as error:
        raise SenderConfigurationError(f"{error.filename}: {error.strerror}") from None
