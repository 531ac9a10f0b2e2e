"""A run as one HTML page that needs nothing else: no script, no font, no image, no network. Everything on it is escaped."""

import shlex

from loadtest.report.axis import count_text, latency_text, share_text, time_text
from loadtest.report.charts import draw, text
from loadtest.report.moments import Moments, moments_of
from loadtest.report.page_charts import (
    distribution_name,
    latency_at,
    latency_chart,
    outcome_chart,
    rate_chart,
    tail_chart,
)
from loadtest.report.page_parts import bars_of, section, share_of, table
from loadtest.report.page_senders import connection_section, sender_tiles, senders_section
from loadtest.report.page_style import PAGE
from loadtest.report.page_workloads import workloads_section
from loadtest.report.results_directory import Results
from loadtest.report.run_record import RunRecord
from loadtest.report.statements import (
    arrivals_statement,
    began_text,
    behind_statement,
    ceiling_statement,
    latency_origin,
    limit_statement,
)

FAILURES_MAX = 50
FAULTS_MAX = 200
SHARES = (0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 0.99999)
SIDES = {"load_generator": "load generator", "senders": "senders, from their start", "simulator": "simulator"}


def html_page(results: Results) -> bytes:
    """The page, UTF-8."""
    run = results.run
    moments = moments_of(results.series, run.elapsed_s)
    sections = (
        _head(run),
        _tiles(run),
        _limit(run),
        senders_section(run),
        workloads_section(run),
        _rates(run, moments),
        _latencies(run, moments) if run.senders is None else connection_section(run, moments),
        _distribution(results),
        _outcomes(run, moments),
        _funnel(run),
        _limits(run),
        _faults(run),
        _how(run),
    )
    return PAGE.substitute(title=text(f"Load test: {run.name}"), body="\n".join(filter(None, sections))).encode()


def _head(run: RunRecord) -> str:
    whose = f"{count_text(run.devices)} devices of {run.provider} at {run.endpoint}, seed {run.seed}"
    profile = [] if run.name == run.profile else [f"profile {run.profile}"]
    about = "; ".join([began_text(run), *profile, whose])
    parts = [f"<h1>Load test: {text(run.name)}</h1>", f'<p class="soft">{text(about)}</p>']
    behind = behind_statement(run)
    if behind is not None:
        parts.append(f'<p class="warning">{text(behind)}</p>')
    if not run.failures:
        parts.append('<p class="good">✓ Every device is accounted for.</p>')
        return "\n".join(parts)
    items = "".join(f"<li>{text(each)}</li>" for each in run.failures[:FAILURES_MAX])
    more = len(run.failures) - FAILURES_MAX
    parts.append(f'<p class="bad">✗ Not everything came out as it must:</p>\n<ul class="failures">{items}</ul>')
    if more > 0:
        parts.append(f'<p class="bad">and {count_text(more)} more</p>')
    return "\n".join(parts)


def _tiles(run: RunRecord) -> str:
    rejected, given_up = sum(run.rejected.values()), sum(run.given_up.values())
    tiles = [
        ("rate", f"{count_text(run.rate_per_s)}<small>/s</small>"),
        *((_percent(name), text(latency_text(value))) for name, value in run.latency_ms.items()),
        *sender_tiles(run),
        ("accepted", count_text(run.accepted)),
        ("rejected", count_text(rejected)),
        *([("given up", count_text(given_up))] if given_up else []),
        ("no final answer", count_text(run.unfinished)),
        ("took", text(time_text(run.elapsed_s))),
    ]
    cells = "\n".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in tiles)
    origin = "" if run.senders is not None else f"Latencies count from {latency_origin(run)} to the answer. "
    note = origin + arrivals_statement(run)
    return f'<dl class="tiles">\n{cells}\n</dl>\n<p class="note">{text(note)}</p>'


def _percent(name: str) -> str:
    known = {"p50": "50 %", "p90": "90 %", "p99": "99 %", "p999": "99.9 %", "max": "slowest"}
    return f"latency, {known.get(name, name)}"


def _limit(run: RunRecord) -> str:
    parts = [
        "<h2>Which side was the limit</h2>",
        f"<p><strong>{text(limit_statement(run))}</strong></p>",
        f"<p>{text(ceiling_statement(run))}</p>",
    ]
    if run.ceiling_per_s:
        parts.append(
            bars_of(
                "The rate beside the simulator's ceiling",
                [
                    ("this run", run.rate_per_s, f"{count_text(run.rate_per_s)}/s", "s1"),
                    ("simulator's ceiling", run.ceiling_per_s, f"{count_text(run.ceiling_per_s)}/s", "s8"),
                ],
            )
        )
    rows = [
        (
            name,
            "unknown" if run.cpu_s.get(side) is None else time_text(run.cpu_s[side] or 0.0),
            share_of(run.cpu_s.get(side), _ran_s(run, side)),
            "unknown" if run.peak_rss_mb.get(side) is None else f"{count_text(run.peak_rss_mb[side] or 0.0)} MB",
        )
        for side, name in SIDES.items()
        if run.cpu_s.get(side) is not None or run.peak_rss_mb.get(side) is not None
    ]
    if rows:
        parts.append(table(("side", "CPU time#", "of one core#", "memory at most#"), rows))
    return "\n".join(parts)


def _ran_s(run: RunRecord, side: str) -> float:
    """For how long the CPU time of a side was counted: that of external senders from their start to their end."""
    if side == "senders" and run.senders is not None:
        return max((each.duration_s for each in run.senders.senders), default=0.0)
    return run.elapsed_s


def _rates(run: RunRecord, moments: Moments) -> str:
    chart, told = rate_chart(run, moments)
    notes = [f"Beyond the scale: {'; '.join(told)}."] if told else []
    return section("Throughput over time", chart.columns, draw(chart), [_grain(moments), *notes, _band_note(run)])


def _latencies(run: RunRecord, moments: Moments) -> str:
    chart = latency_chart(run, moments)
    instant = "that instant" if run.open_loop else "the instant of the answer"
    note = f"From {latency_origin(run)} to the answer, by {instant}."
    worst = (
        "Of each percentile the highest of the intervals that a point stands for." if moments.intervals_each > 1 else ""
    )
    return section("Latency over time", chart.lines, draw(chart), [note, worst, _band_note(run)])


def _distribution(results: Results) -> str:
    shown = [each for each in results.histograms if each.points]
    chart = tail_chart(shown)
    shares_table = ""
    if shown:
        most = max(each.count for each in shown)
        shares = [share for share in SHARES if _has_tail(most, share)]
        head = ("latency", *(f"{share_text(share)}#" for share in shares), "slowest#", "mean#", "how many#")
        rows = []
        for each in shown:
            at = [latency_at(each, share) if _has_tail(each.count, share) else None for share in shares]
            figures = ["" if value is None else latency_text(value) for value in at]
            last = (latency_text(each.max_ms), latency_text(each.mean_ms), count_text(each.count))
            rows.append((distribution_name(each.name), *figures, *last))
        shares_table = table(head, rows)
    note = "The share of notifications that were answered at least so fast; each nine has the same room."
    title = "Latency by percentile"
    if results.run.open_loop:
        note += " Where the curves part, notifications waited before they were sent, or sent again."
    elif results.run.senders is not None:
        title, note = "Times by percentile", f"Taken from {results.run.senders.seen}; each nine has the same room."
    return section(title, shown, draw(chart) + shares_table, [note])


def _has_tail(count: int, share: float) -> bool:
    """At least one of `count` is above the share."""
    return (1 - share) * count >= 1 - 1e-9


def _outcomes(run: RunRecord, moments: Moments) -> str:
    chart = outcome_chart(run, moments)
    settled = run.accepted + sum(run.rejected.values()) + sum(run.given_up.values())
    rows = [("accepted", run.accepted), *sorted(run.rejected.items(), key=lambda item: -item[1])]
    rows += [(f"given up: {reason}", count) for reason, count in run.given_up.items()]
    outcomes = table(
        ("outcome", "notifications#", "share#"),
        [(name, count_text(count), share_of(count, settled)) for name, count in rows],
    )
    repeats = f"{count_text(run.sent)} transmissions, {count_text(run.retried)} repeats." if run.sent else ""
    return section("Outcomes", chart.columns, draw(chart), [_grain(moments), _band_note(run)]) + (
        f'{outcomes}\n<p class="note">{text(repeats)}</p>'
    )


def _funnel(run: RunRecord) -> str:
    steps = [("devices", run.devices)]
    if run.open_loop:
        steps.append(("came due", run.scheduled))
    if run.ledger is not None:
        steps.append(("seen by the simulator", run.devices - run.ledger.never))
    # Of devices that got more than one, the first counts.
    accepted, rejected = run.accepted - run.further_accepted, sum(run.rejected.values()) - run.further_rejected
    steps.append(("answered for good", accepted + rejected))
    steps.append(("accepted", accepted))
    if run.ledger is not None:
        steps.append(("notified exactly once", run.ledger.accepted_once))
    bars = [(name, count, f"{count_text(count)}, {share_of(count, run.devices)}", "s1") for name, count in steps]
    notes = []
    if run.ledger is not None:
        more, never = run.ledger.accepted_more, run.ledger.never
        notes.append(
            f"By the simulator's ledger: {count_text(more)} notified more than once, {count_text(never)} never seen."
        )
    return section("From devices to notifications", steps, bars_of("How many devices came how far", bars), notes)


def _limits(run: RunRecord) -> str:
    rows = [
        (limit.name, limit.value, f"{count_text(limit.per_s)}/s" if limit.per_s is not None else "")
        for limit in run.limits
    ]
    return "<h2>Limits in force</h2>\n" + table(("limit", "value", "as a rate#"), rows) if rows else ""


def _faults(run: RunRecord) -> str:
    rows = [
        (
            str(number),
            fault.fault,
            time_text(max(0.0, fault.from_s)),
            "the end" if fault.to_s is None else time_text(fault.to_s),
        )
        for number, fault in enumerate(run.faults[:FAULTS_MAX], 1)
    ]
    more = len(run.faults) - FAULTS_MAX
    left_out = f'<p class="note">and {count_text(more)} more</p>' if more > 0 else ""
    return "<h2>Faults</h2>\n" + table(("#", "fault", "from#", "to#"), rows) + left_out if rows else ""


def _how(run: RunRecord) -> str:
    machine = run.machine
    memory = "" if machine.memory_mb is None else f", {count_text(machine.memory_mb)} MB"
    rows = [
        ("command", shlex.join(run.command)),
        ("profile", run.profile),
        ("arrivals", run.arrivals),
        _who(run),
        ("machine", f"{machine.system}, {machine.cores} cores{memory}, Python {machine.python}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]
    return "<h2>How it was run</h2>\n" + table(("", ""), rows)


def _who(run: RunRecord) -> tuple[str, str]:
    connections = f"{count_text(run.connections)} connections in all"
    if run.senders is not None:
        return "senders", f"{count_text(len(run.senders.senders))}, with {connections}"
    return "users", f"{count_text(run.users)}, with {connections}, batches of {run.batch_size:,}"


def _grain(moments: Moments) -> str:
    return f"Each point stands for {time_text(moments.interval_s * moments.intervals_each)}."


def _band_note(run: RunRecord) -> str:
    return "Shaded: faults, by their numbers below." if run.faults else ""
