"""The report card as JUnit XML: a suite for each scenario, a test for each expectation, so that CI shows them one by one."""

from xml.etree import ElementTree

from loadtest.replay.card import ReportCard, ScenarioReport
from loadtest.replay.plain_text import plain
from loadtest.replay.rows import BROKEN, NOT_GRADED, Row


def junit_xml(card: ReportCard) -> bytes:
    """The document, UTF-8."""
    root = ElementTree.Element("testsuites", name="pushrig replay")
    for report in card.scenarios:
        root.append(_suite(report, card.began_at))
    totals = {
        name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors", "skipped")
    }
    root.attrib.update({name: str(count) for name, count in totals.items()})
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(report: ScenarioReport, began_at: str) -> ElementTree.Element:
    name = plain(f"{report.scenario} ({report.provider})")
    grades = [row.grade for row in report.rows]
    took_s = sum(run.duration_s for run in report.runs)
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(grades) + (report.failed is not None)),
        failures=str(grades.count(BROKEN)),
        errors=str(int(report.failed is not None)),
        skipped=str(grades.count(NOT_GRADED)),
        time=f"{took_s:.3f}",
        timestamp=plain(began_at),
    )
    if report.failed is not None:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name="is played to its end")
        ElementTree.SubElement(case, "error", message=plain(report.failed))
    suite.extend(_case(row, name) for row in report.rows)
    said = [line for run in report.runs for line in run.said]
    if said:
        ElementTree.SubElement(suite, "system-out").text = "\n".join(map(plain, said))
    return suite


def _case(row: Row, classname: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=classname, name=plain(f"{row.expectation}: {row.expected}"))
    if row.grade == BROKEN:
        failure = ElementTree.SubElement(case, "failure", message=plain(row.found))
        failure.text = "\n".join(map(plain, row.evidence))
    elif row.grade == NOT_GRADED:
        ElementTree.SubElement(case, "skipped", message=plain(f"not graded: {row.found}"))
    return case
