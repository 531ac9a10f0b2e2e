"""The report card as JSON, JUnit XML, HTML and on a terminal; and what hostile text becomes in each."""

import io
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from loadtest.replay.card import ReportCard, failed_report, report_card, scenario_report
from loadtest.replay.card_html import html_page
from loadtest.replay.card_junit import junit_xml
from loadtest.replay.card_terminal import show_scenario, show_total
from loadtest.replay.grading import grade
from loadtest.replay.rows import Ending
from tests.replay.told import Told, all_right

HOSTILE = "\x1b[2J\x9b[red]</pre><script>alert(1)</script>]]>&\"'\r\n::set-output\x00\x08\ufffe\u202e{0}$title"
VERSIONS = {"pushrig": "1"}
CARDS = Path(__file__).parents[2] / "docs" / "report-cards"


def card_of(*tolds: Told) -> ReportCard:
    reports = [scenario_report(told.played, grade(told.played)) for told in tolds]
    return report_card(["./send"], "2026-01-01T00:00:00+00:00", VERSIONS, reports)


def with_a_duplicate() -> Told:
    told = all_right()
    told.accepted(0, 5)
    return told


def terminal(card: ReportCard, *, every_row: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=300, force_terminal=False, highlight=False)
    for report in card.scenarios:
        show_scenario(report, console, every_row=every_row)
    show_total(card, console)
    return out.getvalue()


class Tags(HTMLParser):
    """Which elements a page has, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_card_holds_when_every_scenario_does() -> None:
    assert card_of(all_right()).held
    assert not card_of(all_right(), with_a_duplicate()).held
    assert not card_of().held


def test_a_scenario_that_could_not_be_played_does_not_hold() -> None:
    failed = failed_report(Told().scenario, "apns", "the control plane got no answer")
    card = report_card(["x"], "now", VERSIONS, [failed])
    assert not card.held
    assert failed.grade == "broken"
    (error,) = ElementTree.fromstring(junit_xml(card)).iter("error")
    assert error.get("message") == "the control plane got no answer"
    assert "the control plane got no answer" in terminal(card)
    assert "the control plane got no answer" in Tags(html_page(card)).text


def test_json_has_each_row_with_its_evidence() -> None:
    read = msgspec.json.decode(msgspec.json.encode(card_of(with_a_duplicate())))
    rows = {row["expectation"]: row for row in read["scenarios"][0]["rows"]}
    assert rows["duplicated_max"]["grade"] == "broken"
    assert (rows["duplicated_max"]["limit"], rows["duplicated_max"]["measured"]) == (0, 1)
    assert rows["duplicated_max"]["evidence"]
    assert read["counts"]["broken"] == 1


def test_junit_has_a_suite_for_each_scenario_and_a_test_for_each_expectation() -> None:
    card = card_of(all_right(), with_a_duplicate())
    root = ElementTree.fromstring(junit_xml(card))
    good, bad = root.findall("testsuite")
    assert (good.get("failures"), bad.get("failures"), root.get("failures")) == ("0", "1", "1")
    assert int(good.get("tests", "")) == len(card.scenarios[0].rows) == len(good.findall("testcase"))
    assert int(good.get("skipped", "")) == len(list(good.iter("skipped"))) > 0
    (failure,) = bad.iter("failure")
    assert failure.get("message") == "1 device got more than one"
    assert failure.text is not None and "answered 200" in failure.text


def test_the_page_needs_nothing_but_itself() -> None:
    page = Tags(html_page(card_of(with_a_duplicate())))
    assert not page.tags & {"script", "img", "link", "iframe", "base"}
    assert not page.attributes & {"src", "onclick", "onload"}
    assert "no notifications sent twice without need" in page.text
    assert "answered 200" in page.text


def test_evidence_has_a_row_of_its_own_so_that_opening_it_moves_no_column() -> None:
    page = html_page(card_of(with_a_duplicate())).decode()
    assert page.count("<details><summary>what happened") == page.count('<tr class="begun">') == 1
    assert '<tr><td></td><td colspan="2"><details><summary>what happened' in page
    assert '<tr class="begun">' not in html_page(card_of(all_right())).decode()


def test_what_a_sender_took_stands_on_the_page_whether_it_is_graded_or_not() -> None:
    told = Told(devices=2)
    told.opened()
    told.accepted(0, 1)
    told.accepted(1, 1)
    told.closed(bytes_in=3_001, frames_in={"HEADERS": 2, "DATA": 3})
    text = Tags(html_page(card_of(told))).text
    assert "1 handshakes begun, 3,001 bytes and 5 frames came: 1,500 bytes and 2.5 frames for each accepted\n" in text
    assert "0 handshakes begun, 0 bytes and 0 frames came\n" in Tags(html_page(card_of(Told()))).text


def test_how_often_a_fault_was_played_is_told_in_words() -> None:
    told = all_right()
    told.fault(2)
    assert "faults: reason once\n" in Tags(html_page(card_of(told))).text
    told.fault(3)
    assert "faults: reason 2 times\n" in Tags(html_page(card_of(told))).text


@pytest.mark.parametrize("file", sorted(CARDS.glob("*.html")), ids=lambda file: file.stem)
def test_the_cards_of_published_clients_look_as_today(file: Path) -> None:
    head, _, _ = html_page(card_of(all_right())).decode().partition("<title>")
    _, _, style = html_page(card_of(all_right())).decode().partition("</title>")
    style, _, _ = style.partition("<h1>")
    page = file.read_text(encoding="utf-8")
    assert page.startswith(head)
    assert style in page


def test_a_terminal_shows_every_row_or_what_is_broken() -> None:
    card = card_of(with_a_duplicate())
    assert "✓ no notifications lost" in terminal(card)
    assert "✓ no notifications lost" not in terminal(card, every_row=False)
    assert "✗ no notifications sent twice without need: 1 device got more than one" in terminal(card, every_row=False)
    assert "0 of 1 scenarios held" in terminal(card)


@pytest.fixture
def hostile_card() -> ReportCard:
    """Everything that came from somewhere is hostile, also where grading would have made it plain."""
    told = with_a_duplicate()
    told.asked(1, 6, notification_id=HOSTILE, token=HOSTILE)
    told.endings[1] = Ending(exit_code=0, duration_s=1, overdue=True, said=HOSTILE)
    (report,) = card_of(told).scenarios
    rows = tuple(msgspec.structs.replace(row, evidence=(HOSTILE,), found=HOSTILE) for row in report.rows)
    report = msgspec.structs.replace(
        report, rows=rows, scenario=HOSTILE, title=HOSTILE, good_sender=HOSTILE, sources=(HOSTILE,), failed=HOSTILE,
        faults={HOSTILE: 1}, runs=(msgspec.structs.replace(report.runs[0], said=(HOSTILE,)),),
    )  # fmt: skip
    return report_card([HOSTILE], HOSTILE, {HOSTILE: HOSTILE}, [report])


def test_no_text_reaches_a_terminal_as_anything_but_text(hostile_card: ReportCard) -> None:
    shown = terminal(hostile_card)
    assert not [character for character in shown if not character.isprintable() and character != "\n"]
    assert "[red]" in shown  # as it stands, not as markup
    assert "\n::set-output" not in shown


def test_no_text_reaches_a_page_as_anything_but_text(hostile_card: ReportCard) -> None:
    page = Tags(html_page(hostile_card))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "$title" in page.text
    assert "\x00" not in page.text and "\u202e" not in page.text


def test_no_text_breaks_the_xml(hostile_card: ReportCard) -> None:
    root = ElementTree.fromstring(junit_xml(hostile_card))
    assert "<script>alert(1)</script>" in (next(root.iter("failure")).text or "")
    assert {each.tag for each in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "skipped", "error", "system-out",
    }  # fmt: skip


def test_what_grading_shows_of_the_network_is_plain() -> None:
    told = with_a_duplicate()
    told.accepted(0, 6, notification_id=HOSTILE)
    lines = told.row("duplicated_max").evidence
    assert lines
    assert all(line.isprintable() for line in lines)
    assert any("<script>" in line for line in lines)  # plain here; escaped where it is shown
