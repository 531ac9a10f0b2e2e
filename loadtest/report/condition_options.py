"""`--fail-if`, alike in every command that has it."""

from collections.abc import Sequence

import typer

from loadtest.report.condition import Condition, ConditionError, find, read_condition
from loadtest.report.run_record import RunRecord

CONDITIONS_MAX = 50


def conditions_of(texts: Sequence[str]) -> list[Condition]:
    """Read the option's texts. Raises typer.BadParameter for the first that is no condition."""
    if len(texts) > CONDITIONS_MAX:
        raise typer.BadParameter(f"at most {CONDITIONS_MAX} conditions, not {len(texts)}", param_hint="--fail-if")
    try:
        return [read_condition(text) for text in texts]
    except ConditionError as error:
        raise typer.BadParameter(str(error), param_hint="--fail-if") from None


def said_of(conditions: Sequence[Condition], run: RunRecord) -> list[str]:
    """A line for each condition that fails the run: one that holds, or that figures which the run does not know decide."""
    findings = [find(condition, run) for condition in conditions]
    return [finding.said for finding in findings if finding.holds is not False]
