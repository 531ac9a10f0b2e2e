"""SETTINGS that change what a sender had got used to."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import Announce, Opening
from simulator.faults.line_fault import LineFault, When, beside
from simulator.faults.outcome import Outcome
from wire.frames import (
    FRAME_BYTES_DEFAULT,
    FRAME_BYTES_MAX,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    WINDOW_BYTES_MAX,
)


class SettingsChangeFault(LineFault, frozen=True):
    """Other SETTINGS than usual, at the opening or while streams are open.

    - `when`: with a request, in flight, or at the opening.
    - `header_table_bytes`: HEADER_TABLE_SIZE; 0 forbids the sender a table.
    - `window_bytes`: INITIAL_WINDOW_SIZE; in flight it moves the windows of open streams too, even below zero.
    - `frame_bytes`: MAX_FRAME_SIZE.
    """

    name: ClassVar[str] = "settings-change"
    good_sender: ClassVar[str] = (
        "acknowledges and keeps to them: says its new table size in the next header block, moves the windows of open streams"
    )

    when: When = "request"
    header_table_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    window_bytes: Annotated[int, msgspec.Meta(ge=0, le=WINDOW_BYTES_MAX)] | None = None
    frame_bytes: Annotated[int, msgspec.Meta(ge=FRAME_BYTES_DEFAULT, le=FRAME_BYTES_MAX)] | None = None

    def __post_init__(self) -> None:
        if not self._settings():
            raise ValueError("settings-change changes nothing; give header_table_bytes, window_bytes or frame_bytes")

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return beside(outcome, Announce(self._settings()))

    def open(self, opening: Opening) -> Opening:
        return opening.announcing(*self._settings())

    def _settings(self) -> tuple[tuple[int, int], ...]:
        given = (
            (HEADER_TABLE_SIZE, self.header_table_bytes),
            (INITIAL_WINDOW_SIZE, self.window_bytes),
            (MAX_FRAME_SIZE, self.frame_bytes),
        )
        return tuple((code, value) for code, value in given if value is not None)
