"""Faults from what users write: every fault there and back, and each mistake named."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import SettingsError
from simulator.faults.engine import FAULTS_MAX, Faults, Planned
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.fault_text import STAGE, TEXT_CHARACTERS_MAX, fault_line, options_of, plan_fault, read_fault
from simulator.faults.latency import LatencyFault
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from simulator.faults.table import FAULTS, GROUPS
from simulator.faults_given import faults_given

NEEDED = {
    "latency": "median_ms=5",
    "reason": "reason=Shutdown",
    "handshake": "delay_s=1",
    "settings-change": "header_table_bytes=0",
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_the_same_after_it_was_written_and_read(name: str) -> None:
    planned = read_fault(f"{name} {NEEDED.get(name, '')} seed=5 until_s=9 from_s=0.5")
    assert planned.fault.name == name
    assert read_fault(fault_line(planned)) == planned
    assert plan_fault(name, options_of(planned)) == planned
    assert Faults().add(planned, 0.0).planned == planned


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_says_what_it_plays_and_what_a_good_sender_does(name: str) -> None:
    form = FAULTS[name]
    assert (form.__doc__ or "").strip()
    assert form.good_sender
    assert form.good_sender[-1] != "." and form.good_sender[0].islower()
    assert not set(form.__struct_fields__) & {*Match.__struct_fields__, STAGE}
    if issubclass(form, RequestFault):
        assert form.stages


def test_the_table_has_every_fault_once() -> None:
    def below(form: type[object]) -> set[type[object]]:
        return {form}.union(*(below(each) for each in form.__subclasses__()))

    named = {each for each in below(Fault) if "name" in vars(each)}
    assert named == set(FAULTS.values())
    assert sum(len(group) for group in GROUPS.values()) == len(FAULTS)


def test_options_of_fault_match_and_stage_stand_side_by_side() -> None:
    planned = read_fault("reason reason=TooManyRequests retry_after_s=5 share_of_requests=0.1 stage=after_verdict")
    fault = ReasonFault(reason="TooManyRequests", retry_after_s=5)
    assert planned == Planned(fault, Match(share_of_requests=0.1), Stage.AFTER_VERDICT)


def test_values_with_spaces_stand_in_quotes() -> None:
    planned = read_fault("""wrong-content-type content_type="text/plain; charset=UTF-8" topic='a b'""")
    assert options_of(planned)["content_type"] == "text/plain; charset=UTF-8"
    assert planned.match.topic == "a b"
    assert shlex.quote("topic=a b") in fault_line(planned)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "the name of a fault is missing; there are: reason"),
        ("latancy median_ms=1", "did you mean latency"),
        ("latency", "median_ms is missing"),
        ("latency median_ms", "'?median_ms'? is no option; write NAME option=value"),
        ("latency median_ms=1 median_ms=2", "median_ms is given twice"),
        ("latency median_ms=fast", "median_ms=fast will not do; expected float"),
        ("latency median_ms=-1", "median_ms=-1 will not do"),
        ("latency median_ms=nan", "median_ms=nan will not do"),
        ("latency median_ms=1 medain_ms=1", "did you mean median_ms"),
        ("latency median_ms=1 fate=dead", "no fate is called 'dead'"),
        ("latency median_ms=1 share_of_tokens=0", "share_of_tokens=0 will not do"),
        ("latency median_ms=1 stage=before_judge", "its stage is after_verdict"),
        ("latency median_ms=1 'x", "No closing quotation"),
        ("reason reason=Shutdown provider=fcm", "this is apns's"),
        ("reset-stream code=4294967296", "code=4294967296"),
        ("latency median_ms=1 path=3/device", "path='3/device' meets nothing: paths begin with /"),
        ("latency median_ms=1 \x1b[31mred=1", r"there is no option \\x1b\[31mred"),
        ("latency median_ms=\x1b[2J", r"median_ms=\\x1b\[2J will not do"),
        ("latency median_ms=1 path=\x1b", r"path='\\x1b' meets nothing"),
        ("latency median_ms=1 from_request=3 to_request=2", "to_request=2 comes before from_request=3"),
        ("latency median_ms=1 from_connection=3 to_connection=2", "to_connection=2 comes before"),
        ("latency median_ms=1 from_answer=2 to_answer=1", "to_answer=1 comes before"),
        ("latency median_ms=1 from_s=2 until_s=2", "until_s=2 is not after from_s=2"),
        ("latency median_ms=1 until_s=0", "until_s=0 is not after from_s=0"),
        ("refuse-connections share_of_tokens=0.5", "share_of_tokens"),
        ("x" * (TEXT_CHARACTERS_MAX + 1), "write a shorter one"),
    ],
)
def test_a_mistake_is_named_with_what_to_write(line: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read_fault(line)


WORDS = st.one_of(
    st.sampled_from([*FAULTS, "latency", "reason"]),
    st.builds(
        "{}={}".format, st.sampled_from(["median_ms", "reason", "stage", "seed", "share_of_tokens", "code"]), st.text()
    ),
    st.text(),
)


@given(line=st.lists(WORDS, max_size=5).map(" ".join))
def test_any_text_is_a_fault_or_a_mistake(line: str) -> None:
    try:
        planned = read_fault(line)
    except ValueError as error:
        assert str(error)
    else:
        assert read_fault(fault_line(planned)) == planned


def test_tables_give_numbers_as_numbers() -> None:
    assert plan_fault("latency", {"median_ms": 5}).fault == LatencyFault(median_ms=5)
    with pytest.raises(ValueError, match="median_ms=5 will not do"):
        plan_fault("latency", {"median_ms": "5"})


def test_a_file_gives_faults_ahead_of_the_lines(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nfault = "latency"\nmedian_ms = 5\n\n[[fault]]\nfault = "silent-stream"\nto_request = 1\n'
    )
    planned = faults_given(["html-page"], file)
    assert [each.fault.name for each in planned] == ["latency", "silent-stream", "html-page"]
    assert planned[1].match == Match(to_request=1)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", r"write \[\[fault\]\]"),
        ("fault = 1", r"write \[\[fault\]\]"),
        ("fault = [1]", r"fault 1 in .*faults.toml"),
        ("[fault]\n", r"write \[\[fault\]\]"),
        ("[[faults]]\n", "nothing but faults"),
        ("[[fault]]\nmedian_ms = 5", "fault 1 in"),
        (
            '[[fault]]\nfault = "latency"\nmedian_ms = 5\n[[fault]]\nfault = "latency"',
            "fault 2 in .*median_ms is missing",
        ),
        ('[[fault]]\nfault = "latency"\nmedian_ms = "5"', "median_ms=5 will not do"),
        ("[[fault", "TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        faults_given([], file)


def test_no_more_faults_are_given_than_can_be_at_work() -> None:
    assert len(faults_given(["silent-stream"] * FAULTS_MAX, None)) == FAULTS_MAX
    with pytest.raises(SettingsError, match=str(FAULTS_MAX)):
        faults_given(["silent-stream"] * (FAULTS_MAX + 1), None)


def test_records_of_faults_are_frozen() -> None:
    with pytest.raises(AttributeError):
        LatencyFault(median_ms=1).median_ms = 2  # type: ignore[misc]
