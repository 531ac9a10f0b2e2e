"""A run of external senders as the record that conditions ask (`--fail-if`). Pure.

What senders know alone is left unknown: when they meant to send, and how long they waited for answers. So is when and where
they ran: the record is not kept.
"""

from loadtest.external.figures import SendersReport
from loadtest.report.run_record import Ledger, Limit, Machine, RunRecord


def run_of(report: SendersReport) -> RunRecord:
    """The record."""
    ledger = report.ledger
    return RunRecord(
        name="senders",
        command=[sender.command for sender in report.senders],
        began_at="",
        versions={},
        machine=Machine(system="", cores=0, python=""),
        provider=report.provider,
        endpoint=report.endpoint,
        seed=report.seed,
        devices=report.devices,
        users=len(report.senders),
        batch_size=1,
        connections=report.connections_opened,
        profile="sender",
        arrivals="closed",
        scheduled=report.devices,
        sent=report.notifications,
        accepted=report.accepted,
        rejected=report.rejected,
        given_up={},
        retried=report.repeats,
        unfinished=report.unanswered,
        elapsed_s=report.elapsed_s,
        rate_per_s=report.rate_per_s,
        latency_ms={},
        latency_from_sent_ms={},
        bottleneck=report.bottleneck,
        ledger=Ledger(
            accepted_once=ledger.accepted_once,
            accepted_more=ledger.accepted_more,
            rejected=ledger.rejected,
            never=ledger.never,
        ),
        ceiling_per_s=report.ceiling_per_s,
        ceiling_from=report.ceiling_from,
        cpu_s=report.cpu_s,
        peak_rss_mb=report.peak_rss_mb,
        limits=[Limit(name="providers' rates", value=report.limits)],
        failures=report.failures,
    )
