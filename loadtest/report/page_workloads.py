"""What the page of a run has besides where workloads sent: each of them, or each campaign or step, with its figures. Pure."""

from loadtest.report.axis import count_text, latency_text
from loadtest.report.page_parts import section, share_of, table
from loadtest.report.run_record import PartRecord, RunRecord

PARTS_MAX = 64


def workloads_section(run: RunRecord) -> str:
    """A row for each part; "" where ordinary users sent everything."""
    parts = list(run.parts.items())
    if not parts:
        return ""
    head = ("sent by", "notifications#", "a second#", "accepted#", "rejected#", "repeats#", "50 %#", "99 %#")
    rows = [_row(name, part) for name, part in parts[:PARTS_MAX]]
    notes = [f"Users: {', '.join(run.workloads)}." if run.workloads else ""]
    if run.further_accepted or run.further_rejected:
        notes.append(
            "Devices got more than one notification: on the way from devices to notifications, the first counts."
        )
    if len(parts) > PARTS_MAX:
        notes.append(f"And {count_text(len(parts) - PARTS_MAX)} more.")
    return section("Workloads", rows, table(head, rows), [each for each in notes if each])


def _row(name: str, part: PartRecord) -> tuple[str, ...]:
    rejected = sum(part.rejected.values())
    times = (part.latency_ms.get("p50"), part.latency_ms.get("p99"))
    return (
        name,
        count_text(part.notifications),
        count_text(part.rate_per_s),
        count_text(part.accepted),
        f"{count_text(rejected)}, {share_of(rejected, part.notifications)}",
        count_text(part.retried),
        *("" if each is None else latency_text(each) for each in times),
    )
