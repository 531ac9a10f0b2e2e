"""How the sender's runs ended, and what it said. Pure."""

from loadtest.replay.plain_text import plain_lines
from loadtest.replay.rows import Measured, Played

SAID_LINES_MAX = 20


def overdue(played: Played) -> Measured:
    """Runs that had to be ended at their time limit."""
    late = [number for number, ending in enumerate(played.endings, 1) if ending.overdue]
    longest_s = max(ending.duration_s for ending in played.endings)
    if not late:
        return Measured(0, f"ended by itself, after {longest_s:.1f} s", lambda: _output(played))
    begun_s = (each.opened_s - run.began_s for run in played.history.runs for each in run.exchanges)
    last_s = max(begun_s, default=None)
    silent = "; it sent nothing" if last_s is None else f"; it sent its last request after {last_s:.1f} s"
    return Measured(len(late), f"still running after {longest_s:.1f} s{silent}", lambda: _output(played))


def says(played: Played) -> Measured:
    """Whether the sender says what the scenario expects, in any run: 1, or 0."""
    text = played.scenario.expect.says or ""
    said = any(text.lower() in ending.said.lower() for ending in played.endings)
    return Measured(int(said), "it does" if said else "it does not", lambda: _output(played))


def _output(played: Played) -> list[str]:
    lines = []
    for number, ending in enumerate(played.endings, 1):
        lines.append(
            f"run {number}: exit code {ending.exit_code} after {ending.duration_s:.1f} s; its output ends with"
        )
        lines += [f"  {line}" for line in plain_lines(ending.said, SAID_LINES_MAX) or ["(nothing)"]]
    return lines
