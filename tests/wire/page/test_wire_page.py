"""docs/wire.md shows the bytes that `wire` really sends, and the tables that it really keeps to."""

import re
from pathlib import Path
from xml.etree import ElementTree

import wire
from tests.wire.page.state_picture import LABELS, PLACES, picture
from tests.wire.page.wire_page import PAGE, PICTURE, filled_in
from tests.wire.page.worked_example import listing
from wire.states import TRANSITIONS, State


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == filled_in(text), "run `make docs`"


def test_the_picture_is_up_to_date() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run `make docs`"


def test_the_picture_shows_every_state_and_every_arrow() -> None:
    drawn = ElementTree.fromstring(picture())
    assert set(PLACES) == set(State)
    arrows = {(start, end) for start, steps in TRANSITIONS.items() for end in steps.values()}
    assert {arrow for arrow in arrows if arrow[1] is not State.RESET} == set(LABELS)
    paths = [each for each in drawn.iter("{http://www.w3.org/2000/svg}path") if each.get("class")]
    assert len(paths) == len(arrows)


def test_the_listing_shows_every_byte_once_and_the_second_notification_short() -> None:
    blocks = [int(size) for size in re.findall(r"HEADERS, (\d+) bytes", listing())]
    assert len(blocks) == 4
    first, _, second, _ = blocks
    assert second < first - 60


def test_every_module_of_wire_is_named_on_the_page_and_in_the_package() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert wire.__doc__ is not None
    for module in Path(wire.__file__).parent.glob("[a-z]*.py"):
        assert f"`{module.stem}`" in text
        assert re.search(rf"^    {module.stem} +\S", wire.__doc__, flags=re.M), module.stem
