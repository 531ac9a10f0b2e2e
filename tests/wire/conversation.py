"""A conversation between a client and a server, told step by step, and what must be true of it at every step and at its end.

A step that cannot be taken as things stand is passed over, so that any script is a conversation: hypothesis may shorten it,
and a person may edit it in the corpus.
"""

import msgspec

from tests.wire.ends import Message
from tests.wire.peers import request_fields
from tests.wire.talkers import (
    OurClientTalker,
    OurServerTalker,
    RefereeClientTalker,
    RefereeServerTalker,
    Settings,
    Talker,
)
from wire import frames
from wire.request import Fields
from wire.static_table import STATIC_COUNT

ROUNDS_MAX = 20_000
# As text, each character one byte: a corpus is to be read.
Texts = list[tuple[str, str]]


class Send(msgspec.Struct, tag="send", tag_field="do", frozen=True):
    """The client opens a stream. `prepared`: ours by a PreparedRequest, `h2` with priority fields. `trailers` and `padding`
    are sent by `h2` alone."""

    path: str = "/3/device/00"
    apns_id: str | None = None
    others: Texts = []
    body_bytes: int = 0
    prepared: bool = True
    trailers: Texts = []
    padding: int = 0


class Answer(msgspec.Struct, tag="answer", tag_field="do", frozen=True):
    """The server answers the nth of the requests that wait. `early`: one that has begun and not ended, if there is any."""

    nth: int = 0
    status: int = 200
    others: Texts = []
    body_bytes: int = 0
    early: bool = False
    trailers: Texts = []
    padding: int = 0
    interim: bool = False


class More(msgspec.Struct, tag="more", tag_field="do", frozen=True):
    """`h2` sends on with its bodies, so many bytes of each at most."""

    bytes_max: int


class Reset(msgspec.Struct, tag="reset", tag_field="do", frozen=True):
    """An end resets the nth of the streams opened so far; -1 is the last."""

    by_client: bool
    nth: int = 0


class Ping(msgspec.Struct, tag="ping", tag_field="do", frozen=True):
    """An end sends a PING."""

    by_client: bool


class Announce(msgspec.Struct, tag="settings", tag_field="do", frozen=True):
    """An end announces new SETTINGS."""

    by_client: bool
    changed: Settings


class Widen(msgspec.Struct, tag="widen", tag_field="do", frozen=True):
    """An end opens the window of the connection further."""

    by_client: bool
    increment: int


class Prioritise(msgspec.Struct, tag="priority", tag_field="do", frozen=True):
    """The client sends PRIORITY for a stream it has opened."""

    nth: int = 0


class Goodbye(msgspec.Struct, tag="goaway", tag_field="do", frozen=True):
    """An end sends GOAWAY. `h2` takes it for the end of everything: with it the goodbye waits for the end."""

    by_client: bool


class Deliver(msgspec.Struct, tag="deliver", tag_field="do", frozen=True):
    """So many bytes arrive at one end; None: all that is on its way."""

    to_client: bool
    count: int | None = None


class Repeat(msgspec.Struct, tag="repeat", tag_field="do", frozen=True):
    """Steps over and over: for what shows at a bound."""

    count: int
    steps: list["Step"]


Step = Repeat | Send | Answer | More | Reset | Ping | Announce | Widen | Prioritise | Goodbye | Deliver


class Script(msgspec.Struct, frozen=True):
    """A conversation. `ours`: which of the ends are `wire`'s, the others are the referee's."""

    ours: tuple[str, ...]
    client_settings: Settings
    server_settings: Settings
    steps: list[Step]
    coded: bool = False
    indexed: bool = False
    fast: bool = True


def _fields(texts: Texts) -> Fields:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in texts)


def _body(stream_id: int, size: int) -> bytes:
    """Different on every stream, so that no part of one passes for a part of another."""
    return bytes((at * 7 + stream_id) & 0xFF for at in range(size))


class Conversation:
    """Two talkers, the bytes on their way between them, and all that was sent."""

    def __init__(self, script: Script) -> None:
        self.referees = 2 - len(script.ours)
        self.client: Talker = (
            OurClientTalker(script.client_settings, coded=script.coded, indexed=script.indexed, fast=script.fast)
            if "client" in script.ours
            else RefereeClientTalker(script.client_settings)
        )
        self.server: Talker = (
            OurServerTalker(script.server_settings, fast=script.fast)
            if "server" in script.ours
            else RefereeServerTalker(script.server_settings)
        )
        self.on_their_way = {True: bytearray(), False: bytearray()}  # to the client, to the server
        self.requests: dict[int, Message] = {}
        self.answers: dict[int, Message] = {}
        # Messages that somebody has given up: they arrive whole and once, or never.
        self.requests_spoiled: set[int] = set()
        self.answers_spoiled: set[int] = set()
        self.ended_early: set[int] = set()  # found out when their answer was refused
        self.pings: dict[bool, list[bytes]] = {True: [], False: []}
        self.goodbyes: set[bool] = set()
        self.window_bytes = {
            True: script.client_settings.get(frames.INITIAL_WINDOW_SIZE),
            False: script.server_settings.get(frames.INITIAL_WINDOW_SIZE),
        }
        self.table_bytes = {
            True: script.client_settings.get(frames.HEADER_TABLE_SIZE),
            False: script.server_settings.get(frames.HEADER_TABLE_SIZE),
        }
        self.heard = {True: 0, False: 0}  # messages already compared

    def _end(self, is_client: bool) -> Talker:
        return self.client if is_client else self.server

    def waiting(self) -> list[int]:
        """Requests that have come whole and have no answer yet."""
        arrived = [stream_id for stream_id, _, _ in self.server.heard.messages]
        return [each for each in arrived if each not in self.answers and each not in self.ended_early]

    def do(self, step: Step) -> None:
        """Take one step, if it can be taken, and see that nothing is wrong."""
        match step:
            case Repeat():
                for each in step.steps * step.count:
                    self.do(each)
            case Send():
                self._send(step)
            case Answer():
                self._answer(step)
            case More():
                self.client.send_more(step.bytes_max)
                self.server.send_more(step.bytes_max)
            case Reset():
                self._reset(step)
            case Ping():
                opaque = len(self.pings[step.by_client]).to_bytes(8)
                self.pings[step.by_client].append(opaque)
                self._end(step.by_client).ping(opaque)
            case Announce():
                self._announce(step)
            case Widen():
                self._end(step.by_client).widen(step.increment)
            case Prioritise():
                if self.requests:
                    self.client.prioritise(list(self.requests)[step.nth % len(self.requests)])
            case Goodbye():
                self._goodbye(step)
            case Deliver():
                self._deliver(step.to_client, step.count)
        self._check()

    def _send(self, step: Send) -> None:
        if not self.client.can_open():
            return
        apns_id = None if step.apns_id is None else step.apns_id.encode("latin-1")
        fields = request_fields(step.path.encode("latin-1"), apns_id, _fields(step.others))
        stream_id = 2 * len(self.requests) + 1
        body = _body(stream_id, step.body_bytes)
        message = Message(fields, body, _fields(step.trailers), step.padding, prepared=step.prepared)
        assert self.client.open(message) == stream_id
        self.requests[stream_id] = message
        self._disown()

    def _answer(self, step: Answer) -> None:
        waiting = self.waiting()
        if step.early:
            waiting = [each for each in self.server.early() if each not in self.answers]
        if not waiting:
            return
        stream_id = waiting[step.nth % len(waiting)]
        fields = ((b":status", b"%d" % step.status), *_fields(step.others))
        message = Message(
            fields, _body(stream_id, step.body_bytes), _fields(step.trailers), step.padding, interim=step.interim
        )
        if not self.server.answer(stream_id, message):
            assert stream_id in self.requests_spoiled, "an answer is refused on a stream that nobody has ended"
            self.ended_early.add(stream_id)
            return
        self.answers[stream_id] = message
        if step.early:
            self.requests_spoiled.add(stream_id)

    def _reset(self, step: Reset) -> None:
        if not self.requests:
            return
        stream_id = list(self.requests)[step.nth % len(self.requests)]
        if self._end(step.by_client).reset(stream_id):
            self.requests_spoiled.add(stream_id)
            self.answers_spoiled.add(stream_id)

    def _announce(self, step: Announce) -> None:
        changed = dict(step.changed)
        # Told the same table size twice before its next block, the referee forgets to confirm it: spare it that.
        if self.referees and changed.get(frames.HEADER_TABLE_SIZE) == self.table_bytes[step.by_client]:
            changed.pop(frames.HEADER_TABLE_SIZE, None)
        if step.by_client:
            changed.pop(frames.MAX_CONCURRENT_STREAMS, None)
        if changed:
            self.window_bytes[step.by_client] = changed.get(
                frames.INITIAL_WINDOW_SIZE, self.window_bytes[step.by_client]
            )
            self.table_bytes[step.by_client] = changed.get(frames.HEADER_TABLE_SIZE, self.table_bytes[step.by_client])
            self._end(step.by_client).announce(changed)

    def _goodbye(self, step: Goodbye) -> None:
        self.goodbyes.add(step.by_client)
        if self.referees:
            return
        self._end(step.by_client).goodbye()
        self._disown()

    def _disown(self) -> None:
        """Streams above the last of a GOAWAY of the server come to nothing, also those opened before it is read."""
        seen = self.server.connection.goaway_sent if isinstance(self.server, OurServerTalker) else None
        disowned = [stream_id for stream_id in self.requests if seen is not None and stream_id > seen]
        self.requests_spoiled.update(disowned)
        self.answers_spoiled.update(disowned)

    def _deliver(self, to_client: bool, count: int | None) -> int:
        """Carry bytes to one end; returns how many."""
        way = self.on_their_way[to_client]
        way += self._end(not to_client).take()
        piece = bytes(way[:count])
        del way[: len(piece)]
        if piece:
            self._end(to_client).receive(piece)
        return len(piece)

    def _check(self) -> None:
        for is_client, sent, other in ((True, self.answers, self.answers_spoiled), (False, self.requests, set())):
            talker = self._end(is_client)
            messages = talker.heard.messages
            for stream_id, fields, body in messages[self.heard[is_client] :]:
                assert stream_id in sent, f"stream {stream_id} carries a message that nobody sent"
                assert fields == sent[stream_id].fields
                assert body == sent[stream_id].body
                assert [each for each, _, _ in messages].count(stream_id) == 1, f"stream {stream_id} ended twice"
            self.heard[is_client] = len(messages)
            assert talker.heard.resets <= self.requests_spoiled | other, "a reset that nobody asked for"
            pongs = talker.heard.pongs
            assert pongs == self.pings[is_client][: len(pongs)]
            assert min(talker.windows()) >= 0, "a window of the connection is below zero"

    def finish(self) -> None:
        """Deliver everything, answer whatever waits, and see that all has come and nothing is left over."""
        for is_client, window_bytes in self.window_bytes.items():
            if window_bytes == 0:  # an end that takes no bodies has them wait until it does
                for to_client in (True, False, True, False):
                    self._deliver(to_client, None)
                self._announce(Announce(is_client, {frames.INITIAL_WINDOW_SIZE: frames.WINDOW_BYTES_DEFAULT}))
        for _ in range(ROUNDS_MAX):
            self.client.send_more(1 << 24)
            self.server.send_more(1 << 24)
            moved = self._deliver(False, None) + self._deliver(True, None)
            waiting = self.waiting()
            for stream_id in waiting:
                self._answer(Answer(nth=self.waiting().index(stream_id)))
            self._check()
            if not moved and not waiting:
                break
        else:
            raise AssertionError(f"no end after {ROUNDS_MAX} rounds")
        arrived = {stream_id for stream_id, _, _ in self.server.heard.messages}
        assert set(self.requests) - self.requests_spoiled <= arrived, "a request is lost"
        answered = {stream_id for stream_id, _, _ in self.client.heard.messages}
        assert set(self.requests) - self.answers_spoiled <= answered, "an answer is lost"
        for is_client in (True, False):
            assert self._end(is_client).heard.pongs == self.pings[is_client]
            self._check_nothing_left(is_client)
        self._part()

    def _check_nothing_left(self, is_client: bool) -> None:
        talker, other = self._end(is_client), self._end(not is_client)
        assert talker.windows()[0] == other.windows()[1], "the ends count the connection's window differently"
        if isinstance(talker, OurClientTalker | OurServerTalker):
            connection = talker.connection
            last = connection.goaway_sent if isinstance(talker, OurServerTalker) else None
            disowned = {stream_id for stream_id in self.requests if last is not None and stream_id > last}
            assert not connection._rest
            assert connection._block is None
            assert set(connection._windows) <= disowned, "streams stay open"
            assert set(connection._receiving) <= disowned, "messages stay unfinished"
            assert set(connection._sending) <= disowned, "bodies wait for ever"
            assert not connection._announced._unacknowledged
        if isinstance(talker, OurClientTalker) and isinstance(other, OurServerTalker) and not talker.encoder._updates:
            decoder = other.connection._heads.decoder
            assert talker.encoder._entries == decoder._table[STATIC_COUNT + 1 :], "the ends' header tables differ"
            assert talker.encoder._size == decoder.table_bytes

    def _part(self) -> None:
        """With the referee, goodbyes that were asked for are said now, one of them."""
        if not self.referees or not self.goodbyes:
            return
        by_client = True in self.goodbyes
        self._end(by_client).goodbye()
        self._deliver(not by_client, None)
        assert self._end(not by_client).heard.goodbyes == 1


def carry_out(script: Script) -> None:
    """The whole conversation. Raises what is wrong with it."""
    conversation = Conversation(script)
    for step in script.steps:
        conversation.do(step)
    conversation.finish()
