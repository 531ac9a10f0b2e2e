"""The parts of docs/wire.md that are made: a listing of real bytes, and the tables of `wire.states`."""

from pathlib import Path

from tests.wire.page.state_picture import picture
from tests.wire.page.worked_example import listing
from wire.errors import ErrorCode
from wire.frames import DATA, FRAME_NAMES, HEADERS, PRIORITY, RST_STREAM, WINDOW_UPDATE
from wire.states import ARRIVALS, Fate, State

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "wire.md"
PICTURE = DOCS / "stream-states.svg"

_KINDS = (HEADERS, DATA, RST_STREAM, WINDOW_UPDATE, PRIORITY)


def arrivals() -> str:
    """What becomes of a frame that arrives, by the state of its stream."""
    lines = [
        f"| state | {' | '.join(FRAME_NAMES[kind] for kind in _KINDS)} |",
        f"| --- |{' --- |' * len(_KINDS)}",
    ]
    for state in State:
        lines.append(f"| {state.value} | {' | '.join(_words(ARRIVALS[state][kind]) for kind in _KINDS)} |")
    return "\n".join(lines) + "\n"


def _words(fate: Fate) -> str:
    if fate is Fate.TAKEN:
        return "taken"
    if fate is Fate.DROPPED:
        return "dropped"
    assert isinstance(fate.code, ErrorCode)
    return f"{'GOAWAY' if fate.connection else 'RST_STREAM'} {fate.code.name}"


def filled_in(text: str) -> str:
    """The page with its made parts made anew; each stands between `<!-- made: name -->` and `<!-- end -->`."""
    made = {"listing": f"```text\n{listing()}```\n", "arrivals": arrivals()}
    for name, part in made.items():
        before, begin, rest = text.partition(f"<!-- made: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert end, f"docs/wire.md has no place for the {name}"
        text = "".join((before, begin, part, end, after))
    return text


def write() -> None:
    """Bring the page and its picture up to date."""
    PAGE.write_text(filled_in(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
