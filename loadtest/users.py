"""Locust's users: batches of notifications to a synthetic population over APNs, FCM or both, each device once in a campaign.

    locust -f locustfile.py --headless --users 4 --devices 1000000 --host https://localhost:8443 --provider both

Options stand among Locust's own and in its web form; `locust --help` ends before it reads a locustfile, and has none of them.
Notifications are counted in bulk, so that tables, charts, CSV and HTML show every one of them; batches stand in a row of their
own beside the total.

Exit code: 0 when every device has a final answer, and all rejections are those that the fates of the population explain
(they are results, shown as failures but no error); 1 otherwise; 2 for options that cannot be used. This goes before
Locust's own rule, which is 1 for any failure.
"""

import gc
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn, cast

import gevent
import gevent.event
import locust.runners
import locust.stats
import msgspec
from locust import User, constant, events, tag, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from loadtest.batch_sender import BatchSender
from loadtest.errors import LoadSettingsError
from loadtest.index_pool import IndexPool
from loadtest.lease_master import Master
from loadtest.lease_worker import Worker
from loadtest.leases import Piece
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_outcome import LoadOutcome, possibly_twice, unexplained, without_answer
from loadtest.load_settings import (
    LoadSettings,
    Options,
    settings_of,
)
from loadtest.load_side import Counted
from loadtest.locust_events import listen
from loadtest.locust_options import add_options
from loadtest.locust_statistics import record_batch, record_notifications, record_part
from loadtest.workloads.manner import DEFAULT_MANNER, PUSH, Manner
from loadtest.workloads.options import WorkloadOptions
from loadtest.workloads.options import add_options as add_workload_options
from loadtest.workloads.part_lines import lines_of
from sender.errors import SenderConfigurationError
from simulator.devices.fates import Provider

EXIT_INCOMPLETE = 1
EXIT_BAD_OPTIONS = 2
# Objects of the hot path live for a moment; looking for cycles among them at Python's usual pace finds none.
GC_YOUNG_OBJECTS = 50_000

logger = logging.getLogger(__name__)

# A run of millions may last seconds only: five of them between two points of a chart are too many.
locust.stats.HISTORY_STATS_INTERVAL_SEC = 1
# What a worker has not reported when it dies, another one sends again: three seconds of it are too many.
locust.runners.WORKER_REPORT_INTERVAL = 1
# Whenever a worker comes, Locust's master hears nobody for so long, heartbeats neither: for the sake of a message in its log.
os.environ.setdefault("LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP", "0.1")


class Load:
    """The load test of one Locust process, from event to event."""

    def __init__(self) -> None:
        self.campaign: LoadCampaign | None = None
        self._environment: Environment
        self._ready = gevent.event.Event()
        self._settings: LoadSettings | None = None
        self._master: Master | None = None
        self._worker: Worker | None = None
        self._refused: str | None = None
        self._explained: set[str] = set()
        self._ended = False

    def on_init(self, environment: Environment, **_: object) -> None:
        """Check the options before anything starts; in the web form they can still be mended."""
        self._environment = environment
        self._ready.set()
        runner = environment.runner
        if isinstance(runner, WorkerRunner):
            self._worker = Worker(runner, self.record_batch)  # its options come from the master
            # Behind Locust's own listener, and so called before it, which says goodbye.
            listen(environment.events.quitting, self._worker.leave)
            return
        choose_users(environment)
        if isinstance(runner, MasterRunner):
            self._master = Master(runner, self.end)
            if environment.parsed_options is not None:
                # The users of a worker that dies go to the others, and a worker that comes later gets some of theirs.
                environment.parsed_options.enable_rebalancing = True
        options = environment.parsed_options
        # The workers of --processes run already: they are told to end when the test does not begin.
        if options is not None and options.headless and not getattr(options, "processes", None):
            try:
                self._read_settings()
            except LoadSettingsError as error:
                sys.stderr.write(f"{error}\n")
                sys.exit(EXIT_BAD_OPTIONS)

    def _read_settings(self) -> LoadSettings:
        environment = self._environment
        # The arguments are those of `add_options`, which no static type tells.
        settings = settings_of(cast(Options, environment.parsed_options), environment.host, os.environ)
        self._explained = set()
        if self._worker is None:  # which of its users will run, a worker does not know
            workload_options = cast(WorkloadOptions, environment.parsed_options)
            for user_class in environment.user_classes:
                if not issubclass(user_class, BatchUser):
                    continue
                self._explained |= user_class.checked(workload_options, settings).explains
                if user_class.one_process and self._master is not None:
                    raise LoadSettingsError("--master, --processes", f"{user_class.__name__} runs in one process alone")
        return settings

    def on_test_start(self, environment: Environment, **_: object) -> None:
        """A campaign begins: the whole of it here, or shares of it with the workers."""
        # A worker that comes late may be told to start before Locust has said that it is ready itself.
        self._ready.wait()
        self.campaign, self._ended, self._refused = None, False, None
        environment.process_exit_code = None
        try:
            settings = self._settings = self._read_settings()
            if self._master is not None:
                self._refused = self._master.begin(settings)
            elif self._worker is not None:
                self.campaign = self._worker.begin(settings)
            else:
                pool = IndexPool([Piece(settings.start_index, settings.population.count)])
                self.campaign = LoadCampaign(settings, pool, on_batch=self.record_batch)
        except (LoadSettingsError, SenderConfigurationError) as error:
            self._refused = str(error)
        if self._refused is not None:
            logger.error(self._refused)
            environment.process_exit_code = EXIT_BAD_OPTIONS
            if self._worker is not None:
                self._worker.refuse(self._refused)
            self.end()
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)

    def end(self) -> None:
        """The campaign is over: end a headless run, stop one with a web page. Workers wait for their master."""
        if self._ended or self._worker is not None:
            return
        self._ended = True
        options = self._environment.parsed_options
        # The CSV files get their last rows once a second.
        writes_csv = options is not None and options.csv_prefix
        gevent.spawn_later(locust.stats.CSV_STATS_INTERVAL_SEC + 0.2 if writes_csv else 0.0, self._end_now)

    def _end_now(self) -> None:
        runner, options = self._environment.runner, self._environment.parsed_options
        if runner is None:
            return
        locust.stats.update_stats_history(runner)
        if options is not None and options.headless:
            runner.quit()
        else:
            runner.stop()

    def on_report_to_master(self, client_id: str, data: dict[str, object], **_: object) -> None:
        """A worker is about to report."""
        if self._worker is not None:
            self._worker.report(data)

    def on_worker_report(self, client_id: str, data: dict[str, object], **_: object) -> None:
        """A worker has reported."""
        if self._master is not None:
            self._master.heard(client_id, data)

    def record_batch(self, batch: BatchResult) -> None:
        """Count one batch in Locust's statistics."""
        assert self.campaign is not None
        elapsed_ms, now_s = round(batch.elapsed_s * 1000), self.campaign.now()
        record_batch(self._environment.stats, self.campaign.method, elapsed_ms, batch.incomplete, now_s)

    def on_quitting(self, environment: Environment, **_: object) -> None:
        """Say how it went, and decide the exit code."""
        if isinstance(environment.runner, LocalRunner):
            environment.runner.stop()  # so that interrupted users have counted what was under way
        if self.campaign is not None:
            self.campaign.close()
        if self._worker is not None:
            environment.process_exit_code = 0  # the master decides
            return
        settings = self._settings
        if settings is None or self._refused is not None:
            return
        outcome = self._outcome(settings)
        tally = outcome.tally
        unexpected = unexplained(tally.rejected, settings.population.fates, outcome.explained)
        if outcome.stopped is not None:
            logger.error(f"Stopped early: {outcome.stopped}")
        if not outcome.finished:
            logger.error(without_answer(settings.devices - tally.devices, settings.devices, outcome.unknown))
        if outcome.repeated:
            logger.error(possibly_twice(outcome.repeated))
        for line in lines_of(tally.parts):
            logger.info(line)
        for reason, count in unexpected.items():
            logger.error(f"{count:,} rejections with {reason}, which no fate of the population explains")
        if environment.process_exit_code is None:
            well = outcome.finished and not outcome.repeated and not unexpected
            environment.process_exit_code = 0 if well else EXIT_INCOMPLETE
        result_file = environment.parsed_options.result_file if environment.parsed_options is not None else ""
        if result_file:
            Path(result_file).write_bytes(msgspec.json.encode(outcome))

    def _outcome(self, settings: LoadSettings) -> LoadOutcome:
        campaign = self.campaign if self._master is None else self._master.campaign
        assert campaign is not None
        tally = campaign.tally
        total = self._environment.stats.total
        return LoadOutcome(
            devices=settings.devices,
            finished=tally.devices == settings.devices,
            stopped=campaign.stopped,
            locust_requests=total.num_requests,
            locust_failures=total.num_failures,
            tally=tally,
            recording=campaign.recording,
            repeated=campaign.repeated,
            unknown=campaign.unknown,
            explained=sorted(self._explained),
        )


def choose_users(environment: Environment) -> None:
    """Leave the users that were chosen: by class, by tag, else those that run without a choice. Exits when none is left."""
    options = environment.parsed_options
    if options is None or options.user_classes:
        return
    tags, without = set(options.tags or ()), set(options.exclude_tags or ())
    chosen = []
    for user_class in environment.user_classes:
        marks = [set(getattr(each, "locust_tag_set", ())) for each in user_class.tasks]
        if any((not tags or tags & each) and not without & each for each in marks) and (
            tags or not getattr(user_class, "by_choice", False)
        ):
            chosen.append(user_class)
    if not chosen:
        sys.stderr.write(f"--tags, --exclude-tags: no user has what they leave: {', '.join(sorted(tags | without))}\n")
        sys.exit(EXIT_BAD_OPTIONS)
    environment.user_classes[:] = chosen


LOAD = Load()
listen(events.init_command_line_parser, add_options)
listen(events.init_command_line_parser, add_workload_options)
listen(events.init, LOAD.on_init)
listen(events.test_start, LOAD.on_test_start)
# Before Locust's own listeners, since those of the runner come later: so both report the same notifications.
listen(events.report_to_master, LOAD.on_report_to_master)
listen(events.worker_report, LOAD.on_worker_report)
listen(events.quitting, LOAD.on_quitting)


class BatchUser(User):
    """Sends batch after batch over connections of its own, until all devices were sent to.

    A user sends over every provider that takes part, each over connections of its own: so a worker needs no particular mix of
    users to send its share of the devices. Workloads derive from it, each with a task of its own, since tags stand at tasks.

    `part`: what its notifications are counted under beside the whole. `by_choice`: it runs only when it is named, or its tag.
    `needs_batches`: batch after batch, so that it cannot be scheduled. `one_process`: not over several workers. `further`:
    what is counted went to devices that had their notification before.
    """

    abstract = True
    wait_time = constant(0)
    part = PUSH
    by_choice = True
    needs_batches = False
    one_process = False
    further = False

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        """How it sends. Raises LoadSettingsError for options that cannot be used."""
        return DEFAULT_MANNER

    @classmethod
    def checked(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        """The same, also when it cannot be scheduled. Raises LoadSettingsError."""
        if cls.needs_batches and settings.profile is not None:
            raise LoadSettingsError(
                "--load-profile", f"{cls.__name__} sends batch after batch, as these options are: give max"
            )
        return cls.manner_of(options, settings)

    def on_start(self) -> None:
        """Take part in the campaign, if there is one for this process."""
        self.campaign = LOAD.campaign
        self.sender: BatchSender | None = None
        if self.campaign is not None:
            options = cast(WorkloadOptions, self.environment.parsed_options)
            self.begin(self.campaign, self.checked(options, self.campaign.settings))

    def begin(self, campaign: LoadCampaign, manner: Manner) -> None:
        """Ready the connections."""
        campaign.begin_part(self.part)
        self.sender = BatchSender(campaign, self.count, manner)
        self.sender.open()

    def on_stop(self) -> None:
        """Leave; answers that are under way are still counted."""
        if self.sender is not None:
            self.sender.close()

    def send_next_batch(self) -> None:
        """One batch, until each of its notifications has a final result; in an open loop all that are scheduled."""
        campaign, sender = self.campaign, self.sender
        if campaign is not None and sender is not None and campaign.open_loop is not None:
            self._attend(campaign, sender)
        indices = range(0) if campaign is None else campaign.begin_batch()
        if campaign is None or sender is None or not indices:
            raise StopUser
        stopped: str | None = None
        try:
            result = self.send(sender, indices)
            stopped = result.stopped
            LOAD.record_batch(result)
        finally:
            campaign.end_batch(indices, stopped)
            if campaign.finished:
                LOAD.end()

    def send(self, sender: BatchSender, indices: range) -> BatchResult:
        """Send one batch and wait for its end."""
        return sender.send(indices)

    def _attend(self, campaign: LoadCampaign, sender: BatchSender) -> NoReturn:
        try:
            sender.attend()
        finally:
            if campaign.finished:
                LOAD.end()
        raise StopUser

    def count(self, provider: Provider, counted: Counted) -> None:
        """Count what a sender has counted, in the campaign and in Locust's statistics."""
        campaign = self.campaign
        assert campaign is not None
        campaign.count(provider, counted, self.part, further=self.further)
        failures = counted.counts.rejected + counted.given_up
        settled = counted.counts.accepted + failures.total()
        if settled or counted.latency_ms:
            stats, now_s = self.environment.stats, campaign.now()
            record_notifications(stats, provider.name, settled, failures, counted.latency_ms, now_s)
            if self.part != PUSH:
                record_part(stats, provider.name, self.part, settled, failures.total(), counted.latency_ms, now_s)


class PushUser(BatchUser):
    """The ordinary one: runs when no other is chosen."""

    by_choice = False

    @tag("batch", PUSH)
    @task
    def send_batch(self) -> None:
        self.send_next_batch()
