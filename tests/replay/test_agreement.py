"""The load side reads what the simulator writes: its records of observations and expectations, compared field by field."""

from typing import get_args

import msgspec

from loadtest.replay import observed, scenario
from loadtest.replay.grading import EXPECTATIONS
from simulator import observation_records
from simulator.faults import scenario as simulators


def shapes(union: object) -> dict[object, set[str]]:
    """The fields of each record, by its kind."""
    return {
        each.__struct_config__.tag: {field.encode_name for field in msgspec.structs.fields(each)}
        for each in get_args(union)
    }


def test_observations_are_read_as_they_are_written() -> None:
    assert shapes(observed.Observation) == shapes(observation_records.Observation)


def test_every_expectation_is_known_with_its_default_and_graded_in_its_order() -> None:
    theirs = {field.name: field.default for field in msgspec.structs.fields(simulators.Expectations)}
    ours = {field.name: field.default for field in msgspec.structs.fields(scenario.Expectations)}
    assert ours == theirs
    assert [each.name for each in EXPECTATIONS] == list(theirs)


def test_scenarios_are_read_by_the_names_that_they_have() -> None:
    for ours, theirs in (
        (scenario.Scenario, simulators.Scenario),
        (scenario.Population, simulators.Population),
        (scenario.Phase, simulators.Phase),
    ):
        known = {field.name: field.default for field in msgspec.structs.fields(theirs)}
        for field in msgspec.structs.fields(ours):
            assert field.name in known
            if field.name not in ("what_happens", "good_sender", "expect"):
                assert field.default == known[field.name], field.name
