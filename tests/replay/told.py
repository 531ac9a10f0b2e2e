"""Observations made by hand: a sender that does all right, to be spoiled in one thing."""

from dataclasses import dataclass, field
from typing import Any

from loadtest.replay.devices import Device, devices_of
from loadtest.replay.grading import grade
from loadtest.replay.history import history_of
from loadtest.replay.observed import (
    Accepted,
    Answer,
    Closed,
    FaultPlayed,
    Goaway,
    Observation,
    Opened,
    PhaseBegan,
    PhaseEnded,
    Ping,
    PingAcknowledged,
    RequestSeen,
    Reset,
    Verdict,
)
from loadtest.replay.results import Outcome, Results
from loadtest.replay.rows import Ending, Played, Row
from loadtest.replay.scenario import Expectations, Phase, Population, Scenario

RUN_S = 100.0
"""A run every so many seconds, and half as long."""


@dataclass
class Told:
    """A scenario, and what was seen of a sender. Times in seconds within run 1 unless given otherwise."""

    devices: int = 4
    fates: dict[str, float] = field(default_factory=dict)
    provider: str = "apns"
    runs: int = 1
    expect: dict[str, Any] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    seen: list[Observation] = field(default_factory=list)
    results: dict[int, Results] = field(default_factory=dict)
    endings: dict[int, Ending] = field(default_factory=dict)
    missed: int = 0
    streams: int = -1
    results_problem: str | None = None

    @property
    def scenario(self) -> Scenario:
        return Scenario(
            name="made-by-hand",
            title="Made by hand",
            providers=(self.provider,),
            runs=self.runs,
            population=Population(devices=self.devices, fates=self.fates),
            phase=self.phases,
            expect=Expectations(**self.expect),
        )

    @property
    def minted(self) -> list[Device]:
        return list(devices_of(self.scenario, self.provider).values())

    def opened(self, connection: int = 1, at_s: float = 0.0) -> None:
        peer = f"127.0.0.1:{connection}"
        self.seen.append(Accepted(at_s=at_s, peer=peer))
        self.seen.append(
            Opened(at_s=at_s, connection=connection, peer=peer, spoken="HTTP/2", host=None, tls="TLSv1.3", alpn="h2")
        )

    def closed(self, connection: int = 1, at_s: float = 40.0, **other: Any) -> None:
        given: dict[str, Any] = {"by": "client", "how": "end", "bytes_in": 1_000, "frames_in": {"HEADERS": 10}} | other
        self.seen.append(
            Closed(at_s=at_s, connection=connection, peer="", bytes_out=0, frames_out={}, unanswered=(), **given)
        )

    def asked(self, device: int, at_s: float, connection: int = 1, **other: Any) -> int:
        """A request; which stream it is."""
        self.streams += 2
        token = self.minted[device].token
        given: dict[str, Any] = {
            "streams_open": 1,
            "streams_max": 100,
            "provider": self.provider,
            "notification_id": f"id-{device}",
            "credential": "c1",
            "token": token,
        } | other
        self.seen.append(
            RequestSeen(
                at_s=at_s,
                connection=connection,
                stream=self.streams,
                opened_s=at_s,
                method="POST",
                path="/3/device/x",
                target=None,
                topic="com.example.app",
                body_bytes=20,
                **given,
            )
        )
        return self.streams

    def judged(self, stream: int, at_s: float, connection: int = 1, status: int = 200) -> None:
        self.seen.append(
            Verdict(
                at_s=at_s,
                connection=connection,
                stream=stream,
                provider=self.provider,
                token="",
                status=status,
                reason=None,
                message_id="",
            )
        )

    def answered(
        self, stream: int, at_s: float, status: int, reason: str | None = None, connection: int = 1, **other: Any
    ) -> None:
        given: dict[str, Any] = {"retry_after": None, "retry_after_s": None, "timestamp_ms": None} | other
        self.seen.append(
            Answer(
                at_s=at_s,
                connection=connection,
                stream=stream,
                status=status,
                reason=reason,
                message_id=None,
                body_bytes=0,
                **given,
            )
        )

    def accepted(self, device: int, at_s: float, connection: int = 1, **other: Any) -> int:
        """A request that is accepted at once, and told so."""
        stream = self.asked(device, at_s, connection, **other)
        self.judged(stream, at_s + 0.001, connection)
        self.answered(stream, at_s + 0.002, 200, connection=connection)
        return stream

    def refused(
        self, device: int, at_s: float, status: int, reason: str | None = None, connection: int = 1, **other: Any
    ) -> int:
        stream = self.asked(device, at_s, connection)
        self.judged(stream, at_s + 0.001, connection, status)
        self.answered(stream, at_s + 0.002, status, reason, connection, **other)
        return stream

    def reset(self, stream: int, at_s: float, code: int, by: Any = "simulator", connection: int = 1) -> None:
        self.seen.append(Reset(at_s=at_s, connection=connection, by=by, stream=stream, code=code))

    def goaway(self, last: int, at_s: float, connection: int = 1) -> None:
        self.seen.append(
            Goaway(at_s=at_s, connection=connection, by="simulator", last_stream_id=last, code=0, debug="")
        )

    def ping(self, at_s: float, opaque: str, *, answered: bool, connection: int = 1) -> None:
        self.seen.append(Ping(at_s=at_s, connection=connection, by="simulator", opaque=opaque))
        if answered:
            self.seen.append(PingAcknowledged(at_s=at_s, connection=connection, by="client", opaque=opaque))

    def fault(self, at_s: float) -> None:
        self.seen.append(FaultPlayed(at_s=at_s, connection=1, stream=1, fault=1, name="reason", stage="before_judge"))

    def phase_began(self, at_s: float, name: str = "faults") -> None:
        self.seen.append(PhaseBegan(at_s=at_s, name=name, run=1))

    def phase_ended(self, at_s: float, name: str = "faults") -> None:
        self.seen.append(PhaseEnded(at_s=at_s, name=name, run=1))

    def said(self, run: int, *devices: int, outcome: Outcome) -> None:
        """Results of a run."""
        from loadtest.replay.history import device_key

        for device in devices:
            key = device_key(self.provider, self.minted[device].token)
            self.results.setdefault(run, {})[key] = outcome

    @property
    def played(self) -> Played:
        ordinary = Ending(exit_code=0, duration_s=RUN_S / 2, overdue=False, said="all sent\n")
        numbers = range(1, self.runs + 1)
        starts = [(number - 1) * RUN_S for number in numbers]
        history = history_of(
            sorted(self.seen, key=lambda each: each.at_s), starts, [start + RUN_S / 2 for start in starts]
        )
        return Played(
            scenario=self.scenario,
            provider=self.provider,
            devices=devices_of(self.scenario, self.provider),
            history=history,
            endings=[self.endings.get(number, ordinary) for number in numbers],
            results=[self.results.get(number) for number in numbers],
            results_problem=self.results_problem,
            missed=self.missed,
        )

    def row(self, name: str) -> Row:
        (found,) = (row for row in grade(self.played) if row.expectation == name)
        return found

    @property
    def broken(self) -> set[str]:
        return {row.expectation for row in grade(self.played) if row.grade == "broken"}

    def of(self, name: str) -> tuple[str, object]:
        """Grade and measure of one expectation."""
        row = self.row(name)
        return row.grade, row.measured


def all_right(**given: Any) -> Told:
    """A sender that sent everything at once, and was accepted."""
    told = Told(**given)
    told.opened()
    for device in range(told.devices):
        told.accepted(device, 1.0 + device / 100)
    told.closed()
    return told
