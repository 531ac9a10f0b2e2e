"""One HTTP/2 connection to a simulator with faults, joined to a client by hand, and clocks that stand until told."""

import random

from simulator.apns.answer import RandomIds
from simulator.apns.link import Link
from simulator.devices.token_space import Environment
from simulator.faults.engine import ActiveFault, Planned
from simulator.faults.fault import Fault, RequestFault, Stage
from simulator.faults.match import Match
from simulator.host_owner import owner_of
from simulator.http2_session import Http2Session
from simulator.limits import Limits
from simulator.session import SessionParts
from tests.apns.valid_push import Push, jwt
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import Bench, Send
from wire.client import ClientConnection
from wire.events import Event
from wire.request import Response

APPLE, FCM, LOCALHOST = "api.push.apple.com", "fcm.googleapis.com", "localhost"
PUSH = Push().with_token(jwt(issued_at_s=int(NOW_S) - 60))
SEND = Send()


def planned(fault: Fault, match: Match | None = None, stage: Stage | None = None) -> Planned:
    """A fault of every request unless a match is given, in its usual stage unless another is given."""
    assert isinstance(fault, RequestFault)
    return Planned(fault, match or Match(), stage or fault.stages[0])


class FaultedPair:
    """A client and one connection's session. `host`: by SNI. `monotonic_s`: what delays count by. `events`: the client's."""

    def __init__(self, host: str, bench: Bench | None = None, connection: int = 1) -> None:
        self.bench = bench or Bench()
        self.monotonic_s = 1_000.0
        rig, limits = self.bench.rig, Limits()
        self.parts = SessionParts(
            rig,
            limits,
            limits.of_wire(),
            RandomIds(random.Random(7).randbytes),
            self.bench.service,
            lambda: self.monotonic_s,
        )
        rig.faults.connections = connection
        link = Link.opened(host, Environment.PRODUCTION)
        self.session = Http2Session(self.parts, link, owner_of(host), connection, self.monotonic_s)
        self.client = ClientConnection()
        self.events: list[Event] = []
        for _ in range(2):
            self.turn()

    def add(self, fault: Fault, match: Match | None = None, stage: Stage | None = None) -> ActiveFault:
        """Have a fault at work from now on."""
        return self.bench.rig.faults.add(planned(fault, match, stage), self.bench.now_s)

    def turn(self) -> list[Response]:
        """One read of the server, one write, one read of the client; then the other way, so that nothing is on its way."""
        self.session.receive(self.client.data_to_send())
        responses = self.client.receive_data(self.session.data_to_send())
        self.session.receive(self.client.data_to_send())
        responses += self.client.receive_data(self.session.data_to_send())
        self.events += self.client.take_events()
        return responses

    def queue(self, sent: Send | Push) -> int:
        """Send in the next turn; returns the stream."""
        request = sent.request()
        path, apns_id = request.varying
        assert path is not None
        return self.client.send(self.client.prepare(list(request.head.fields)), path, apns_id, request.body)

    def send(self, *sent: Send | Push) -> list[Response]:
        """Send these in one write."""
        for each in sent:
            self.queue(each)
        return self.turn()

    def pass_time(self, for_s: float) -> list[Response]:
        """Let so many seconds pass, and the session do what is due then."""
        self.monotonic_s += for_s
        self.session.wake(self.monotonic_s)
        return self.turn()


def status_of(response: Response) -> int:
    return int(response.head.value(b":status") or 0)
