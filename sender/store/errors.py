"""What can go wrong with a device store. Every message says what, where, and what to do.

StoreError              (a sender.errors.SenderError)
├── StoreMissingError        no store at that path
├── ForeignStoreError        the file is something else
├── NewerStoreError          written by a later version of pushrig
├── StoreBusyError           another process held the store for longer than the busy timeout
├── BadRowError              an imported row breaks a rule (`row_number`, `reason`)
└── CampaignError       (`name`)
    ├── CampaignChangedError     resumed with another topic, payload or segment
    ├── CampaignFinishedError    its name is used up
    └── CampaignTakenError       a later run of the same campaign has taken it over
"""

from pathlib import Path

from sender.errors import SenderError


class StoreError(SenderError):
    """Root of the tree above: bad configuration or a broken file, never the answer of a provider."""


class StoreMissingError(StoreError):
    """There is no file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"no device store at {path}: check the path, or make one with `pushrig import` or `pushrig tokens`"
        )


class ForeignStoreError(StoreError):
    """The file at `path` is no device store."""

    def __init__(self, path: Path, what_it_is: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is not a device store of pushrig ({what_it_is}): give another path; it was left alone"
        )


class NewerStoreError(StoreError):
    """The store's format is `found`; this version knows up to `known`."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path} has store format {found}, this pushrig knows formats up to {known}: use a newer pushrig"
        )


class StoreBusyError(StoreError):
    """Another process kept writing for `waited_s`."""

    def __init__(self, path: Path, waited_s: float) -> None:
        self.path, self.waited_s = path, waited_s
        super().__init__(
            f"{path} was locked by another process for more than {waited_s:g} s: wait for its import to end and try again"
        )


class BadRowError(StoreError):
    """Row `row_number` (from 1) of an import breaks a rule; nothing was imported."""

    def __init__(self, row_number: int, reason: str) -> None:
        self.row_number, self.reason = row_number, reason
        super().__init__(f"row {row_number}: {reason}; nothing was imported")


class CampaignError(StoreError):
    """Root of what concerns one campaign."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(f"campaign {name!r} {message}")


class CampaignChangedError(CampaignError):
    """The campaign exists, but `field` was something else when it began."""

    def __init__(self, name: str, field: str, begun_with: str, given: str) -> None:
        self.field = field
        super().__init__(
            name,
            f"began with {field} {begun_with} and cannot be resumed with {given}: "
            "give what it began with, or choose another name for a new campaign",
        )


class CampaignFinishedError(CampaignError):
    """The campaign over `provider` was finished at `finished_at_ms`."""

    def __init__(self, name: str, provider: str, finished_at_ms: int) -> None:
        self.provider, self.finished_at_ms = provider, finished_at_ms
        super().__init__(name, "is finished: choose another name to send again")


class CampaignTakenError(CampaignError):
    """A later run began while this one (number `run`) still lived; what this one reported last was not stored."""

    def __init__(self, name: str, run: int) -> None:
        self.run = run
        super().__init__(name, f"was taken over by a later run (this was run {run}): let only one process send it")
