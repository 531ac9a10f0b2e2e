"""Conditions over figures: what they mean, what they refuse, and where they point when they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.condition import (
    CONDITION_CHARACTERS_MAX,
    NESTING_MAX,
    ConditionError,
    find,
    read_condition,
)
from loadtest.report.figures import FIGURES
from tests.loadtest.report.result_records import run_record, senders_run

RUN = run_record()  # p99_ms 14, p50_ms 2.5, lost 0, rejected 600


def holds(text: str) -> bool | None:
    return find(read_condition(text), RUN).holds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99_ms > 250 or lost > 0", False),
        ("p99_ms > 13.9", True),
        ("p99_ms>14", False),
        ("p99_ms >= 14", True),
        ("p99_ms < 14.0", False),
        ("p99_ms <= 1.4e1", True),
        ("lost == 0", True),
        ("lost != 0", False),
        ("1_000 == rate_per_s", True),
        ("p50_ms < p99_ms", True),
        ("not lost > 0", True),
        ("not not lost > 0", False),
        ("rejected.Unregistered == 600 and rejected.BadDeviceToken == 0", True),
        ("ceiling_share > 0.04 and ceiling_share < 0.05", True),
        ("(lost > 0 or retried > 5) and p99_ms > 10", True),
    ],
)
def test_meaning(text: str, expected: bool) -> None:
    assert holds(text) is expected


def test_and_binds_closer_than_or() -> None:
    assert holds("lost == 0 or lost == 0 and lost > 0")
    assert not holds("(lost == 0 or lost == 0) and lost > 0")
    assert not holds("not lost == 0 and lost == 0")


def test_a_figure_that_is_not_known_decides_nothing_by_itself() -> None:
    run = run_record(ceiling_per_s=None)

    def told(text: str) -> bool | None:
        return find(read_condition(text), run).holds

    assert told("ceiling_per_s > 0") is None
    assert told("not ceiling_per_s > 0") is None
    assert told("ceiling_per_s > 0 or lost == 0") is True
    assert told("ceiling_per_s > 0 or lost > 0") is None
    assert told("ceiling_per_s > 0 and lost > 0") is False
    assert told("ceiling_per_s > 0 and lost == 0") is None


def test_a_finding_says_the_values() -> None:
    found = find(
        read_condition(" p99_ms > 10 and ceiling_per_s < 5 "), run_record(ceiling_per_s=None, behind_ms_max=0.1)
    )
    assert found.said == "p99_ms > 10 and ceiling_per_s < 5: cannot be told (p99_ms is 14, ceiling_per_s is unknown)"
    assert find(read_condition("1 < 2"), RUN).said == "1 < 2: holds"
    assert find(read_condition("rate_per_s > 1e6"), RUN).said == "rate_per_s > 1e6: does not hold (rate_per_s is 1,000)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"'' at its end: expected a figure or a number"),
        ("p99_ms", r"'p99_ms' at its end: expected one of <= >= == != < >"),
        ("p99_ms > ", r"at its end: expected a figure or a number"),
        ("p99_ms = 3", r"at character 8 \(`=`\): for equality write `==`"),
        ("p99_ms > -3", r"at character 10 \(`-`\): figures are never negative"),
        ("lost > 0 || p99_ms > 1", r"at character 10 \(`\|`\): write `and`, `or`"),
        ("p99 > 3", r"at character 1 \(`p99`\): there is no figure `p99`; perhaps .*p99_ms"),
        ("zzzzzz > 3", r"there is no figure `zzzzzz`; there are rate_per_s, .*, failures, rejected\.REASON"),
        ("lost > 0 lost > 0", r"at character 10 \(`lost`\): expected `and`, `or` or the end"),
        ("lost > 0)", r"at character 9 \(`\)`\): nothing to close here"),
        ("(lost > 0", r"at its end: expected `\)` for the one at character 1"),
        ("lost > or", r"at character 8 \(`or`\): expected a figure or a number"),
        ("lost > 250ms", r"at character 8 \(`2`\): expected a figure, a number"),
        ("lost > 1e999", r"at character 8 \(`1e999`\): the number is too large"),
        ("1 < lost < 3", r"at character 10 \(`<`\): expected `and`, `or` or the end"),
        ("__import__('os').system('true')", r"at character 1 \(`_`\): expected a figure"),
        ("rejected. > 0", r"at character 9 \(`\.`\)"),
    ],
)
def test_what_is_no_condition_is_refused_where_it_goes_wrong(text: str, said: str) -> None:
    with pytest.raises(ConditionError, match=said):
        read_condition(text)


def test_the_bounds() -> None:
    assert holds("(" * (NESTING_MAX - 1) + "lost == 0" + ")" * (NESTING_MAX - 1))
    with pytest.raises(ConditionError, match=f"nested more than {NESTING_MAX} deep"):
        read_condition("(" * NESTING_MAX + "lost == 0" + ")" * NESTING_MAX)
    with pytest.raises(ConditionError, match="at most 1,000 characters, this one 1,001"):
        read_condition("lost > 0".ljust(CONDITION_CHARACTERS_MAX + 1))


PIECES = [
    "lost",
    "p99_ms",
    "rejected.X",
    " ",
    "or",
    "and",
    "not",
    "(",
    ")",
    "<",
    ">=",
    "=",
    "0",
    "1e3",
    ".",
    "-",
    "\u0661",
    "é",
    "\0",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=20).map("".join))
def test_any_text_is_a_condition_or_a_condition_error(text: str) -> None:
    try:
        condition = read_condition(text)
    except ConditionError as error:
        assert len(str(error)) < 1_500
    else:
        assert find(condition, RUN).holds in (True, False)


def test_names_of_figures_can_be_written_in_conditions() -> None:
    for figure in FIGURES:
        run = senders_run() if figure.of_senders else RUN
        assert find(read_condition(f"{figure.name} >= 0"), run).holds is True


def test_what_external_senders_alone_know_decides_nothing() -> None:
    for name in ("p99_ms", "p50_from_sent_ms", "given_up", "behind_ms", "scheduled"):
        assert find(read_condition(f"{name} > 250"), senders_run()).holds is None
