"""docs/conformance.md says what the tests show, and every requirement has a test or a reason."""

import pytest

from tests.wire.conformance.requirement import TRANSCRIPT
from tests.wire.conformance.table import PAGE, Shown, page


@pytest.fixture
def all_shown(shown: Shown) -> Shown:
    if not shown.complete:
        pytest.skip("needs all of tests/wire to be collected: python -m pytest tests/wire")
    return shown


def test_every_requirement_has_a_test_or_a_reason(all_shown: Shown) -> None:
    lacking = [row for row in TRANSCRIPT if not row.outside and row not in all_shown.tests]
    assert not lacking, "\n".join(f'"{row.section}", "{row.quote}"' for row in lacking)


def test_what_is_outside_is_shown_by_no_test(all_shown: Shown) -> None:
    assert [row for row in all_shown.tests if row.outside] == []


def test_no_requirement_is_transcribed_twice() -> None:
    assert len({(row.document, row.section, row.quote) for row in TRANSCRIPT}) == len(TRANSCRIPT)


def test_the_page_is_up_to_date(all_shown: Shown) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(all_shown), "run `make docs`"
