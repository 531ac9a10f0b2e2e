"""What became of notifications: lost, sent twice, sent again for nothing, not sent again, waited for too long. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from loadtest.replay import evidence
from loadtest.replay.answers import Sense
from loadtest.replay.history import SAFE_TO_REPEAT, Connection, Exchange, Fate, Run
from loadtest.replay.rows import Measured, Played, unobserved
from simulator.devices.fates import Fate as DeviceFate
from wire.errors import ErrorCode

FINAL = frozenset({Sense.ACCEPTED, Sense.FINAL, Sense.DEAD})
CROSSING_S = 0.25
"""A request that begins so soon after an answer was written may have been on its way before the sender read that."""

GOAWAY_HEEDED_S = 1.0
"""A sender that has waited for answers behind a GOAWAY for so long may give them up."""


def lost(played: Played) -> Measured:
    """Devices that take notifications and got none, and were not told to be left alone either."""
    missing = [
        key
        for key, device in played.devices.items()
        if device.fate is DeviceFate.ACTIVE and not any(_settled(run, key) for run in played.history.runs)
    ]
    never = sum(1 for key in missing if not any(key in run.of_device for run in played.history.runs))
    found = f"{_devices(len(missing))} got nothing, {never:,} of them never asked for" if missing else "none was lost"
    return Measured(len(missing), found, lambda: evidence.of_devices(played.history, missing))


def _settled(run: Run, key: str) -> bool:
    exchanges = run.of_device.get(key, ())
    return any(each.processed or each.sense in FINAL for each in exchanges)


def duplicated(played: Played) -> Measured:
    """Devices that got a second one in a run, though the sender must have read that the first was accepted."""
    twice = [key for run in played.history.runs for key, exchanges in run.of_device.items() if _twice(exchanges)]
    found = f"{_devices(len(twice))} got more than one" if twice else "none got more than one without need"
    return Measured(len(twice), found, lambda: evidence.of_devices(played.history, twice))


def _twice(exchanges: list[Exchange]) -> bool:
    """Whether one was accepted after an earlier acceptance had been told for certain."""
    told = False
    for each in exchanges:
        if each.processed and told:
            return True
        told = told or (each.processed and each.sense is Sense.ACCEPTED)
    return False


def new_ids(played: Played) -> Measured:
    """Requests that repeat one of which the sender cannot know whether it was processed, under another id."""
    repeats, changed = 0, []
    for run in played.history.runs:
        for key, exchanges in run.of_device.items():
            for before, after in pairwise(exchanges):
                if before.sense is not None or before.fate in SAFE_TO_REPEAT:
                    continue
                given = after.request.notification_id
                if played.provider == "fcm" and given is None and before.request.notification_id is None:
                    continue  # FCM has no ids, and nobody has to put one among the data
                repeats += 1
                if given is None or given != before.request.notification_id:
                    changed.append(key)
    if not repeats:
        return unobserved("nothing was repeated of which the answer was lost, or nothing carried an id")
    found = (
        f"{len(changed):,} of {repeats:,} repeats under another id or none" if changed else f"{repeats:,} kept theirs"
    )
    return Measured(len(changed), found, lambda: evidence.of_devices(played.history, dict.fromkeys(changed)))


def goaway_unheeded(played: Played) -> Measured:
    """Requests that a GOAWAY left to be answered, and that the sender gave up at once and sent again."""
    left, again = 0, []
    for run in played.history.runs:
        for key, exchanges in run.of_device.items():
            for at, each in enumerate(exchanges):
                connection = run.connections.get(each.request.connection)
                told_s = None if connection is None else _left_to_be_answered_s(connection, each)
                if connection is None or told_s is None:
                    continue
                left += 1
                given_up = each.fate is Fate.ABANDONED or (each.fate is Fate.LOST and connection.ended_by_client)
                if given_up and each.ended_s - told_s < GOAWAY_HEEDED_S and at + 1 < len(exchanges):
                    again.append(key)
    if not left:
        return unobserved("no GOAWAY left a request to be answered")
    found = f"{len(again):,} of {left:,} given up at once and sent again" if again else f"none of {left:,}"
    return Measured(len(again), found, lambda: evidence.of_devices(played.history, dict.fromkeys(again)))


def _left_to_be_answered_s(connection: Connection, exchange: Exchange) -> float | None:
    """When a GOAWAY in good order found this request unanswered and did not disown it; None: none did."""
    farewells = [each for each in connection.goaways if each.by == "simulator"]
    if not farewells or farewells[-1].code != ErrorCode.NO_ERROR or exchange.fate is Fate.DISOWNED:
        return None
    told_s = farewells[-1].at_s
    return told_s if exchange.opened_s <= told_s < exchange.ended_s else None


def attempts(played: Played) -> Measured:
    """The most requests for one device in a run."""
    counts = [(len(exchanges), key) for run in played.history.runs for key, exchanges in run.of_device.items()]
    if not counts:
        return unobserved("no notification came")
    most, key = max(counts)
    found = f"{most:,} for one device, {sum(count for count, _ in counts) / len(counts):.2f} on average"
    return Measured(most, found, lambda: evidence.of_devices(played.history, [key]))


def retried_final(played: Played) -> Measured:
    """Requests for a device that had a final answer, in this run or (where its token is no good) in an earlier one."""
    finals, again = 0, []
    dead: set[str] = set()
    for run in played.history.runs:
        dead_here = set()
        for key, exchanges in run.of_device.items():
            if key in dead:
                again += [key] * len(exchanges)
            told_s: float | None = None
            for each in exchanges:
                if told_s is not None and each.opened_s > told_s + CROSSING_S and key not in dead:
                    again.append(key)
                if told_s is None and each.sense in (Sense.FINAL, Sense.DEAD):
                    told_s = each.ended_s
                    finals += 1
                    if each.sense is Sense.DEAD and not still_good(played, each):
                        dead_here.add(key)
        dead |= dead_here
    if not finals:
        return unobserved("nothing was refused for good")
    found = f"{len(again):,} requests after a final answer" if again else f"none after {finals:,} final answers"
    return Measured(len(again), found, lambda: evidence.of_devices(played.history, dict.fromkeys(again)))


def still_good(played: Played, exchange: Exchange) -> bool:
    """Whether the answer is of a time before the device's latest registration: then its token is good."""
    device = played.devices.get(exchange.device)
    since_ms = None if exchange.answer is None else exchange.answer.timestamp_ms
    return device is not None and since_ms is not None and since_ms < device.registered_at_ms


def not_retried(played: Played) -> Measured:
    """Devices whose last exchange in a run left them without a final answer, and nothing followed."""
    wanting, left = 0, []
    for run in played.history.runs:
        for key, exchanges in run.of_device.items():
            wanting += sum(1 for each in exchanges if _wants_more(each))
            if _wants_more(exchanges[-1]) and not any(each.sense in FINAL for each in exchanges):
                left.append(key)
    if not wanting:
        return unobserved("every request had a final answer at once")
    found = f"{_devices(len(left))} left without a final answer" if left else f"{wanting:,} unsettled, all sent again"
    return Measured(len(left), found, lambda: evidence.of_devices(played.history, left))


def _wants_more(exchange: Exchange) -> bool:
    if exchange.fate is Fate.UNCERTAIN:
        return False  # the sender may have read it, and then there is nothing to be done
    return exchange.sense not in FINAL


def hung(played: Played) -> Measured:
    """The longest time that the sender let a notification rest of which the answer never came."""
    waits = sorted(_waits(played), key=lambda found: found[0], reverse=True)
    if not waits:
        return unobserved("every stream was answered or ended")
    longest_s, key = waits[0]
    return Measured(round(longest_s, 3), f"up to {longest_s:.1f} s", lambda: evidence.of_devices(played.history, [key]))


def _waits(played: Played) -> Iterator[tuple[float, str]]:
    for run in played.history.runs:
        for key, exchanges in run.of_device.items():
            for at, each in enumerate(exchanges):
                if each.fate in (Fate.OPEN, Fate.ABANDONED, Fate.LOST):
                    following = exchanges[at + 1].opened_s if at + 1 < len(exchanges) else run.ended_s
                    yield max(0.0, following - each.opened_s), key


def _devices(count: int) -> str:
    return f"{count:,} device" + ("" if count == 1 else "s")
