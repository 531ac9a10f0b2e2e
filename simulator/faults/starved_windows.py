"""Flow-control windows that stay near zero."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.line import Act, Announce, LineDelay, Opening, RefillWindow, later
from simulator.faults.line_fault import LineFault, When, beside
from simulator.faults.outcome import Outcome
from wire.frames import INITIAL_WINDOW_SIZE, WINDOW_BYTES_DEFAULT, WINDOW_BYTES_MAX


class StarvedWindowsFault(LineFault, frozen=True):
    """The simulator takes hardly any bytes of requests (`window-starvation`).

    - `when`: from a request on, in flight, or from the opening on.
    - `stream_bytes`: INITIAL_WINDOW_SIZE, the room of each stream; it is opened again as half of it is used, and with 0 never.
    - `connection`: true keeps the connection's window from being opened again: 65,535 bytes, and then nothing.
    - `for_s`: how long; then all windows are as usual. 0: for good.
    """

    name: ClassVar[str] = "starved-windows"
    good_sender: ClassVar[str] = (
        "waits for windows without a busy loop, keeps other connections going, gives up a stream by its own time limit alone"
    )

    when: When = "opening"
    stream_bytes: Annotated[int, msgspec.Meta(ge=0, le=WINDOW_BYTES_MAX)] = 1
    connection: bool = False
    for_s: LineDelay = 0.0

    @property
    def on_opening(self) -> bool:
        return self.when == "opening"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        return beside(outcome, Announce(self._settings()), *self._connection_acts(), *self._recovery())

    def open(self, opening: Opening) -> Opening:
        return opening.announcing(*self._settings()).doing(*self._connection_acts(), *self._recovery())

    def _settings(self) -> tuple[tuple[int, int], ...]:
        return ((INITIAL_WINDOW_SIZE, self.stream_bytes),)

    def _connection_acts(self) -> tuple[Act, ...]:
        return (RefillWindow(False),) if self.connection else ()

    def _recovery(self) -> tuple[Act, ...]:
        if not self.for_s:
            return ()
        usual = Announce(((INITIAL_WINDOW_SIZE, WINDOW_BYTES_DEFAULT),))
        return later(self.for_s, usual, *((RefillWindow(True),) if self.connection else ()))
