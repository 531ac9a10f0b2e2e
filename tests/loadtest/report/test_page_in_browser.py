"""The page of a run in a real browser: it loads nothing, complains of nothing, fits, and its pictures are seen."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.report.page import html_page
from loadtest.report.results_directory import read_results
from tests.loadtest.report.browser import Browser, browser, chromium
from tests.loadtest.report.result_records import results

# Texts of the same picture that lie over each other, as pairs; those of an upper and a lower row of numbers touch at most.
OVERLAPS = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].map(each => [each.firstChild.data, each.getBoundingClientRect()]);
  return texts.flatMap(([a, p], at) => texts.slice(at + 1).filter(([b, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 2
  ).map(([b, q]) => a + ' | ' + b));
})"""
OUTSIDE = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text, rect, polyline, polygon')].filter(each => {
    const place = each.getBoundingClientRect();
    return place.left < box.left - 1 || place.right > box.right + 1 || place.top < box.top - 1 || place.bottom > box.bottom + 1;
  }).map(each => each.outerHTML.slice(0, 100));
})"""
# Of the page, its words, words of a chart, and a line.
COLOURS = """[['body', 'backgroundColor'], ['body', 'color'], ['svg text', 'fill'], ['.line.s1', 'stroke']].map(
  ([what, part]) => getComputedStyle(document.querySelector(what))[part])"""
LIGHT = ["rgb(255, 255, 255)", "rgb(28, 28, 26)", "rgb(28, 28, 26)", "rgb(42, 120, 214)"]
DARK = ["rgb(22, 22, 21)", "rgb(236, 235, 230)", "rgb(236, 235, 230)", "rgb(57, 135, 229)"]


# Points of each line of the first chart: planned, came due, answered.
POINTS = "[...document.querySelector('svg .grid').closest('svg').querySelectorAll('polyline')].map(each => each.points.length)"


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[Browser, Path]]:
    page = tmp_path / "report.html"
    page.write_bytes(html_page(results(name="<script>alert(1)</script>", failures=["<img src=http://127.0.0.1:9/x>"])))
    with browser(tmp_path / "profile") as opened:
        yield opened, page


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (420, True)])
def test_the_page_reads_well_and_asks_for_nothing(shown: tuple[Browser, Path], width: int, dark: bool) -> None:
    opened, page = shown
    opened.open(page, width=width, height=900, dark=dark)
    assert opened.value("document.title") == "Load test: <script>alert(1)</script>"
    assert opened.value("document.querySelectorAll('script, img, link, iframe').length") == 0
    headings = opened.value("[...document.querySelectorAll('h2')].map(each => each.textContent)")
    assert headings[:4] == [
        "Which side was the limit",
        "Throughput over time",
        "Latency over time",
        "Latency by percentile",
    ]
    assert opened.value("document.documentElement.scrollWidth") <= width
    assert opened.value(OVERLAPS) == []
    assert opened.value(OUTSIDE) == []
    assert opened.value(COLOURS) == (DARK if dark else LIGHT)
    assert len(opened.picture()) > 30_000
    assert opened.said == []
    assert opened.asked == [page.as_uri()]


def test_the_page_of_a_real_run_tells_what_its_figures_say(tmp_path: Path) -> None:
    chromium()  # no load for nothing
    out = tmp_path / "results"
    command = [
        sys.executable,
        "-P",
        "-m",
        "pushrig",
        "load",
        "--profile",
        "steady:rate=400,for=4s",
        "--json",
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [*command, "--ceiling", "9000", "--fate", "unregistered=0.1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = read_results(out).run
    with browser(tmp_path / "profile") as opened:
        opened.open(out / "report.html", width=1280, height=900)
        tiles = opened.value(
            "Object.fromEntries([...document.querySelectorAll('.tiles div')].map(each => [...each.children].map(each => "
            "each.textContent)))"
        )
        assert (tiles["accepted"], tiles["rejected"]) == (f"{run.accepted:,}", f"{run.rejected['Unregistered']:,}")
        assert tiles["no final answer"] == "0"
        assert tiles["rate"] == f"{run.rate_per_s:,.0f}/s"
        assert len(opened.value(POINTS)) == 3
        assert min(opened.value(POINTS)) >= 3
        words = opened.value("document.body.innerText")
        assert "Every device is accounted for." in words
        assert "ceiling was 9,000 a second (given with --ceiling)" in words
        assert opened.value(OVERLAPS) == []
        assert opened.value(OUTSIDE) == []
        assert opened.said == []
