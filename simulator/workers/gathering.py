"""One view of all processes of a simulator: what the control plane reads is asked of each, what it changes is told to all."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from simulator.bell import Bell
from simulator.changes import ControlChange, JournalCleared, Reset
from simulator.control.observation_lines import numbered_line
from simulator.control.slices import in_slices
from simulator.control.view import GivenUp, JournalStanding, Standing, Tell, WorkerStanding
from simulator.control.waiting import wait_until
from simulator.frame_log import RECENT_LINES_MAX, FrameLine
from simulator.journal import Found, Numbered, Wanted
from simulator.rig import Rig
from simulator.workers.asked import (
    CHANGE_KIND,
    COUNT_KIND,
    FRAMES_KIND,
    OBSERVATIONS_KIND,
    PLAYS_KIND,
    REPORT_KIND,
    SEARCH_KIND,
    TRAFFIC_KIND,
    Count,
    FramesAsked,
    Search,
    Span,
    WantedTold,
    encode,
    frames_steps,
    observations_steps,
    read_frames,
    read_lines,
    read_number,
    read_report,
    read_search_answer,
    read_traffic,
)
from simulator.workers.channel import ChannelError, Link
from simulator.workers.merging import Part, merged_steps
from simulator.workers.numbering import Numbering
from simulator.workers.reports import FRONT, Report, Reports, Source

if TYPE_CHECKING:
    from simulator.workers.front import Workers

READ_TIMEOUT_S: Final = 5.0
"""For a worker's answer to a read; one that has not answered is left out."""

Item = TypeVar("Item")


class AllWorkers(Bell):
    """See `simulator.control.view.View`. To be made before the workers are started. Rings when any of them has entries.

    The front is a process like the others here, with what happens at the door before a connection is handed over.
    """

    def __init__(self, rig: Rig, workers: "Workers") -> None:
        super().__init__()
        self.rig = rig
        self._workers = workers
        self._sources: dict[int, Source] = {}  # of the workers that can be talked to, by number
        self._newest_source: Source = FRONT
        self._reports = Reports()
        self._journal = Numbering()
        self._observations = Numbering()
        self._frames = Numbering()
        self._begun = (rig.observations.begun, rig.frame_log.begun)
        workers.handlers[REPORT_KIND] = self._report_came
        workers.handlers[TRAFFIC_KIND] = self._traffic_came
        workers.came.append(self._worker_came)
        workers.ended.append(self._worker_ended)

    # Workers come and go.

    def _worker_came(self, number: int) -> None:
        self._newest_source += 1
        self._sources[number] = self._newest_source
        self._spread_plays(FRONT)  # what the others have played since it was forked

    def _worker_ended(self, number: int) -> None:
        source = self._sources.pop(number, None)
        if source is None:
            return
        self._reports.ended(source)
        for numbering in (self._journal, self._observations, self._frames):
            numbering.forget_source(source)

    # What they tell.

    def _report_came(self, number: int, body: bytes) -> None:
        source = self._sources.get(number)
        if source is not None:
            self._hear(source, read_report(body))

    def _hear(self, source: Source, report: Report) -> None:
        rig, before = self.rig, self._reports.newest(source)
        self._reports.heard(source, report)
        begun = (rig.observations.begun, rig.frame_log.begun)
        if begun != self._begun:
            self._begun, self._observations, self._frames = begun, Numbering(), Numbering()
        if report.observations.begun == begun[0]:
            self._observations.look({source: report.observations.count})
        if report.frame_log.begun == begun[1]:
            self._frames.look({source: report.frame_log.count})
            self._frames.forget_to(self._frames.last - RECENT_LINES_MAX)
        entries = self._journal.last
        self._journal.look({source: report.journal.number})
        if self._journal.last > entries:
            self._journal.forget_to(self._oldest_entry - 1)
            self.ring()
        if report.plays != (before.plays if before else {}):
            self._spread_plays(source)

    def _spread_plays(self, source: Source) -> None:
        """The others have to know how often a process has played faults, where these may be played so often and no more."""
        limited = []
        for active in self.rig.faults:
            active.matcher.played_elsewhere = self._reports.plays(active.number, but=FRONT)
            if active.planned.match.times_max is not None:
                limited.append(active.number)
        if limited:
            for number, other in self._sources.items():
                if other != source and number in self._workers.links:
                    told = {fault: self._reports.plays(fault, but=other) for fault in limited}
                    self._workers.links[number].tell(PLAYS_KIND, encode(told))

    async def _traffic_came(self, number: int, body: bytes) -> None:
        """The front's order counts: it makes the changes, and tells all workers, also the one that made them first."""
        async with self._workers.writing:
            for change in read_traffic(body).changes:
                change.apply(self.rig)
            self._workers.tell_all(TRAFFIC_KIND, body)

    # Writes.

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Tell]:
        """See `View`. A worker that does not make a change is replaced by one that begins with it."""
        workers = self._workers
        asked: list[tuple[int, Link, Coroutine[None, None, bytes]]] = []

        def tell(change: ControlChange) -> None:
            body = encode(change)
            asked.extend((number, link, link.ask(CHANGE_KIND, body)) for number, link in workers.links.items())
            if isinstance(change, JournalCleared) or (isinstance(change, Reset) and "journal" in change.parts):
                self._reports.journal_cleared()

        try:
            async with workers.writing:
                yield tell
        finally:
            done = await asyncio.gather(*(each for _, _, each in asked), return_exceptions=True)
            for (number, link, _), answer in zip(asked, done, strict=True):
                if isinstance(answer, BaseException) and workers.links.get(number) is link:
                    why = "in time" if isinstance(answer, TimeoutError) else f"({answer})"
                    workers.replace(number, f"it has not made a change of the control API {why}")

    # Reads.

    async def _ask(self, kind: str, bodies: Mapping[Source, bytes]) -> dict[Source, bytes]:
        """Ask workers, each with its own body; the answers of those that give one."""
        numbers = {source: number for number, source in self._sources.items()}
        links = {source: self._workers.links.get(numbers[source]) for source in bodies if source in numbers}
        asked = {
            source: link.ask(kind, bodies[source], READ_TIMEOUT_S) for source, link in links.items() if link is not None
        }
        answers = await asyncio.gather(*asked.values(), return_exceptions=True)
        found: dict[Source, bytes] = {}
        for source, answer in zip(asked, answers, strict=True):
            if isinstance(answer, bytes):
                found[source] = answer
            elif not isinstance(answer, ChannelError | TimeoutError):
                raise answer
        return found

    async def _look(self) -> None:
        """Learn how far each process is, and give numbers to what is new."""
        answers = await self._ask(REPORT_KIND, dict.fromkeys(self._sources.values(), b""))
        self._hear(FRONT, Report.of(self.rig))
        for source, body in answers.items():
            if source in self._sources.values():
                self._hear(source, read_report(body))

    async def standing(self) -> Standing:
        """See `View`."""
        await self._look()
        rig, reports = self.rig, self._reports
        kept, missed = reports.observations(rig.observations.begun)
        return Standing(
            counters=reports.counters(rig.counters.resets),
            faults_played=reports.played(rig.counters.resets),
            journal=self._journal_standing(),
            fan_outs_waiting=reports.fan_outs_waiting,
            observations_kept=kept,
            observations_missed=missed,
            frame_lines=reports.frame_lines(rig.frame_log.begun),
            frame_trouble=reports.frame_trouble,
            workers=[
                WorkerStanding(
                    each.number + 1,
                    each.pid,
                    each.restarts,
                    self._workers.open_connections(each.number),
                    self._notifications_of(each.number),
                )
                for each in self._workers.states
            ],
        )

    def _notifications_of(self, number: int) -> int:
        report = self._reports.newest(self._sources[number]) if number in self._sources else None
        return 0 if report is None else report.numbers["notifications"]

    # The journal. Each worker's ring holds as many entries as one process's would; of all, that many can be seen.

    @property
    def _oldest_entry(self) -> int:
        """The number of the oldest entry that one ring over all would hold."""
        return max(1, self._journal.last - self.rig.journal.entries_max + 1)

    def _journal_standing(self) -> JournalStanding:
        held, total = 0, self._reports.entries_lost
        for source in self._sources.values():
            report = self._reports.newest(source)
            if report is not None:
                told = report.journal
                held += min(told.held, told.number - self._journal.position_at(source, self._oldest_entry - 1))
                total += told.total
        return JournalStanding(total, held, self.rig.journal.entries_max)

    async def search(self, wanted: Wanted, limit: int, *, newest_first: bool, after: int) -> Found:
        """See `View`. What came while the workers search is left for the next time, so that nothing is ever passed over."""
        await self._look()
        numbering, told = self._journal, WantedTold.of(wanted)
        spans = self._spans(numbering, max(after, self._oldest_entry - 1), numbering.last)
        bodies = {
            source: encode(Search(told, span.after, span.until, limit, newest_first)) for source, span in spans.items()
        }
        matched, parts = 0, []
        for source, body in (await self._ask(SEARCH_KIND, bodies)).items():
            answer = read_search_answer(body)
            matched += answer.matched
            positions = [each.position for each in answer.entries]
            parts.append(_part(numbering, source, positions, answer.entries, answer.whole))
            await asyncio.sleep(0)
        entries = await in_slices(merged_steps(parts, limit, newest_first=newest_first))
        return Found(matched, [Numbered(number, each.entry()) for number, each in entries])

    async def wait_for(self, wanted: Wanted, count: int, timeout_s: float, given_up: GivenUp) -> int:
        """See `View`."""
        arrivals = _Arrivals(wanted)

        async def count_now() -> int:
            await self._look()
            if wanted.everything:
                return self._journal_standing().total
            newest = {source: self._reports.newest(source) for source in self._sources.values()}
            spans = arrivals.new_spans({source: each for source, each in newest.items() if each is not None})
            bodies = {source: encode(Count(arrivals.told, span.after, span.until)) for source, span in spans.items()}
            arrivals.matched += sum(map(read_number, (await self._ask(COUNT_KIND, bodies)).values()))
            return arrivals.matched

        return await wait_until(count_now, count, timeout_s, self, given_up)

    # Observations and frames, of which the front has some too.

    async def observations(self, after: int, limit: int) -> list[bytes]:
        """See `View`."""
        await self._look()
        numbering = self._observations
        last = numbering.last
        while after < last:
            until = min(after + limit, last)
            spans = self._spans(numbering, after, until)
            bodies = {source: encode(span) for source, span in spans.items()}
            answers = await self._ask(OBSERVATIONS_KIND, bodies)
            if FRONT in bodies:
                answers[FRONT] = await in_slices(observations_steps(self.rig, bodies[FRONT]))
            parts = []
            for source, body in answers.items():
                answer = read_lines(body)
                positions = range(spans[source].after + 1, spans[source].after + 1 + len(answer.lines))
                parts.append(_part(numbering, source, positions, answer.lines, answer.whole))
                await asyncio.sleep(0)
            found = await in_slices(merged_steps(parts, limit))
            if found:
                return [numbered_line(number, line) for number, line in found]
            after = until  # those numbers ended with their process
        return []

    async def frames(self, after: int, connection: int | None, stream: int | None, limit: int) -> Sequence[FrameLine]:
        """See `View`."""
        await self._look()
        numbering = self._frames
        spans = self._spans(numbering, max(after, numbering.last - RECENT_LINES_MAX), numbering.last)
        bodies = {
            source: encode(FramesAsked(span.after, span.until, connection, stream, limit))
            for source, span in spans.items()
        }
        answers = await self._ask(FRAMES_KIND, bodies)
        if FRONT in bodies:
            answers[FRONT] = await in_slices(frames_steps(self.rig, bodies[FRONT]))
        parts = []
        for source, body in answers.items():
            answer = read_frames(body)
            positions = [each.number for each in answer.lines]
            parts.append(_part(numbering, source, positions, answer.lines, answer.whole))
            await asyncio.sleep(0)
        return [FrameLine(number, *line[1:]) for number, line in await in_slices(merged_steps(parts, limit))]

    # Numbers and positions.

    def _spans(self, numbering: Numbering, after: int, until: int) -> dict[Source, Span]:
        """Where the entries between two numbers are; sources that have none of them are left out."""
        spans = {
            source: Span(numbering.position_at(source, after), numbering.position_at(source, until))
            for source in (FRONT, *self._sources.values())
        }
        return {source: span for source, span in spans.items() if span.after < span.until}


def _part(
    numbering: Numbering, source: Source, positions: Sequence[int], items: Sequence[Item], whole: bool
) -> Part[Item]:
    """What a source has found; nothing where it has ended, or begun anew, while it was asked."""
    try:
        return Part(numbering.numbers_of(source, positions), items, whole)
    except LookupError:
        return Part((), (), True)


class _Arrivals:
    """What a waiter has counted, and up to where, in each journal."""

    def __init__(self, wanted: Wanted) -> None:
        self.told = WantedTold.of(wanted)
        self.matched = 0
        self._looked_to: dict[Source, int] = {}

    def new_spans(self, reports: Mapping[Source, Report]) -> dict[Source, Span]:
        """What has come since the last call; at the first, what there is since the journal was cleared."""
        spans = {}
        for source, report in reports.items():
            number, total = report.journal.number, report.journal.total
            after = max(self._looked_to.get(source, 0), number - total)
            self._looked_to[source] = number
            if after < number:
                spans[source] = Span(after, number)
        return spans
