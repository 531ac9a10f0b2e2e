"""`pushrig bench` as its user starts it, on a small scale: what is counted, never how fast."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.bench.rows import ROWS
from loadtest.bench.tools import AIOAPNS, H2, H2LOAD, HTTPX, LOCUST, NGHTTPD, Tool
from tests.loadtest.bench_records import grown_report, report, row
from tests.loadtest.test_bench_child import gone

TINY = ("--notifications", "400", "--repeats", "1", "--json")
FIELDS = {"name", "title", "notifications", "rate_per_s", "rates_per_s", "spread", "cpu_us", "bound_per_s", "limit"}


def pushrig(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "pushrig", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def test_every_row_whose_tools_are_here_is_measured_and_the_others_are_named(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = pushrig("bench", *TINY, "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert json.loads(out.read_text()) == found
    assert found["failed"] == []
    here = [each.name for each in ROWS if each.needs is None or each.needs.present]
    assert [each["name"] for each in found["rows"]] == here
    assert {each["name"] for each in found["missing"]} == {each.name for each in ROWS} - set(here)
    assert all(each["install"] for each in found["missing"])
    for each in found["rows"]:
        assert each.keys() >= FIELDS and each["rate_per_s"] > 0
        assert each["limit"] in ("server", "sender", "neither", "unknown")
    bars = {each["name"]: each for each in found["bars"]}
    assert bars["simulator"]["value"] > 0 and bars["simulator"]["met"] in (True, False)
    assert len(found["start_s"]) == 1


def test_only_the_rows_asked_for_are_measured_and_compared_with_an_older_run(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    one = pushrig("bench", *TINY, "--only", "simulator", "--only", "ruler", "--repeats", "2", "--out", str(old))
    assert one.returncode == 0, one.stderr
    assert [len(each["rates_per_s"]) for each in json.loads(one.stdout)["rows"]] == [2, 2]
    two = pushrig("bench", "--from", str(old), "--compare", str(old), "--json")
    changes = json.loads(two.stdout)["changes"]
    assert [each["name"] for each in changes] == ["ruler", "simulator"]
    assert {each["verdict"] for each in changes} == {"same"} and {each["rate_share"] for each in changes} == {0.0}


def test_an_earlier_run_is_shown_as_tables_and_as_markdown(tmp_path: Path) -> None:
    import msgspec

    file = tmp_path / "bench.json"
    file.write_bytes(msgspec.json.encode(report(row("ruler"), row("simulator"))))
    markdown = pushrig("bench", "--from", str(file), "--compare", str(file), "--markdown")
    assert markdown.returncode == 0 and "| simulator → server | 100,000 |" in markdown.stdout
    assert "| simulator | 100,000 | 100,000 |" in markdown.stdout
    screen = pushrig("bench", "--from", str(file), "--compare", str(file))
    assert screen.returncode == 0 and "simulator → server" in screen.stdout and "100,000" in screen.stdout


def test_growth_of_an_earlier_run_is_shown_drawn_and_compared(tmp_path: Path) -> None:
    import msgspec

    file, plots = tmp_path / "growth.json", tmp_path / "plots"
    file.write_bytes(msgspec.json.encode(grown_report()))
    shown = ("bench", "--from", str(file), "--compare", str(file))
    markdown = pushrig(*shown, "--markdown", "--plots", str(plots))
    assert markdown.returncode == 0, markdown.stderr
    assert "| streams at once | per s |" in markdown.stdout and "Extrapolated to a billion devices:" in markdown.stdout
    assert "| devices-10000 |" in markdown.stdout and "| workers-2 |" in markdown.stdout
    assert sorted(each.name for each in plots.iterdir()) == ["devices.svg", "streams.svg", "workers.svg"]
    screen = pushrig(*shown)
    assert screen.returncode == 0 and "streams at once" in screen.stdout and "a billion devices" in screen.stdout


def test_cost_and_memory_are_measured_by_size() -> None:
    done = pushrig("bench", *TINY, "--only", "ruler", "--cost", "--devices-max", "2000")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (cost,) = found["costs"]
    assert cost["devices"] == 2_000 and cost["repeats"] > 1
    assert set(cost["cpu_us"]) == set(cost["peak_rss_mb"]) == {"server", "sender"}
    assert {"flat", "memory-server", "memory-sender"} <= {each["name"] for each in found["bars"]}
    assert cost["fill_s"] > 0 and cost["store_mb"] > 0 and len(cost["rates_per_s"]) == cost["repeats"]
    assert {each["ending"] for each in found["minting"]["files"]} == {".csv", ".jsonl"}


def test_the_hot_path_is_accounted_for_on_both_sides() -> None:
    done = pushrig("bench", "--profile", "--notifications", "400", "--repeats", "1", "--json")
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)
    assert {step["side"] for step in steps} == {"server", "sender"}
    said = " ".join(step["what"] for step in steps)
    for word in ("TLS", "receive_data", "judge", "unseal", "ledger", "journal", "Lane.fill", "Lane.received"):
        assert word in said
    assert all(step["us"] >= 0 for step in steps)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--notifications", "1"), "--notifications"),
        (("--repeats", "0"), "--repeats"),
        (("--only", "everything"), "--only"),
        (("--out", "/nowhere/at/all.json"), "--out"),
        (("--from", "/nowhere/at/all.json"), "--from"),
        (("--compare", "/dev/null"), "--compare"),
        (("--json", "--markdown"), "--markdown"),
        (("--growth", "everything"), "--growth"),
        (("--plots", "somewhere"), "--plots"),
        (("--growth", "all", "--plots", "/dev/null"), "--plots"),
    ],
)
def test_bad_options_are_named(arguments: tuple[str, ...], named: str) -> None:
    done = pushrig("bench", *arguments)
    assert done.returncode == 2 and named in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_whoever_stops_the_bench_stops_its_children() -> None:
    # One start of the simulator, then runs that are not soon over.
    arguments = ("--only", "ruler", "--only", "simulator", "--repeats", "1", "--notifications", "2000000")
    command = [sys.executable, "-P", "-m", "pushrig", "bench", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        children: list[int] = []
        while len(children) < 3:  # the simulator, the ruler server, a sender
            assert bench.poll() is None, "it ended before it had begun"
            children = _children(bench.pid)
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(30) == 143
    assert all(gone(pid) for pid in children)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("tool", [AIOAPNS, H2, H2LOAD, HTTPX, LOCUST, NGHTTPD])
def test_every_tool_says_how_to_get_it(tool: Tool) -> None:
    assert tool.install and (tool.programs or tool.modules)


def test_a_tool_is_here_when_all_its_parts_are() -> None:
    assert Tool("shell and Python's own", programs=("sh",), modules=("json",)).present
    assert not Tool("x", programs=("sh", "no-such-program-anywhere")).present
    assert not Tool("x", modules=("json", "no_such_module_anywhere")).present
