"""A profile drawn in text: rate over time, as far as the devices of a run last. Pure."""

import math

from loadtest.profiles import HORIZON_S, Profile, instant_of

WIDTH_DEFAULT, HEIGHT_DEFAULT = 72, 12
_BLOCKS = " ▁▂▃▄▅▆▇█"
_SAMPLES_PER_COLUMN = 64


def plot(profile: Profile, devices: int, *, width: int = WIDTH_DEFAULT, height: int = HEIGHT_DEFAULT) -> str:
    """Lines of text without a newline at the end. `width`, `height`: of the drawing itself, in characters."""
    end_s = instant_of(profile, devices)
    scheduled = devices
    if end_s is None:
        end_s = min(profile.duration_s, HORIZON_S)
        scheduled = int(profile.total(end_s))
    rates = [_highest(profile, end_s * column / width, end_s / width) for column in range(width)]
    top = max(rates) or 1.0
    label_width = max(len(_rate(top)), len("0"))
    lines = []
    for row in range(height, 0, -1):
        label = _rate(top) if row == height else _rate(top / 2) if row == (height + 1) // 2 else ""
        cells = "".join(_block(rate / top * height - (row - 1)) for rate in rates)
        lines.append(f"{label:>{label_width}} ┤{cells}".rstrip())
    lines.append(f"{'0':>{label_width}} └{'─' * width}")
    start, middle, end = "0", duration_text(end_s / 2), duration_text(end_s)
    axis = start.ljust(width // 2 - len(middle) // 2) + middle
    lines.append(" " * (label_width + 2) + axis + end.rjust(width - len(axis)))
    lines.append(
        f"{scheduled:,} notifications in {duration_text(end_s)}, "
        f"{_rate(scheduled / end_s if end_s else top)} a second on average, {_rate(top)} at the peak"
    )
    return "\n".join(lines)


def duration_text(seconds: float) -> str:
    """Short text for a time: 12.5 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest_s} s" if rest_s else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h" + (f" {minutes} min" if minutes else "")


def _highest(profile: Profile, start_s: float, length_s: float) -> float:
    """The highest rate of one column: a short peak shall not fall between two of them."""
    samples = (start_s + length_s * sample / _SAMPLES_PER_COLUMN for sample in range(_SAMPLES_PER_COLUMN))
    return max(map(profile.rate_per_s, samples))


def _block(filled: float) -> str:
    """One cell, filled to a share of its height."""
    return _BLOCKS[max(0, min(8, math.ceil(filled * 8 - 1e-9)))]


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:.3g}"
