"""Conversations drawn by hypothesis step by step, knowing where the last step has led: a state machine, and its property."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.fuzz.property import Found, Property, search_settings, seeded, shown
from tests.wire.conversation import (
    Announce,
    Answer,
    Conversation,
    Deliver,
    Goodbye,
    More,
    Ping,
    Prioritise,
    Reset,
    Script,
    Send,
    Step,
    Texts,
    Widen,
    carry_out,
)
from tests.wire.peers import apns_ids, field_lists, paths
from tests.wire.talkers import Settings
from wire import frames
from wire.connection import BODY_BYTES_MAX
from wire.request import Fields

PINGS_MAX = 20
WINDOW_MIN = 40
WINDOW_MIN_PADDED = 300  # a padded frame needs room for its padding, which only the referee sends


def _texts(fields: Fields) -> Texts:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


# A few lists of fields come again and again, so that messages meet what earlier ones have left in tables and layouts.
_others = st.one_of(
    st.sampled_from(
        [
            (),
            ((b"apns-topic", b"com.example.app"), (b"authorization", b"bearer AAAA")),
            ((b"apns-topic", b"com.example.other"), (b"apns-push-type", b"alert")),
            ((b"x-long", b"v" * 700), (b"authorization", b"bearer " + b"B" * 200)),
        ]
    ),
    field_lists,
).map(_texts)
_bodies = st.one_of(
    st.just(0), st.integers(1, 30), st.integers(1, 3_000), st.sampled_from([16_384, 16_385, BODY_BYTES_MAX])
)
_trailers: st.SearchStrategy[Texts] = st.one_of(st.just([]), field_lists.map(_texts))
_paddings = st.sampled_from([0, 0, 1, 255])
_nth = st.integers(0, 9)
_counts = st.one_of(st.none(), st.integers(1, 20), st.integers(1, 20_000))


def announced(window_min: int) -> st.SearchStrategy[Settings]:
    """SETTINGS of either end."""
    return st.fixed_dictionaries(
        {},
        optional={
            frames.HEADER_TABLE_SIZE: st.sampled_from([0, 64, 300, 4_096, 8_192]),
            frames.INITIAL_WINDOW_SIZE: st.sampled_from([0, window_min, 2_000, 65_535, 200_000]),
            frames.MAX_FRAME_SIZE: st.sampled_from([16_384, 20_000, 100_000]),
            frames.MAX_HEADER_LIST_SIZE: st.sampled_from([8_000, 65_536]),
            frames.MAX_CONCURRENT_STREAMS: st.sampled_from([1, 2, 5, 100]),
        },
    )


sends = st.builds(
    Send,
    path=paths.map(lambda path: path.decode("latin-1")),
    apns_id=apns_ids.map(lambda value: None if value is None else value.decode("latin-1")),
    others=_others,
    body_bytes=_bodies,
    prepared=st.booleans(),
    trailers=_trailers,
    padding=_paddings,
)
answers = st.builds(
    Answer,
    nth=_nth,
    status=st.sampled_from([200, 400, 410, 503]),
    others=_others,
    body_bytes=_bodies,
    early=st.sampled_from([False, False, True]),
    trailers=_trailers,
    padding=_paddings,
    interim=st.booleans(),
)


class ConversationMachine(RuleBasedStateMachine):
    """Any conversation of the two ends. `last`: what the latest run did, for the corpus."""

    last: Script | None = None

    def __init__(self) -> None:
        super().__init__()
        self.conversation: Conversation | None = None
        self.failed = False
        self.steps: list[Step] = []

    @initialize(
        ours=st.sampled_from([("client", "server"), ("client",), ("server",)]),
        data=st.data(),
        coded=st.booleans(),
        indexed=st.booleans(),
        fast=st.booleans(),
    )
    def begin(self, ours: tuple[str, ...], data: st.DataObject, coded: bool, indexed: bool, fast: bool) -> None:
        """Both ends, and mostly their greetings too: before these a client does not send."""
        self.window_min = WINDOW_MIN if len(ours) == 2 else WINDOW_MIN_PADDED
        settings = announced(self.window_min)
        client_settings, server_settings = data.draw(settings), data.draw(settings)
        client_settings.pop(frames.MAX_CONCURRENT_STREAMS, None)
        script = Script(ours, client_settings, server_settings, self.steps, coded, indexed, fast)
        ConversationMachine.last = script
        self.conversation = Conversation(script)
        if data.draw(st.sampled_from([True, True, True, False])):
            for to_client in (False, True, False):
                self._do(Deliver(to_client))

    def _do(self, step: Step) -> None:
        assert self.conversation is not None
        self.steps.append(step)
        self.failed = True
        self.conversation.do(step)
        self.failed = False

    @rule(step=sends)
    def send(self, step: Send) -> None:
        self._do(step)

    @rule(steps=st.lists(sends, min_size=2, max_size=6))
    def send_several(self, steps: list[Send]) -> None:
        for step in steps:
            self._do(step)

    @rule(request=sends, reply=answers)
    def exchange(self, request: Send, reply: Answer) -> None:
        for step in (request, Deliver(False), reply, Deliver(True)):
            self._do(step)

    @precondition(lambda self: self.conversation and self.conversation.requests)
    @rule(step=answers)
    def answer(self, step: Answer) -> None:
        self._do(step)

    @rule(to_client=st.booleans(), count=_counts)
    def deliver(self, to_client: bool, count: int | None) -> None:
        self._do(Deliver(to_client, count))

    @rule()
    def deliver_all(self) -> None:
        self._do(Deliver(False))
        self._do(Deliver(True))

    @precondition(lambda self: self.conversation and self.conversation.referees)
    @rule(bytes_max=st.sampled_from([1, 50, 1_000, 100_000]))
    def more(self, bytes_max: int) -> None:
        self._do(More(bytes_max))

    @precondition(lambda self: self.conversation and self.conversation.requests)
    @rule(by_client=st.booleans(), nth=_nth)
    def reset(self, by_client: bool, nth: int) -> None:
        self._do(Reset(by_client, nth))

    @precondition(lambda self: self.conversation and sum(map(len, self.conversation.pings.values())) < PINGS_MAX)
    @rule(by_client=st.booleans())
    def ping(self, by_client: bool) -> None:
        self._do(Ping(by_client))

    @rule(by_client=st.booleans(), data=st.data())
    def settings(self, by_client: bool, data: st.DataObject) -> None:
        self._do(Announce(by_client, data.draw(announced(self.window_min))))

    @rule(by_client=st.booleans(), increment=st.sampled_from([1, 1_000, 100_000]))
    def widen(self, by_client: bool, increment: int) -> None:
        self._do(Widen(by_client, increment))

    @precondition(lambda self: self.conversation and self.conversation.requests)
    @rule(nth=_nth)
    def prioritise(self, nth: int) -> None:
        self._do(Prioritise(nth))

    @precondition(lambda self: self.conversation and len(self.steps) > 10)
    @rule(by_client=st.booleans())
    def goodbye(self, by_client: bool) -> None:
        self._do(Goodbye(by_client))

    def teardown(self) -> None:
        if self.conversation is not None and not self.failed:
            self.conversation.finish()


class ConversationProperty(Property[Script]):
    """Searched by the machine, replayed from its script."""

    def search(self, examples: int, seed: int | None = None) -> None:
        """Draw conversations. Raises Found with the shortest that fails."""

        class Machine(ConversationMachine):
            """Of its own, since a seed stays with the class."""

        try:
            run_state_machine_as_test(seeded(Machine, seed), settings=search_settings(examples))
        except Exception as error:
            if ConversationMachine.last is None:
                raise
            raise Found(self.case_of(ConversationMachine.last, shown(error)), error) from error


CONVERSATION = ConversationProperty(
    name="conversation",
    record=Script,
    inputs=st.nothing(),
    check=carry_out,
    examples=40,
)
