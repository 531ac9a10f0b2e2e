"""The senders of the bench: one process for each run, told what to send where."""

import contextlib
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from loadtest.bench.child import BenchError, Child
from loadtest.bench.figures import total_known
from loadtest.bench.records import Run
from loadtest.bench.rows import RowSpec
from loadtest.bench.servers import Server
from loadtest.bench.task import GO, READY, SendResult, SendTask, payload, provider_token
from loadtest.bench.tools import program_file
from loadtest.errors import ControlPlaneError
from loadtest.population import rows as device_rows
from loadtest.rig_process import RunningRig
from sender.store.device_store import DeviceStore
from simulator.devices.token_space import Environment, Population

RUN_TIMEOUT_S = 180.0
PREPARE_TIMEOUT_S = 120.0
POLL_PAUSE_S = 0.5  # between two looks at the control plane
H2LOAD_STREAMS = 100  # of one connection; what nghttpd allows unless told otherwise
_H2LOAD_RATE = re.compile(rb"finished in ([0-9.]+)(ms|s|us), ")
_H2LOAD_STATUSES = re.compile(rb"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx")
_SECONDS = {b"us": 1e-6, b"ms": 1e-3, b"s": 1.0}


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs share. `folder`: for files of the bench. `seed`: of the population of device tokens.

    `store_file`: a store with these devices, of which each campaign gets a copy.
    """

    rig: RunningRig
    folder: Path
    store_file: Path
    seed: int
    connections: int

    def task(self, server: Server, count: int, encoding: str = "literal") -> SendTask:
        """The task of one run."""
        return SendTask(
            url=server.url,
            ca_file=self.rig.ca_file,
            key_file=self.rig.key_file,
            key_id=self.rig.key_id,
            team_id=self.rig.team_id,
            topic=self.rig.topic,
            population_seed=self.seed,
            count=count,
            connections=self.connections,
            encoding=encoding,
        )


def measure(bench: Bench, row: RowSpec, server: Server, count: int) -> Run:
    """One run of a row: checks that each notification was accepted. Raises BenchError and ControlPlaneError."""
    declare(bench, server, count)
    run = _SENDERS[row.sender](bench, row, server, count)
    if row.sender != "h2load":
        check_ledger(bench, server, count, row.title)
    return run


def declare(bench: Bench, server: Server, count: int) -> None:
    """Begin anew: forget what was, and say how many devices are to be reached."""
    if server.control is not None:
        server.control.reset()
        server.control.declare(bench.seed, count)


def check_ledger(bench: Bench, server: Server, count: int, title: str) -> None:
    """Each device was accepted once. Raises BenchError and ControlPlaneError."""
    if server.control is None:
        return
    (ledger,) = server.control.ledger(seed=bench.seed).populations
    if (ledger.accepted_once, ledger.accepted_more) != (count, 0):
        raise BenchError(
            f"{title}: the ledger has {ledger.accepted_once:,} of {count:,} devices accepted once, "
            f"{ledger.accepted_more:,} more often; rejections: {ledger.answers_by_reason}"
        )


@contextmanager
def polled(server: Server) -> Iterator[None]:
    """Look at counters and ledger again and again, as a person with the web page open does."""
    control = server.control
    if control is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(POLL_PAUSE_S):
            try:
                control.stats()
                control.ledger()
            except ControlPlaneError:  # the simulator is gone: the sender will tell
                return

    thread = threading.Thread(target=look, name="poll", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _module(name: str) -> Callable[[Bench, RowSpec, Server, int], Run]:
    def send(bench: Bench, row: RowSpec, server: Server, count: int) -> Run:
        return run_module(name, bench.task(server, count, row.encoding), server, row.title)

    return send


def _reference_over_fcm(bench: Bench, row: RowSpec, server: Server, count: int) -> Run:
    task = msgspec.structs.replace(bench.task(server, count), service_account_file=bench.rig.service_account_file)
    return run_module("reference_sender", task, server, row.title)


def run_module(module: str, task: SendTask, server: Server, title: str, *, timeout_s: float = RUN_TIMEOUT_S) -> Run:
    """A sender's module in a process of its own. Raises BenchError unless all were accepted."""
    return run_modules(module, [task], server, title, timeout_s=timeout_s)


def run_modules(
    module: str, tasks: Sequence[SendTask], server: Server, title: str, *, timeout_s: float = RUN_TIMEOUT_S
) -> Run:
    """A sender's module in as many processes as there are tasks, which begin together; the run lasts as long as the last.

    Raises BenchError unless all were accepted.
    """
    with contextlib.ExitStack() as held:
        children = [
            held.enter_context(
                Child.module(module, [msgspec.json.encode(task).decode()], timeout_s=PREPARE_TIMEOUT_S + timeout_s)
            )
            for task in tasks
        ]
        for child in children:
            if child.line(PREPARE_TIMEOUT_S) != READY:
                child.wait()
                raise child.failure("did not get ready")
        before = server.figures()
        for child in children:
            child.tell(GO)
        with polled(server):
            lines = [child.line(timeout_s) for child in children]
        after = server.figures()
        for child in children:
            child.wait()
    results = [_result(line, title) for line in lines]
    count, accepted = sum(task.count for task in tasks), sum(result.accepted for result in results)
    if accepted != count:
        raise BenchError(f"{title}: {accepted:,} of {count:,} notifications were accepted")
    return Run(
        count,
        max(result.elapsed_s for result in results),
        {"server": after.cpu_since_s(before), "sender": sum(result.cpu_s for result in results)},
        {"server": after.peak_rss_mb, "sender": total_known([result.peak_rss_mb for result in results])},
        {"server": server.processes, "sender": len(tasks)},
    )


def _result(line: bytes, title: str) -> SendResult:
    try:
        return msgspec.json.decode(line, type=SendResult)
    except msgspec.DecodeError:
        raise BenchError(f"{title}: the sender said nothing that can be read: {line!r}") from None


def campaign_of(bench: Bench, server: Server, count: int, store_file: Path, title: str, timeout_s: float) -> Run:
    """A campaign to all devices of a copy of the store, so that each run finds it as fresh as the one before."""
    copy = bench.folder / "campaign.db"
    shutil.copyfile(store_file, copy)
    try:
        task = msgspec.structs.replace(bench.task(server, count), store_file=str(copy))
        run = run_module("reference_sender", task, server, title, timeout_s=timeout_s)
        return msgspec.structs.replace(run, store_mb=round(copy.stat().st_size / 1e6, 3))
    finally:
        for file in bench.folder.glob("campaign.db*"):
            file.unlink()


def fill_store(store_file: Path, seed: int, count: int, topic: str) -> None:
    """A device store with a population in it."""
    population = Population(seed, count, topic, Environment.PRODUCTION, ())
    with DeviceStore.open(store_file, create=True) as store:
        store.import_rows(device_rows(population))


def _campaign(bench: Bench, row: RowSpec, server: Server, count: int) -> Run:
    return campaign_of(bench, server, count, bench.store_file, row.title, RUN_TIMEOUT_S)


def _locust_over(provider: str) -> Callable[[Bench, RowSpec, Server, int], Run]:
    def send(bench: Bench, row: RowSpec, server: Server, count: int) -> Run:
        return _locust(bench, row, server, count, provider)

    return send


def _locust(bench: Bench, row: RowSpec, server: Server, count: int, provider: str) -> Run:
    from loadtest.locust_process import run_locust

    rig = bench.rig
    # A user of Locust has one connection.
    arguments = [
        "--provider",
        provider,
        "--devices",
        str(count),
        "--seed",
        str(bench.seed),
        "--topic",
        rig.topic,
        "--host",
        server.url,
    ]
    arguments += ["--users", str(bench.connections), "--spawn-rate", str(bench.connections)]
    arguments += ["--load-profile", "max", "--run-time", f"{int(RUN_TIMEOUT_S)}s"]
    environment = {
        "APNS_KEY_FILE": rig.key_file,
        "APNS_KEY_ID": rig.key_id,
        "APNS_TEAM_ID": rig.team_id,
        "GOOGLE_APPLICATION_CREDENTIALS": rig.service_account_file,
        "SSL_CERT_FILE": rig.ca_file,
    }
    before = server.figures()
    with polled(server):
        outcome, figures = run_locust(arguments, environment, lambda: None)
    after = server.figures()
    if outcome.tally.accepted != count:
        raise BenchError(
            f"{row.title}: {outcome.tally.accepted:,} of {count:,} were accepted ({outcome.stopped or 'out of time'})"
        )
    return Run(
        count,
        outcome.tally.elapsed_s,
        {"server": after.cpu_since_s(before), "sender": outcome.tally.cpu_s},
        {"server": after.peak_rss_mb, "sender": figures.peak_rss_mb},
    )


def _h2load(bench: Bench, row: RowSpec, server: Server, count: int) -> Run:
    """Paths differ within a connection, and repeat from one connection to the next; the payload is the same for all."""
    task = bench.task(server, count)
    paths, body = bench.folder / "h2load.paths", bench.folder / "h2load.json"
    own = task.population.mint_range(0, -(-count // bench.connections))
    paths.write_text("".join(f"{server.url}/3/device/{minted.token}\n" for minted in own))
    body.write_bytes(payload(1))
    program = program_file("h2load")
    assert program is not None, "the row asks for it"
    command = [program, "-n", str(count), "-c", str(bench.connections), "-m", str(H2LOAD_STREAMS), "-t", "1"]
    command += ["-i", str(paths), "-d", str(body)]
    fields = {
        "apns-topic": task.topic,
        "apns-push-type": "alert",
        "authorization": provider_token(task).decode(),
    }
    command += [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    before = server.figures()
    with Child(command, "h2load", timeout_s=RUN_TIMEOUT_S) as child, polled(server):
        figures = child.wait()
        output = child.output
    after = server.figures()
    elapsed_s, answered = read_h2load(output)
    # The one server accepts all, the other finds no file of that name.
    if answered != ((count, 0) if server.control is not None else (0, count)):
        raise BenchError(f"{row.title}: of {count:,} notifications {answered[0]:,} got a 2xx, {answered[1]:,} a 4xx")
    return Run(
        count,
        elapsed_s,
        {"server": after.cpu_since_s(before), "sender": figures.cpu_s},
        {"server": after.peak_rss_mb, "sender": figures.peak_rss_mb},
    )


def read_h2load(output: bytes) -> tuple[float, tuple[int, int]]:
    """From the output of h2load: seconds, and how many answers were 2xx and 4xx. Raises BenchError."""
    time_taken, statuses = _H2LOAD_RATE.search(output), _H2LOAD_STATUSES.search(output)
    if time_taken is None or statuses is None:
        raise BenchError(f"h2load said nothing that can be read: {output[-300:].decode(errors='replace')!r}")
    return float(time_taken[1]) * _SECONDS[time_taken[2]], (int(statuses[1]), int(statuses[3]))


_SENDERS: dict[str, Callable[[Bench, RowSpec, Server, int], Run]] = {
    "ruler": _module("ruler_sender"),
    "reference": _module("reference_sender"),
    "reference-fcm": _reference_over_fcm,
    "campaign": _campaign,
    "locust": _locust_over("apns"),
    "locust-fcm": _locust_over("fcm"),
    "h2load": _h2load,
    "aioapns": _module("aioapns_sender"),
    "httpx": _module("httpx_sender"),
}
