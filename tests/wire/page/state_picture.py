"""docs/stream-states.svg: the states of a stream, drawn from the tables of `wire.states`."""

from collections import defaultdict
from html import escape

from wire.states import TRANSITIONS, State, Step

WIDTH, HEIGHT = 860, 470
BOX_WIDTH, BOX_HEIGHT = 206, 40
LINE_HEIGHT = 14

# Middle of each state's box. States that are not placed cannot be drawn: a test compares.
PLACES = {
    State.IDLE: (430, 40),
    State.OPEN: (430, 140),
    State.HALF_CLOSED_LOCAL: (120, 250),
    State.HALF_CLOSED_REMOTE: (740, 250),
    State.CLOSED: (430, 310),
    State.RESET: (430, 430),
}
# Where on an arrow its label stands, from 0 at the start to 1 at the end, and by how much it is moved aside.
LABELS = {
    (State.IDLE, State.OPEN): (0.5, 0, 0),
    (State.OPEN, State.HALF_CLOSED_LOCAL): (0.5, -30, -16),
    (State.OPEN, State.HALF_CLOSED_REMOTE): (0.5, 30, -16),
    (State.OPEN, State.CLOSED): (0.62, 0, 0),
    (State.HALF_CLOSED_LOCAL, State.CLOSED): (0.5, 14, -30),
    (State.HALF_CLOSED_REMOTE, State.CLOSED): (0.5, -14, -30),
}

_HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" \
font-family="Helvetica, Arial, sans-serif" font-size="13">
  <title>The states of a stream (RFC 9113, section 5.1) without server push</title>
  <defs>
    <marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
      <path d="M0 0 L10 5 L0 10 z" fill="#333"/>
    </marker>
    <marker id="red-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
      <path d="M0 0 L10 5 L0 10 z" fill="#a33"/>
    </marker>
    <style>
      .box {{ fill: #eef4fb; stroke: #333; stroke-width: 1.2; }}
      .line {{ stroke: #333; stroke-width: 1.4; fill: none; marker-end: url(#arrow); }}
      .reset {{ stroke: #a33; stroke-width: 1.4; fill: none; stroke-dasharray: 6 4; marker-end: url(#red-arrow); }}
      .state {{ font-weight: bold; text-anchor: middle; fill: #111; }}
      .step {{ font-size: 11px; text-anchor: middle; fill: #333; paint-order: stroke; stroke: #fff; stroke-width: 5px; }}
    </style>
  </defs>
  <rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
"""


def picture() -> str:
    """The file as it should stand in docs/."""
    arrows: dict[tuple[State, State], list[Step]] = defaultdict(list)
    for state, steps in TRANSITIONS.items():
        for step, target in steps.items():
            arrows[state, target].append(step)
    lines, labels = [], []
    for (start, end), named in arrows.items():
        lines.append(_line(start, end, dashed=end is State.RESET))
        if end is not State.RESET:
            labels.append(_label(start, end, [step.value for step in named]))
    boxes = [_box(state) for state in State]
    note = _text(430, 376, ["dashed: send RST_STREAM"])
    return _HEAD + "".join([*lines, *boxes, *labels, note]) + "</svg>\n"


def _box(state: State) -> str:
    x, y = PLACES[state]
    return (
        f'  <rect class="box" x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>\n'
        f'  <text class="state" x="{x}" y="{y + 5}">{escape(state.value)}</text>\n'
    )


def _edge(place: tuple[int, int], towards: tuple[int, int]) -> tuple[float, float]:
    """Where the line to another place leaves the box."""
    run, rise = towards[0] - place[0], towards[1] - place[1]
    share = min(
        BOX_WIDTH / 2 / abs(run) if run else 1.0,
        BOX_HEIGHT / 2 / abs(rise) if rise else 1.0,
    )
    return place[0] + run * share, place[1] + rise * share


def _line(start: State, end: State, *, dashed: bool) -> str:
    if dashed and start is State.OPEN:  # around the box of `closed`
        path = "M 345 160 C 262 240, 262 372, 345 410"
    else:
        (left, top), (right, bottom) = _edge(PLACES[start], PLACES[end]), _edge(PLACES[end], PLACES[start])
        path = f"M {left:.0f} {top:.0f} L {right:.0f} {bottom:.0f}"
    return f'  <path class="{"reset" if dashed else "line"}" d="{path}"/>\n'


def _label(start: State, end: State, steps: list[str]) -> str:
    share, aside, up = LABELS[start, end]
    (left, top), (right, bottom) = PLACES[start], PLACES[end]
    return _text(round(left + (right - left) * share) + aside, round(top + (bottom - top) * share) + up, steps)


def _text(x: int, y: int, lines: list[str]) -> str:
    first = y - LINE_HEIGHT * (len(lines) - 1) // 2 + 4
    return "".join(
        f'  <text class="step" x="{x}" y="{first + LINE_HEIGHT * at}">{escape(line)}</text>\n'
        for at, line in enumerate(lines)
    )
