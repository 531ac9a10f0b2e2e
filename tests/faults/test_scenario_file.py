"""Scenario files: a valid one, then one thing spoiled at a time, each told with its line."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.faults.engine import FAULTS_MAX
from simulator.faults.reason import ReasonFault
from simulator.faults.scenario import FAULTS_OF_A_PHASE_MAX, PHASES_MAX
from simulator.faults.scenario_file import (
    FILE_BYTES_MAX,
    PROBLEMS_SHOWN_MAX,
    ReadScenario,
    ScenarioError,
    find_scenario,
    read_scenario,
    read_scenario_file,
)

VALID = """\
name = "mine"
title = "One line"
what_happens = "The provider is out of order."
good_sender = "Waits."
sources = ["pushy#1"]
seed = 7
providers = ["apns", "fcm"]
runs = 2
time_limit_s = 5

[population]
devices = 10
fates = { unregistered = 0.5, stale = 0.25 }
ios = 0.1

[serve]
penalty = "on"

[[phase]]
name = "outage"
from_s = 1
for_s = 2.5
faults = [
  "reason reason=TooManyRequests retry_after_s=1 share_of_tokens=0.5",
  "outage seed=3",
]

[[phase]]
name = "an hour later"
run = 2
from_notifications = 5
for_notifications = 5
advance_s = 3_600

[expect]
attempts_max = 3
"""


def problems(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(text, "mine.toml")
    return [(each.line, each.what) for each in caught.value.problems]


def spoiled(before: str, after: str) -> str:
    assert VALID.count(before) == 1
    return VALID.replace(before, after)


def line_of(part: str) -> int:
    return VALID[: VALID.index(part)].count("\n") + 1


def valid() -> ReadScenario:
    return read_scenario(VALID, "mine.toml")


def test_a_file_is_read_whole() -> None:
    read = valid()
    scenario = read.scenario
    assert (scenario.name, scenario.seed, scenario.runs, scenario.time_limit_s) == ("mine", 7, 2, 5.0)
    assert scenario.population.fates == {"unregistered": 0.5, "stale": 0.25}
    assert scenario.serve == {"penalty": "on"}
    assert [phase.name for phase in scenario.phase] == ["outage", "an hour later"]
    assert scenario.phase[1].advance_s == 3_600
    assert (scenario.expect.attempts_max, scenario.expect.lost_max, scenario.expect.connections_max) == (3, 0, None)
    assert [[each.fault.name for each in faults] for faults in read.faults] == [["reason", "outage"], []]
    first = read.faults[0][0]
    assert first.fault == ReasonFault(reason="TooManyRequests", retry_after_s=1)


def test_faults_draw_by_the_scenarios_seed_and_their_place_unless_they_name_one() -> None:
    seed, own = (each.match.seed for each in valid().faults[0])
    other = read_scenario(spoiled("seed = 7", "seed = 8"), "mine.toml")
    assert seed == valid().faults[0][0].match.seed
    assert seed not in (None, own, other.faults[0][0].match.seed)
    assert own == 3


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('name = "mine"', 'name = "Mine!"', "name: write lower-case words with hyphens"),
        ('title = "One line"', 'title = "One\\nline"', "title: write one line of text"),
        ('title = "One line"', 'title = "One \\u001b[31mline"', "title: write one line of text, without control"),
        ('good_sender = "Waits."', 'good_sender = "Wa\\u202eits."', "good_sender: write text, without control"),
        ('what_happens = "The provider is out of order."', "what_happens = 1", "what_happens: expected str, got int"),
        ("seed = 7", "seed = -1", "seed: expected int >= 0"),
        ("seed = 7", "sed = 7", "there is no 'sed' here; did you mean seed?"),
        ('providers = ["apns", "fcm"]', "providers = []", "providers: expected array of length >= 1"),
        ('providers = ["apns", "fcm"]', 'providers = ["apns", "gcm"]', "providers: invalid enum value 'gcm'"),
        ("runs = 2", "runs = 0", "runs: expected int >= 1"),
        ("time_limit_s = 5", "time_limit_s = 0.5", "time_limit_s: expected float >= 1.0"),
        ("devices = 10", "devices = 0", "devices: expected int >= 1"),
        ("devices = 10", 'devices = 10\ntopic = "a b"', "topic: write it without spaces"),
        ("fates = { unregistered = 0.5", "fates = { unregistred = 0.5", "no fate is called 'unregistred'"),
        ("fates = { unregistered = 0.5", "fates = { unregistered = 1.5", "fates: expected float <= 1.0"),
        ("fates = { unregistered = 0.5", "fates = { unregistered = 0.9", "which is more than 1"),
        ('penalty = "on"', 'penalty = "yes"', "penalty: give on or off"),
        ('penalty = "on"', "port = 5", "a scenario cannot set 'port'"),
        ('penalty = "on"', 'rates = "/etc/rates.toml"', "rates: give real or off"),
        ("from_s = 1", "from_s = 1\nfrom_notifications = 5", "give `from_s` or `from_notifications`, not both"),
        ("from_s = 1", "from_s = 1\nwait_s = 2", "`wait_s` goes with `from_notifications`"),
        ("for_s = 2.5", "for_s = 0", "for_s: expected float > 0.0"),
        ("for_notifications = 5", "for_notifications = 5\nfor_s = 1", "give `for_s` or `for_notifications`, not both"),
        ("run = 2", "run = 3", "there is no run 3; `runs` is 2"),
        ("advance_s = 3_600", "", "nothing happens in this phase"),
        ('name = "an hour later"', 'name = "outage"', "there is a phase outage above"),
        ('name = "an hour later"', "", "'name' is missing"),
        ("attempts_max = 3", "attempts_max = -3", "attempts_max: expected int >= 0"),
        ("attempts_max = 3", "attempt_max = 3", "there is no 'attempt_max' here; did you mean attempts_max?"),
        ("reason reason=TooManyRequests", "reason reason=TooManyRequest", "'TooManyRequest' is none of APNs or FCM"),
        ("reason reason=TooManyRequests", "raeson", "no fault is called raeson"),
        ("outage seed=3", "outage seed=3 nth=2", "there is no option nth"),
        ("outage seed=3", "handshake delay_s=1 share_of_requests=0.5", "nothing is known then of share_of_requests"),
        ("advance_s = 3_600", 'faults = "outage"', "faults: expected array, got str"),
    ],
)
def test_one_thing_that_is_wrong_is_told_with_its_line(before: str, after: str, what: str) -> None:
    ((line, told),) = problems(spoiled(before, after))
    assert what in told
    last = after.splitlines()[-1] if after else ""
    expected = line_of(before) + after.count("\n")
    if not last or told.startswith(("'name' is missing", "nothing happens")):
        expected = line_of('[[phase]]\nname = "an hour later"')
    if "not both" in told:
        assert line in (expected, expected - 1)
    else:
        assert line == expected


@pytest.mark.parametrize("begins", ["", "from_s = 0\n"])
@pytest.mark.parametrize("ends", ["for_s = 2.5", "for_notifications = 5"])
def test_a_phase_that_keeps_everybody_out_until_somebody_comes_is_refused(begins: str, ends: str) -> None:
    head, _, tail = spoiled("outage seed=3", "refuse-connections").partition("from_s = 1\nfor_s = 2.5\n")
    text = f"{head}{begins}{ends}\n{tail}"
    ((line, what),) = problems(text)
    assert text.splitlines()[(line or 0) - 1] == '  "refuse-connections",'
    assert f"`{ends.split()[0]}` never begins to count" in what
    for kept in (
        f"{head}from_notifications = 1\n{ends}\n{tail}",
        f"{head}{begins}{tail}",
        text.replace("refuse-connections", "refuse-connections from_s=1"),
    ):
        read_scenario(kept, "mine.toml")


def test_a_fault_is_told_with_its_own_line_among_several() -> None:
    ((line, _),) = problems(spoiled("outage seed=3", "outage sed=3"))
    assert line == line_of('  "outage seed=3"')


def test_an_element_of_a_list_is_told_with_its_own_line() -> None:
    ((line, what),) = problems(spoiled('providers = ["apns", "fcm"]', 'providers = [\n  "apns",\n  "gcm",\n]'))
    assert (line, what) == (line_of("providers") + 2, "providers: invalid enum value 'gcm'")


def test_all_that_is_wrong_is_told_at_once_in_order() -> None:
    text = (
        spoiled("runs = 2", "runs = 9").replace("devices = 10", "devices = true").replace("attempts_max", "tries_max")
    )
    assert [line for line, _ in problems(text)] == [line_of("runs"), line_of("devices"), line_of("attempts_max")]


@pytest.mark.parametrize("missing", ["name", "title", "what_happens", "good_sender", "providers"])
def test_what_a_file_must_have(missing: str) -> None:
    text = "\n".join(line for line in VALID.splitlines() if not line.startswith(f"{missing} ="))
    if missing == "name":
        text = text.replace("[[phase]]\n", '[[phase]]\nname = "p"\n', 1).replace("run = 2", 'name = "q"\nrun = 2')
    assert [what for _, what in problems(text)] == [f"'{missing}' is missing"]


def test_devices_are_needed() -> None:
    start, end = VALID.index("[population]"), VALID.index("[serve]")
    assert [what for _, what in problems(VALID[:start] + VALID[end:])] == [
        "there is no table [population]; it says how many devices there are"
    ]


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("expect = 3", "write a table [expect]"),
        ("phase = 3", "write [[phase]]"),
        ("phase = [3]", "write a table [phase]"),
    ],
)
def test_what_is_no_table_is_told(table: str, what: str) -> None:
    top = VALID[: VALID.index("[population]")] + table + "\n\n[population]\ndevices = 1\n"
    assert what in problems(top)[0][1]


def test_a_provider_that_is_named_twice_is_told() -> None:
    told = problems(spoiled('providers = ["apns", "fcm"]', 'providers = ["apns", "apns"]'))
    assert (line_of("providers"), "a provider is named twice") in told


def test_fates_and_faults_of_a_provider_that_takes_no_part_are_told() -> None:
    text = spoiled('providers = ["apns", "fcm"]', 'providers = ["apns"]').replace(
        "outage seed=3", "outage provider=fcm"
    )
    told = [what for _, what in problems(text)]
    assert told == [
        "tokens of apns know no fate stale",
        "only registrations of FCM sit on another token; add fcm to the providers",
        "this is for fcm alone, which is not among the providers of the scenario",
    ]
    of_fcm = text.replace("outage provider=fcm", "reason reason=UNREGISTERED")  # it says so without `provider`
    assert [what for _, what in problems(of_fcm)] == told


@pytest.mark.parametrize(
    ("text", "line"), [("name = ", 1), ("\n\n= 3", 3), ('a = "\n', 1), ("x = [1,\n", 1), ("[a]\n[a]\n", 2)]
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int | None) -> None:
    ((told, what),) = problems(text)
    assert (told, what.startswith("is no TOML: ")) == (line, True)


def test_the_bounds_of_a_file() -> None:
    phase = '[[phase]]\nname = "p{}"\nfaults = ["outage"]\n'
    most = VALID + "".join(phase.format(number) for number in range(PHASES_MAX - 2))
    assert len(read_scenario(most, "mine.toml").scenario.phase) == PHASES_MAX
    many = most + phase.format("more")
    assert problems(many) == [(many.count("\n") - 2, f"there are more than {PHASES_MAX} phases; leave some out")]
    faults = ", ".join(['"outage"'] * (FAULTS_OF_A_PHASE_MAX + 1))
    (problem,) = problems(spoiled("advance_s = 3_600", f"faults = [{faults}]"))
    assert f"length <= {FAULTS_OF_A_PHASE_MAX}" in problem[1]


def test_faults_that_would_find_no_room_beside_each_other_are_told() -> None:
    faults = ", ".join(['"outage"'] * FAULTS_OF_A_PHASE_MAX)
    phase = '[[phase]]\nname = "p{}"\nfaults = [' + faults + "]\n"
    full = FAULTS_MAX // FAULTS_OF_A_PHASE_MAX
    most = VALID + "".join(phase.format(number) for number in range(full))
    assert len(read_scenario(most, "mine.toml").scenario.phase) == full + 2
    ((line, what),) = problems(most + phase.format("more"))
    assert line == most.count("\n") + 1
    assert what.startswith(f"no more than {FAULTS_MAX} faults can be at work at a time")
    for ends in ("for_s = 1", "for_notifications = 1"):
        assert len(read_scenario(most + phase.format("more") + ends, "mine.toml").faults) == full + 3
    apart = most + phase.format("more").replace("faults", "run = 1\nfaults")
    assert problems(apart)
    apart = apart.replace('name = "p0"', 'name = "p0"\nrun = 2')
    assert len(read_scenario(apart, "mine.toml").faults) == full + 3


def test_no_more_problems_are_shown_than_can_be_read() -> None:
    many = "\n".join(f"wrong{number} = 1" for number in range(PROBLEMS_SHOWN_MAX + 5))
    with pytest.raises(ScenarioError) as caught:
        read_scenario(many + "\n" + VALID, "mine.toml")
    shown = str(caught.value).splitlines()
    assert len(shown) == PROBLEMS_SHOWN_MAX + 1
    assert shown[0].startswith("mine.toml:1: there is no 'wrong0' here")
    assert shown[-1] == "mine.toml: 5 more"
    few = "\n".join(f"wrong{number} = 1" for number in range(PROBLEMS_SHOWN_MAX))
    with pytest.raises(ScenarioError) as caught:
        read_scenario(few + "\n" + VALID, "mine.toml")
    assert len(str(caught.value).splitlines()) == PROBLEMS_SHOWN_MAX
    assert "more" not in str(caught.value)


# Files and names


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    assert find_scenario(str(path)) == read_scenario_file(path) == valid()


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    def told(path: Path) -> str:
        with pytest.raises(ScenarioError) as caught:
            read_scenario_file(path)
        return str(caught.value)

    path = tmp_path / "mine.toml"
    assert told(path) == f"{path}: cannot be read (No such file or directory)"
    assert "Is a directory" in told(tmp_path)
    path.write_bytes(b"name = 1\ntitle = '\xff'")
    assert told(path) == f"{path}:2: is not UTF-8 text"
    path.write_text(VALID + "#" * (FILE_BYTES_MAX - len(VALID)))
    assert read_scenario_file(path) == valid()
    path.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    assert told(path) == f"{path}: is larger than 262,144 bytes"


def test_a_name_that_is_none_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(ScenarioError, match="did you mean goaway-mid-burst"):
        find_scenario("goaway-midburst")
    with pytest.raises(ScenarioError, match="`pushrig scenarios` lists them"):
        find_scenario("xyz")
    with pytest.raises(ScenarioError, match="cannot be read"):
        find_scenario("./xyz")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(VALID) - 1), st.text(max_size=3), st.integers(0, 12))
def test_a_damaged_file_ends_in_a_scenario_or_in_problems(at: int, put: str, cut: int) -> None:
    text = VALID[:at] + put + VALID[at + cut :]
    try:
        read_scenario(text, "mine.toml")
    except ScenarioError as error:
        assert all(each.line is None or 1 <= each.line <= text.count("\n") + 2 for each in error.problems)
        assert error.problems


def test_the_valid_file_is_what_it_claims() -> None:
    assert tomllib.loads(VALID)["name"] == "mine"
