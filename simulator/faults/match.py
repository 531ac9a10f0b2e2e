"""Which requests a fault is for: options that every fault has, and what is counted for them. Pure, but for the counts."""

from collections.abc import Collection
from typing import Annotated, Final, Literal

import msgspec

from simulator.devices.fates import Fate, Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import uniform
from simulator.faults.token_answers import TokenAnswers

NUMBER_MAX: Final = 2**31
SECONDS_MAX: Final = 31_536_000.0
SEED_MAX: Final = 2**63 - 1

Number = Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """All that is given has to hold. A fault meets notifications alone, unless `path` is given.

    - `provider`: apns or fcm. `path`: what the request's path begins with. `topic`: `apns-topic`, or the topic of a message of
      FCM's. `fate`: the one that was minted into the token.
    - `share_of_tokens`: of all device tokens, drawn once for each. `share_of_requests`: drawn anew for each answer to a token.
    - `from_connection`, `to_connection`: the first and the last that it meets of the connections that came since the fault was
      added, counted from 1; `every_connection`: only every nth from the first on. The same of a connection's requests
      (`from_request`, …) and of a token's answers that the fault sees (`from_answer`, …).
    - `from_s`, `until_s`: seconds since the fault was added, by the simulator's clock; the latter no more.
    - `times_max`: how often the fault is played at most.
    - `seed`: what shares are drawn by. Faults with one seed draw alike; without it each draws for itself.
    """

    provider: Literal["apns", "fcm"] | None = None
    path: Text | None = None
    topic: Text | None = None
    fate: Text | None = None
    share_of_tokens: Share | None = None
    share_of_requests: Share | None = None
    from_connection: Number = 1
    to_connection: Number | None = None
    every_connection: Number = 1
    from_request: Number = 1
    to_request: Number | None = None
    every_request: Number = 1
    from_answer: Number = 1
    to_answer: Number | None = None
    every_answer: Number = 1
    from_s: Seconds = 0.0
    until_s: Seconds | None = None
    times_max: Number | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=SEED_MAX)] | None = None

    def __post_init__(self) -> None:
        if self.fate is not None:
            Fate.of_name(self.fate)
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError(f"path={self.path!r} meets nothing: paths begin with /, as in path=/3/device/")
        for what in ("connection", "request", "answer"):
            first, last = getattr(self, f"from_{what}"), getattr(self, f"to_{what}")
            if last is not None and last < first:
                raise ValueError(f"to_{what}={last} comes before from_{what}={first}, so that nothing is met")
        if self.until_s is not None and self.until_s <= self.from_s:
            raise ValueError(f"until_s={self.until_s:g} is not after from_s={self.from_s:g}, so that nothing is met")


class Matcher:
    """A match at work: since when, for which seed, with what it has to count.

    `key`: what shares are drawn by. `since_s`: by the simulator's clock. `connections_before`: the number of the last
    connection that came before. `provider`: whose requests alone are meant, where the match does not say.
    `counts_answers`: also where the match alone would not need it. `played`: how often the fault was played here,
    `played_elsewhere`: by the other workers of the simulator.
    """

    __slots__ = (
        "_answers",
        "_connections_before",
        "_connections_matter",
        "_counts_answers",
        "_fate",
        "_key",
        "_match",
        "_path",
        "_provider",
        "_since_s",
        "_topic",
        "played",
        "played_elsewhere",
    )

    def __init__(
        self,
        match: Match,
        key: bytes,
        since_s: float,
        connections_before: int,
        answers: TokenAnswers,
        *,
        provider: Provider | None = None,
        counts_answers: bool = False,
    ) -> None:
        self.played = 0
        self.played_elsewhere = 0
        self._match = match
        self._key = key
        self._since_s = since_s
        self._connections_before = connections_before
        self._answers = answers
        self._provider = provider if match.provider is None else Provider(match.provider)
        self._path = None if match.path is None else match.path.encode()
        self._topic = None if match.topic is None else match.topic.encode()
        self._fate = None if match.fate is None else Fate.of_name(match.fate)
        self._connections_matter = not _any_number(match.from_connection, match.to_connection, match.every_connection)
        self._counts_answers = (
            counts_answers
            or match.share_of_requests is not None
            or not _any_number(match.from_answer, match.to_answer, match.every_answer)
        )

    def fits_now(self, now_s: float) -> bool:
        """Whether the time is right, and the fault has not been played often enough."""
        match, passed_s = self._match, now_s - self._since_s
        return (
            match.from_s <= passed_s
            and (match.until_s is None or passed_s < match.until_s)
            and (match.times_max is None or self.played + self.played_elsewhere < match.times_max)
        )

    def fits_connection(self, number: int) -> bool:
        """Whether this connection is meant. `number`: since the simulator started, as in `connections_before`."""
        match = self._match
        return not self._connections_matter or _in(
            number - self._connections_before, match.from_connection, match.to_connection, match.every_connection
        )

    def fits_opening(self, number: int, provider: Provider | None, now_s: float) -> bool:
        """Whether a connection is meant that has just come. `provider`: whose host it came to; None: nobody's."""
        if self._provider is not None and provider is not None and provider is not self._provider:
            return False
        return self.fits_now(now_s) and self.fits_connection(number)

    def answer_of(self, asked: Asked) -> int | None:
        """None: the request is not meant. Else which answer to its token this is, of those the fault sees; 0: not counted."""
        match = self._match
        if (
            not self.fits_now(asked.now_s)
            or (self._provider is not None and asked.provider is not self._provider)
            or not (asked.send if self._path is None else asked.path.startswith(self._path))
            or (self._topic is not None and asked.topic != self._topic)
            or (self._fate is not None and asked.fate is not self._fate)
            or not self.fits_connection(asked.connection)
            or not _in(asked.number, match.from_request, match.to_request, match.every_request)
            or (
                match.share_of_tokens is not None
                and uniform(self._key, b"share of tokens", asked.key) >= match.share_of_tokens
            )
        ):
            return None
        if not self._counts_answers:
            return 0
        answer = self._answers.count(asked.device, asked.key)
        if not _in(answer, match.from_answer, match.to_answer, match.every_answer):
            return None
        share = match.share_of_requests
        if share is not None and uniform(self._key, b"share of answers", asked.key, b"%d" % answer) >= share:
            return None
        return answer


_OF_CONNECTIONS: Final = frozenset(
    ("provider", "from_connection", "to_connection", "every_connection", "from_s", "until_s", "times_max", "seed")
)


def request_options(match: Match, unmatched: Collection[str] = ()) -> list[str]:
    """The options given that speak of a request, of which a connection that has just come knows nothing; and those
    `unmatched`."""
    return [
        field.name
        for field in msgspec.structs.fields(match)
        if (field.name not in _OF_CONNECTIONS or field.name in unmatched)
        and getattr(match, field.name) != field.default
    ]


def _any_number(first: int, last: int | None, every: int) -> bool:
    return first == 1 and last is None and every == 1


def _in(number: int, first: int, last: int | None, every: int) -> bool:
    return first <= number and (last is None or number <= last) and (number - first) % every == 0
