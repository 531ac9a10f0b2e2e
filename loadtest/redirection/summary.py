"""What the simulator saw of a program, in a few lines: pure text of its counters and its ledger."""

from collections.abc import Mapping

from loadtest.control_client import LedgerView, PopulationLedger, Stats

HOSTS_SHOWN_MAX = 5


def summary_of(stats: Stats, ledger: LedgerView, refused_elsewhere: Mapping[str, int]) -> list[str]:
    """Return the lines. `refused_elsewhere`: host and port -> how often the proxy refused to lead there."""
    counters = stats.counters
    lines = []
    if counters.notifications:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counters.rejected_by_reason.items()))
        lines.append(
            f"{_counted(counters.notifications, 'notification')} judged: "
            f"{counters.accepted:,} accepted, {counters.rejected:,} rejected" + (f" ({reasons})" if reasons else "")
        )
    else:
        lines.append(f"no notification came ({_counted(counters.connections_total, 'connection')} to the simulator)")
    lines += [_line_of(population) for population in ledger.populations]
    if ledger.untracked:
        lines.append(f"ledger: {_counted(ledger.untracked, 'answer')} it had no room for")
    if refused_elsewhere:
        named = list(refused_elsewhere)[:HOSTS_SHOWN_MAX]
        more = f" and {len(refused_elsewhere) - len(named)} more" if len(refused_elsewhere) > len(named) else ""
        total = _counted(sum(refused_elsewhere.values()), "connection")
        lines.append(
            f"the proxy refused {total} to other hosts: {', '.join(named)}{more} (NO_PROXY reaches them directly)"
        )
    return lines


def _line_of(population: PopulationLedger) -> str:
    figures = f"{population.accepted_once:,} accepted once, {population.accepted_more:,} more than once"
    never = "" if population.never is None else f", {population.never:,} never"
    return f"ledger of the devices with seed {population.seed}: {figures}, {population.rejected:,} rejected{never}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
