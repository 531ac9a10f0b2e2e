"""The parts of a campaign in words: one line each. Pure."""

from collections.abc import Mapping

from loadtest.recording import percentile
from loadtest.tally import Tally
from loadtest.workloads.manner import PUSH


def shown(parts: Mapping[str, Tally]) -> dict[str, Tally]:
    """The parts worth showing, in the order in which they began; none where ordinary users sent everything."""
    begun = {name: part for name, part in parts.items() if part.settled or part.sent}
    if set(begun) <= {PUSH}:
        return {}
    return dict(sorted(begun.items(), key=lambda each: each[1].started_at_s))


def lines_of(parts: Mapping[str, Tally]) -> list[str]:
    """A line for each part that is shown."""
    return [_line(name, part) for name, part in shown(parts).items()]


def _line(name: str, part: Tally) -> str:
    settled, rejected = part.settled, sum(part.rejected.values())
    said = f"{name}: {settled:,} notifications, {rejected:,} rejected"
    if settled:
        said += f" ({rejected / settled:.1%})"
    if part.elapsed_s:
        said += f", {settled / part.elapsed_s:,.0f} a second"
    if part.latency_ms:
        said += f", p50 {percentile(part.latency_ms, 0.5):,} ms, p99 {percentile(part.latency_ms, 0.99):,} ms"
    repeats = part.retried + sum(part.given_up.values())
    return said + (f", {part.retried:,} repeats, {sum(part.given_up.values()):,} given up" if repeats else "")
