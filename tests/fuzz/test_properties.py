"""The quick form of `make fuzz`: a few inputs of each property, and every case of the corpus again."""

from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import strategies as st

from tests.fuzz.__main__ import fuzz
from tests.fuzz.properties import PROPERTIES
from tests.fuzz.property import DOORS_CORPUS, WIRE_CORPUS, AnyProperty, Case, Found, KeptCase, Property, kept_cases

BY_NAME = {each.name: each for each in PROPERTIES}
KEPT = [kept for corpus in (WIRE_CORPUS, DOORS_CORPUS) for kept in kept_cases(corpus)]


@pytest.mark.parametrize("claim", PROPERTIES, ids=lambda claim: claim.name)
def test_a_few_inputs_hold(claim: AnyProperty) -> None:
    claim.search(claim.examples)


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.path.stem)
def test_every_case_of_the_corpus_holds(kept: KeptCase) -> None:
    BY_NAME[kept.case.property].replay(kept.case)


def test_each_case_says_what_it_showed_and_stands_in_the_corpus_of_its_property() -> None:
    assert len(KEPT) >= 6
    for path, case in KEPT:
        assert case.showed
        assert BY_NAME[case.property].corpus == path.parent
        assert path.read_text() == case.text(), f"{path} is not as `make fuzz` would write it"


class Number(msgspec.Struct, frozen=True):
    """An input."""

    value: int


def _below_a_hundred(number: Number) -> None:
    assert number.value < 100, "a hundred or more"


def _failing(corpus: Path) -> Property[Number]:
    inputs = st.builds(Number, st.integers(0, 10_000))
    return Property(name="number", record=Number, inputs=inputs, check=_below_a_hundred, examples=1, corpus=corpus)


def test_the_least_input_that_fails_is_found_kept_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = _failing(tmp_path)
    turns = iter(range(1_000))
    assert fuzz([cast(AnyProperty, claim)], 600.0, seed=5, clock=lambda: float(next(turns))) == 1
    (kept,) = kept_cases(tmp_path)
    assert msgspec.json.decode(kept.case.input) == {"value": 100}
    printed = capsys.readouterr().out
    assert "seed 5" in printed
    assert str(kept.path) in printed
    assert f"-k {kept.path.stem}" in printed
    with pytest.raises(AssertionError, match="a hundred or more"):
        claim.replay(kept.case)


def test_the_same_seed_finds_the_same_and_another_run_ends_with_its_time(tmp_path: Path) -> None:
    cases: list[Case] = []
    for _ in range(2):
        with pytest.raises(Found) as found:
            _failing(tmp_path).search(1_000, seed=7)
        cases.append(found.value.case)
    assert cases[0] == cases[1]
    turns = iter(range(1_000))
    assert fuzz([BY_NAME["huffman"]], 3.0, seed=5, clock=lambda: float(next(turns))) == 0
    assert next(turns) < 8
