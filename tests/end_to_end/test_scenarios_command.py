"""`pushrig scenarios`: the list, one whole, and files of one's own checked."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from pushrig import application
from simulator.faults.scenario import Scenario
from simulator.faults.scenario_file import find_scenario, shipped_names
from tests.faults.test_scenario_file import VALID


def scenarios(*arguments: str) -> Result:
    return CliRunner().invoke(application("scenarios"), ["scenarios", *arguments])


def test_all_are_listed_with_what_happens_what_a_good_sender_does_and_the_source() -> None:
    result = scenarios()
    assert result.exit_code == 0
    for name in shipped_names():
        scenario = find_scenario(name).scenario
        assert f"{name}  ({', '.join(scenario.providers)})\n" in result.stdout
        assert f"  {scenario.title}.\n" in result.stdout
        assert f"  seen in:   {', '.join(scenario.sources)}" in result.stdout
    assert result.stdout.count("provider:  ") == result.stdout.count("sender:    ") == 21
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_json_gives_the_whole_of_each() -> None:
    lines = scenarios("--json").stdout.splitlines()
    read = [msgspec.json.decode(line, type=Scenario) for line in lines]
    assert [each.name for each in read] == list(shipped_names())
    assert read == [find_scenario(name).scenario for name in shipped_names()]


def test_one_is_shown_with_devices_phases_faults_and_expectations() -> None:
    shown = scenarios("show", "expired-token-burst").stdout
    for part in (
        "expired-token-burst: The credential passes its hour in the middle of a burst",
        "Seen in\n  pushy#476, pushy#486",
        "  devices     2,000, seed 102",
        "  provider_token_update_interval_s 0",
        "Phase 'expiry': from the start\n  stream-limit when=opening streams=100\n  expired-token after_requests=300 resets=10",
        "  credentials_max               2",
    ):
        assert part in shown
    assert "connects_a_second_max" not in shown


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("connection-refused", "Phase 'refused': after 300 notifications and 2 s, for 3 s"),
        ("uninstall-wave", "Phase 'behind it': from the start, in run 2"),
        ("rejection-throttle", "2,000, 3% wrong-topic"),
    ],
)
def test_phases_and_fates_are_told_in_words(name: str, part: str) -> None:
    assert part in scenarios("show", name).stdout


def test_a_file_of_ones_own_is_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    shown = scenarios("show", str(path)).stdout
    assert "Phase 'outage': from 1 s on, for 2.5 s" in shown
    assert "Phase 'an hour later': after 5 notifications, for 5 notifications, in run 2" in shown
    assert "the clock goes forward by 3600 s" in shown


def test_lint_finds_nothing_wrong_with_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    result = scenarios("lint", str(path))
    assert (result.exit_code, result.stdout) == (0, f"{path}: mine, 2 phases, 2 faults; nothing is wrong\n")
    assert scenarios("lint", str(path), "--json").stdout == f'{{"where":"{path}","problems":[]}}\n'


def test_lint_tells_all_that_is_wrong_with_lines(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(VALID)
    bad.write_text(VALID.replace("seed = 7", "sed = 7").replace("outage seed=3", "outrage"))
    result = scenarios("lint", str(good), str(bad))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == [
        f"{bad}:6: there is no 'sed' here; did you mean seed?",
        f"{bad}:25: no fault is called outrage; did you mean outage?",
    ]
    bad.write_text(VALID.replace("outage seed=3", "outrage"))
    lines = scenarios("lint", str(bad), "--json").stdout.splitlines()
    assert msgspec.json.decode(lines[0]) == {
        "where": str(bad),
        "problems": [{"line": 25, "what": "no fault is called outrage; did you mean outage?"}],
    }


@pytest.mark.parametrize("arguments", [("show",), ("lint",), ("play",), ("show", "nosuch"), ("list", "nosuch.toml")])
def test_bad_options_end_with_code_2(arguments: tuple[str, ...]) -> None:
    result = scenarios(*arguments)
    assert result.exit_code == 2
    assert result.stderr
